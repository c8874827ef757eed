"""Recordings: the packets as they were, at the pace at which they were captured."""

import contextlib
import secrets
from collections import defaultdict, deque
from collections.abc import Generator, Iterator, Sequence

import msgspec

from framewire.common.clock import NS
from framewire.common.errors import JpegError, SourceError
from framewire.common.frame import Frame, Packet
from framewire.common.jpeg import decode
from framewire.common.session import Session
from framewire.sender.pacing import GapSkipper
from framewire.sender.sources.playback import Playback
from framewire.sender.sources.remote import Remote
from framewire.sender.sources.source import Moment, Source, SourceOptions

__all__ = ["NO_RECORDING", "RecordingSource"]

NO_RECORDING = "send it as a clip instead"

_STEPS_BACK = 10_000
_PATIENCE_NS = 2 * NS
"""A replay stays in step with others, and with the clock on the wall, through hiccups of the machine;
what was stopped for longer goes on from there. Ages do not suffer: they count from sending."""


class RecordingSource(Source):
    """Recordings, played together as they happened: of several topics, or one after the other.

    Payload, capture times, sequence and metadata are the recorded ones. Headers say ``replay``, and
    for each run of a sender that was recorded they carry a sender id that is new for each run
    through the files (so where the recorded sender restarted, the replay seems to, and numbers that
    begin again are not taken for repeated frames).

    With `retime` capture times are those of now, as due, and ``replay`` is false: a camera that
    shows what was recorded. Sequence, and so its gaps, and metadata stay.
    """

    encoded = True
    takes = frozenset({"loop", "speed", "start"})

    def __init__(
        self,
        spec: str | Sequence[str] | Session,
        options: SourceOptions,
        *,
        end: float | None = None,
        skip_gaps: bool = False,
        retime: bool = False,
        remote: Remote | None = None,
    ) -> None:
        """`end` is seconds of media time. `remote` pauses and steps."""
        if not isinstance(spec, Session):
            paths = (spec,) if isinstance(spec, str) else spec
            spec = Session(paths, instead=NO_RECORDING)
        self._session = spec
        super().__init__(self._session.topics[0], options)
        self._start_ns = round(options.start * NS)
        self._end_ns = None if end is None else round(end * NS)
        self._skip_gaps, self._retime, self._remote = skip_gaps, retime, remote
        self.position_ns = self._start_ns
        """Where on the time line of the recordings the last frame stood."""

    def packets(self) -> Iterator[Packet]:
        playback = Playback(self.options, self._stop, self._remote, _PATIENCE_NS)
        began_ns = 0
        while not self._stop.is_set():
            length_ns = yield from self._round(playback, began_ns)
            if length_ns is None:
                first = self._session.segments[0].path
                raise SourceError(f"{first} holds nothing to play from that start on")
            if not self.options.loop:
                return
            began_ns += length_ns

    def __iter__(self) -> Iterator[Frame]:
        for packet in self.packets():
            with contextlib.suppress(JpegError):  # what does not decode is passed over: a gap
                yield Frame(decode(packet.payload), packet.header)

    def _round(self, playback: Playback, began_ns: int) -> Generator[Packet, None, int | None]:
        """Play once from start to end; return how long that took in media time, None if nothing.

        The last frame stays as long as the one before.
        """
        from_ns, first_ns = self._start_ns, None
        past: deque[int] = deque(maxlen=_STEPS_BACK)
        while True:
            # Who steps back begins a run: receivers drop what seems to come twice.
            runs: defaultdict[str, str] = defaultdict(lambda: secrets.token_hex(8))
            gaps = GapSkipper()
            last_ns = step_ns = 0
            for at_ns, packet in self._each(self._session.packets(from_ns, self._end_ns)):
                play_ns = gaps.at(at_ns) if self._skip_gaps else at_ns
                first_ns = play_ns if first_ns is None else first_ns
                moment = playback.wait(began_ns + play_ns)
                if moment is None:
                    break
                step_ns, last_ns = max(1, play_ns - last_ns), play_ns
                self.position_ns = at_ns
                past.append(at_ns)
                yield self._stamped(packet, runs[packet.header.sender], moment)
            else:
                return None if first_ns is None else last_ns + step_ns - first_ns
            if self._stop.is_set():
                return 0
            from_ns = self._frame_before(past)

    def _frame_before(self, past: deque[int]) -> int:
        """Time of the frame before the one that shows; of that one, if it is the first."""
        if len(past) > 1:
            past.pop()
        return past.pop() if past else self._start_ns

    def _stamped(self, packet: Packet, run: str, moment: Moment) -> Packet:
        header = msgspec.structs.replace(packet.header, sender=run, replay=True, hops=0)
        if self._retime:
            header = msgspec.structs.replace(
                header, replay=False, captured_ns=moment.wall_ns, monotonic_ns=moment.monotonic_ns
            )
        return Packet(header, packet.payload)
