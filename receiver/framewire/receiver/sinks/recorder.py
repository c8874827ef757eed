"""`Recorder`: packets into Matroska files, one for each topic."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from framewire.common.clock import NS, monotonic_ns, wall_ns
from framewire.common.closing import Closing
from framewire.common.errors import Closed, RecordingError, UsageError
from framewire.common.forking import Home
from framewire.common.frame import Packet
from framewire.common.mailbox import Mailbox
from framewire.common.topic import check_topic
from framewire.receiver.sinks.books import Books, FileEvent, RecorderStats
from framewire.receiver.sinks.events import Events
from framewire.receiver.sinks.files import Files
from framewire.receiver.sinks.place import Place, is_single
from framewire.receiver.sinks.plan import Plan
from framewire.receiver.sinks.segments import Rotation, Slot
from framewire.receiver.sinks.shelf import Shelf
from framewire.receiver.sinks.trouble import DISK, Trouble
from framewire.receiver.sinks.writing import Item, Writing, weight

__all__ = ["Recorder"]

_log = logging.getLogger("framewire.recorder")

_QUEUE_BYTES = 64 << 20
_RING_BYTES = 256 << 20
_OFFER_S = 0.1
_STALLED_NS = 2 * NS
"""A disk that has not answered for so long holds nobody up any more."""
_GIVE_UP_NS = 3 * NS
_SYNC_NS = 10 * NS
"""What a slow disk may take for all that the system has kept for it so far."""
_CLOSE_NS = 30 * NS
_GRACE_NS = NS


class Recorder(Closing):
    """Records packets as they are: nothing is decoded, and `framewire replay` restores all of it.

    A `path` that ends in ``.mkv`` is one file for one topic, and must not exist unless `overwrite`.
    Any other path is a folder: each topic gets ``FOLDER/TOPIC/2026-01-31T14-05-00.mkv``, named by
    the capture time (UTC) of its first frame. There, new files begin every `segment` seconds, at
    multiples of it of this machine's wall clock when the frames arrive; files last written `keep`
    seconds ago are removed, and the oldest beyond `max_bytes` in all: only those that framewire wrote
    and that are not open.

    With `pre` (seconds, 0 or more) only events are recorded: what came up to `pre` seconds before a
    `trigger`, out of at most 256 MiB of memory, until `post` seconds after the last one. Each event
    has files of its own.

    Writing happens in a thread of its own behind a queue of at most 64 MiB. While that is full, `write`
    waits as long as the disk goes on answering, and after two seconds without an answer counts the packet
    as not written. A disk that fails is tried again every second: see `stats`. `close` returns within a few
    seconds even if the disk is dead, and raises `RecordingError` if there were frames that could not be
    written. What was written stays readable. One thread may write; `on_file` is called in the writing
    thread, when a file begins or ends.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        overwrite: bool = False,
        segment: float | None = None,
        keep: float | None = None,
        max_bytes: int | None = None,
        pre: float | None = None,
        post: float = 10.0,
        on_file: Callable[[FileEvent], None] = lambda event: None,
    ) -> None:
        self._home = Home("Recorder")
        path = Path(path)
        plan = Plan(segment, keep, max_bytes, pre, post)
        _check(path, plan)
        self._place = place = Place(path, overwrite=overwrite)
        self._books = Books()
        self._trouble = Trouble(lambda: self._books.missing)
        self._lock = threading.Lock()
        self._rotation = Rotation(plan.segment_ns)
        self._events: Events[Item] | None = None
        if pre is not None:
            self._events = Events(round(pre * NS), round(post * NS), _RING_BYTES)
        self._told = False
        self._queue: Mailbox[Item] = Mailbox("block", capacity=_QUEUE_BYTES, weight=weight)
        self._files = Files(place, self._books, self._trouble, on_file)
        self._writing = Writing(
            self._queue,
            self._files,
            Shelf(place.folder, keep_ns=plan.keep_ns, max_bytes=max_bytes),
            self._books,
            self._trouble,
            folder=place.folder,
            over=self._over,
            tell=on_file,
        )

    # -- figures --------------------------------------------------------------------------------

    @property
    def frames(self) -> int:
        """Frames written to disk so far."""
        return self._books.frames

    @property
    def written_bytes(self) -> int:
        """Payload bytes written to disk so far."""
        return self._books.payload_bytes

    @property
    def unwritten(self) -> int:
        """Frames that could not be written so far."""
        return self._books.missing

    @property
    def paths(self) -> dict[str, Path]:
        """The newest file of each topic that was begun."""
        return dict(self._files.paths)

    @property
    def stats(self) -> RecorderStats:
        """A snapshot of what was written and what could not be."""
        events = 0 if self._events is None else self._events.number
        return self._books.snapshot(self._trouble.now, events)

    # -- taking packets -------------------------------------------------------------------------

    def write(self, packet: Packet, /) -> None:
        """Take one packet; its file is begun with the first of its topic.

        `TopicError` for a packet that no receiver would have let through; `RecordingError` if it can
        never be written: a second topic for a single file. A disk that fails raises nothing here.
        """
        self._home.check()
        check_topic(packet.topic)  # it becomes a folder
        if self._queue.closed:
            raise self._writing.refused or Closed("write to a closed recorder")
        with self._lock:
            now_ns = monotonic_ns()
            item = self._item(packet, now_ns)
            if self._events and self._events.keep(now_ns, packet.topic, weight(item), item):
                return
        self._hand_over(item)

    def _item(self, packet: Packet, now_ns: int) -> Item:
        event = self._events.of_frame(now_ns) if self._events else 0
        return Item(packet, Slot(self._rotation.at(wall_ns()), event))

    def _hand_over(self, item: Item) -> None:
        """Into the queue; wait for room while the disk answers, else count the packet."""
        try:
            while not self._queue.offer(item, 0 if self._stalled() else _OFFER_S):
                if self._stalled():
                    self._books.missed([item.packet.topic])
                    return
        except Closed:
            raise self._writing.refused or Closed("write to a closed recorder") from None

    def _stalled(self) -> bool:
        """Whether the disk has not answered for too long; it is said when that begins."""
        if self._writing.waiting_ns(monotonic_ns()) < _STALLED_NS:
            return False
        self._trouble.begin(DISK, f"the disk of {self._place.path} does not answer")
        return True

    def trigger(self) -> None:
        """Record what came lately, and what comes in the next `post` seconds. Any thread may call.

        `UsageError` for a recorder that was made without `pre`: it records everything.
        """
        if self._events is None:
            raise UsageError("this recorder records everything: give it pre= to record events")
        with self._lock:
            drained = self._events.trigger(monotonic_ns())
            if drained is None:
                return
            self._queue.push(drained.items)
        if drained.missing:
            self._books.missed(drained.missing)
            _log.warning(
                "the beginning of event %d is missing: %d frames had no room in %d MiB of memory",
                self._events.number,
                len(drained.missing),
                _RING_BYTES >> 20,
            )

    def _over(self, slot: Slot) -> bool:
        """Whether no frame can come for a slot any more; asked by the writing thread."""
        with self._lock:
            ended = self._rotation.over(slot.segment, wall_ns() - _GRACE_NS)
            if self._events:
                ended = ended or self._events.over(slot.event, monotonic_ns() - _GRACE_NS)
            return ended

    # -- the end --------------------------------------------------------------------------------

    def close(self) -> None:
        """Write what waits and finish the files; see the class for how long it takes and raises."""
        if self._home.left:
            return
        self._queue.close()
        end_ns = monotonic_ns() + _CLOSE_NS
        while self._writing.alive and not self._gives_up(end_ns):
            self._writing.join(_OFFER_S)
        if self._told:
            return
        self._told = True
        self._tell_what_is_missing()

    def _gives_up(self, end_ns: int) -> bool:
        now_ns = monotonic_ns()
        patience_ns = _SYNC_NS if self._writing.handed_over else _GIVE_UP_NS
        return now_ns > end_ns or self._writing.waiting_ns(now_ns) > patience_ns

    def _tell_what_is_missing(self) -> None:
        reason = self._trouble.last
        if self._writing.alive:
            reason = f"the disk of {self._place.path} does not answer"
            self._trouble.begin(DISK, reason)
            self._trouble.close()
            left = [*self._queue.clear(), *filter(None, [self._writing.in_hand])]
            self._books.missed(item.packet.topic for item in left)
        elif self._writing.refused:
            raise self._writing.refused
        if self._books.missing:
            raise RecordingError(f"{self._books}: {reason}")
        if self._trouble.now or self._writing.alive:
            raise RecordingError(f"{reason}; the end may be missing")


def _check(path: Path, plan: Plan) -> None:
    for name, value in plan.of_folder.items():
        if value is not None and is_single(path):
            raise UsageError(f"{path} is one file: with {name} record into a folder")
