"""Sockets that found each other, for the tests of the transport."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from framewire.common.clock import NS, monotonic_ns
from framewire.common.endpoint import Endpoint, parse_endpoint
from framewire.common.transport import Publisher, Socket, Subscriber, Waker, wait

DEADLINE_S = 20
MAX_BYTES = 1 << 20
FRAME = [b"lab/cam1/", b"header", b"payload"]

T = TypeVar("T")


def bindable(text: str) -> Endpoint:
    return parse_endpoint(text, bind=True)


def connectable(text: str) -> Endpoint:
    return parse_endpoint(text, bind=False)


def take(count: int, receive: Callable[[], T | None], *sockets: Socket) -> list[T]:
    """The next `count` things that `receive` gives.

    `sockets`: those that something may come to. A socket does its part of a meeting only while its
    own thread looks at it, so both ends belong there.
    """
    taken: list[T] = []
    deadline = monotonic_ns() + DEADLINE_S * NS
    with closing(Waker()) as waker:
        while len(taken) < count:
            item = receive()
            if item is not None:
                taken.append(item)
                continue
            assert monotonic_ns() < deadline, f"only {taken} of {count} came"
            wait([each for each in sockets if not each.socket.closed], waker, 20)
    return taken


def until(condition: Callable[[], bool], *sockets: Socket) -> None:
    """Wait for a condition; fail when the deadline is over."""
    take(1, lambda: True if condition() else None, *sockets)


@dataclass
class Pair:
    """A publisher and a subscriber that found each other."""

    pub: Publisher
    sub: Subscriber

    def another(self, prefixes: Sequence[bytes]) -> Subscriber:
        return Subscriber([], [connectable(self.pub.endpoints[0])], prefixes, MAX_BYTES)

    def next_changes(self, count: int) -> list[tuple[bool, bytes]]:
        """The next `count` changes of subscriptions."""
        return take(count, lambda: next(self.pub.subscriptions(), None), self.pub, self.sub)

    def next_messages(self, count: int = 1) -> list[list[bytes]]:
        return take(count, self.sub.receive, self.pub, self.sub)


@contextmanager
def patient_pair() -> Iterator[Pair]:
    with closing(Publisher([bindable("tcp://127.0.0.1:*")], [], patient=True)) as pub:
        sub = Subscriber([], [connectable(pub.endpoints[0])], [b""], MAX_BYTES)
        with closing(sub):
            pair = Pair(pub, sub)
            pair.next_changes(1)
            yield pair


@contextmanager
def pair_at(address: Endpoint, *prefixes: bytes, bind: str = "pub") -> Iterator[Pair]:
    prefixes = prefixes or (b"",)
    if bind == "pub":
        pub = Publisher([address], [])
        sub = Subscriber([], [connectable(pub.endpoints[0])], prefixes, MAX_BYTES)
    else:
        sub = Subscriber([address], [], prefixes, MAX_BYTES)
        pub = Publisher([], [connectable(sub.endpoints[0])])
    with closing(pub), closing(sub):
        pair = Pair(pub, sub)
        assert sorted(pair.next_changes(len(prefixes))) == [(True, p) for p in sorted(prefixes)]
        yield pair
