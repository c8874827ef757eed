"""Instruments for live figures. Pure: the time is an argument. Not thread-safe."""

from collections import deque

from framewire.common.clock import NS

__all__ = ["Patience", "Quantiles", "Rate", "Throttle"]


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
