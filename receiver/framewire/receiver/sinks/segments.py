"""Which file a frame belongs to, and what files are called. Pure."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from framewire.common.clock import NS

__all__ = ["Rotation", "Slot", "continuation", "is_segment_name", "segment_name"]

_NAME = re.compile(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}(-[0-9]{1,3})?\.mkv\Z")


class Slot(NamedTuple):
    """What the frames of one file have in common besides their topic."""

    segment: int
    """Number of the segment of wall time in which they arrived; 0 without segments."""
    event: int
    """Number of the event that they belong to; 0 where all is recorded."""


class Rotation:
    """Numbers segments of wall time: new ones begin at multiples of their length since the epoch.

    So a segment of ten minutes begins at :00, :10, :20 of UTC. Where the clock is set back within the
    segment before, the frames stay in the newer one; where it is set back further, they get a segment
    of their own.
    """

    def __init__(self, length_ns: int | None) -> None:
        self._length_ns = length_ns
        self._current = 0

    def at(self, wall_ns: int) -> int:
        """The segment of a frame that arrives now."""
        number = wall_ns // self._length_ns if self._length_ns else 0
        if number != self._current - 1:
            self._current = number
        return self._current

    def over(self, segment: int, wall_ns: int) -> bool:
        """Whether a segment's time has passed."""
        return bool(self._length_ns) and segment < wall_ns // (self._length_ns or 1)


def segment_name(captured_ns: int, number: int = 1) -> str:
    """The name of a file: the capture time of its first frame in UTC; and a number from 2 on."""
    began = datetime.fromtimestamp(captured_ns // NS, UTC)
    return f"{began:%Y-%m-%dT%H-%M-%S}{f'-{number}' if number > 1 else ''}.mkv"


def is_segment_name(name: str) -> bool:
    """Whether a file could be one of `segment_name`."""
    return _NAME.match(name) is not None


def continuation(path: Path, number: int) -> Path:
    """Where a recording goes on that is to be one file, after its disk had failed: ``yard-2.mkv``."""
    return path.with_name(f"{path.stem}-{number}{path.suffix}") if number > 1 else path
