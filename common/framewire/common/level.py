"""How good a picture is asked for. Pure."""

from dataclasses import dataclass

__all__ = ["OWN", "Level"]


@dataclass(frozen=True, slots=True)
class Level:
    """What a request of `req-rep` says of the picture; None: as the sender has it."""

    quality: int | None = None
    """JPEG quality, 1 to 100."""
    scale: float | None = None
    """Times the sender's width and height; above 0, up to 1."""


OWN = Level()
"""As the sender has it."""
