"""`req-rep`: who binds has a ROUTER socket, who connects a DEALER; either side asks or answers."""

from collections.abc import Mapping, Sequence
from typing import Literal

import zmq

from framewire.common.endpoint import Endpoint
from framewire.common.errors import TransportError
from framewire.common.keytext import Keys
from framewire.common.transport.crowd import Peer
from framewire.common.transport.sockets import Socket

__all__ = ["Dialogue", "Sent"]

Sent = Literal["sent", "full", "gone"]
"""What became of a message: handed over; the peer's queue is full; there is no such peer."""

_PARTS = 5  # address, delimiter, and the three of a message
_BUFFER_BYTES = 256 * 1024  # nothing waits there that was not asked for
_OPTIONS: Mapping[int, int] = {
    zmq.SNDHWM: 16,  # more than the answers that one peer may wait for at once
    zmq.RCVHWM: 50,
    zmq.SNDBUF: _BUFFER_BYTES,
    zmq.RCVBUF: _BUFFER_BYTES,
    zmq.IMMEDIATE: 1,  # nothing is queued for a peer that is not there
    zmq.BACKLOG: 512,
}


class Dialogue(Socket):
    """Messages to and from peers that are told apart.

    Bound to any number of addresses it has any number of peers, each known by an address that
    ZeroMQ gives it for as long as its connection lasts. Connected to one address it has one peer,
    whose address is empty. Before each message goes an empty part, as REQ sockets have it.
    """

    def __init__(
        self,
        bind: Sequence[Endpoint],
        connect: Sequence[Endpoint],
        max_message_bytes: int,
        keys: Keys | None = None,
    ) -> None:
        self._addresses = bool(bind)
        kind = zmq.ROUTER if bind else zmq.DEALER
        options: dict[int, int] = {**_OPTIONS, zmq.MAXMSGSIZE: max_message_bytes}
        if bind:
            options[zmq.ROUTER_MANDATORY] = 1  # say so when a peer is gone
        super().__init__(kind, options, (*bind, *connect), keys)
        self.endpoints = self._attach(bind, connect)

    @property
    def connected(self) -> bool:
        """Whether the peer of a connecting socket is there; of a bound one, always."""
        return self._addresses or bool(int(self.socket.getsockopt(zmq.EVENTS)) & zmq.POLLOUT)

    @property
    def caller(self) -> Peer | None:
        """The connection over which the last message came; None where that is not known."""
        if self.connections is None or self._addresses:
            return self._sender
        return self.connections.only

    def receive(self) -> tuple[bytes, list[bytes]] | None:
        """The peer and the parts of one message, or None if none has arrived; does not wait."""
        parts = self._receive(_PARTS if self._addresses else _PARTS - 1)
        if parts is None:
            return None
        peer = parts.pop(0) if self._addresses else b""
        if len(parts) > 1 and not parts[0]:
            del parts[0]
        return peer, parts

    def send(self, peer: bytes, parts: Sequence[bytes]) -> Sent:
        """Hand a message over; does not wait."""
        message = [*([peer] if self._addresses else []), b"", *parts]
        try:
            try:
                self.socket.send_multipart(message, zmq.DONTWAIT, copy=False)
            except zmq.Again:
                self._notice_room()
                self.socket.send_multipart(message, zmq.DONTWAIT, copy=False)
        except zmq.Again:
            return "full"
        except zmq.ZMQError as error:
            if error.errno == zmq.EHOSTUNREACH:
                return "gone"
            raise TransportError(f"a message could not be sent: {error}") from error
        return "sent"
