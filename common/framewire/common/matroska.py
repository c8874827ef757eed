"""The structure of a Matroska file, read without its pictures. Pure: bytes come from a function.

Ids, sizes and layouts are those of RFC 8794 (EBML) and RFC 9559 (Matroska); docs/RECORDING.md tells
which of them a recording holds. Any bytes give blocks and an end with a reason: no size is believed
that runs past the file, nothing is read whose size a stranger chose, and no byte is looked through
twice.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["HEAD_BYTES", "Block", "Fault", "ReadAt", "Walk", "element"]

ReadAt = Callable[[int, int], bytes]
"""`read_at(offset, size)`: so many bytes from there on; fewer only where the file ends."""

EBML, SEGMENT, CLUSTER, CUES = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0x1C53BB6B
INFO, TRACKS, SEEK_HEAD, TAGS = 0x1549A966, 0x1654AE6B, 0x114D9B74, 0x1254C367
CHAPTERS, ATTACHMENTS, VOID, CRC = 0x1043A770, 0x1941A469, 0xEC, 0xBF
TIMESTAMP, SIMPLE_BLOCK, BLOCK_GROUP, BLOCK = 0xE7, 0xA3, 0xA0, 0xA1
POSITION, PREV_SIZE = 0xA7, 0xAB
TITLE, TIMESTAMP_SCALE = 0x7BA9, 0x2AD7B1
TRACK_ENTRY, TRACK_NUMBER, TRACK_TYPE, CODEC = 0xAE, 0xD7, 0x83, 0x86

_SKIPPED = frozenset((EBML, CUES, SEEK_HEAD, TAGS, CHAPTERS, ATTACHMENTS))
_IN_CLUSTER = frozenset((SIMPLE_BLOCK, BLOCK_GROUP, POSITION, PREV_SIZE))

HEAD_BYTES = 48  # of an element: id and size, and what stands before a picture, also in a group
_PARSED_BYTES = 1 << 16  # of Info and Tracks; a recording's have about a hundred
_LOST_HEAD_BYTES = 1 << 16  # a file that does not begin as Matroska must soon have a Cluster
_SCAN_BYTES = 1 << 12, 1 << 20  # the first look for a Cluster, and the longest
_MATCH_BYTES = 24  # what `_LOOKS_RIGHT` may match
_MAX_FAULTS = 10_000  # then the file is given up
_MAX_MS = 1 << 53

_WIDTH = bytes(9 - first.bit_length() for first in range(256))  # of a number, by its first byte
_MASK = tuple((1 << 7 * width) - 1 for width in range(10))

_SIZE = rb"(?:[\x80-\xff]|[\x40-\x7f].|[\x20-\x3f]..|[\x10-\x1f].{3}|[\x01-\x0f].{4,7})"
_LOOKS_RIGHT = re.compile(
    rb"\x1f\x43\xb6\x75" + _SIZE + rb"(?:\xbf\x84.{4})?\xe7[\x81-\x88]", re.DOTALL
)
"""A Cluster, its size, perhaps a checksum, and the time stamp that comes first in it."""

_USUAL = re.compile(
    rb"\x1f\x43\xb6\x75(" + _SIZE + rb")\xe7(\x81.|\x82..|\x83...|\x84....)"
    rb"\xa3(" + _SIZE + rb")\x81(..).",
    re.DOTALL,
)
"""The beginning of a Cluster as a recorder writes it: its size, time stamp, and a frame of track 1."""


class Block(NamedTuple):
    """Where the data of one block is, and when it is shown."""

    offset: int
    """Of the picture's first byte in the file."""
    size: int
    """Bytes of the picture, with the header in it."""
    time_ms: int
    """Media time, milliseconds since the beginning of the file."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A place where the structure is broken."""

    offset: int
    """Byte of the file from which on nothing could be read."""
    size: int
    """Bytes until it went on; 0 where nothing was lost."""
    reason: str


def element(head: bytes, at: int = 0) -> tuple[int, int, int] | None:
    """(id, size of the data, -1 if that is not known; where the data begins), or None."""
    try:
        begin = at + _WIDTH[head[at]]
        width = _WIDTH[head[begin]]
    except IndexError:
        return None
    data = begin + width
    if begin > at + 4 or width > 8 or data > len(head):
        return None
    mask = _MASK[width]
    size = int.from_bytes(head[begin:data]) & mask
    return int.from_bytes(head[at:begin]), -1 if size == mask else size, data


def _children(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(id, data) of the elements in `data`, as far as they are whole."""
    at = 0
    while (found := element(data, at)) and 0 <= found[1] <= len(data) - found[2]:
        at = found[2] + found[1]
        yield found[0], data[found[2] : at]


class Walk:
    """Walks through the blocks of one file's video track. Not thread-safe.

    A damaged place is passed over up to the next Cluster that looks right, and noted in `faults`.
    What is damaged up to the end of the file is its `tail`. Neither raises anything.
    """

    def __init__(self, read_at: ReadAt) -> None:
        self._read_at = read_at
        self.size = 0
        """Bytes of the file, as last told."""
        self.faults: list[Fault] = []
        self.intact = 0
        """Where the last whole element ends: what is behind it is the `tail`."""
        self.reason = ""
        """Why the walk ended before the end of the file, if it did."""
        self.title = ""
        self.codec = ""
        """Matroska's name of the video codec, as V_MJPEG; empty if the track list is damaged."""
        self.matroska = False
        """Whether it is Matroska at all."""
        self.indexed = False
        """Whether there is a list of Cues, by which players seek."""
        self._segment: tuple[int, int] | None = None  # offset of its element, size as last read
        self._scale = 1_000_000
        self._track = 0  # any
        self._time: int | None = None  # of the Cluster, in ticks; None outside
        self._cluster_end = -1  # 0: not known; -1: outside
        self._jumped = 0  # where the data begins that was passed over last
        self._found: Block | None = None  # not trusted until what follows it is an element

    @property
    def tail(self) -> int:
        """Bytes at the end of the file that belong to no whole element."""
        return self.size - self.intact

    @property
    def missing(self) -> int:
        """Bytes that the file once had behind its end: known if it was finished before it was cut."""
        offset, length = self._segment or (0, -1)
        return max(0, offset + length - self.size) if length >= 0 and not self.indexed else 0

    @property
    def finished(self) -> bool:
        """Whether its writer closed it: there are Cues, and the size is stated and there."""
        offset, length = self._segment or (0, -1)
        return self.indexed and 0 <= length <= self.size - offset

    def blocks(self, size: int) -> Iterator[Block]:
        """The blocks from where the last call ended up to `size`, the length of the file now.

        To be read to its end. A block comes once what follows it is an element, or the file's end:
        so that one of a forged size does not swallow those behind it.
        """
        self.size, self.reason = size, ""
        self.matroska = begins = self.matroska or self._begins(size)
        waiting: Block | None = None
        while begins and self.intact < size:
            self._found = None
            head = self._read_at(self.intact, HEAD_BYTES)
            reach = self._usual_step(head) or self._step(head)
            if reach >= 0:
                self.intact = reach
                if waiting:
                    yield waiting
                waiting = self._found
                continue
            cluster = self._look_for_cluster(self._jumped, size)
            if waiting and waiting.offset + waiting.size <= cluster:
                yield waiting
            waiting = None
            if not self._resume(cluster):
                break
        if waiting:
            yield waiting
        self._look_at_size()

    # -- one element ----------------------------------------------------------------------------

    def _usual_step(self, head: bytes) -> int:
        """Three elements at once, which is three times as fast; 0 if they are not the usual ones."""
        match = _USUAL.match(head)
        if match is None or self._track > 1:
            return 0
        cluster, time, size, step = match.groups()
        begin = self.intact + 4 + len(cluster)
        length = int.from_bytes(cluster) & _MASK[len(cluster)]
        picture = self.intact + match.end()
        end = picture - 4 + (int.from_bytes(size) & _MASK[len(size)])
        if length == _MASK[len(cluster)] or not picture < end <= self.size:
            return 0
        self._enter_cluster(begin, length)
        self._time = int.from_bytes(time[1:])
        self._found = self._timed(picture, end - picture, int.from_bytes(step, signed=True))
        self._jumped = picture - 4
        return end

    def _step(self, head: bytes) -> int:
        """Take the element at `intact`, which begins with `head`; where the next is, -1 if none."""
        found = element(head)
        if found is None:
            return self._broken("no element of Matroska where one should be")
        ident, length, data = found
        begin = self.intact + data
        if ident == CLUSTER:
            return self._enter_cluster(begin, length)
        if ident == SEGMENT:
            self._segment, self._time, self._cluster_end = (self.intact, length), None, -1
            self._jumped = begin  # what lies before it was given out
            return begin
        if length < 0 or begin + length > self.size:
            return self._broken("an element runs past the end")
        if ident == TIMESTAMP:
            if not 0 < length <= 8 or self._cluster_end < 0:
                return self._broken("a time stamp where none should be")
            self._time = int.from_bytes(head[data : data + length])
        elif ident in _IN_CLUSTER:
            if self._time is None or 0 < self._cluster_end <= self.intact:
                return self._broken("a frame where none should be")
            if ident == SIMPLE_BLOCK:
                self._found = self._block(head, data, begin, length)
            elif ident == BLOCK_GROUP:
                self._found = self._in_group(head, data, begin, length)
        elif ident not in (VOID, CRC) and not self._take(ident, begin, length):
            return self._broken("no element of Matroska where one should be")
        self._jumped = begin
        return begin + length

    def _enter_cluster(self, begin: int, length: int) -> int:
        if self._cluster_end not in (-1, 0, self.intact) and len(self.faults) < _MAX_FAULTS:
            self.faults.append(Fault(self.intact, 0, "the size of the cluster before is wrong"))
        self._time, self._cluster_end = None, 0 if length < 0 else begin + length
        self._jumped = begin
        return begin

    def _block(self, head: bytes, data: int, begin: int, length: int) -> Block | None:
        """The block whose track number, time and flags `head` holds from `data` on."""
        width = _WIDTH[head[data]] if data < len(head) else 9
        front = width + 3
        if length <= front or data + front > len(head) or self._time is None:
            return None
        track = int.from_bytes(head[data : data + width]) & _MASK[width]
        if self._track and track != self._track:
            return None
        step = int.from_bytes(head[data + width : data + width + 2], signed=True)
        return self._timed(begin + front, length - front, step)

    def _timed(self, offset: int, size: int, step: int) -> Block:
        time_ms = round(((self._time or 0) + step) * self._scale / 1e6)
        return Block(offset, size, min(max(time_ms, 0), _MAX_MS))

    def _in_group(self, head: bytes, data: int, begin: int, length: int) -> Block | None:
        """The block in a group: FFmpeg writes it first."""
        found = element(head, data)
        if not found or found[0] != BLOCK or not 0 <= found[1] <= length - (found[2] - data):
            return None
        return self._block(head, found[2], begin + found[2] - data, found[1])

    def _take(self, ident: int, begin: int, length: int) -> bool:
        """Read what a part of the head says; False if `ident` is nothing that stands there."""
        if ident == INFO:
            self._take_info(self._read_at(begin, min(length, _PARSED_BYTES)))
        elif ident == TRACKS:
            self._take_tracks(self._read_at(begin, min(length, _PARSED_BYTES)))
        elif ident not in _SKIPPED:
            return False
        self.indexed = self.indexed or ident == CUES
        self._time, self._cluster_end = None, -1
        return True

    def _take_info(self, data: bytes) -> None:
        for ident, value in _children(data):
            if ident == TITLE:
                self.title = value.rstrip(b"\0").decode(errors="replace")
            elif ident == TIMESTAMP_SCALE and any(value[-8:]):
                self._scale = int.from_bytes(value[-8:])

    def _take_tracks(self, data: bytes) -> None:
        tracks = [
            dict(_children(value)) for ident, value in _children(data) if ident == TRACK_ENTRY
        ]
        video = next((each for each in tracks if each.get(TRACK_TYPE) == b"\x01"), None)
        if video is None:
            return
        self.codec = video.get(CODEC, b"").rstrip(b"\0").decode(errors="replace")
        if len(tracks) > 1:
            self._track = int.from_bytes(video.get(TRACK_NUMBER, b"")[-8:])

    # -- damage ---------------------------------------------------------------------------------

    def _broken(self, reason: str) -> int:
        self.reason = reason
        return -1

    def _look_for_cluster(self, begin: int, end: int) -> int:
        """Where the next Cluster begins that looks right; `end` if there is none before it."""
        chunk, longest = _SCAN_BYTES
        while begin < end:
            data = self._read_at(begin, min(chunk, end - begin))
            found = _LOOKS_RIGHT.search(data)
            if found:
                return begin + found.start()
            if len(data) < chunk:
                break
            begin += len(data) - _MATCH_BYTES
            chunk = min(2 * chunk, longest)
        return end

    def _resume(self, at: int) -> bool:
        """Go on at the Cluster at `at`; False where that is the end, or there was too much damage."""
        if at == self.size:
            return False
        if len(self.faults) == _MAX_FAULTS:
            self.reason = f"damaged in more than {_MAX_FAULTS} places"
            return False
        self.faults.append(Fault(self.intact, max(0, at - self.intact), self.reason))
        self.intact = self._jumped = at
        self._time, self._cluster_end, self.reason = None, -1, ""
        return True

    def _begins(self, size: int) -> bool:
        """Whether it is Matroska: by its first bytes or, where those are damaged, by a Cluster."""
        if self._read_at(0, 4) == EBML.to_bytes(4):
            return True
        limit = min(size, _LOST_HEAD_BYTES)
        first = self._look_for_cluster(0, limit)
        if first == limit:
            self._broken("it is not a Matroska file")
            return False
        self._broken("the head is damaged")
        return self._resume(first)

    def _look_at_size(self) -> None:
        """What the Segment says of its size: a writer puts it in at its end."""
        if self._segment is not None:
            offset = self._segment[0]
            found = element(self._read_at(offset, HEAD_BYTES))
            if found and found[0] == SEGMENT:
                self._segment = offset, found[1] + (found[2] if found[1] >= 0 else 0)
