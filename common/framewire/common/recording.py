"""`Recording`: any frame of a recording, by position, time or number, also of a damaged one.

Bytes are read with `os.pread`. Mapping the file into memory would be no faster, and where a mapped
file is cut short by somebody else, the next look at it kills the process (SIGBUS).
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self, overload

from framewire.common.closing import Closing
from framewire.common.config import DEFAULT_LIMITS
from framewire.common.errors import ProtocolError, RecordingError, UsageError
from framewire.common.frame import Frame, Header, Packet
from framewire.common.jpeg import decode
from framewire.common.jpeg_syntax import split_header
from framewire.common.matroska import Block, Fault, ReadAt, Walk
from framewire.common.recording_file import RecordingFile, Window
from framewire.common.recording_index import Gap, Index
from framewire.common.wire import check_picture, decode_header

__all__ = ["Recording", "Span"]

_FRONT_BYTES = 1024, 8192, 200_000  # of a picture; the last holds any header, and JFIF before it
_LARGEST = DEFAULT_LIMITS.payload_bytes + _FRONT_BYTES[-1]


class Recording(Closing, Sequence[Frame]):
    """A recording as a sequence of `Frame`, read where it is asked for::

        with Recording("yard.mkv") as recording:
            print(recording.topic, len(recording), recording.duration, recording.gaps)
            for frame in recording:                          # as from a camera
                found = detect(frame.image)                  # (H, W, 3) uint8, BGR
            frame = recording.at(12.5)                       # what was to be seen at that time
            last = recording[-1]

    Indexing and iterating give frames, since pixels are what detectors and data loaders are fed
    with; `packets` and `packet` give the same as they were recorded, not decoded: the two nouns that
    a `Receiver` has too. A slice is a `Span`: a sequence again, that holds nothing.

    The index is built when it is opened, from the file's structure and each picture's header: of an
    hour at 30 fps in about a second. Finished, cut and damaged files are read alike, and one that is
    being written, up to what is there: `refresh` takes in more. A frame whose header cannot be read
    is not in the sequence; `damaged` counts those. Other containers with copied pictures (MP4) are
    read too, through FFmpeg, as long as they are whole.

    Any number of threads may read at a time; but close it when none does. It goes through `fork`,
    and to other processes by its path: they open it again. `RecordingError` if the file cannot be
    read or holds no frame of framewire, or if a picture that is asked for is damaged.
    """

    def __init__(self, path: str | os.PathLike[str], /) -> None:
        self.path = Path(path)
        self.damaged = 0
        """Frames passed over because their header cannot be read."""
        self.undecoded = 0
        """Frames that iterating passed over, so far, because their picture does not decode."""
        self._lock = threading.Lock()
        self._index = Index()
        self._file = RecordingFile(self.path)
        self._window = Window(self._file)
        self._walk = Walk(self._window.read)
        try:
            self.refresh()
            if not self._index:
                raise RecordingError(f"cannot read {self.path}: {self._why_empty()}")
            self._first = self._header(0)
        except BaseException:
            self.close()
            raise

    def _why_empty(self) -> str:
        walk = self._walk
        if self.damaged:
            return "it holds no frame with a framewire header: it is a clip, or damaged"
        if walk.codec and walk.codec != "V_MJPEG":
            return f"it is a clip of codec {walk.codec}, no recording"
        return walk.reason or "it holds no frames"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self.path),)

    def __repr__(self) -> str:
        return f"<Recording {self.path}: {len(self)} frames>"

    # -- facts ----------------------------------------------------------------------------------

    @property
    def topic(self) -> str:
        """Name of the stream."""
        return self._first.topic

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the first picture, pixels. A sender may change it on the way."""
        return self._first.width, self._first.height

    @property
    def duration(self) -> float:
        """From the first frame to the last, seconds, by the clocks in the headers."""
        return self._index.duration_s

    @property
    def intervals_ms(self) -> tuple[float, float]:
        """The shortest and the longest time between two frames, milliseconds, by the same clocks."""
        return self._index.intervals_ms

    @property
    def began_ns(self) -> int:
        """When the first frame was captured: Unix epoch, nanoseconds, the sender's wall clock."""
        return self._first.captured_ns

    @property
    def ended_ns(self) -> int:
        """When the last frame was captured: Unix epoch, nanoseconds, the sender's wall clock."""
        return self._index.captured_ns[len(self) - 1]

    @property
    def senders(self) -> tuple[str, ...]:
        """Ids of the sender's runs, in order. More than one: it was started anew."""
        return tuple(self._index.senders)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Frames that are missing by their numbers, in the order of the file, with their times.

        Computed each time: 0.1 s for an hour.
        """
        return tuple(self._index.gaps()[0])

    @property
    def repeated(self) -> int:
        """Frames whose number came before, in the same run. Computed each time, like `gaps`."""
        return self._index.gaps()[1]

    @property
    def finished(self) -> bool:
        """Whether it was closed, so that it has the index by which players seek."""
        return self._walk.finished or not self._walk.matroska

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Places where the structure of the file is broken, in order."""
        return tuple(self._walk.faults)

    @property
    def cut_bytes(self) -> int:
        """Bytes at the end of the file that are no whole frame: where its writer was killed."""
        return self._walk.tail if self._walk.matroska else 0

    @property
    def missing_bytes(self) -> int:
        """Bytes that are missing at the end, if it was finished before it was cut; else 0."""
        return self._walk.missing

    @property
    def file_bytes(self) -> int:
        """Length of the file when it was looked at last."""
        return self._walk.size

    # -- a sequence -----------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._index)

    @overload
    def __getitem__(self, which: int) -> Frame: ...
    @overload
    def __getitem__(self, which: slice) -> "Span": ...
    def __getitem__(self, which: int | slice) -> "Frame | Span":
        if isinstance(which, slice):
            return Span(self, range(len(self))[which])
        packet = self.packet(which)
        try:
            return _frame_of(packet)
        except ProtocolError as error:
            raise RecordingError(f"frame {which} of {self.path} is damaged: {error}") from error

    def __iter__(self) -> Iterator[Frame]:
        """All frames; those that do not decode are passed over, and counted in `undecoded`."""
        return self.frames()

    def frames(self, start: float | None = None, end: float | None = None) -> Iterator[Frame]:
        """The frames from `start` to before `end`, media times in seconds, decoded one by one.

        Those that do not decode are passed over, and counted in `undecoded`.
        """
        return iter(Span(self, self.between(start, end)))

    def packets(self, start: float | None = None, end: float | None = None) -> Iterator[Packet]:
        """The same as they were recorded: payload, header and all. Nothing is decoded or checked."""
        return Span(self, self.between(start, end)).packets()

    def packet(self, which: int) -> Packet:
        """The frame at that position, as it was recorded. Its `received_ns` is 0."""
        header, payload = split_header(self.stored(which))
        try:
            return Packet(decode_header(header or b""), payload)
        except ProtocolError as error:
            raise RecordingError(f"frame {which} of {self.path} has changed: {error}") from error

    def stored(self, which: int) -> bytes:
        """The bytes of that frame in the file: a JPEG with its header in it (docs/RECORDING.md)."""
        at = range(len(self))[which]
        size = min(self._index.sizes[at], _LARGEST)
        data = self._file.read(self._index.offsets[at], size)
        if len(data) < size:
            raise RecordingError(f"cannot read frame {at} of {self.path}: the file was cut short")
        return data

    def headers(self) -> Iterator[Header]:
        """The facts of all frames, without reading their pictures."""
        return map(self._header, range(len(self)))

    # -- lookups --------------------------------------------------------------------------------

    def time_of(self, which: int) -> float:
        """Media time of the frame at that position, seconds: the one that players show."""
        return self._index.times_ms[range(len(self))[which]] / 1000

    def between(self, start: float | None = None, end: float | None = None) -> range:
        """Positions of the frames from `start` to before `end`, media times in seconds."""
        ends = (
            0 if start is None else self._index.at_ms(_ms_before(start)) + 1,
            len(self) if end is None else self._index.at_ms(_ms_before(end)) + 1,
        )
        return range(*ends)

    def index_at(
        self, seconds: float | None = None, /, *, captured: datetime | int | None = None
    ) -> int:
        """Position of the frame that was to be seen at a moment: the last one then or before.

        By media time in `seconds`, or by the sender's wall clock: `captured` as a datetime with a
        time zone, or nanoseconds of the Unix epoch. In a gap that is the frame before it: its header
        says when it was captured. `RecordingError` before the first frame and behind the last.
        """
        if (seconds is None) == (captured is None):
            raise UsageError("name one moment: seconds of media time, or captured=")
        if seconds is not None:
            found, last = self._index.at_ms(seconds * 1000 + 1e-6), self.time_of(-1)
            inside = seconds <= max(last, self.duration) + 1e-9
        else:
            moment_ns = _epoch_ns(captured)
            found = self._index.captured_at(moment_ns)
            inside = moment_ns <= max(self._index.captured_ns)
        if found < 0 or not inside:
            asked = f"{seconds} s" if captured is None else str(captured)
            raise RecordingError(
                f"{self.path} holds nothing at {asked}: it lasts {self.duration} s"
            )
        return found

    def at(
        self, seconds: float | None = None, /, *, captured: datetime | int | None = None
    ) -> Frame:
        """The frame that was to be seen at a moment, decoded: see `index_at`."""
        return self[self.index_at(seconds, captured=captured)]

    def find(self, sequence: int, sender: str | None = None) -> int:
        """Position of the frame with that number, of that run of the sender or the first that has it.

        `RecordingError` if there is none.
        """
        found = self._index.find(sequence, sender)
        if found < 0:
            raise RecordingError(f"{self.path} holds no frame with the number {sequence}")
        return found

    # -- the file -------------------------------------------------------------------------------

    def refresh(self) -> int:
        """Take in what was written since; how many frames came. Positions stay what they are."""
        with self._lock:
            self._window.forget()
            before = len(self._index)
            for block in self._blocks():
                header = _front_of(block, self._window.read)
                if header is None:
                    self.damaged += 1
                else:
                    self._index.add(block, header)
            return len(self._index) - before

    def _blocks(self) -> Iterator[Block]:
        yield from self._walk.blocks(self._file.size())
        if not self._walk.matroska and not self._index:
            from framewire.common.container import places

            yield from places(self.path)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _header(self, at: int) -> Header:
        index = self._index
        found = _front_of(Block(index.offsets[at], index.sizes[at], 0), self._file.read)
        if found is None:
            raise RecordingError(f"frame {at} of {self.path} has changed")
        return found


class Span(Sequence[Frame]):
    """A part of a recording, as a sequence of `Frame`: what a slice gives. Holds positions only."""

    def __init__(self, recording: Recording, positions: range) -> None:
        self.recording = recording
        self.positions = positions
        """Where its frames are in the recording."""

    def __len__(self) -> int:
        return len(self.positions)

    @overload
    def __getitem__(self, which: int) -> Frame: ...
    @overload
    def __getitem__(self, which: slice) -> Self: ...
    def __getitem__(self, which: int | slice) -> Frame | Self:
        if isinstance(which, slice):
            return type(self)(self.recording, self.positions[which])
        return self.recording[self.positions[which]]

    def __iter__(self) -> Iterator[Frame]:
        """Its frames; those that do not decode are passed over, and counted in `undecoded`."""
        for packet in self.packets():
            try:
                yield _frame_of(packet)
            except ProtocolError:
                self.recording.undecoded += 1

    def packets(self) -> Iterator[Packet]:
        """Its frames as they were recorded."""
        return map(self.recording.packet, self.positions)


def _frame_of(packet: Packet) -> Frame:
    """It decoded; `ProtocolError` if it is not the picture that its header describes."""
    check_picture(packet.header, packet.payload)
    return Frame(decode(packet.payload), packet.header)


def _front_of(block: Block, read_at: ReadAt) -> Header | None:
    """The header in a picture's front, if it can be read."""
    for length in _FRONT_BYTES:
        front = read_at(block.offset, min(block.size, length))
        header = split_header(memoryview(front))[0]
        if header is not None:
            with suppress(ProtocolError):
                return decode_header(header)
        elif front[2:4] != b"\xff\xe0" or 4 + int.from_bytes(front[4:6]) < len(front):
            return None  # none stands there, however much of it is read
        if block.size <= length:
            return None
    return None


def _ms_before(seconds: float) -> float:
    """Just before a media time, in milliseconds."""
    return seconds * 1000 - 1e-6


def _epoch_ns(moment: datetime | int | None) -> int:
    if not isinstance(moment, datetime):
        return int(moment or 0)
    if moment.tzinfo is None:
        raise UsageError(
            f"{moment} has no time zone: use datetime(..., tzinfo=UTC) or .astimezone()"
        )
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
