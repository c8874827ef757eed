"""When the frames of a file are due. Pure: the time is an argument."""

from framewire.common.clock import NS
from framewire.common.errors import UsageError

__all__ = ["PATIENCE_NS", "GapSkipper", "Pacer", "Thinner"]

PATIENCE_NS = NS // 5
"""How late a player may be and still make up for it."""

LONG_GAP_NS, SHORT_GAP_NS = 2 * NS, NS // 2
"""What `GapSkipper` skips, and what it leaves: long enough to be seen as a break."""


class Pacer:
    """Maps media time to the monotonic clock, at `speed` times the original pace.

    Where the player falls behind by more than `patience_ns` (a slow disk, a stopped process), the
    rest of the schedule moves with it: a file is slowed, never skipped, and ages do not pile up.
    Speed 0 means as fast as possible: everything is due at once.
    """

    def __init__(self, speed: float = 1.0, patience_ns: int = PATIENCE_NS) -> None:
        if speed and not 0.001 <= speed <= 1000:
            raise UsageError(
                f"speed {speed} is not possible: use 0 (as fast as possible) or 0.001 to 1000"
            )
        self._speed = speed
        self._patience_ns = patience_ns
        self._anchor: tuple[int, int] | None = None  # media time, monotonic time

    def due_ns(self, media_ns: int, now_ns: int) -> int:
        """Monotonic time at which the frame of `media_ns` is due; the first is due at once."""
        if not self._speed:
            return now_ns
        if self._anchor is None:
            self._anchor = media_ns, now_ns
        media, start = self._anchor
        due = start + round((media_ns - media) / self._speed)
        if now_ns - due > self._patience_ns:
            self._anchor, due = (media_ns, now_ns), now_ns
        return due

    def shift(self, by_ns: int) -> None:
        """Move the rest of the schedule: after a pause, or to show a frame before its time."""
        if self._anchor is not None:
            self._anchor = self._anchor[0], self._anchor[1] + by_ns

    def restart(self) -> None:
        """Forget the schedule: the next frame is due at once, and the others follow from it."""
        self._anchor = None


class GapSkipper:
    """Media time with its long gaps made short. Give it each frame's time, in order."""

    __slots__ = ("_last_ns", "_skipped_ns")

    def __init__(self) -> None:
        self._last_ns: int | None = None
        self._skipped_ns = 0

    def at(self, media_ns: int) -> int:
        """When to play the frame at `media_ns`: a gap of more than two seconds lasts half of one."""
        step_ns = 0 if self._last_ns is None else media_ns - self._last_ns
        if step_ns > LONG_GAP_NS:
            self._skipped_ns += step_ns - SHORT_GAP_NS
        self._last_ns = media_ns
        return media_ns - self._skipped_ns


class Thinner:
    """Lets at most `fps` frames a second of media time through; None: all."""

    def __init__(self, fps: float | None) -> None:
        if fps is not None and not 0 < fps <= 1000:
            raise UsageError(f"{fps} frames a second are not possible: above 0, up to 1000")
        self._period_ns = round(NS / fps) if fps else 0
        self._next_ns: int | None = None

    def keep(self, media_ns: int) -> bool:
        """Whether the frame at `media_ns` is one of those to show."""
        if not self._period_ns:
            return True
        due = media_ns if self._next_ns is None else self._next_ns
        # A camera's "30 fps" wanders by a millisecond or two; an eighth of a period is on time.
        if media_ns < due - self._period_ns // 8:
            return False
        self._next_ns = max(due, media_ns - self._period_ns) + self._period_ns
        return True
