"""`Place`: where a recorder's files go, and their beginning."""

from collections.abc import Callable
from pathlib import Path

from framewire.common.errors import RecordingError
from framewire.common.frame import Packet
from framewire.common.recording_writer import RecordingWriter
from framewire.receiver.sinks.segments import continuation, segment_name

__all__ = ["Place", "is_single"]

_FOREIGN = (".mp4", ".avi", ".mov", ".webm")
_NAMES = 1000


def is_single(path: Path) -> bool:
    """Whether a path stands for one file, and not for a folder."""
    return path.suffix.lower() == ".mkv"


class Place:
    """A file.mkv for one topic, or a folder for any number. Not thread-safe.

    `RecordingError` now, not at the first frame, if nothing can be written there.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self.path = path
        self.single = is_single(path)
        self.folder = path.parent if self.single else path
        self._next = 1  # part of the single file
        self._made = False
        if path.suffix.lower() in _FOREIGN:
            raise RecordingError(f"cannot record to {path}: recordings are .mkv files")
        self._prepare(overwrite)

    def _prepare(self, overwrite: bool) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise RecordingError(
                f"cannot record to {self.path}: {self.folder} is not a folder"
            ) from error
        except OSError as error:
            raise RecordingError(f"cannot record to {self.path}: {error.strerror}") from error
        try:
            if self.single:
                self._made = not self.path.exists()
                self.path.open("ab" if overwrite else "xb").close()
            else:
                probe = self.folder / ".framewire-probe"
                probe.touch()
                probe.unlink()
        except FileExistsError as error:
            raise RecordingError(
                f"cannot record to {self.path}: it is there already; choose another name, or "
                "overwrite it (--overwrite)"
            ) from error
        except OSError as error:
            raise RecordingError(f"cannot record to {self.path}: {error.strerror}") from error

    def begin(self, packet: Packet) -> RecordingWriter:
        """A new file for this packet and those after it; `RecordingError` if it cannot be made."""
        if not self.single:
            folder = self.path / packet.topic
            captured_ns = packet.header.captured_ns
            name: Callable[[int], Path] = lambda number: folder / segment_name(captured_ns, number)
            return self._first_free(packet, name, 1)
        return self._first_free(packet, lambda number: continuation(self.path, number), self._next)

    def _first_free(
        self, packet: Packet, name: Callable[[int], Path], first: int
    ) -> RecordingWriter:
        for number in range(first, _NAMES):
            path = name(number)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                writer = RecordingWriter(path, packet.header, new=number > 1 or not self.single)
            except FileExistsError:
                continue
            except OSError as error:
                raise RecordingError(f"cannot write {path}: {error.strerror}") from error
            self._next = number + 1
            return writer
        raise RecordingError(f"cannot write {name(1)}: a thousand files have that name")

    def take_back(self, writer: RecordingWriter) -> None:
        """Nothing could be written into a file that `begin` gave: remove it."""
        writer.discard()
        self._next -= 1

    def leave(self) -> None:
        """At the end: leave no empty file where nothing came."""
        if self._made and self._next == 1:
            self.path.unlink(missing_ok=True)
