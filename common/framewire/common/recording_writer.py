"""`RecordingWriter`: one recording on the disk. docs/RECORDING.md is the format."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from framewire.common import __version__
from framewire.common.clock import NS
from framewire.common.errors import RecordingError
from framewire.common.frame import Header, Packet
from framewire.common.jpeg_syntax import with_header
from framewire.common.matroska_writing import cluster, head, is_ours
from framewire.common.timeline import Timeline
from framewire.common.wire import encode_header

try:
    import fcntl
except ImportError:  # Windows, where nobody can remove a file that is open
    fcntl = None  # type: ignore[assignment]

__all__ = ["RecordingWriter", "is_being_written", "is_ours_on_disk", "sync_folder"]

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_BEGINNING = 1024


class RecordingWriter:
    """Writes one topic into one file. Not thread-safe; every call may block as long as the disk does.

    Each frame goes to the operating system whole and at once: a process that is killed loses none
    that was written. `RecordingError` if the file cannot be created, or a packet not be written;
    the file then ends with the last frame before, stays readable, and may be tried again. While it
    is open it is locked (where the system can), so that no other framewire takes it for an old one.
    With `new` the file must not be there: `FileExistsError`.
    """

    def __init__(self, path: Path, first: Header, *, new: bool = False) -> None:
        self.path = path
        self.topic = first.topic
        self.frames = 0
        self._timeline = Timeline()
        self._last_ms = -1
        self._end = 0
        self._finished = False
        self._failure: RecordingError | None = None
        self._start, self._index = head(
            first.topic, first.width, first.height,
            writer=f"framewire {__version__}", began_ns=first.captured_ns, uid=os.urandom(16),
        )  # fmt: skip
        try:
            self._file = os.open(path, _FLAGS | (os.O_EXCL if new else 0), 0o666)
        except FileExistsError:
            raise
        except OSError as error:
            raise RecordingError(f"cannot write {path}: {error.strerror}") from error
        self._open = True
        try:
            _lock(self._file)
            os.ftruncate(self._file, 0)
        except OSError as error:
            if new:
                self.discard()
            self._abandon()
            raise RecordingError(f"cannot write {path}: {error.strerror}") from error

    @property
    def size(self) -> int:
        """Bytes of the file so far."""
        return self._end

    @property
    def removed(self) -> bool:
        """Whether somebody has removed the file meanwhile: what is written goes nowhere."""
        try:
            return self._open and os.fstat(self._file).st_nlink == 0
        except OSError:
            return False

    def write(self, packet: Packet) -> None:
        """Append one packet. Its payload is stored as it is, its header in a segment beside it."""
        header = packet.header
        if header.codec != "jpeg":
            raise RecordingError(f"cannot record {header.topic}: its codec is {header.codec}")
        data = with_header(packet.payload, encode_header(header, with_topic=True))
        self.append(round(self._timeline.at(header) * 1000 / NS), data)

    def append(self, at_ms: int, picture: bytes) -> None:
        """Append a picture as recordings hold it, its header inside, at a media time in milliseconds."""
        # Two frames of one millisecond: players want each later than the one before.
        at_ms = max(self._last_ms + 1, at_ms)
        # The beginning goes with the first frame: a file has a picture or nothing.
        start = b"" if self._end else self._start
        position = self._end + len(start)
        data = cluster(at_ms, picture)
        try:
            self._append(start + data if start else data)
        except OSError as error:
            raise RecordingError(f"cannot write {self.path}: {error.strerror}") from error
        self._last_ms = at_ms
        self._index.add(at_ms, position)
        self.frames += 1

    def finish(self) -> None:
        """Write the index; nothing can be written after it. Where there is no room for it, the rest
        of the file's end is still put right."""
        if not self._finished:
            self._finished = True
            try:
                self._finish()
            except OSError as error:
                self._failure = RecordingError(f"cannot finish {self.path}: {error.strerror}")
        if self._failure:
            raise self._failure

    def close(self, *, sync: bool = False) -> None:
        """Finish and close the file; with `sync` not before the disk has all of it."""
        if not self._open:
            return
        try:
            self.finish()
            if sync:
                os.fsync(self._file)
        except OSError as error:
            raise RecordingError(f"cannot finish {self.path}: {error.strerror}") from error
        finally:
            self._abandon()

    def discard(self) -> None:
        """Close the file and remove it: nothing is in it."""
        if not self.removed:
            with suppress(OSError):
                self.path.unlink()
        self._abandon()

    def _finish(self) -> None:
        if not self.frames:
            return
        cues_at: int | None = self._end
        failure = None
        try:
            self._append(self._index.cues())
        except OSError as error:
            cues_at, failure = None, error
        for at, patch in self._index.patches(cues_at, self._end):
            os.lseek(self._file, at, os.SEEK_SET)
            _write_all(self._file, patch)
        if failure:
            raise failure

    def _append(self, data: bytes) -> None:
        """All of it or nothing."""
        os.lseek(self._file, self._end, os.SEEK_SET)
        try:
            _write_all(self._file, data)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, self._end)
            raise
        self._end += len(data)

    def _abandon(self) -> None:
        if self._open:
            self._open = False
            with suppress(OSError):
                os.close(self._file)


def _write_all(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]


def _lock(file: int) -> None:
    """Say that the file is being written. `BlockingIOError` if another program says so."""
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(error.errno, "another program is recording into it") from error
        except OSError:
            pass  # a file system without locks


def is_ours_on_disk(path: Path) -> bool:
    """Whether framewire wrote this file: its beginning says so. No link is followed."""
    return _look(path, lambda file: is_ours(os.read(file, _BEGINNING)))


def is_being_written(path: Path) -> bool:
    """Whether some framewire on this machine has the file open now, where the system can tell."""
    return fcntl is not None and not _look(path, _lock_shared)


def _lock_shared(file: int) -> bool:
    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return True


def _look(path: Path, at: Callable[[int], bool]) -> bool:
    try:
        file = os.open(
            path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        )
    except OSError:
        return False
    try:
        return at(file)
    except OSError:
        return False
    finally:
        os.close(file)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in a folder, where the system can do that."""
    if os.name != "posix":
        return
    with suppress(OSError):
        file = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
