"""`Library`: what a folder of recordings holds."""

import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from framewire.app.web.loans import Loans
from framewire.app.web.reel import Reel
from framewire.app.web.tapes import Stamp, Tape, examined
from framewire.common.clock import NS, monotonic_ns
from framewire.common.closing import Closing
from framewire.common.errors import RecordingError, TopicError
from framewire.common.recording import Recording
from framewire.common.topic import check_topic

__all__ = ["Library"]

_log = logging.getLogger("framewire.web")

_SCAN_NS = NS
"""A folder is looked through no more often than that, however many ask."""
_MOST_FILES = 20_000
_DEEPEST = 32
_CALM = 20
"""A file that grows is read again when so many times as long has passed as reading took."""
_KEPT = 8
"""So many of the files that are read first stay open: those are the newest, and looked at first."""
_JOIN_S = 4.0


class Library(Closing):
    """The recordings below a folder, found and read in the background. Any thread may ask.

    Only files that were found there are ever opened: names that visitors send are looked up, not
    joined to a path, and no symbolic link is followed. What was read of a file is kept as long as it
    stays the same. All methods may wait for the disk: call them off an event loop.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._loans = Loans()
        self._tapes: dict[str, Tape] = {}
        self._lines: dict[str, tuple[Tape, ...]] = {}
        self._waiting: dict[str, None] = {}
        self._again_ns: dict[str, int] = {}
        self._scanned_ns = -_SCAN_NS
        self._scanning = threading.Lock()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="framewire-library", daemon=True)
        self._thread.start()

    # -- what there is ----------------------------------------------------------------------------

    def look(self, wait_s: float = 0.0) -> None:
        """Look through the folder, if that was not done just now; wait until files are read."""
        with self._scanning:
            if monotonic_ns() - self._scanned_ns >= _SCAN_NS:
                self._scan()
                self._scanned_ns = monotonic_ns()
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self.unread, wait_s)

    @property
    def tapes(self) -> list[Tape]:
        """All files, by name."""
        with self._changed:
            return [self._tapes[name] for name in sorted(self._tapes)]

    @property
    def unread(self) -> int:
        """How many files are still to be read for the first time."""
        return sum(not tape.read for tape in list(self._tapes.values()))

    def find(self, name: str) -> Tape | None:
        """The file of that name, if the last look found it, and it is still inside the folder."""
        tape = self._tapes.get(name)
        return tape if tape is not None and self._is_inside(tape.path) else None

    def line(self, topic: str) -> tuple[Tape, ...]:
        """The files of a topic that hold frames, by time."""
        with self._changed:
            if topic not in self._lines:
                found = [
                    each for each in self._tapes.values() if each.topic == topic and each.frames
                ]
                if not found:
                    return ()
                found.sort(key=lambda tape: (tape.began_ns, tape.name))
                self._lines[topic] = tuple(found)
            return self._lines[topic]

    def reel(self, topic: str) -> Reel:
        """All recordings of a topic as one."""
        return Reel(lambda: self.line(topic), self._loans)

    # -- the folder -------------------------------------------------------------------------------

    def _scan(self) -> None:
        found = {}
        for entry in islice(_walk(self.folder, _DEEPEST), _MOST_FILES):
            name = Path(entry.path).relative_to(self.folder).as_posix()
            try:
                name.encode()
                facts = entry.stat(follow_symlinks=False)
            except (OSError, UnicodeEncodeError):
                continue
            found[name] = Stamp(facts.st_size, facts.st_mtime_ns, facts.st_ino)
        with self._changed:
            for name in self._tapes.keys() - found.keys():
                self._forget(name)
            # The newest first: those are what people look for.
            for name in sorted(found, key=lambda name: -found[name].modified_ns):
                self._note(name, found[name])
            self._lines.clear()
            self._changed.notify_all()

    def _note(self, name: str, stamp: Stamp) -> None:
        tape = self._tapes.get(name)
        if tape is not None and (tape.stamp.inode != stamp.inode or stamp.size < tape.stamp.size):
            self._forget(name)
            tape = None
        if tape is None:
            path = self.folder / name
            self._tapes[name] = Tape(name, path, stamp, _topic_of_folder(name))
            self._waiting[name] = None
        elif tape.stamp != stamp and monotonic_ns() >= self._again_ns.get(name, 0):
            self._tapes[name] = replace(tape, stamp=stamp)
            self._waiting[name] = None

    def _forget(self, name: str) -> None:
        self._loans.drop(self._tapes.pop(name).path)
        self._waiting.pop(name, None)
        self._again_ns.pop(name, None)

    def _is_inside(self, path: Path) -> bool:
        try:
            return path.resolve(strict=True) == path and path.is_file()
        except OSError:
            return False

    # -- the thread that reads --------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    return
                name = next(iter(self._waiting))
                del self._waiting[name]
                tape = self._tapes[name]
            began_ns = monotonic_ns()
            read = self._read(tape)
            with self._changed:
                current = self._tapes.get(name)
                if current is not None and current.stamp.inode == tape.stamp.inode:
                    self._tapes[name] = (
                        read  # of a file that grew meanwhile, the next scan sees that
                    )
                    self._again_ns[name] = monotonic_ns() + _CALM * (monotonic_ns() - began_ns)
                    self._lines.clear()
                self._changed.notify_all()

    def _read(self, tape: Tape) -> Tape:
        try:
            if not self._is_inside(tape.path):
                raise RecordingError("it has gone")
            follows = tape.read and not tape.finished
            if tape.path in self._loans or follows or len(self._loans) < _KEPT:
                with self._loans.borrow(tape.path) as recording:
                    recording.refresh()
                    return examined(tape, recording)
            with Recording(tape.path) as recording:
                return examined(tape, recording)
        except RecordingError as error:
            reason = str(error).replace(f"cannot read {tape.path}: ", "")
            reason = reason.replace(str(tape.path), tape.name)  # where it lies is nobody's business
        except Exception:  # noqa: BLE001 - the top of this thread: one bad file is told, the others read
            _log.exception("cannot read %s", tape.path)
            reason = "cannot be read"
        return replace(tape, read=True, broken=True, reason=reason, frames=0, finished=False)

    def close(self) -> None:
        """Stop reading and close all files. May be called again."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(_JOIN_S)
        self._loans.close()


def _walk(folder: Path | str, depth: int) -> Iterator["os.DirEntry[str]"]:
    """Recordings below a folder: plain files, in plain folders."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return  # not ours to read, or gone
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            if depth:
                yield from _walk(entry.path, depth - 1)
        elif entry.name.lower().endswith(".mkv") and entry.is_file(follow_symlinks=False):
            yield entry


def _topic_of_folder(name: str) -> str:
    try:
        return check_topic(name.rpartition("/")[0])
    except TopicError:
        return ""
