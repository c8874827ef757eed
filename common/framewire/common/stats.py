"""Instruments for live figures. Pure: the time is an argument. Not thread-safe."""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from framewire.common.clock import NS

__all__ = ["Distribution", "Histogram", "Patience", "Quantiles", "Rate", "Throttle"]


class Rate:
    """Events and amount per second over the last `window_ns` (default 2 s)."""

    def __init__(self, window_ns: int = 2 * NS) -> None:
        self._window_ns = window_ns
        self._events: deque[tuple[int, int]] = deque()
        self._amount = 0

    def add(self, now_ns: int, amount: int = 1) -> None:
        self._events.append((now_ns, amount))
        self._amount += amount
        self._forget(now_ns)

    def _forget(self, now_ns: int) -> None:
        while self._events and self._events[0][0] <= now_ns - self._window_ns:
            self._amount -= self._events.popleft()[1]

    def events(self, now_ns: int) -> float:
        """Events per second up to `now_ns`."""
        self._forget(now_ns)
        return len(self._events) * NS / self._window_ns

    def amount(self, now_ns: int) -> float:
        """Amount per second up to `now_ns`."""
        self._forget(now_ns)
        return self._amount * NS / self._window_ns


class Quantiles:
    """Quantiles of the last `size` values (exact for those; bounded memory)."""

    def __init__(self, size: int = 1024) -> None:
        self._values: deque[float] = deque(maxlen=size)

    def add(self, value: float) -> None:
        self._values.append(value)

    def __call__(self, *levels: float) -> tuple[float, ...]:
        """The values at `levels` (0 to 1, nearest rank); nan for each if there are none."""
        ordered = sorted(self._values)
        if not ordered:
            return tuple(float("nan") for _ in levels)
        return tuple(ordered[round(level * (len(ordered) - 1))] for level in levels)


@dataclass(frozen=True, slots=True)
class Distribution:
    """A snapshot of a `Histogram`: how many values fell between which bounds."""

    bounds: tuple[float, ...] = ()
    """Ascending; a value that equals a bound lies below it."""
    counts: tuple[int, ...] = (0,)
    """Values up to each bound and above the one before it; the last: above all bounds."""
    sum: float = 0.0
    """Of all values."""

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    @property
    def cumulative(self) -> tuple[int, ...]:
        """How many values there were up to each bound; the last: all."""
        return tuple(accumulate(self.counts))


class Histogram:
    """Counts values between fixed `bounds`, from the first on: what it says can be added up.

    For durations: less than nothing, as the difference of two machines' clocks may be, counts as
    nothing, so that the sum never falls.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += max(0.0, value)

    def snapshot(self) -> Distribution:
        """What was counted so far; costs a microsecond."""
        return Distribution(self._bounds, tuple(self._counts), self._sum)


class Patience:
    """Waiting time that grows back: at most `cap_ns` at once, `share` of all time in the long run."""

    def __init__(self, cap_ns: int, share: float) -> None:
        self._cap_ns = cap_ns
        self._share = share
        self._left_ns = float(cap_ns)
        self._since_ns: int | None = None

    def left_ns(self, now_ns: int) -> int:
        """How long one may wait from `now_ns` on."""
        if self._since_ns is not None:
            grown = self._left_ns + (now_ns - self._since_ns) * self._share
            self._left_ns = min(self._cap_ns, grown)
        self._since_ns = now_ns
        return int(self._left_ns)

    def spend(self, waited_ns: int) -> None:
        """Take off what was waited; less than nothing counts as nothing."""
        self._left_ns = max(0.0, self._left_ns - max(0, waited_ns))


class Throttle:
    """Lets something happen at most once in `interval_ns` (default 1 s): log lines about losses."""

    def __init__(self, interval_ns: int = NS) -> None:
        self._interval_ns = interval_ns
        self._next_ns = 0
        self._held = 0

    def __call__(self, now_ns: int) -> int:
        """How many calls this one stands for (itself and those held back), or 0 to stay quiet."""
        self._held += 1
        if now_ns < self._next_ns:
            return 0
        self._next_ns = now_ns + self._interval_ns
        held, self._held = self._held, 0
        return held
