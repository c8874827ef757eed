"""Waiting for sockets."""

from collections.abc import Sequence

import zmq

from framewire.common.clock import monotonic_ns
from framewire.common.transport.sockets import Socket
from framewire.common.transport.waking import Waker

__all__ = ["TICK_MS", "wait"]

TICK_MS = 200
"""The longest wait in any loop, milliseconds: how soon a stop is noticed."""


def wait(sockets: Sequence[Socket], waker: Waker, timeout_ms: int = TICK_MS) -> None:
    """Until one of `sockets` is ready for what it waits for, `waker` is woken or the time is over.

    What became of their connections is taken in, too.
    """
    watched = []
    for each in sockets:
        flags = (zmq.POLLIN if each.awaits_message else 0) | (
            zmq.POLLOUT if each.awaits_room else 0
        )
        if flags:
            watched.append((each.socket, flags))
    connections = [each.connections for each in sockets if each.connections is not None]
    watched += [(watch.monitor, zmq.POLLIN) for watch in connections]
    ready = waker.poll(watched, timeout_ms)
    now_ns = monotonic_ns()
    for watch in connections:
        if watch.monitor in ready:
            watch.look()
        watch.weigh(now_ns)
    for each in sockets:
        each.attend()
