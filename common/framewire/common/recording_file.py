"""The bytes of a file, read by any thread at any place."""

import os
import threading
from pathlib import Path

from framewire.common.errors import Closed, RecordingError

__all__ = ["RecordingFile", "Window"]

_WINDOW_BYTES = 4096  # a page: what the disk is read by


class RecordingFile:
    """A file open for reading. Thread-safe; each read names its place, so a fork may share it.

    `RecordingError` if it cannot be opened or read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()  # only where the system has no pread
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise RecordingError(f"cannot read {path}: {error.strerror}") from error

    def size(self) -> int:
        """How long it is now, bytes."""
        return os.fstat(self._descriptor()).st_size

    def read(self, offset: int, size: int) -> bytes:
        """So many bytes from there on; fewer only where the file ends."""
        parts = []
        while size > 0:
            part = self._read(offset, size)
            if not part:
                break
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Close it; when no thread reads."""
        self._file.close()

    def _descriptor(self) -> int:
        if self._file.closed:
            raise Closed(f"{self._path} was closed")
        return self._file.fileno()

    def _read(self, offset: int, size: int) -> bytes:
        descriptor = self._descriptor()
        try:
            if hasattr(os, "pread"):
                return os.pread(descriptor, size, offset)
            with self._lock:
                self._file.seek(offset)
                return self._file.read(size) or b""
        except OSError as error:
            raise RecordingError(f"cannot read {self._path}: {error.strerror}") from error


class Window:
    """Reads many small pieces near each other, with few calls of the system. Not thread-safe."""

    def __init__(self, file: RecordingFile) -> None:
        self._file = file
        self._begin, self._data = 0, b""

    def read(self, offset: int, size: int) -> bytes:
        """As `RecordingFile.read`, but perhaps as the file was at the last `forget`."""
        if size > _WINDOW_BYTES:
            return self._file.read(offset, size)
        at = offset - self._begin
        if not 0 <= at <= len(self._data) - size:
            self._begin, self._data, at = offset, self._file.read(offset, _WINDOW_BYTES), 0
        return self._data[at : at + size]

    def forget(self) -> None:
        """The file may have changed."""
        self._data = b""
