"""`Mcap`: an MCAP file for Foxglove and other tools of robotics."""

import json
from contextlib import suppress

import msgspec

from framewire.app.exporting.compressed_image import DESCRIPTOR, NAME, compressed_image
from framewire.app.exporting.exporter import ExportOptions, Picture
from framewire.app.exporting.part import Part
from framewire.common import __version__
from framewire.common.errors import SinkError

__all__ = ["Mcap"]

_CHUNK_BYTES = 4 << 20
_WHOLE, _TEXT, _YES_OR_NO = {"type": "integer"}, {"type": "string"}, {"type": "boolean"}
_HEADER_SCHEMA = {
    "title": "framewire.Header",
    "type": "object",
    "properties": {
        **dict.fromkeys(("topic", "sender", "codec"), _TEXT),
        **dict.fromkeys(("sequence", "dropped", "captured_ns", "monotonic_ns", "sent_ns"), _WHOLE),
        **dict.fromkeys(("encode_us", "width", "height", "channels", "quality", "crc32"), _WHOLE),
        "replay": _YES_OR_NO,
        "metadata": {"type": "object"},
    },
}


class Mcap:
    """Each topic as two channels: TOPIC has the pictures, TOPIC/header what else was known of them.

    Pictures are `foxglove.CompressedImage` (Protocol Buffers) with the JPEG as it was sent; headers,
    with the user's metadata, are JSON. All times are those of capture.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, options: ExportOptions) -> None:
        try:
            from mcap.writer import CompressionType, Writer
        except ImportError:
            raise SinkError(
                "export to mcap needs one more package: pip install 'framewire[mcap]'"
            ) from None
        self._part = Part(options.out, overwrite=options.overwrite)
        self._channels: dict[str, tuple[int, int]] = {}
        try:
            self._file = self._part.path.open("wb")
            # JPEG does not shrink any further.
            self._writer = Writer(
                self._file, chunk_size=_CHUNK_BYTES, compression=CompressionType.NONE
            )
            self._writer.start(library=f"framewire {__version__}")
        except OSError as error:
            raise self._part.failed(error) from error
        self._image = self._writer.register_schema(NAME, "protobuf", DESCRIPTOR)
        self._header = self._writer.register_schema(
            "framewire.Header", "jsonschema", json.dumps(_HEADER_SCHEMA).encode()
        )

    def write(self, picture: Picture) -> None:
        packet, header = picture.packet, picture.packet.header
        at_ns = header.captured_ns
        pictures, headers = self._channels_of(packet.topic)
        message = compressed_image(at_ns, packet.topic, packet.payload)
        facts = msgspec.json.encode(header)
        number = header.sequence & 0xFFFFFFFF  # MCAP has 32 bits for it
        try:
            self._writer.add_message(pictures, at_ns, message, at_ns, number)
            self._writer.add_message(headers, at_ns, facts, at_ns, number)
        except OSError as error:
            raise self._part.failed(error) from error

    def _channels_of(self, topic: str) -> tuple[int, int]:
        if topic not in self._channels:
            self._channels[topic] = (
                self._writer.register_channel(topic, "protobuf", self._image),
                self._writer.register_channel(f"{topic}/header", "json", self._header),
            )
        return self._channels[topic]

    def close(self) -> None:
        try:
            self._writer.finish()  # type: ignore[no-untyped-call]  # theirs has no annotation
            self._file.close()
        except OSError as error:
            raise self._part.failed(error) from error
        self._part.finish()

    def abandon(self) -> None:
        with suppress(OSError):  # the disk is full: what was buffered goes, with the file
            self._file.close()
        self._part.discard()
