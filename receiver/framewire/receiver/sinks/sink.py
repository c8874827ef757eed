"""What a sink is."""

from typing import Protocol, TypeVar

from framewire.common.frame import Packet

__all__ = ["PacketSink", "Sink"]

T_contra = TypeVar("T_contra", contravariant=True)


class Sink(Protocol[T_contra]):
    """Where frames go to: packets into files, frames onto the screen.

    To add one, write a class like this in a file of its own and a row in the table of this package.
    """

    def write(self, item: T_contra, /) -> None:
        """Take one packet or frame; `SinkError` if it cannot."""

    def close(self) -> None:
        """Finish what was begun. May be called again."""


class PacketSink(Sink[Packet], Protocol):
    """Writes packets to disk, and counts them."""

    @property
    def frames(self) -> int:
        """Frames written so far."""

    @property
    def written_bytes(self) -> int:
        """Payload bytes of those."""

    @property
    def unwritten(self) -> int:
        """Frames that could not be written so far."""
