"""Waiting for sockets."""

from collections.abc import Iterable

import zmq

from framewire.common.transport.sockets import Socket
from framewire.common.transport.waking import Waker

__all__ = ["TICK_MS", "wait"]

TICK_MS = 200
"""The longest wait in any loop, milliseconds: how soon a stop is noticed."""


def wait(sockets: Iterable[Socket], waker: Waker, timeout_ms: int = TICK_MS) -> None:
    """Until one of `sockets` is ready for what it waits for, `waker` is woken or the time is over."""
    watched = []
    for each in sockets:
        flags = (zmq.POLLIN if each.awaits_message else 0) | (
            zmq.POLLOUT if each.awaits_room else 0
        )
        if flags:
            watched.append((each.socket, flags))
    waker.poll(watched, timeout_ms)
