"""`Writing`: the thread that puts packets on the disk, and how long it has been waiting for it."""

import logging
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from framewire.common.clock import NS, monotonic_ns, wall_ns
from framewire.common.errors import Closed, RecordingError
from framewire.common.frame import Packet
from framewire.common.mailbox import Mailbox
from framewire.receiver.sinks.books import Books, FileEvent
from framewire.receiver.sinks.files import Files, Refused
from framewire.receiver.sinks.segments import Slot
from framewire.receiver.sinks.shelf import Shelf
from framewire.receiver.sinks.trouble import DISK, Trouble

__all__ = ["Item", "Writing", "weight"]

_log = logging.getLogger("framewire.recorder")

_TICK_S = 0.2
_LOOK_NS = NS
_TIDY_NS = 10 * NS


class Item(NamedTuple):
    """A packet on its way to the disk."""

    packet: Packet
    slot: Slot


def weight(item: Item) -> int:
    """Bytes of memory that it takes, at most."""
    return item.packet.weight


class Writing:
    """Takes items from `queue` until it is closed and empty, then ends all files.

    `over` tells, of a slot, whether its time has passed. Everything here may wait for the disk;
    `waiting_ns` says for how long it has.
    """

    def __init__(
        self,
        queue: Mailbox[Item],
        files: Files,
        shelf: Shelf,
        books: Books,
        trouble: Trouble,
        *,
        folder: Path,
        over: Callable[[Slot], bool],
        tell: Callable[[FileEvent], None],
    ) -> None:
        self._queue, self._files, self._shelf = queue, files, shelf
        self._books, self._trouble = books, trouble
        self._folder, self._over, self._tell = folder, over, tell
        self._since_ns: int | None = None
        self._in_hand: Item | None = None
        self._look_ns = self._tidy_ns = 0
        self.refused: RecordingError | None = None
        """Why it has ended, where that was not for being closed."""
        self.handed_over = False
        """Whether the system has all of every file, and only has to bring it to the disk."""
        self._thread = threading.Thread(target=self._run, name="framewire-recorder", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def in_hand(self) -> Item | None:
        """What is being written."""
        return self._in_hand

    def waiting_ns(self, now_ns: int) -> int:
        """For how long the disk has not answered."""
        since_ns = self._since_ns
        return 0 if since_ns is None else now_ns - since_ns

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    # -- in the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while True:
                item = self._queue.get(_TICK_S)
                self._since_ns = monotonic_ns()
                if item is not None:
                    self._write(item, self._since_ns)
                self._look(self._since_ns, idle=item is None)
                self._since_ns = None
                self._trouble.end(DISK)
        except Closed:
            pass
        except Refused as error:
            self.refused = error
        except Exception as error:  # noqa: BLE001 - the top of this thread: whoever writes gets it
            _log.exception("the recorder stopped")
            self.refused = RecordingError(f"the recorder stopped: {error!r}; make a new one")
        finally:
            self._end()

    def _end(self) -> None:
        self._queue.close()
        self._books.missed(item.packet.topic for item in self._queue.clear())
        for end in (self._files.finish_all, self._hand_over, self._files.close_all, self._tidy):
            self._since_ns = monotonic_ns()
            end()
        self._since_ns = None
        self._trouble.end(DISK)

    def _hand_over(self) -> None:
        self.handed_over = True

    def _write(self, item: Item, now_ns: int) -> None:
        self._in_hand = item
        self._files.write(item.packet, item.slot, now_ns)
        self._in_hand = None

    def _look(self, now_ns: int, *, idle: bool) -> None:
        """What is due now and then. Files end here only when nothing for them can be on its way."""
        if now_ns < self._look_ns:
            return
        self._look_ns = now_ns + _LOOK_NS
        self._books.disk_free_bytes = _free(self._folder)
        finished = self._files.look(self._over if idle else lambda slot: False)
        if finished or now_ns >= self._tidy_ns:
            self._tidy_ns = now_ns + _TIDY_NS
            self._tidy()

    def _tidy(self) -> None:
        if self._shelf.limited:
            for kept in self._shelf.tidy(self._files.open_paths, wall_ns(), monotonic_ns()):
                topic = kept.path.parent.relative_to(self._folder).as_posix()
                self._tell(FileEvent("removed", kept.path, topic, bytes=kept.size))


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
