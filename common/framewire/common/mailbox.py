"""The only hand-off between threads: bounded, its full-policy named, its drops counted."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, Literal, TypeVar

from framewire.common.errors import Closed, FramewireError

__all__ = ["Mailbox", "WhenFull"]

T = TypeVar("T")
WhenFull = Literal["newest", "block"]


class Mailbox(Generic[T]):
    """A queue between threads that cannot grow without bound.

    ``newest``: one place for each key; a new item takes the place of an older one with its key,
    which is dropped and counted. A replaced item keeps its turn, so that a busy key starves no
    other. ``block``: first in, first out; `put` waits until the items in the box weigh less than
    `capacity` (an item heavier than that goes in alone).

    `on_change` is called after each put and after `close`, in the thread that did it: it wakes those
    who cannot wait in `get`. Any number of threads may put and get. `close` ends it: puts raise `Closed`, gets hand out what
    is left and then raise `Closed`; or, if what works at one end has failed, `FramewireError` with why.
    """

    def __init__(
        self,
        when_full: WhenFull,
        *,
        capacity: int = 1,
        weight: Callable[[T], int] = lambda item: 1,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._newest = when_full == "newest"
        self._capacity = capacity
        self._weigh = weight
        self._on_change = on_change
        self._items: OrderedDict[Hashable, T] = OrderedDict()
        self._weight = 0
        self._serial = 0
        self._taken = 0
        self._dropped = 0
        self._closed = False
        self._failure = ""
        lock = threading.RLock()  # a signal handler may close what it has interrupted
        self._filled = threading.Condition(lock)
        self._emptied = threading.Condition(lock)

    @property
    def dropped(self) -> int:
        """Items that newer ones replaced so far."""
        return self._dropped

    @property
    def weight(self) -> int:
        """What the items inside weigh."""
        return self._weight

    @property
    def closed(self) -> bool:
        return self._closed

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T, key: Hashable = None) -> T | None:
        """Hand `item` over; return the item that it replaced (only under ``newest``)."""
        with self._filled:
            if not self._newest:
                self._wait_for_room(item)
                self._serial += 1
                key = self._serial
            if self._closed:
                raise self.ended("put into a closed mailbox")
            old = self._items.get(key)
            self._items[key] = item
            self._weight += self._weigh(item)
            if old is not None:
                self._weight -= self._weigh(old)
                self._dropped += 1
            self._filled.notify()
        self._on_change()
        return old

    def offer(self, item: T, timeout: float) -> bool:
        """As `put` under ``block``, but wait for room no longer than that; whether there was any."""
        with self._filled:
            if not self._wait_for_room(item, timeout):
                return False
            if self._closed:
                raise self.ended("put into a closed mailbox")
            self._append(item)
        self._on_change()
        return True

    def push(self, items: Iterable[T]) -> None:
        """Put all of them under ``block``, room or not: who calls it sees that they are not too many."""
        with self._filled:
            if self._closed:
                raise self.ended("put into a closed mailbox")
            for item in items:
                self._append(item)
        self._on_change()

    def _append(self, item: T) -> None:
        self._serial += 1
        self._items[self._serial] = item
        self._weight += self._weigh(item)
        self._filled.notify()

    def _wait_for_room(self, item: T, timeout: float | None = None) -> bool:
        weight = self._weigh(item)
        return self._emptied.wait_for(
            lambda: self._closed or not self._items or self._weight + weight <= self._capacity,
            timeout,
        )

    def get(self, timeout: float | None = None) -> T | None:
        """The item whose turn it is; None after `timeout` seconds (0: at once) without one."""
        taken = self.take(timeout)
        return None if taken is None else taken[1]

    def take(self, timeout: float | None = None) -> tuple[int, T] | None:
        """As `get`, with the item's number: how many were taken before it, by whomever."""
        with self._filled:
            if not self._filled.wait_for(lambda: self._items or self._closed, timeout):
                return None
            if not self._items:
                raise self.ended("the mailbox was closed")
            _, item = self._items.popitem(last=False)
            self._weight -= self._weigh(item)
            self._taken += 1
            self._emptied.notify()
            return self._taken - 1, item

    def clear(self) -> list[T]:
        """Throw away what is inside, without counting it as dropped; return it."""
        with self._filled:
            left = list(self._items.values())
            self._items.clear()
            self._weight = 0
            self._emptied.notify_all()
            return left

    def ended(self, what: str) -> FramewireError:
        """What to raise once it is closed: `Closed`, saying `what`; or why it had to be."""
        return FramewireError(self._failure) if self._failure else Closed(what)

    def close(self, failure: str = "") -> None:
        """Wake everybody who waits; may be called again, from any thread and in a signal handler.

        With `failure`, they are told why, unless it was closed before.
        """
        with self._filled:
            if not self._closed:
                self._failure = failure
            self._closed = True
            self._filled.notify_all()
            self._emptied.notify_all()
        self._on_change()
