"""`Plan`: what a recorder does besides writing: segments, limits, events. Pure."""

from dataclasses import dataclass

from framewire.common.clock import NS
from framewire.common.errors import UsageError

__all__ = ["Plan"]

_SHORTEST_SEGMENT_S = 1.0
_LONGEST_S = 3600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """`UsageError` for what cannot be. None is: not at all."""

    segment_s: float | None = None
    """Length of a file, seconds of wall time."""
    keep_s: float | None = None
    """Age at which files are removed, seconds."""
    max_bytes: int | None = None
    """What all files together may take."""
    pre_s: float | None = None
    """Seconds to record from before an event; None: everything is recorded."""
    post_s: float = 10.0
    """Seconds to record after the last trigger of an event."""

    def __post_init__(self) -> None:
        for name, value in self.of_folder.items():
            if value is not None and not value > 0:  # nor nan
                raise UsageError(f"{name}={value} is not possible: it must be above 0")
        if self.segment_s is not None and self.segment_s < _SHORTEST_SEGMENT_S:
            raise UsageError(
                f"segments of {self.segment_s} s are too short: at least {_SHORTEST_SEGMENT_S:g} s"
            )
        for name, seconds in (("pre", self.pre_s), ("post", self.post_s)):
            if seconds is not None and not 0 <= seconds <= _LONGEST_S:
                raise UsageError(f"{name}={seconds} is not possible: 0 to {_LONGEST_S:g} seconds")

    @property
    def of_folder(self) -> dict[str, float | None]:
        """What only a folder can have."""
        return {"segment": self.segment_s, "keep": self.keep_s, "max_bytes": self.max_bytes}

    @property
    def segment_ns(self) -> int | None:
        return None if self.segment_s is None else round(self.segment_s * NS)

    @property
    def keep_ns(self) -> int | None:
        return None if self.keep_s is None else round(self.keep_s * NS)
