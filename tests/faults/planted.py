"""Targets with a fault that the fuzzer must find: so that it cannot pass by doing nothing."""

from collections.abc import Iterator

from framewire.common.errors import JpegError
from framewire.common.jpeg_syntax import segments
from fuzz.pictures import SYNTAX
from fuzz.target import Target

__all__ = ["GREEDY", "PLANTED"]

_MARKERS = range(0xC5, 0xD0)  # in none of the seeds
_MANY = 64


def _check_planted(data: bytes) -> bool:
    """Wrong where a JPEG has a certain segment in its place."""
    try:
        return all(1 // (marker not in _MARKERS) for marker, _, _ in segments(data))
    except JpegError:
        return False


def _check_greedy(data: bytes) -> bool:
    """Believes what a few bytes say of their number."""
    if len(data) > 4 and data[0] == _MANY:
        bytearray(2 << 30)
    return len(data) > 4


def _greedy() -> Iterator[bytes]:
    yield b"\1\2\3\4\5\6"


PLANTED = Target(_check_planted, SYNTAX.seeds, SYNTAX.words)
GREEDY = Target(_check_greedy, _greedy, (b"%c" % _MANY,))
