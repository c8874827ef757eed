"""The bytes of a recording's container: Matroska with one MJPEG track. docs/RECORDING.md. Pure.

Written here rather than by FFmpeg, which holds a cluster back until the next one begins: so each
frame is whole on the disk as soon as it was written, however slow the camera. Numbers of elements
are those of RFC 9559, sizes those of RFC 8794.
"""

import struct
from array import array

from framewire.common.clock import NS

__all__ = ["MARK", "Index", "cluster", "head", "is_ours"]

MARK = b"framewire"
"""Muxing application: by this a file is known to be one that framewire wrote."""

_MS_NS = 1_000_000
_EPOCH_2001_NS = 978_307_200 * NS
_CUE_STEP_MS = 500  # entries of the index are so far apart at least: a day is 3 MB
_SEEK_BYTES = 96
_DURATION_BYTES = 11
_UNKNOWN_SIZE = b"\x01" + b"\xff" * 7
_LARGEST_DATE = (1 << 63) - 1

_EBML, _SEGMENT, _VOID = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\xec"
_SEEK_HEAD, _SEEK, _SEEK_ID, _SEEK_POSITION = (
    b"\x11\x4d\x9b\x74",
    b"\x4d\xbb",
    b"\x53\xab",
    b"\x53\xac",
)
_INFO, _TRACKS, _CLUSTER = b"\x15\x49\xa9\x66", b"\x16\x54\xae\x6b", b"\x1f\x43\xb6\x75"
_CUES, _CUE, _CUE_TIME = b"\x1c\x53\xbb\x6b", b"\xbb", b"\xb3"
_CUE_PLACE, _CUE_TRACK, _CUE_CLUSTER = b"\xb7", b"\xf7", b"\xf1"
_MUXING_APP, _DURATION = b"\x4d\x80", b"\x44\x89"


def _size(number: int, width: int = 0) -> bytes:
    """An element's size: as short as it goes, or of `width` bytes."""
    width = width or max(1, -(-(number + 1).bit_length() // 7))
    return ((1 << 7 * width) | number).to_bytes(width, "big")


def _uint(number: int) -> bytes:
    return number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")


def _element(name: bytes, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return name + _size(len(data)) + data


def _void(length: int) -> bytes:
    """Room of so many bytes, 2 to 127, for what is known later."""
    return _VOID + _size(length - 2, 1) + bytes(length - 2)


_START = _element(
    _EBML,
    _element(b"\x42\x86", _uint(1)),  # EBMLVersion
    _element(b"\x42\xf7", _uint(1)),  # EBMLReadVersion
    _element(b"\x42\xf2", _uint(4)),  # EBMLMaxIDLength
    _element(b"\x42\xf3", _uint(8)),  # EBMLMaxSizeLength
    _element(b"\x42\x82", b"matroska"),
    _element(b"\x42\x87", _uint(4)),  # DocTypeVersion
    _element(b"\x42\x85", _uint(2)),  # DocTypeReadVersion
)
_SEGMENT_SIZE_AT = len(_START) + len(_SEGMENT)
_BODY_AT = _SEGMENT_SIZE_AT + len(_UNKNOWN_SIZE)  # positions inside count from here
_INFO_AT = _BODY_AT + _SEEK_BYTES


def _info(title: str, writer: str, began_ns: int, uid: bytes) -> bytes:
    date = min(began_ns, _LARGEST_DATE) - _EPOCH_2001_NS
    return _element(
        _INFO,
        _void(_DURATION_BYTES),  # first, so that its place does not depend on the rest
        _element(b"\x2a\xd7\xb1", _uint(_MS_NS)),  # TimestampScale
        _element(_MUXING_APP, MARK),
        _element(b"\x57\x41", writer.encode()),  # WritingApp
        _element(b"\x7b\xa9", title.encode()),
        _element(b"\x44\x61", date.to_bytes(8, "big", signed=True)),  # DateUTC
        _element(b"\x73\xa4", uid),  # SegmentUUID
    )


def _tracks(width: int, height: int, uid: bytes) -> bytes:
    return _element(
        _TRACKS,
        _element(
            b"\xae",  # TrackEntry
            _element(b"\xd7", _uint(1)),  # TrackNumber
            _element(b"\x73\xc5", _uint(int.from_bytes(uid[:8], "big") | 1)),  # TrackUID, not 0
            _element(b"\x83", _uint(1)),  # TrackType: video
            _element(b"\x9c", _uint(0)),  # FlagLacing
            _element(b"\x22\xb5\x9c", b"und"),
            _element(b"\x86", b"V_MJPEG"),
            _element(
                b"\xe0",  # Video
                _element(b"\xb0", _uint(width)),
                _element(b"\xba", _uint(height)),
                _element(b"\x9a", _uint(2)),  # FlagInterlaced: progressive
            ),
        ),
    )


def _seek_head(*places: tuple[bytes, int]) -> bytes:
    """Where the parts are, in as many bytes as are kept for it."""
    entries = (
        _element(_SEEK, _element(_SEEK_ID, name), _element(_SEEK_POSITION, _uint(at - _BODY_AT)))
        for name, at in places
    )
    made = _element(_SEEK_HEAD, *entries)
    return made + _void(_SEEK_BYTES - len(made))


def head(
    title: str, width: int, height: int, *, writer: str, began_ns: int, uid: bytes
) -> tuple[bytes, "Index"]:
    """What a file begins with, and the index that its end will need.

    `began_ns` is the wall clock at the first frame, `uid` 16 random bytes.
    """
    info = _info(title, writer, began_ns, uid)
    places = ((_INFO, _INFO_AT), (_TRACKS, _INFO_AT + len(info)))
    start = b"".join(
        (_START, _SEGMENT, _UNKNOWN_SIZE, _seek_head(*places), info, _tracks(width, height, uid))
    )
    return start, Index(places, info.index(_VOID, len(_INFO)) + _INFO_AT)


def is_ours(beginning: bytes) -> bool:
    """Whether a file that begins so was written by framewire."""
    return beginning.startswith(_START) and _element(_MUXING_APP, MARK) in beginning[:1024]


def cluster(at_ms: int, jpeg: bytes) -> bytes:
    """One frame, a cluster of its own."""
    block_size = _size(4 + len(jpeg))
    time = _element(b"\xe7", _uint(at_ms))
    length = len(time) + 1 + len(block_size) + 4 + len(jpeg)
    # Of track 1, no milliseconds after the cluster's time, a key frame.
    block = b"\xa3" + block_size + b"\x81\x00\x00\x80"
    return b"".join((_CLUSTER, _size(length), time, block, jpeg))


class Index:
    """Where frames are in a file: what is added at its end, and patched into its beginning."""

    def __init__(self, places: tuple[tuple[bytes, int], ...], duration_at: int) -> None:
        self._places, self._duration_at = places, duration_at
        self._times_ms, self._positions = array("Q"), array("Q")
        self._last_ms = 0

    def add(self, at_ms: int, position: int) -> None:
        """A frame was written at this offset of the file."""
        self._last_ms = at_ms
        if not self._times_ms or at_ms - self._times_ms[-1] >= _CUE_STEP_MS:
            self._times_ms.append(at_ms)
            self._positions.append(position - _BODY_AT)

    def cues(self) -> bytes:
        """The last part of the file; nothing if it holds no frame."""
        points = (
            _element(
                _CUE,
                _element(_CUE_TIME, _uint(time_ms)),
                _element(
                    _CUE_PLACE,
                    _element(_CUE_TRACK, _uint(1)),
                    _element(_CUE_CLUSTER, _uint(position)),
                ),
            )
            for time_ms, position in zip(self._times_ms, self._positions, strict=True)
        )
        return _element(_CUES, *points) if self._times_ms else b""

    def patches(self, cues_at: int | None, end: int) -> list[tuple[int, bytes]]:
        """Offsets, and the bytes that go there once the file has its `end`."""
        places = self._places if cues_at is None else (*self._places, (_CUES, cues_at))
        duration = _element(_DURATION, struct.pack(">d", max(1, self._last_ms)))
        return [
            (_BODY_AT, _seek_head(*places)),
            (self._duration_at, duration),
            (_SEGMENT_SIZE_AT, _size(end - _BODY_AT, 8)),
        ]
