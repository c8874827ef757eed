"""`Ring`: what came lately, for the time before an event. Pure."""

from collections import deque
from typing import Generic, NamedTuple, TypeVar

__all__ = ["Drained", "Ring"]

T = TypeVar("T")


class Drained(NamedTuple, Generic[T]):
    """What a ring gave back."""

    items: list[T]
    """Oldest first."""
    missing: list[str]
    """The topic of each that was young enough, but had no room."""


class Ring(Generic[T]):
    """Keeps items of the last `span_ns`, at most `capacity` bytes of them. Not thread-safe.

    What has grown old leaves silently. What leaves because there is no room is remembered for as long as
    it would have stayed.
    """

    def __init__(self, span_ns: int, capacity: int) -> None:
        self._span_ns, self._capacity = span_ns, capacity
        self._items: deque[tuple[int, str, int, T]] = deque()
        self._pushed_out: deque[tuple[int, str]] = deque()
        self._weight = 0

    @property
    def weight(self) -> int:
        """Bytes inside."""
        return self._weight

    def __len__(self) -> int:
        return len(self._items)

    def add(self, now_ns: int, topic: str, weight: int, item: T) -> None:
        """Put an item in; `now_ns` never decreases."""
        self._items.append((now_ns, topic, weight, item))
        self._weight += weight
        self._forget(now_ns)
        while self._weight > self._capacity:
            self._pushed_out.append(self._pop())

    def drain(self, now_ns: int) -> Drained[T]:
        """Take out all that is not too old."""
        self._forget(now_ns)
        drained = Drained(
            [item for _, _, _, item in self._items], [topic for _, topic in self._pushed_out]
        )
        self._items.clear()
        self._pushed_out.clear()
        self._weight = 0
        return drained

    def _forget(self, now_ns: int) -> None:
        while self._items and self._items[0][0] < now_ns - self._span_ns:
            self._pop()
        while self._pushed_out and self._pushed_out[0][0] < now_ns - self._span_ns:
            self._pushed_out.popleft()

    def _pop(self) -> tuple[int, str]:
        at_ns, topic, weight, _ = self._items.popleft()
        self._weight -= weight
        return at_ns, topic
