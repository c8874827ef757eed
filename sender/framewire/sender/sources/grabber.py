"""A device or stream that gives pictures, and the order by which another process makes the same one."""

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol, cast

from framewire.common.frame import Image

__all__ = ["Grabber", "Order", "Traits"]


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of a device once it is open."""

    encoded: bool = False
    """Whether its pictures are JPEG files."""
    sized: bool = False
    """Whether they have the size that was asked for."""
    finite: bool = False
    """Whether it is a file with a length rather than a stream."""
    alone: bool = True
    """Whether each picture is made from nothing but what the sensor saw: noise then makes any two
    of them differ. Where they are coded as changes of the one before, a still scene has no noise."""
    remark: str = ""
    """What the user should know of it, for the log."""


class Grabber(Protocol):
    """A device or stream; all its methods are called from one thread at a time. Any may block."""

    def open(self) -> Traits:
        """Connect; raises `SourceError` that says why not."""

    def grab(self, into: Image | None) -> Image | bytes | None:
        """Wait for the next picture: pixels, or a JPEG file; None when there will be no more.

        `into` is memory of the last picture's shape: where the next one has the same it may be
        written there and `into` returned, which saves a copy.
        """

    def release(self) -> None:
        """Let go of the device; nothing happens if it is not open."""


@dataclass(frozen=True, slots=True)
class Order:
    """How to make a grabber, in words that another process understands."""

    grabber: str
    """``module:class``."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """What to call it with: plain values, as JSON has them."""
    secret: str = ""
    """What is in the arguments and must not be told; empty if nothing is."""

    def make(self) -> Grabber:
        """The grabber, in this process."""
        module, _, name = self.grabber.partition(":")
        return cast(Grabber, getattr(import_module(module), name)(**self.arguments))
