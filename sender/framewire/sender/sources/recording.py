"""Recordings: the packets as they were, at the pace at which they were captured."""

import contextlib
import heapq
import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from framewire.common.container import RecordingReader
from framewire.common.errors import JpegError, SourceError
from framewire.common.frame import Frame, Packet
from framewire.common.jpeg import decode
from framewire.common.timeline import Timeline
from framewire.sender.sources.playback import Playback
from framewire.sender.sources.source import Source, SourceOptions

__all__ = ["RecordingSource"]

_Due = tuple[int, Packet]
"""Time on the common time line of all files, nanoseconds; packet."""


class RecordingSource(Source):
    """One or several recordings, played together as they happened.

    Payload, capture times, sequence and metadata are the recorded ones. Headers say ``replay``, and
    carry a sender id that is new for each run through the files.
    """

    encoded = True
    takes = frozenset({"loop", "speed", "start"})

    def __init__(self, spec: str | Sequence[str], options: SourceOptions) -> None:
        self._paths = [Path(path) for path in ((spec,) if isinstance(spec, str) else spec)]
        firsts = [self._first(path) for path in self._paths]
        self._began_ns = min(first.header.captured_ns for first in firsts)
        super().__init__(firsts[0].topic, options)

    @staticmethod
    def _first(path: Path) -> Packet:
        with closing(RecordingReader(path)) as reader:
            for packet in reader.packets():
                return packet
        raise SourceError(f"{path} is not a framewire recording: send it as a clip instead")

    def packets(self) -> Iterator[Packet]:
        playback = Playback(self.options, self._stop)
        offset_ns = 0
        while True:
            run = secrets.token_hex(8)
            first_ns: int | None = None
            last_ns = step_ns = 0
            for media_ns, packet in self._merged():
                first_ns = media_ns if first_ns is None else first_ns
                step_ns, last_ns = max(1, media_ns - last_ns), media_ns
                if playback.wait(offset_ns + media_ns) is None:
                    return
                header = msgspec.structs.replace(packet.header, sender=run, replay=True, hops=0)
                yield Packet(header, packet.payload)
            if first_ns is None:
                raise SourceError(f"{self._paths[0]} holds nothing to play from that start on")
            if not self.options.loop or self._stop.is_set():
                return
            offset_ns += last_ns + step_ns - (first_ns or 0)

    def __iter__(self) -> Iterator[Frame]:
        for packet in self.packets():
            with contextlib.suppress(JpegError):  # what does not decode is passed over: a gap
                yield Frame(decode(packet.payload), packet.header)

    def _merged(self) -> Iterator[_Due]:
        """The packets of all files in the order of their capture."""
        readers = [RecordingReader(path) for path in self._paths]
        try:
            parts = [self._timed(reader) for reader in readers]
            yield from heapq.merge(*parts, key=lambda item: item[0])
        finally:
            for reader in readers:
                reader.close()

    def _timed(self, reader: RecordingReader) -> Iterator[_Due]:
        timeline = Timeline()
        start_ns: int | None = None
        for packet in reader.packets(self.options.start):
            if start_ns is None:
                start_ns = packet.header.captured_ns - self._began_ns
            yield start_ns + timeline.at(packet.header), packet
