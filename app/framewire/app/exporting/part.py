"""Results grow beside their place and take it when they are whole."""

import contextlib
import os
import shutil
from pathlib import Path

from framewire.common.errors import SinkError

__all__ = ["Part"]


class Part:
    """The file (or folder) to write to, for one that shall stand at `out`.

    `SinkError` if `out` is there already and not to be overwritten, or there is no place for it.
    """

    def __init__(self, out: Path, *, overwrite: bool, folder: bool = False) -> None:
        self._out = out
        self.path = out.with_name(f".{out.name}.{os.getpid()}.part")
        """Where to write until then: hidden, in the same folder."""
        self._check(overwrite, folder)
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            if folder:
                self.path.mkdir(exist_ok=True)
            else:
                self.path.touch()
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
            if self.path.is_dir():
                shutil.rmtree(self.path)
            else:
                self.path.unlink(missing_ok=True)

    def failed(self, error: OSError) -> SinkError:
        """What to raise for `error`; names the place, not the part."""
        return SinkError(f"cannot write {self._out}: {error.strerror or error}")
