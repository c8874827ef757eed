"""`req-rep`: each who asks gets the newest packet that it has not had, or the next one of all."""

import logging
from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from framewire.common import wire
from framewire.common.clock import NS, monotonic_ns, pause, wall_ns
from framewire.common.endpoint import Endpoint
from framewire.common.errors import ProtocolError
from framewire.common.frame import Packet, Status
from framewire.common.mailbox import Mailbox
from framewire.common.request import MAX_REQUEST_BYTES, Request, decode_request
from framewire.common.stats import Throttle
from framewire.common.topic import wire_topic
from framewire.common.transport import Dialogue, Sent, Socket
from framewire.sender.history import History
from framewire.sender.outlets.client import Ask, Client
from framewire.sender.outlets.outlet import Desk, stamped
from framewire.sender.outlets.sockets import Sockets
from framewire.sender.picture import Picture

__all__ = ["Answering"]

_log = logging.getLogger("framewire.sender")

_STATUS_NS = NS
"""A request that no frame answered for so long is answered by a status: silence means a fault."""
_PRESENT_NS = 3 * NS
"""Who asked so recently counts as a receiver."""
_FORGET_NS = 60 * NS
_SMALL_BYTES = 4096
"""Requests of so much memory are taken though others fill what there is for them: nobody else's large
ones keep a viewer from asking."""
_BURST = 64  # requests of one socket before the others have their turn
_HISTORY_BOX_BYTES = 8 << 20
_LAST_WORD_MS = 300
_LAST_WORD_PAUSE_S = 0.05
_HELLO_NS = NS // 5
_HELLO = (b"",)
_PARTS_OF_ANSWER = 3


class Answering:
    """An outlet for those who ask; see `Outlet`.

    Nothing is encoded before it is asked for, unless a history is kept. Requests wait here, at most
    eight for each connection, until there is a frame that it has not had; after a second a status
    answers. A request is forgotten with its connection: it can hold nothing up.
    """

    carries_statuses = False

    def __init__(self, bind: Sequence[Endpoint], connect: Sequence[Endpoint], desk: Desk) -> None:
        self._desk = desk
        self._clients: dict[tuple[Dialogue, bytes], Client] = {}
        self._waiting_bytes = 0
        self._demand: frozenset[bytes] = frozenset()
        self._present = 0
        self._hello_ns = 0
        self._refused, self._too_large = Throttle(), Throttle()
        self._history = History(desk.history) if desk.history else None
        self._to_keep: Mailbox[Packet] = Mailbox(
            "block",
            capacity=_HISTORY_BOX_BYTES,
            weight=lambda packet: packet.weight,
            on_change=desk.wake,
        )
        self._sockets: Sockets[Dialogue] = Sockets(
            bind,
            connect,
            lambda to_bind, to_connect: Dialogue(to_bind, to_connect, MAX_REQUEST_BYTES, desk.keys),
        )

    @property
    def sockets(self) -> Sequence[Socket]:
        return tuple(self._sockets)

    @property
    def endpoints(self) -> tuple[str, ...]:
        return self._sockets.endpoints

    @property
    def receivers(self) -> int:
        return self._present

    @property
    def demand(self) -> frozenset[bytes]:
        return self._demand if self._history is None else frozenset((b"",))

    def wants(self, topic: bytes) -> bool:
        return self._history is not None  # otherwise pictures are asked for one by one

    def give(self, packet: Packet) -> None:
        self._to_keep.put(packet)

    def finish(self) -> None:
        self._to_keep.close()

    @property
    def drained(self) -> bool:
        return self._to_keep.closed and not len(self._to_keep) and not self._somebody_is_behind()

    def _somebody_is_behind(self) -> bool:
        """Whether somebody is there who wants all and has not had all yet."""
        if self._history is None:
            return False
        since_ns = monotonic_ns() - _PRESENT_NS
        return any(
            self._find_next(client, client.last) is not None
            for client in self._clients.values()
            if client.heard_ns > since_ns and client.last is not None
            if client.last.after is not None
        )

    def step(self, now_ns: int) -> bool:
        self._keep()
        for socket in self._sockets.replace_dead(now_ns):
            self._clients.pop((socket, b""), None)
        more = [self._read(socket, now_ns) for socket in self._sockets]
        self._count_clients(now_ns)
        newest = self._desk.ledger.newest()
        for client in list(self._clients.values()):
            if client.asks:
                self._serve(client, newest, now_ns)
        if self._sockets.connecting and now_ns >= self._hello_ns:
            self._hello_ns = now_ns + _HELLO_NS
            self._greet()
        return any(more)

    def tell(self, status: Status) -> None:
        """Statuses are given to those who ask."""

    def drop_rest(self) -> None:
        self._to_keep.clear()  # who asks for all hears of the loss by the next number

    def close(self, last_words: Sequence[Status], linger_ms: int) -> None:
        for socket in self._sockets:
            self._read(socket, monotonic_ns())  # who has just asked is told, too
        for client in self._clients.values():
            self._say_last(client, last_words)
        if last_words and self._clients:
            # libzmq drops what has not been read at a DEALER when its connection ends.
            pause(_LAST_WORD_PAUSE_S)
        self._sockets.close(min(linger_ms, _LAST_WORD_MS))

    # -- what comes in --------------------------------------------------------------------------

    def _keep(self) -> None:
        if self._history is None:
            return
        while len(self._to_keep):
            packet = self._to_keep.get(0)
            if packet is not None and not self._history.add(packet):
                self._complain_of_size(packet)

    def _complain_of_size(self, packet: Packet) -> None:
        if self._too_large(monotonic_ns()):
            _log.warning(
                "%s: a frame of %d bytes is larger than the whole history: give it more",
                packet.topic,
                len(packet.payload),
            )

    def _read(self, socket: Dialogue, now_ns: int) -> bool:
        """Take requests in, some at a time; whether there may be more."""
        for _ in range(_BURST):
            message = socket.receive()
            if message is None:
                return False
            address, parts = message
            client = self._clients.pop((socket, address), None) or self._new(socket, address)
            if self._has_room():
                client.heard_ns, client.peer = now_ns, socket.caller
                self._clients[socket, address] = client  # at the end: heard last
                self._take(client, parts, now_ns)
        return True

    def _new(self, socket: Dialogue, address: bytes) -> Client:
        return Client(socket, address, asks=deque(maxlen=self._desk.limits.requests))

    def _has_room(self) -> bool:
        """For one more client, at the cost of the one that was heard longest ago if need be."""
        most = self._desk.limits.connections
        if len(self._clients) < most:
            return True
        idle = next((key for key, client in self._clients.items() if not client.asks), None)
        if idle is None:
            self._complain(f"more than {most} receivers ask at once")
            return False
        del self._clients[idle]
        return True

    def _take(self, client: Client, parts: Sequence[bytes], now_ns: int) -> None:
        try:
            if len(parts) != 1:
                raise ProtocolError(f"a request of {len(parts)} parts instead of 1")
            request = decode_request(parts[0])
            self._check_memory(request)
        except ProtocolError as error:
            self._complain(str(error))
            if len(parts) != _PARTS_OF_ANSWER:  # two senders would answer each other for ever
                self._tell_fault(client, str(error))
            return
        if request.resume:
            client.given.clear()
        client.last = request
        client.asks.append(Ask(request, now_ns))

    def _check_memory(self, request: Request) -> None:
        """`ProtocolError` for a large request where too many such wait already."""
        weight, most = request.weight, self._desk.limits.waiting_bytes
        if weight > _SMALL_BYTES and self._waiting_bytes + weight > most:
            raise ProtocolError(f"{most} bytes of large requests wait already: ask again later")
        self._waiting_bytes += weight

    def _complain(self, reason: str) -> None:
        if count := self._refused(monotonic_ns()):
            _log.warning("refused %d request(s): %s", count, reason)

    def _tell_fault(self, client: Client, reason: str) -> None:
        """Answer what cannot be read by a status that says so."""
        for name in self._desk.ledger.names[:1]:
            status = self._desk.ledger.status(name, wall_ns())
            told = msgspec.structs.replace(status, reason=f"a bad request: {reason}"[:1024])
            client.socket.send(client.address, wire.encode_answer(told, None, 0))

    def _count_clients(self, now_ns: int) -> None:
        for key, client in list(self._clients.items()):
            if now_ns - client.heard_ns > _FORGET_NS or client.is_gone:
                del self._clients[key]
        here = [
            client.last.prefixes
            for client in self._clients.values()
            if client.last is not None and now_ns - client.heard_ns < _PRESENT_NS
        ]
        demand = _joined(here, self._desk.limits.subscriptions)
        self._waiting_bytes = sum(client.weight for client in self._clients.values())
        if (len(here), demand) != (self._present, self._demand):
            self._present, self._demand = len(here), demand
            self._desk.audience_changed()

    def _greet(self) -> None:
        """Let those who are bound know that they can ask."""
        for socket in self._sockets.connecting:
            client = self._clients.get((socket, b""))
            if client is None or not client.asks:
                socket.send(b"", _HELLO)

    # -- what goes out --------------------------------------------------------------------------

    def _serve(self, client: Client, newest: dict[str, Picture], now_ns: int) -> None:
        waiting = []
        for ask in client.asks:
            if ask.answer is None:
                ask.answer = self._answer(client, ask, newest, now_ns)
            sent = "full" if ask.answer is None else self._send(client, ask, ask.answer)
            if sent == "gone":
                del self._clients[client.socket, client.address]
                return
            if sent == "full":
                waiting.append(ask)
        client.asks.clear()
        client.asks.extend(waiting)

    def _send(self, client: Client, ask: Ask, answer: Packet | Status) -> Sent:
        waited_us = (monotonic_ns() - ask.came_ns) // 1000
        parts = wire.encode_answer(answer, ask.request.id, waited_us)
        sent = client.socket.send(client.address, parts)
        if sent == "sent" and isinstance(answer, Packet):
            self._desk.ledger.sent(answer)
        return sent

    def _answer(
        self, client: Client, ask: Ask, newest: dict[str, Picture], now_ns: int
    ) -> Packet | Status | None:
        if ask.request.status:
            return self._status(client, ask.request, newest)
        kept = self._history is not None and ask.request.after is not None
        packet = self._next(client, ask) if kept else self._newest(client, ask, newest)
        if packet is not None:
            return stamped(packet)
        if ask.picture is None and now_ns - ask.came_ns >= _STATUS_NS:
            return self._status(client, ask.request, newest)
        return None

    def _newest(self, client: Client, ask: Ask, newest: dict[str, Picture]) -> Packet | None:
        """The newest picture that it has not had, once it is encoded."""
        if ask.picture is None:
            ask.picture = self._choose(client, ask.request, newest)
            if ask.picture is None:
                return None
        level = ask.level(self._desk.quality)
        packet = ask.picture.ready(level)
        if packet is None and ask.picture.failed(level):
            ask.picture = None  # the next one, then
        elif packet is None and ask.picture.order(level):
            self._desk.encode(ask.picture, level)
        return packet

    def _choose(
        self, client: Client, request: Request, newest: dict[str, Picture]
    ) -> Picture | None:
        for topic in client.in_turn(request, newest):
            picture = newest[topic]
            position = picture.header.sender, picture.header.sequence
            if position != client.had(request, topic):
                client.give(topic, position)
                return picture
        return None

    def _next(self, client: Client, ask: Ask) -> Packet | None:
        """The packet that follows those that it had."""
        packet = self._find_next(client, ask.request)
        if packet is not None:
            client.give(packet.topic, (packet.header.sender, packet.sequence))
        return packet

    def _find_next(self, client: Client, request: Request) -> Packet | None:
        assert self._history is not None
        for topic in client.in_turn(request, self._history.topics):
            had = client.had(request, topic)
            packet = self._history.after(topic, *had) if had else self._history.newest(topic)
            if packet is not None:
                return packet
        return None

    def _status(
        self, client: Client, request: Request, newest: dict[str, Picture]
    ) -> Status | None:
        """What there is to say of a topic that it asks for; topics take turns."""
        names = self._desk.ledger.names
        known = [name for name in names if wire_topic(name).startswith(request.prefixes)]
        wanted = (request.topic,) if isinstance(request.topic, str) else request.topic
        told = known or [name for name in wanted if name]
        if not told:
            return None  # there is nothing at all to speak of
        client.told += 1
        name = told[client.told % len(told)]
        return self._known(client, request, name, newest) if known else self._unknown(name)

    def _known(
        self, client: Client, request: Request, name: str, newest: dict[str, Picture]
    ) -> Status:
        """The number in it is that of the next frame on this connection, at least."""
        status = self._desk.ledger.status(name, wall_ns())
        had = client.had(request, name)
        if had is not None and had[0] == status.sender:
            return msgspec.structs.replace(status, sequence=had[1] + 1)
        if name in newest:
            return msgspec.structs.replace(status, sequence=newest[name].header.sequence)
        return status

    def _unknown(self, name: str) -> Status:
        return Status(
            topic=name,
            sender=self._desk.ledger.run,
            sequence=0,
            sent_ns=wall_ns(),
            state="no-signal",
            reason="the sender has no such topic yet",
        )

    def _say_last(self, client: Client, last_words: Sequence[Status]) -> None:
        """Tell of every topic, asked or not; a REQ socket takes one answer for each request."""
        if client.last is None:
            return
        told = [s for s in last_words if wire_topic(s.topic).startswith(client.last.prefixes)]
        if client.last.id is None:
            told = told[: len(client.asks)]
        for status in told:
            client.socket.send(client.address, wire.encode_answer(status, None, 0))


def _joined(groups: Iterable[Sequence[bytes]], most: int) -> frozenset[bytes]:
    """All prefixes in `groups`; where they are more than `most`, the one that stands for all."""
    joined: set[bytes] = set()
    for prefixes in groups:
        joined.update(prefixes)
        if len(joined) > most:
            return frozenset((b"",))
    return frozenset(joined)
