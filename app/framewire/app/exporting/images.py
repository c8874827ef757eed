"""`ImageFolder`: each picture into a JPEG file."""

from datetime import UTC, datetime
from pathlib import Path

from framewire.app.exporting.exporter import ExportOptions, Picture
from framewire.app.exporting.part import Part
from framewire.common.clock import NS
from framewire.common.frame import Header
from framewire.common.jpeg_syntax import with_header
from framewire.common.topic import check_topic
from framewire.common.wire import encode_header

__all__ = ["ImageFolder"]


class ImageFolder:
    """``OUT/TOPIC/2026-01-31T14-05-12.123456Z-000041.jpg``: capture time in UTC, sequence number.

    The bytes are those that were sent; with ``headers`` the framewire header stands in each file,
    as in those of `framewire record --format images`.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, options: ExportOptions) -> None:
        self._headers = options.headers
        self._part = Part(options.out, overwrite=options.overwrite, folder=True)

    def write(self, picture: Picture) -> None:
        packet = picture.packet
        data = packet.payload
        if self._headers:
            data = with_header(data, encode_header(packet.header, with_topic=True))
        folder = self._part.path / check_topic(packet.topic)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _unused(folder, _stem(packet.header)).open("xb") as file:
                file.write(data)
        except OSError as error:
            raise self._part.failed(error) from error

    def close(self) -> None:
        self._part.finish()

    def abandon(self) -> None:
        self._part.discard()


def _stem(header: Header) -> str:
    seconds, rest_ns = divmod(header.captured_ns, NS)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H-%M-%S}.{rest_ns // 1000:06d}Z-{header.sequence:06d}"


def _unused(folder: Path, stem: str) -> Path:
    """Two recordings of one topic may hold the same frame, or one a loop."""
    path, number = folder / f"{stem}.jpg", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}.jpg"
    return path
