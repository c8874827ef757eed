"""`pub-sub`: each packet to everybody who has subscribed to its topic."""

import logging
import threading
from collections.abc import Sequence
from itertools import islice

from framewire.common import wire
from framewire.common.clock import NS, monotonic_ns
from framewire.common.endpoint import Endpoint
from framewire.common.errors import Closed
from framewire.common.frame import Packet, Status
from framewire.common.mailbox import Mailbox
from framewire.common.stats import Throttle
from framewire.common.topic import wire_topic
from framewire.common.transport import Publisher, Socket
from framewire.sender.outlets.outlet import Desk, stamped
from framewire.sender.outlets.subscriptions import Subscriptions

__all__ = ["Publishing"]

_log = logging.getLogger("framewire.sender")

_OUTBOX_BYTES = 8 << 20
_REPEAT_NS = NS // 10
"""Between two repetitions, or statuses out of turn: many who come at once share them."""
_LAST_WORD_MS = 300
_COMPLAIN_NS = 60 * NS
_MOST_AT_ONCE = 256  # subscriptions
_BURST = 32  # packets before subscriptions and statuses have their turn


class Publishing:
    """An outlet for any number of subscribers; see `Outlet`."""

    carries_statuses = True

    def __init__(self, bind: Sequence[Endpoint], connect: Sequence[Endpoint], desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._told = False
        self._subscriptions = Subscriptions(desk.limits.subscriptions)
        self._complaints = Throttle(_COMPLAIN_NS)
        self._newcomers = False
        self._tell_ns = 0
        self._last: dict[str, Packet] = {}
        self._to_repeat: set[str] = set()
        self._repeat_ns = 0
        self._publisher = Publisher(
            bind, connect, topics=desk.queue, patient=desk.when_full == "block"
        )
        self._outbox: Mailbox[Packet] = Mailbox(
            "block",
            capacity=_OUTBOX_BYTES,
            weight=lambda packet: packet.weight,
            on_change=desk.wake,
        )

    @property
    def sockets(self) -> Sequence[Socket]:
        return (self._publisher,)

    @property
    def endpoints(self) -> tuple[str, ...]:
        return self._publisher.endpoints

    @property
    def receivers(self) -> int:
        """Those who have subscribed to something, in this process: subscriptions."""
        with self._lock:
            subscriptions = len(self._subscriptions)
        peers = self._publisher.peers
        return subscriptions if peers is None else min(subscriptions, max(1, peers))

    @property
    def demand(self) -> frozenset[bytes]:
        with self._lock:
            return self._subscriptions.prefixes

    def wants(self, topic: bytes) -> bool:
        with self._lock:
            return self._subscriptions.want(topic)

    def give(self, packet: Packet) -> None:
        self._outbox.put(packet)

    def finish(self) -> None:
        self._outbox.close()

    def step(self, now_ns: int) -> bool:
        read_all = self._read_subscriptions()
        self._tell_newcomers(now_ns)
        self._check_queue()
        more = self._send_waiting() or not read_all
        if self._to_repeat and now_ns >= self._repeat_ns:
            self._repeat_ns = now_ns + _REPEAT_NS
            self._repeat()
        return more

    @property
    def drained(self) -> bool:
        return self._outbox.closed and not len(self._outbox)

    def _read_subscriptions(self) -> bool:
        """Take in who came and left; False if there may be more."""
        count = 0
        for begins, prefix in islice(self._publisher.subscriptions(), _MOST_AT_ONCE):
            count += 1
            with self._lock:
                self._subscriptions.change(prefix, begins=begins)
            if self._desk.repeat:
                self._note_repetition(prefix, begins=begins)
        if count:
            self._newcomers = True
            self._desk.audience_changed()
            self._check_subscriptions()
        return count < _MOST_AT_ONCE

    def _tell_newcomers(self, now_ns: int) -> None:
        """A new receiver learns the state at once; of many that come and go, some at a time."""
        if self._newcomers and now_ns >= self._tell_ns:
            self._newcomers, self._tell_ns = False, now_ns + _REPEAT_NS
            self._desk.ledger.tell_again()

    def _check_subscriptions(self) -> None:
        if self._subscriptions.overflows and self._complaints(monotonic_ns()):
            _log.warning(
                "more than %d different prefixes are subscribed to: all topics are sent as if "
                "somebody wanted them; find out who it is, or raise Limits(subscriptions=)",
                self._desk.limits.subscriptions,
            )

    def _check_queue(self) -> None:
        topics = len(self._desk.ledger.names)
        if topics > self._desk.queue and not self._told:
            self._told = True
            _log.warning(
                "this sender carries %d topics and has a queue for %d: frames that come at the same "
                "time may be lost; give it a queue of %d (queue=, --queue)",
                topics,
                self._desk.queue,
                topics,
            )

    def _note_repetition(self, prefix: bytes, *, begins: bool) -> None:
        if begins:
            self._to_repeat.update(
                name for name in self._last if wire_topic(name).startswith(prefix)
            )
        else:  # what nobody takes is not the last frame for long
            for name in [name for name in self._last if not self.wants(wire_topic(name))]:
                del self._last[name]

    def _repeat(self) -> None:
        """Send last frames once more: to all who listen, because XPUB knows no single receiver."""
        for name in self._to_repeat & self._last.keys():
            self._send(self._last[name])
        self._to_repeat.clear()

    def _send(self, packet: Packet) -> None:
        self._publisher.send(wire.encode(stamped(packet)))

    def _send_waiting(self) -> bool:
        for _ in range(_BURST):
            packet = self._next()
            if packet is None:
                return False
            self._send(packet)
            if self._desk.repeat:
                self._last[packet.topic] = packet
            self._desk.ledger.settle(packet)
            self._desk.ledger.sent(packet)
        return True

    def _next(self) -> Packet | None:
        try:
            return self._outbox.get(0)
        except Closed:
            return None

    def tell(self, status: Status) -> None:
        self._publisher.send(wire.encode_status(status))

    def drop_rest(self) -> None:
        self._outbox.clear()  # they are pending in the books, which see to them

    def close(self, last_words: Sequence[Status], linger_ms: int) -> None:
        linger_ms = min(linger_ms, _LAST_WORD_MS)
        deadline_ns = monotonic_ns() + linger_ms * NS // 1000
        for status in last_words:
            left_ms = max(0, deadline_ns - monotonic_ns()) // 1_000_000
            self._publisher.send_to_all(wire.encode_status(status), left_ms)
        self._publisher.close(max(0, deadline_ns - monotonic_ns()) // 1_000_000)
