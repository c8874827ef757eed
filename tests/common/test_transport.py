"""Real sockets over tcp, ipc and inproc. Every wait ends on a condition or fails at a deadline."""

import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
import zmq

from framewire.common import transport
from framewire.common.clock import NS, monotonic_ns
from framewire.common.endpoint import Endpoint, parse_endpoint
from framewire.common.errors import TransportError
from framewire.common.transport import Publisher, Subscriber, Waker, open_sockets, wait

DEADLINE_S = 20
MAX_BYTES = 1 << 20
FRAME = [b"lab/cam1/", b"header", b"payload"]

T = TypeVar("T")


@pytest.fixture(autouse=True)
def nothing_is_left_open() -> Iterator[None]:
    assert open_sockets() == 0
    yield
    assert open_sockets() == 0


@pytest.fixture
def waker() -> Iterator[Waker]:
    waker = Waker()
    yield waker
    waker.close()


@pytest.fixture(params=["tcp", "ipc", "inproc"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Endpoint:
    text = {"tcp": "tcp://127.0.0.1:*", "ipc": f"ipc://{tmp_path}/s", "inproc": "inproc://s"}
    return _bindable(text[request.param])


def _bindable(text: str) -> Endpoint:
    return parse_endpoint(text, bind=True)


def _connectable(text: str) -> Endpoint:
    return parse_endpoint(text, bind=False)


class Pair:
    """A publisher and a subscriber that found each other."""

    def __init__(
        self, address: Endpoint, *, prefixes: Sequence[bytes] = (b"",), bind: str = "pub"
    ) -> None:
        self._waker = Waker()
        if bind == "pub":
            self.pub = Publisher([address], [])
            self.sub = self.another(prefixes)
        else:
            self.sub = Subscriber([address], [], prefixes, MAX_BYTES)
            self.pub = Publisher([], [_connectable(self.sub.endpoints[0])])
        self.changes = self.next_changes(len(prefixes))

    def __enter__(self) -> "Pair":
        return self

    def __exit__(self, *exc: object) -> None:
        self.pub.close()
        self.sub.close()
        self._waker.close()

    def another(self, prefixes: Sequence[bytes]) -> Subscriber:
        return Subscriber([], [_connectable(self.pub.endpoints[0])], prefixes, MAX_BYTES)

    def next_changes(self, count: int) -> list[tuple[bool, bytes]]:
        """The next `count` changes of subscriptions."""
        changes = self.pub.subscriptions()
        return self._next(count, self.pub, lambda: next(changes, None) or self._again())

    def _again(self) -> None:
        return None

    def next_messages(self, count: int = 1) -> list[list[bytes]]:
        return self._next(count, self.sub, self.sub.receive)

    def _next(
        self, count: int, at: Publisher | Subscriber, take: Callable[[], T | None]
    ) -> list[T]:
        taken: list[T] = []
        deadline = monotonic_ns() + DEADLINE_S * NS
        while len(taken) < count:
            item = take()
            if item is not None:
                taken.append(item)
                continue
            assert monotonic_ns() < deadline, f"only {taken} of {count} came"
            wait([at], self._waker)
        return taken
