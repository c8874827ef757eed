"""What an exporter is, and what every exporter is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from framewire.common.frame import Packet

__all__ = ["ExportOptions", "Exporter", "Picture"]


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Where to, and how."""

    out: Path
    """The file or, for images, the folder."""
    topics: tuple[str, ...]
    """Of all that will come."""
    overwrite: bool = False
    crf: int = 20
    """Of H.264, 0 (lossless) to 51; 18 looks like the original, 6 more halve the bit rate."""
    headers: bool = False
    """Whether image files carry the framewire header."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One whole picture of a recording."""

    at_ns: int
    """Nanoseconds since the first frame of the recordings."""
    packet: "Packet"
    lost: int
    """Frames of this topic that are missing right before it."""


class Exporter(Protocol):
    """Writes one format. Made with `ExportOptions`, used by one thread.

    Until `close` nothing stands at the place that was asked for. All raise `SinkError` where
    something cannot be written.
    """

    notes: Sequence[str]
    """What a person should know of the result, each a line."""

    def write(self, picture: Picture) -> None:
        """Take the next picture; `JpegError` if it has to be decoded and cannot."""

    def close(self) -> None:
        """Finish the result, and put it into its place."""

    def abandon(self) -> None:
        """Leave nothing. Also after `close` failed."""
