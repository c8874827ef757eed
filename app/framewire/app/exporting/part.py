"""Results grow beside their place and take it when they are whole."""

import contextlib
import glob
import os
import shutil
from pathlib import Path

from framewire.common.errors import SinkError

try:
    import fcntl
except ImportError:  # Windows: what a killed program leaves there is the user's to remove
    fcntl = None  # type: ignore[assignment]

__all__ = ["Part"]


class Part:
    """The file (or folder) to write to, for one that shall stand at `out`.

    `SinkError` if `out` is there already and not to be overwritten, or there is no place for it. What
    an earlier run for the same place left behind, because it was killed, is removed: a run that goes
    on holds a lock, which ends with it.
    """

    def __init__(self, out: Path, *, overwrite: bool, folder: bool = False) -> None:
        self._out = out
        self.path = out.with_name(f".{out.name}.{os.getpid()}.part")
        """Where to write until then: hidden, in the same folder."""
        self._check(overwrite, folder)
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            for left in out.parent.glob(f".{glob.escape(out.name)}.*.part"):
                if not _is_locked(left):
                    _remove(left)
            if folder:
                self.path.mkdir(exist_ok=True)
            else:
                self.path.touch()
            self._lock = _lock(self.path)
        except OSError as error:
            raise self.failed(error) from error

    def _check(self, overwrite: bool, folder: bool) -> None:
        out = self._out
        if not out.name:
            raise SinkError(f"cannot write {out}: name a new {'folder' if folder else 'file'}")
        if not os.path.lexists(out):
            return
        if folder != out.is_dir() or not (folder or out.is_file()):
            raise SinkError(
                f"cannot write {out}: it is no ordinary {'folder' if folder else 'file'}"
            )
        if not overwrite and not (folder and not any(out.iterdir())):
            raise SinkError(
                f"cannot write {out}: it is there already; choose another name, or overwrite it "
                "(--overwrite)"
            )

    def finish(self) -> None:
        """Move the result into its place. A folder that is there keeps its other files."""
        try:
            if self.path.is_dir() and self._out.exists():
                self._move_files()
            else:
                self.path.replace(self._out)
        except OSError as error:
            raise self.failed(error) from error
        self._unlock()

    def _move_files(self) -> None:
        for file in sorted(self.path.rglob("*")):
            place = self._out / file.relative_to(self.path)
            if file.is_dir():
                place.mkdir(exist_ok=True)
            else:
                file.replace(place)
        shutil.rmtree(self.path)

    def discard(self) -> None:
        """Remove what was written; may be called at any time."""
        with contextlib.suppress(OSError):
            _remove(self.path)
        self._unlock()

    def _unlock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def failed(self, error: OSError) -> SinkError:
        """What to raise for `error`; names the place, not the part."""
        return SinkError(f"cannot write {self._out}: {error.strerror or error}")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _lock(path: Path) -> int | None:
    """A descriptor that holds the lock of a part; None where the system has none."""
    if fcntl is None:
        return None
    # Not the kind of lock that a recording takes which is written here.
    folder = path.is_dir()
    fd = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    with contextlib.suppress(OSError):  # a file system without locks
        (fcntl.flock if folder else fcntl.lockf)(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fd


def _is_locked(path: Path) -> bool:
    """Whether some process holds it, or may: where that cannot be told, it does."""
    if fcntl is None:
        return True
    folder = path.is_dir()
    try:
        fd = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    except OSError:
        return True
    try:
        (fcntl.flock if folder else fcntl.lockf)(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False
