"""`Reel`: the files of one topic as one recording, frame by frame."""

from collections.abc import Callable, Generator
from dataclasses import dataclass

from framewire.app.web.loans import Loans
from framewire.app.web.playing import Order
from framewire.app.web.tapes import Tape
from framewire.common.clock import NS
from framewire.common.errors import RecordingError
from framewire.common.frame import Packet
from framewire.common.recording import Recording

__all__ = ["Place", "Reel", "Shot"]

NEAR_NS = NS // 2000
"""Times in files are whole milliseconds: who asks for that of a frame may be so far beside it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A frame: which file it is in, and its position there."""

    tape: str
    index: int


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame, where it stands and what follows it. Times are those of the time line (`Tape`)."""

    packet: Packet
    place: Place
    time_ns: int
    next_ns: int | None
    """When the next one is due; None behind the last."""
    hole: bool
    """Whether that one is in another file."""
    growing: bool
    """Whether more may come of this file."""


class Reel:
    """Frames of a topic by time and by steps. Any thread; all methods may wait for the disk.

    Where files overlap, as when two programs recorded the same, the one that began later is played.
    """

    def __init__(self, line: Callable[[], tuple[Tape, ...]], loans: Loans) -> None:
        self._line = line
        self._loans = loans

    def shot(self, order: Order, place: Place | None) -> Shot:
        """What `order` asks for, if `place` is on the screen. `RecordingError` if it cannot be read.

        Before the first frame that is the first one, behind the last the last.
        """
        try:
            return self._shot(order, place)
        except RecordingError:
            # The file was written anew since it was opened: it is again, once.
            for tape in self._line():
                self._loans.drop(tape.path)
            return self._shot(order, place)

    def _shot(self, order: Order, place: Place | None) -> Shot:
        line = self._line()
        if not line:
            raise RecordingError("there are no recordings of it any more")
        known = place is not None and any(tape.name == place.tape for tape in line)
        if order.at_ns is not None or not known or place is None:
            place = self._at(line, order.at_ns or 0)
        if order.by:
            place = self._beside(line, place, order.by)
        return self._read(line, place)

    def following(self, place: Place) -> int | None:
        """When the frame behind `place` is due, if there is one by now."""
        line = self._line()
        tape = _named(line, place)
        if tape is None:
            return None
        with self._loans.borrow(tape.path) as recording:
            return self._next(line, tape, recording, place.index)[0]

    def packets(self, from_ns: int, to_ns: int) -> Generator[Packet, None, None]:
        """The frames from one time to another, both included, each as it was recorded."""
        last_ns = from_ns - NEAR_NS - 1
        for tape in self._line():
            with self._loans.borrow(tape.path) as recording:
                for index in range(_index_at(recording, last_ns), len(recording)):
                    time_ns = _time(recording, index)
                    if time_ns > to_ns + NEAR_NS:
                        break
                    if time_ns > last_ns:
                        last_ns = time_ns
                        yield recording.packet(index)

    # -- where ------------------------------------------------------------------------------------

    def _at(self, line: tuple[Tape, ...], time_ns: int) -> Place:
        tape = _tape_at(line, time_ns + NEAR_NS)
        with self._loans.borrow(tape.path) as recording:
            if time_ns > tape.ended_ns and not recording.finished:
                recording.refresh()
            return Place(tape.name, _index_at(recording, time_ns + NEAR_NS))

    def _beside(self, line: tuple[Tape, ...], place: Place, by: int) -> Place:
        """So many frames further, from file to file; no further than to the ends."""
        at = next(at for at, tape in enumerate(line) if tape.name == place.tape)
        index = place.index + by
        while True:
            with self._loans.borrow(line[at].path) as recording:
                length = len(recording)
            if index < 0 and at > 0:
                at -= 1
                with self._loans.borrow(line[at].path) as recording:
                    index += len(recording)
            elif index >= length and at + 1 < len(line):
                at, index = at + 1, index - length
            else:
                return Place(line[at].name, min(max(0, index), length - 1))

    def _read(self, line: tuple[Tape, ...], place: Place) -> Shot:
        tape = _named(line, place)
        assert tape is not None
        with self._loans.borrow(tape.path) as recording:
            packet = recording.packet(place.index)
            next_ns, hole = self._next(line, tape, recording, place.index)
            time_ns = _time(recording, place.index)
            return Shot(packet, place, time_ns, next_ns, hole, not recording.finished)

    def _next(
        self, line: tuple[Tape, ...], tape: Tape, recording: Recording, index: int
    ) -> tuple[int | None, bool]:
        """(when the next frame is due, whether it is in another file)."""
        if index + 1 >= len(recording) and not recording.finished:
            recording.refresh()
        time_ns = _time(recording, index)
        later = [each.began_ns for each in line if each.began_ns > time_ns and each is not tape]
        if index + 1 < len(recording):
            own_ns = _time(recording, index + 1)
            if not later or own_ns <= later[0]:
                return own_ns, False
        elif any(each.began_ns <= time_ns < each.ended_ns for each in line if each is not tape):
            return time_ns + NS // 1000, False  # one that began earlier goes on
        return (later[0], True) if later else (None, False)


def _time(recording: Recording, index: int) -> int:
    return recording.began_ns + round(recording.time_of(index) * NS)


def _index_at(recording: Recording, time_ns: int) -> int:
    """The last frame then or before; the first one before all."""
    seconds = (time_ns - recording.began_ns) / NS
    return max(0, recording.between(None, seconds + 1e-9).stop - 1)


def _tape_at(line: tuple[Tape, ...], time_ns: int) -> Tape:
    begun = [tape for tape in line if tape.began_ns <= time_ns]
    running = [tape for tape in begun if time_ns <= tape.ended_ns]
    if running:
        return running[-1]
    return max(begun, key=lambda tape: tape.ended_ns) if begun else line[0]


def _named(line: tuple[Tape, ...], place: Place) -> Tape | None:
    return next((tape for tape in line if tape.name == place.tape), None)
