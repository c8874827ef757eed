"""`Files`: the open files of a recorder, one for each topic. What the writing thread does."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from framewire.common.clock import NS
from framewire.common.errors import RecordingError
from framewire.common.frame import Packet
from framewire.common.recording_writer import RecordingWriter, sync_folder
from framewire.receiver.sinks.books import Books, FileEvent
from framewire.receiver.sinks.place import Place
from framewire.receiver.sinks.segments import Slot
from framewire.receiver.sinks.trouble import Trouble

__all__ = ["MOST_OPEN", "Files", "Refused"]

MOST_OPEN = 512
"""Files that are written at a time, one for each topic: half of what a process may usually open."""
_RETRY_NS = NS


class Refused(RecordingError):
    """What can never go on: it is not the disk's fault."""


class _Open:
    """A file that is being written."""

    __slots__ = ("slot", "writer")

    def __init__(self, writer: RecordingWriter, slot: Slot) -> None:
        self.writer, self.slot = writer, slot


class Files:
    """Writes packets, each into the file of its topic and slot. Not thread-safe.

    What fails is left as it is, readable, and the packet goes into a new file at once; if that fails
    too, a new file is tried every second, and packets until then are counted as not written.
    """

    def __init__(
        self, place: Place, books: Books, trouble: Trouble, tell: Callable[[FileEvent], None]
    ) -> None:
        self._place, self._books, self._trouble, self._tell = place, books, trouble, tell
        self._open: dict[str, _Open] = {}
        self._retry_ns: dict[str, int] = {}
        self._topic = ""  # of the single file
        self.paths: dict[str, Path] = {}
        """The newest file of each topic."""

    @property
    def open_paths(self) -> list[Path]:
        return [each.writer.path for each in self._open.values()]

    def write(self, packet: Packet, slot: Slot, now_ns: int) -> None:
        """Write one packet, or count it; `Refused` where it can never be."""
        topic = packet.topic
        self._check_topic(topic)
        each = self._open.get(topic)
        if each is not None and (each.writer.removed or each.slot != slot):
            self.finish(topic)
            each = None
        if now_ns >= self._retry_ns.get(topic, now_ns) and self._put(packet, slot, each, now_ns):
            self._books.wrote(topic, len(packet.payload))
        else:
            self._books.missed([topic])

    def _check_topic(self, topic: str) -> None:
        if self._place.single and self._topic not in ("", topic):
            raise Refused(
                f"{self._place.path} holds {self._topic}, and now {topic} came: "
                "choose one topic, or record into a folder"
            )

    def _put(self, packet: Packet, slot: Slot, each: _Open | None, now_ns: int) -> bool:
        """Into the open file, or else into a new one; whether it was written."""
        try:
            if each is not None:
                try:
                    each.writer.write(packet)
                    return True
                except RecordingError as error:
                    if packet.header.codec != "jpeg":
                        raise
                    self._give_up(each, str(error))
            each = self._begin(packet, slot)
            each.writer.write(packet)
        except RecordingError as error:
            self._fail(packet.topic, str(error), now_ns)
            return False
        self.paths[packet.topic] = each.writer.path
        self._say("begun", each)
        self._retry_ns.pop(packet.topic, None)
        self._trouble.end(packet.topic)
        return True

    def _fail(self, topic: str, reason: str, now_ns: int) -> None:
        self._trouble.begin(topic, reason)
        self._retry_ns[topic] = now_ns + _RETRY_NS
        each = self._open.get(topic)
        if each is not None and not each.writer.frames:  # begun for nothing
            self._discard(each)

    def _give_up(self, each: _Open, reason: str) -> None:
        """A file that cannot be written any further: end it as well as the disk lets."""
        self._trouble.begin(each.writer.topic, reason)
        self._close(each, "failed")

    def _discard(self, each: _Open) -> None:
        del self._open[each.writer.topic]
        self._place.take_back(each.writer)

    def _begin(self, packet: Packet, slot: Slot) -> _Open:
        if len(self._open) >= MOST_OPEN:
            raise RecordingError(
                f"{MOST_OPEN} topics are recorded already: choose some with --topic"
            )
        writer = self._place.begin(packet)
        self._topic = packet.topic
        each = self._open[packet.topic] = _Open(writer, slot)
        return each

    def _say(self, state: str, each: _Open) -> None:
        writer = each.writer
        self._tell(
            FileEvent(state, writer.path, writer.topic, writer.frames, writer.size, each.slot.event)
        )

    # -- ends -----------------------------------------------------------------------------------

    def look(self, over: Callable[[Slot], bool]) -> bool:
        """Finish the files whose time is over, and notice those that somebody has removed.

        Whether there were any.
        """
        ending = [t for t, each in self._open.items() if each.writer.removed or over(each.slot)]
        for topic in ending:
            self.finish(topic)
        return bool(ending)

    def finish(self, topic: str) -> None:
        """End a topic's file properly, and wait until the disk has it."""
        each = self._open[topic]
        if each.writer.removed:
            self._lose(each)
        else:
            self._close(each, "finished")

    def _lose(self, each: _Open) -> None:
        """What would be written from here on goes nowhere, and what was is gone."""
        writer = each.writer
        self._books.gone(writer.topic, writer.frames)
        what = f"{writer.path} was removed while it was written: {writer.frames} frames are gone"
        self._trouble.begin(writer.topic, what)
        del self._open[writer.topic]
        self._say("removed", each)
        writer.discard()

    def _close(self, each: _Open, state: str) -> None:
        topic = each.writer.topic
        del self._open[topic]
        try:
            each.writer.close(sync=True)
            sync_folder(each.writer.path.parent)
        except RecordingError as error:
            self._trouble.begin(topic, str(error))
            state = "failed"
        self._say(state, each)

    def finish_all(self) -> None:
        """Give the system all of every file."""
        for each in self._open.values():
            with suppress(RecordingError):  # `close` says so again
                each.writer.finish()

    def close_all(self) -> None:
        """After `finish_all`: wait until the disk has them."""
        for topic in list(self._open):
            self.finish(topic)
        self._place.leave()
