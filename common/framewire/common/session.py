"""Recordings that belong together, played or exported as one: files of one topic or of several."""

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from heapq import heappop, heappush
from itertools import chain
from pathlib import Path

from framewire.common.clock import NS
from framewire.common.container import RecordingReader, media_duration_s
from framewire.common.errors import RecordingError, SourceError, UsageError
from framewire.common.frame import Header, Packet
from framewire.common.place import parse_place
from framewire.common.timeline import Timeline

__all__ = ["Segment", "Session", "Timed"]

_log = logging.getLogger(__name__)

_MARGIN_NS = NS // 1000
"""Time stamps in the file are whole milliseconds, those of the headers are exact."""
_ASTRAY_NS = NS // 100

Timed = tuple[int, Packet]
"""Nanoseconds since the session's first frame; packet."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of a session."""

    path: Path
    first: Header
    """Of its first frame."""
    begin_ns: int
    """When that is due, nanoseconds since the session's first frame."""


class Session:
    """Recordings on one time line, in step by their capture times. Not thread-safe.

    `paths` are files in any order, or folders, which stand for all ``.mkv`` files below them. Files
    of one run of a sender are put in place by its monotonic clock, others by the wall clock; the
    time that no file covers stays. A file is open only while the time line passes through it.

    `SourceError` for a file that is no recording (`instead` says what to do with it),
    `RecordingError` for one that cannot be read. With `tolerant`, a file that breaks off in an error
    ends there, and `broken` has the reason.
    """

    def __init__(
        self, paths: Sequence[str | Path], *, instead: str = "", tolerant: bool = False
    ) -> None:
        self._tolerant = tolerant
        self.damaged = 0
        """Packets passed over, as far as was read, because their header could not be read."""
        self.broken: list[RecordingError] = []
        """Why reading ended early, for each file where it did."""
        firsts = list(chain.from_iterable(_firsts(Path(path), instead) for path in paths))
        self.topics = tuple(dict.fromkeys(first.topic for _, first in firsts))
        """In the order in which the files were named."""
        self.segments = tuple(_in_place(firsts))
        """In the order of their times."""

    @cached_property
    def duration_ns(self) -> int:
        """Time of the last frame, as the files say it; one that was cut off may not know."""
        return max(
            each.begin_ns + round((media_duration_s(each.path) or 0) * NS) for each in self.segments
        )

    def span_ns(self, start: str, end: str | None) -> tuple[int, int | None]:
        """Places as people write them (`parse_place`), on the time line; None is the end.

        `UsageError` where nothing can lie between them.
        """
        start_ns, end_ns = max(0, self._at_ns(start)), None if end is None else self._at_ns(end)
        if end_ns is not None and end_ns <= start_ns:
            raise UsageError(f"the end {end} is not after the start {start}, or before all frames")
        return start_ns, end_ns

    def _at_ns(self, text: str) -> int:
        place = parse_place(text)
        return place.ns - self.segments[0].first.captured_ns if place.wall else place.ns

    def packets(self, start_ns: int = 0, end_ns: int | None = None) -> Iterator[Timed]:
        """The packets from `start_ns` up to, not with, `end_ns`, in the order of their times."""
        waiting = deque(s for s in self.segments if end_ns is None or s.begin_ns < end_ns)
        heads: list[tuple[int, int, Packet, Iterator[Timed]]] = []

        def advance(number: int, rest: Iterator[Timed]) -> None:
            if head := next(rest, None):
                heappush(heads, (head[0], number, head[1], rest))

        try:
            while heads or waiting:
                while waiting and (not heads or waiting[0].begin_ns <= heads[0][0]):
                    segment = waiting.popleft()
                    advance(-len(waiting), self._timed(segment, start_ns, end_ns))
                if heads:
                    at_ns, number, packet, rest = heappop(heads)
                    yield at_ns, packet
                    advance(number, rest)
        finally:
            for *_, rest in heads:
                rest.close()  # type: ignore[attr-defined]  # a generator: closes its file

    def _timed(self, segment: Segment, start_ns: int, end_ns: int | None) -> Iterator[Timed]:
        """One file's part of it."""
        seek_ns = max(0, start_ns - segment.begin_ns - _MARGIN_NS)
        timeline, base_ns = Timeline(), segment.begin_ns
        timeline.at(segment.first)
        begun = False
        with closing(RecordingReader(segment.path)) as reader:
            for packet in self._read(reader, seek_ns):
                at_ns = base_ns + timeline.at(packet.header)
                if not begun and segment.begin_ns + seek_ns - at_ns > _ASTRAY_NS:
                    # The wall clock was put back between runs. The file's own time stamps know.
                    base_ns += start_ns - at_ns
                    at_ns = start_ns
                begun = True
                if end_ns is not None and at_ns >= end_ns:
                    return
                if at_ns >= start_ns:
                    yield at_ns, packet

    def _read(self, reader: RecordingReader, seek_ns: int) -> Iterator[Packet]:
        try:
            yield from reader.packets(seek_ns / NS)
        except RecordingError as error:
            if not self._tolerant:
                raise
            self.broken.append(error)
        finally:
            self.damaged += reader.damaged


def _firsts(path: Path, instead: str) -> Iterator[tuple[Path, Header]]:
    """(file, its first header) of a file, or of all recordings below a folder."""
    if not path.is_dir():
        yield path, _first(path, instead)
        return
    found = False
    for file in sorted(path.rglob("*.mkv")):
        try:
            yield file, _first(file, "")
            found = True
        except (SourceError, RecordingError) as error:  # a recorder may have been killed at birth
            _log.warning("passed over: %s", error)
    if not found:
        raise SourceError(f"no recordings in {path}: there is no .mkv file of framewire below it")


def _first(path: Path, instead: str) -> Header:
    with closing(RecordingReader(path)) as reader:
        for packet in reader.packets():
            return packet.header
    raise SourceError(f"{path} is not a framewire recording" + (f": {instead}" if instead else ""))


def _in_place(firsts: Sequence[tuple[Path, Header]]) -> Iterator[Segment]:
    """Segments on one time line that begins with the earliest."""
    ordered = sorted(firsts, key=lambda item: item[1].captured_ns)
    anchors: dict[tuple[str, str], Segment] = {}
    placed = []
    for path, first in ordered:
        begin_ns = first.captured_ns - ordered[0][1].captured_ns
        anchor = anchors.get((first.topic, first.sender))
        if anchor and first.monotonic_ns and anchor.first.monotonic_ns:
            begin_ns = anchor.begin_ns + first.monotonic_ns - anchor.first.monotonic_ns
        placed.append(Segment(path, first, begin_ns))
        anchors.setdefault((first.topic, first.sender), placed[-1])
    placed.sort(key=lambda segment: segment.begin_ns)
    yield from (replace(each, begin_ns=each.begin_ns - placed[0].begin_ns) for each in placed)
