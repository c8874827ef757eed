"""Recordings: Matroska files with the JPEG packets as they came. docs/RECORDING.md is the format.

They are read here and written by `recording_writer.py`.

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

from framewire.common.errors import ProtocolError, RecordingError
from framewire.common.frame import Packet
from framewire.common.jpeg_syntax import split_header
from framewire.common.matroska import Block
from framewire.common.wire import check_picture, decode_header

__all__ = [
    "ClipFacts",
    "RecordingReader",
    "clip_facts",
    "is_recording",
    "media_duration_s",
    "places",
]

_MS = Fraction(1, 1000)  # Matroska's own resolution


def _url(path: Path) -> str:
    """So that a colon in a name is not taken for the end of a protocol's."""
    return f"file:{path}"


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)


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
        codec = stream.codec_context.name
        if codec != "mjpeg":
            raise RecordingError(f"cannot read {path}: it is a clip of codec {codec}, no recording")
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
    """Reads through a recording in any container, as FFmpeg does. Not thread-safe.

    For what goes from the beginning to the end, as a replay; `Recording` finds any frame, and reads
    more of a damaged file. `RecordingError` if it is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file, self._stream = _open(path)
        self._begun = False
        self.damaged = 0
        """Packets passed over: their header cannot be read, or no receiver would take their picture."""

    def packets(self, start_s: float = 0.0) -> Iterator[Packet]:
        """All packets from `start_s` seconds of media time on, as they were recorded.

        Headers are the recorded ones; nothing is decoded, and what a receiver would refuse by its
        structure is passed over.
        """
        time_base = Fraction(self._stream.time_base or _MS)
        offset = self._stream.start_time or 0
        start = offset + int(start_s / time_base)
        if start > offset or self._begun:
            self._seek(start)
        self._begun = True
        for packet in _demux(self._file, self._stream, self.path):
            if packet.pts is not None and packet.pts < start:
                continue
            recorded, payload = split_header(memoryview(packet))
            try:
                if recorded is None:
                    raise ProtocolError("no header")
                header = decode_header(recorded)
                check_picture(header, payload)
            except ProtocolError:
                self.damaged += 1
            else:
                yield Packet(header, payload)

    def _seek(self, start: int) -> None:
        try:
            self._file.seek(start, stream=self._stream)
        except (av.FFmpegError, OSError) as error:
            raise RecordingError(f"cannot seek in {self.path}: {_reason(error)}") from error

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


def media_duration_s(path: Path) -> float | None:
    """Seconds that a file says it lasts, without reading it; None if it does not say.

    `RecordingError` if it cannot be opened.
    """
    file, _ = _open(path)
    with file:
        return None if file.duration is None else file.duration / av.time_base
