"""`Images`: each packet into a JPEG file of its own."""

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path

from framewire.common.clock import NS
from framewire.common.closing import Closing
from framewire.common.errors import SinkError
from framewire.common.frame import Packet
from framewire.common.jpeg_syntax import with_header
from framewire.common.topic import check_topic
from framewire.common.wire import encode_header

__all__ = ["Images", "check_writable", "write_jpeg"]


def _part(path: Path) -> Path:
    """Where a file grows until it is whole."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def check_writable(path: Path) -> None:
    """Raise `SinkError` now, not after a long wait, if `path` cannot be written."""
    if path.is_dir():
        raise SinkError(f"cannot write {path}: it is a folder; name a file, as in cam.jpg")
    try:
        _part(path).touch()
        _part(path).unlink()
    except OSError as error:
        raise SinkError(f"cannot write {path}: {error.strerror}") from error


def write_jpeg(path: Path, packet: Packet) -> None:
    """Write one picture, with its header in a segment beside it; whole or not at all.

    `SinkError` if the file cannot be written.
    """
    if packet.header.codec != "jpeg":
        raise SinkError(f"cannot write {path}: the picture is {packet.header.codec}, not JPEG")
    data = with_header(packet.payload, encode_header(packet.header, with_topic=True))
    part = _part(path)
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise SinkError(f"cannot write {path}: {error.strerror}") from error


class Images(Closing):
    """``FOLDER/TOPIC/2026-01-31T14-05-00.123456-42.jpg``: capture time in UTC, sequence number.

    The JPEG bytes are those that came; the header travels in each file. Not thread-safe.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self.frames = 0
        """Files written so far."""
        self.written_bytes = 0
        """Payload bytes of those."""
        self.unwritten = 0
        """None: the first file that cannot be written ends it."""
        self._make(self._folder)

    @staticmethod
    def _make(folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"cannot make the folder {folder}: {error.strerror}") from error

    def write(self, packet: Packet, /) -> None:
        """Write one file; `SinkError` if it cannot."""
        check_topic(packet.topic)  # it becomes a folder
        header = packet.header
        seconds, rest_ns = divmod(header.captured_ns, NS)
        moment = datetime.fromtimestamp(seconds, UTC)
        name = f"{moment:%Y-%m-%dT%H-%M-%S}.{rest_ns // 1000:06d}-{header.sequence}.jpg"
        folder = self._folder / header.topic
        self._make(folder)
        write_jpeg(folder / name, packet)
        self.frames += 1
        self.written_bytes += len(packet.payload)

    def close(self) -> None:
        """Nothing is left open between files."""
