"""Recordings: Matroska files with the JPEG packets as they came. docs/RECORDING.md is the format.

PyAV is imported here and nowhere else. OpenCV must be in the process before it: `cv2.imshow` hangs
for ever where the libraries of PyAV were loaded first.
"""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

with contextlib.suppress(Exception):  # a machine without its libraries can still record
    from framewire.common.opencv import cv2 as _cv2  # noqa: F401
import av
import av.container

from framewire.common.clock import NS
from framewire.common.errors import ProtocolError, RecordingError
from framewire.common.frame import Header, Packet
from framewire.common.jpeg_syntax import split_header, with_header
from framewire.common.matroska import Block
from framewire.common.timeline import Timeline
from framewire.common.wire import decode_header, encode_header

__all__ = [
    "ClipFacts",
    "RecordingReader",
    "RecordingWriter",
    "clip_facts",
    "is_recording",
    "places",
]

_MS = Fraction(1, 1000)  # Matroska's own resolution

_OPTIONS = {
    "flush_packets": "1",
    # A cluster is written when it is complete: what a killed process loses, milliseconds.
    "cluster_time_limit": "300",
    "write_crc32": "0",  # each header holds its picture's own
}


def _url(path: Path) -> str:
    """So that a colon in a name is not taken for the end of a protocol's."""
    return f"file:{path}"


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)


class RecordingWriter:
    """Writes one topic into one file. Not thread-safe; `write` may block as long as the disk does.

    `RecordingError` if the file cannot be created, or a packet not be written; what was written
    before stays readable.
    """

    def __init__(self, path: Path, first: Header) -> None:
        self.path = path
        self.frames = 0
        self._timeline = Timeline()
        self._last_ms = -1
        try:
            self._file = av.open(_url(path), "w", format="matroska", options=_OPTIONS)
            self._file.metadata["title"] = first.topic
            self._stream = self._file.add_mux_stream(
                "mjpeg", width=first.width, height=first.height, time_base=_MS
            )
        except (av.FFmpegError, OSError) as error:
            raise RecordingError(f"cannot write {path}: {_reason(error)}") from error

    def write(self, packet: Packet) -> None:
        """Append one packet. Its payload is stored as it is, its header in a segment beside it."""
        header = packet.header
        if header.codec != "jpeg":
            raise RecordingError(f"cannot record {header.topic}: its codec is {header.codec}")
        data = with_header(packet.payload, encode_header(header, with_topic=True))
        muxed = av.Packet(data)
        muxed.stream = self._stream
        muxed.time_base = _MS
        # Two frames of one millisecond: players want each later than the one before.
        self._last_ms = max(self._last_ms + 1, round(self._timeline.at(header) * 1000 / NS))
        muxed.pts = muxed.dts = self._last_ms
        muxed.is_keyframe = True
        try:
            self._file.mux(muxed)
        except (av.FFmpegError, OSError) as error:
            raise RecordingError(f"cannot write {self.path}: {_reason(error)}") from error
        self.frames += 1

    def close(self) -> None:
        """Write the index and close the file."""
        try:
            self._file.close()
        except (av.FFmpegError, OSError) as error:
            raise RecordingError(f"cannot finish {self.path}: {_reason(error)}") from error


def _open(path: Path) -> tuple[av.container.InputContainer, av.VideoStream]:
    try:
        file = av.open(_url(path))
    except (av.FFmpegError, OSError, UnicodeDecodeError) as error:
        raise RecordingError(f"cannot read {path}: {_reason(error)}") from error
    stream = next(iter(file.streams.video), None)
    if stream is None or getattr(stream, "codec_context", None) is None:  # or an unknown codec
        file.close()
        raise RecordingError(f"cannot read {path}: it holds no video that FFmpeg knows")
    return file, stream


def _demux(
    file: av.container.InputContainer, stream: av.VideoStream, path: Path
) -> Iterator["av.Packet[av.VideoStream]"]:
    try:
        yield from (packet for packet in file.demux(stream) if packet.size)
    except (av.FFmpegError, OSError) as error:
        raise RecordingError(f"cannot read on in {path}: {_reason(error)}") from error


def places(path: Path) -> Iterator[Block]:
    """Where FFmpeg finds the pictures of a file that is no Matroska, as an MP4 with copied ones.

    `RecordingError` if it cannot read it. Reads all of it.
    """
    file, stream = _open(path)
    with file:
        for packet in _demux(file, stream, path):
            if packet.pos is not None and packet.pts is not None and packet.time_base is not None:
                time_ms = round(packet.pts * packet.time_base * 1000)
                yield Block(packet.pos, packet.size, max(0, time_ms))


def is_recording(path: Path) -> bool:
    """Whether `path` is a video file whose first picture carries a framewire header."""
    try:
        file, stream = _open(path)
    except RecordingError:
        return False
    with file:
        if stream.codec_context.name != "mjpeg":
            return False
        with contextlib.suppress(RecordingError):
            first = next(_demux(file, stream, path), None)
            return first is not None and split_header(bytes(first))[0] is not None
    return False


class RecordingReader:
    """Reads a recording. Not thread-safe. `RecordingError` if it is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file, self._stream = _open(path)
        self._begun = False
        self.damaged = 0
        """Packets passed over because their header could not be read."""

    def packets(self, start_s: float = 0.0) -> Iterator[Packet]:
        """All packets from `start_s` seconds of media time on, as they were recorded.

        Headers are the recorded ones; nothing is decoded.
        """
        time_base = Fraction(self._stream.time_base or _MS)
        offset = self._stream.start_time or 0
        start = offset + int(start_s / time_base)
        if start > offset or self._begun:
            self._file.seek(start, stream=self._stream)
        self._begun = True
        for packet in _demux(self._file, self._stream, self.path):
            if packet.pts is not None and packet.pts < start:
                continue
            recorded, payload = split_header(memoryview(packet))
            try:
                if recorded is None:
                    raise ProtocolError("no header")
                yield Packet(decode_header(recorded), payload)
            except ProtocolError:
                self.damaged += 1

    def close(self) -> None:
        self._file.close()


class ClipFacts:
    """What `clip_facts` reads off a video file that is no recording."""

    __slots__ = ("codec", "damaged", "duration_s", "frames", "height", "width")

    def __init__(self, codec: str, width: int, height: int) -> None:
        self.codec, self.width, self.height = codec, width, height
        self.frames = self.damaged = 0
        self.duration_s = 0.0


def clip_facts(path: Path, *, decode: bool) -> ClipFacts:
    """Read a whole clip; with `decode`, decode every frame and count what does not."""
    file, stream = _open(path)
    with file:
        context = stream.codec_context
        facts = ClipFacts(context.name, context.width, context.height)
        times = []
        for packet in _demux(file, stream, path):
            facts.frames += 1
            if packet.pts is not None and packet.time_base is not None:
                times.append(float((packet.pts + (packet.duration or 0)) * packet.time_base))
                times.append(float(packet.pts * packet.time_base))
            if decode:
                try:
                    packet.decode()
                except av.FFmpegError:
                    facts.damaged += 1
        facts.duration_s = max(times) - min(times) if times else 0.0
    return facts
