"""`pub-sub`: XPUB and SUB sockets."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import zmq

from framewire.common.clock import NS, monotonic_ns, pause
from framewire.common.config import DEFAULT_LIMITS
from framewire.common.endpoint import Endpoint
from framewire.common.keytext import Keys
from framewire.common.stats import Patience
from framewire.common.transport.sockets import Socket

__all__ = ["Publisher", "Subscriber"]

SEND_MARK_PER_TOPIC = 1
"""Messages of each topic that may wait for one receiver. Never changed on an open socket: libzmq
4.3.5 then tells the far ends of its pipes, and crashes where one of them has just ended."""
BUFFER_BYTES = 64 * 1024
"""Kernel buffers each way: what waits there grows old. On a link that carries half of a 720p camera
256 KiB and a mark of 2 made frames 0.4 s old, these 0.2 s (benchmarks/slow_link.py)."""
RECEIVE_MARK = 4
MAX_SUBSCRIPTION_BYTES = 4096
"""What comes in at a sender: a prefix of a topic, which has 255 at most."""
_PARTS = 3
_LIVE, _PATIENT = (NS // 20, 0.005), (NS // 4, 0.05)  # longest wait, share of all time
_LAST_WORD_AGAIN_S = 0.02
_ROOM_POLL_S = (
    0.0001,
    0.001,
)  # XPUB cannot be polled for room: how often to look, at first and later
_HAND_OVER_NS = 1_000_000  # what handing over may take by itself

_XPUB: Mapping[int, int] = {
    zmq.RCVHWM: 100,
    zmq.MAXMSGSIZE: MAX_SUBSCRIPTION_BYTES,
    zmq.XPUB_VERBOSER: 1,  # every subscription and its end, so that receivers can be counted
    zmq.BACKLOG: 512,
    zmq.XPUB_NODROP: 1,  # say so when a queue is full: see Publisher.send
    # A connection that broke takes its queue and its subscriptions with it, also where this side
    # connects: or old frames came when it is back, and its subscriptions would count twice.
    zmq.IMMEDIATE: 1,
}


class Publisher(Socket):
    """An XPUB socket: fans messages out, and tells who listens to what.

    A mark counts the messages of all topics of a socket: it is to know how many `topics` there are.
    A connection that subscribes to more than `most_subscriptions` is ended.
    """

    def __init__(
        self,
        bind: Sequence[Endpoint],
        connect: Sequence[Endpoint],
        *,
        topics: int = 1,
        patient: bool = False,
        keys: Keys | None = None,
        most_subscriptions: int = DEFAULT_LIMITS.subscriptions,
    ) -> None:
        options: dict[int, int] = {
            **_XPUB,
            zmq.SNDHWM: SEND_MARK_PER_TOPIC * topics,
            zmq.SNDBUF: BUFFER_BYTES,
        }
        super().__init__(zmq.XPUB, options, (*bind, *connect), keys)
        self._patience = Patience(*(_PATIENT if patient else _LIVE))
        self._most = most_subscriptions
        self._has_dropped = False
        self._inproc = any(endpoint.transport == "inproc" for endpoint in (*bind, *connect))
        self.endpoints = self._attach(bind, connect)

    @property
    def peers(self) -> int | None:
        """Connections from which subscriptions came; None where they cannot be told apart.

        Any thread may ask.
        """
        if self.connections is None or self._inproc:
            return None
        return self.connections.proven

    def subscriptions(self) -> Iterator[tuple[bool, bytes]]:
        """(begins, prefix) of each change that has arrived; does not wait."""
        while True:
            try:
                frame = self.socket.recv(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            message = frame.bytes
            begins = message[:1] == b"\1"
            if not begins and message[:1] != b"\0":
                if self.connections is not None:
                    self.connections.took(frame)
                continue
            if self.connections is not None:
                self.connections.subscribed(frame, begins=begins, most=self._most)
            yield begins, message[1:]

    def send(self, parts: Sequence[bytes]) -> None:
        """Hand a message over. A receiver whose queue is full does not get it.

        After a hiccup of this machine several frames are due at once, and every queue is full for a
        moment: that is waited for, but never for more than half a percent of all time (where
        `patient`, a twentieth), so that no receiver can slow the others.
        """
        began_ns = monotonic_ns()
        patience_ns = self._patience.left_ns(began_ns)
        self._offer(parts, began_ns + patience_ns)
        self._patience.spend(monotonic_ns() - began_ns - _HAND_OVER_NS)

    def send_to_all(self, parts: Sequence[bytes], timeout_ms: int) -> None:
        """As `send`, but give full queues `timeout_ms` to take it: for a last word.

        It may be sent more than once: ZeroMQ leaves a receiver that missed a message out until its
        queue has room, and says nothing of that.
        """
        deadline_ns = monotonic_ns() + timeout_ms * NS // 1000
        self._offer(parts, deadline_ns)
        while self._has_dropped and monotonic_ns() < deadline_ns:
            pause(_LAST_WORD_AGAIN_S)
            self._offer(parts, 0)

    def _offer(self, parts: Sequence[bytes], deadline_ns: int) -> None:
        """Wait until every queue has room, or drop for those that have none at the deadline."""
        look_s, longest_s = _ROOM_POLL_S
        self._notice_room()
        while True:
            try:
                self.socket.send_multipart(parts, zmq.DONTWAIT, copy=False)
                return
            except zmq.Again:
                if monotonic_ns() >= deadline_ns:
                    break
                pause(look_s)
                look_s = min(2 * look_s, longest_s)
                self._notice_room()
        self._has_dropped = True
        self.socket.setsockopt(zmq.XPUB_NODROP, 0)
        self.socket.send_multipart(parts, zmq.DONTWAIT, copy=False)
        self.socket.setsockopt(zmq.XPUB_NODROP, 1)


class Subscriber(Socket):
    """A SUB socket at one endpoint, bound or connected."""

    def __init__(
        self,
        bind: Sequence[Endpoint],
        connect: Sequence[Endpoint],
        prefixes: Collection[bytes],
        max_message_bytes: int,
        keys: Keys | None = None,
    ) -> None:
        options: dict[int, int] = {
            zmq.RCVHWM: RECEIVE_MARK,
            zmq.RCVBUF: BUFFER_BYTES,
            zmq.MAXMSGSIZE: max_message_bytes,
        }
        super().__init__(zmq.SUB, options, (*bind, *connect), keys)
        self._prefixes: set[bytes] = set()
        self.select(prefixes)
        self.endpoints = self._attach(bind, connect)

    def select(self, prefixes: Collection[bytes]) -> None:
        """Subscribe to these prefixes and to no others."""
        for prefix in self._prefixes.difference(prefixes):
            self.socket.setsockopt(zmq.UNSUBSCRIBE, prefix)
        for prefix in set(prefixes) - self._prefixes:
            self.socket.setsockopt(zmq.SUBSCRIBE, prefix)
        self._prefixes = set(prefixes)

    def receive(self) -> list[bytes] | None:
        """The parts of one message, or None if none has arrived; does not wait."""
        return self._receive(_PARTS)
