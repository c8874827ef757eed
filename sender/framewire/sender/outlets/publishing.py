"""`pub-sub`: each packet to everybody who has subscribed to its topic."""

import logging
from collections.abc import Sequence
from itertools import islice

from framewire.common import wire
from framewire.common.clock import NS, monotonic_ns
from framewire.common.endpoint import Endpoint
from framewire.common.errors import Closed
from framewire.common.frame import Packet, Status
from framewire.common.mailbox import Mailbox
from framewire.common.newest import Newest
from framewire.common.stats import Throttle
from framewire.common.topic import wire_topic
from framewire.common.transport import Publisher, Socket
from framewire.sender.outlets.audience import Audience
from framewire.sender.outlets.outlet import Desk, stamped
from framewire.sender.outlets.sockets import Sockets

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
        self._told = False
        self._audience = Audience(desk.limits.subscriptions)
        self._complaints = Throttle(_COMPLAIN_NS)
        self._newcomers = False
        self._tell_ns = 0
        self._last = Newest()
        self._to_repeat: set[str] = set()
        self._repeat_ns = 0
        self._publishers: Sockets[Publisher] = Sockets(
            bind,
            connect,
            lambda to_bind, to_connect: Publisher(
                to_bind,
                to_connect,
                topics=desk.queue,
                patient=desk.when_full == "block",
                keys=desk.keys,
                most_subscriptions=desk.limits.subscriptions,
            ),
        )
        self._outbox: Mailbox[Packet] = Mailbox(
            "block",
            capacity=_OUTBOX_BYTES,
            weight=lambda packet: packet.weight,
            on_change=desk.wake,
        )

    @property
    def sockets(self) -> Sequence[Socket]:
        return tuple(self._publishers)

    @property
    def endpoints(self) -> tuple[str, ...]:
        return self._publishers.endpoints

    @property
    def receivers(self) -> int:
        """Those who have subscribed to something, in this process: subscriptions."""
        return sum(self._listening_at(each) for each in self._publishers)

    def _listening_at(self, publisher: Publisher) -> int:
        subscriptions, peers = self._audience.size_at(publisher), publisher.peers
        return subscriptions if peers is None else min(subscriptions, max(1, peers))

    @property
    def demand(self) -> frozenset[bytes]:
        return self._audience.prefixes

    def wants(self, topic: bytes) -> bool:
        return self._audience.wants(topic)

    def give(self, packet: Packet) -> None:
        self._outbox.put(packet)

    def finish(self) -> None:
        self._outbox.close()

    def step(self, now_ns: int) -> bool:
        self._replace_dead(now_ns)
        unread = [each for each in self._publishers if not self._read_subscriptions(each)]
        self._tell_newcomers(now_ns)
        self._check_queue()
        more = self._send_waiting() or bool(unread)
        if self._to_repeat and now_ns >= self._repeat_ns:
            self._repeat_ns = now_ns + _REPEAT_NS
            self._repeat()
        return more

    @property
    def drained(self) -> bool:
        return self._outbox.closed and not len(self._outbox)

    def _replace_dead(self, now_ns: int) -> None:
        closed = self._publishers.replace_dead(now_ns)
        for publisher in closed:
            self._audience.forget(publisher)
        if closed:
            self._desk.audience_changed()

    def _read_subscriptions(self, publisher: Publisher) -> bool:
        """Take in who came and left; False if there may be more."""
        count = 0
        for begins, prefix in islice(publisher.subscriptions(), _MOST_AT_ONCE):
            count += 1
            self._audience.note(publisher, prefix, begins=begins)
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
        if self._audience.overflows and self._complaints(monotonic_ns()):
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
        self._to_all(wire.encode(stamped(packet)))

    def _to_all(self, parts: Sequence[bytes]) -> None:
        for publisher in self._publishers:
            publisher.send(parts)

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
        self._to_all(wire.encode_status(status))

    def drop_rest(self) -> None:
        self._outbox.clear()  # they are pending in the books, which see to them

    def close(self, last_words: Sequence[Status], linger_ms: int) -> None:
        linger_ms = min(linger_ms, _LAST_WORD_MS)
        deadline_ns = monotonic_ns() + linger_ms * NS // 1000
        for status in last_words:
            for publisher in self._publishers:
                left_ms = max(0, deadline_ns - monotonic_ns()) // 1_000_000
                publisher.send_to_all(wire.encode_status(status), left_ms)
        self._publishers.close(max(0, deadline_ns - monotonic_ns()) // 1_000_000)
