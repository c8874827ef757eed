"""The connections of a socket: how many there are, why one was refused, and cutting one."""

import logging
import os
import socket
import threading
from collections.abc import Mapping

import zmq
from zmq.utils.monitor import parse_monitor_message

from framewire.common.clock import monotonic_ns
from framewire.common.descriptors import most_descriptors
from framewire.common.stats import Throttle
from framewire.common.transport.crowd import Crowd

__all__ = ["MOST_CONNECTIONS", "Connections"]

_log = logging.getLogger("framewire.transport")

MOST_CONNECTIONS = 1024
"""To one socket. Half of the process's descriptors is a limit of all of them together."""

_BURST = 256  # events at a time; the next look goes on where this one ended
_EVENTS = (
    zmq.EVENT_ACCEPTED
    | zmq.EVENT_CONNECTED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
)
_MISMATCH = zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH
_CRYPTO = zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC
_REFUSED: Mapping[tuple[bool, bool, int], str] = {
    # (whether they came to us, whether we have keys, what ZeroMQ says)
    (True, True, _MISMATCH): "it speaks without keys, and this address is for those who have one",
    (True, False, _MISMATCH): "it speaks with keys, and this address has none",
    (True, True, _CRYPTO): "it takes this side for another: its --server-key is not our public key",
    (False, True, _MISMATCH): "it speaks without keys; refusing to go on in plain text",
    (False, False, _MISMATCH): "it speaks with keys only: give --key and --server-key",
    (False, True, _CRYPTO): "it is not who it should be: its key is not that of --server-key",
}
_DENIED: Mapping[bool, str] = {
    True: "its key is not allowed here",
    False: "it does not allow our key: add our public key to its --allow folder",
}


class _Process:
    """Connections of all sockets of this process together, which share its descriptors."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets = self._connections = 0

    def change(self, *, sockets: int = 0, connections: int = 0) -> None:
        with self._lock:
            self._sockets += sockets
            self._connections += connections

    def allows(self, connections: int) -> int:
        """How many of its `connections` a socket may keep.

        All together may use half of the descriptors. Where they use more, who has more than its
        share gives some up: a flood at one address is no reason to hang up on those at another.
        """
        with self._lock:
            room = most_descriptors() // 2
            excess = max(0, self._connections - room)
            return min(MOST_CONNECTIONS, max(room // max(1, self._sockets), connections - excess))

    def forget(self) -> None:
        """In a forked child, which has none of them; whoever held the lock is not here."""
        self._lock = threading.Lock()
        self._sockets = self._connections = 0


_process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.forget)


class Connections:
    """What ZeroMQ's monitor tells of one socket. Belongs to the thread that uses the socket.

    It has to be looked at all the time: a monitor that nobody reads stalls every socket of its
    context, after a thousand events.
    """

    def __init__(self, watched: "zmq.Socket[bytes]", *, bound: bool) -> None:
        self._watched = watched
        self.name = ""
        """The addresses of the socket."""
        self.bound = bound
        self._has_keys = watched.getsockopt(zmq.MECHANISM) == zmq.CURVE
        self._crowd = Crowd()
        self._reason = ""
        self._complaints = Throttle()
        self.ready = False
        """Of a connecting socket: whether its last handshake was good and the connection is up."""
        self.monitor: zmq.Socket[bytes] = watched.get_monitor_socket(_EVENTS)
        _process.change(sockets=1)

    def __len__(self) -> int:
        return len(self._crowd)

    @property
    def proven(self) -> int:
        """Connections over which a message came: see `prove`."""
        return self._crowd.proven

    def prove(self, message: zmq.Frame) -> None:
        """A message has come: its connection is one of the last to be cut."""
        descriptor = _descriptor(message)
        if descriptor is None:
            return
        if descriptor not in self._crowd.peers:
            self.look()  # it may have been accepted just now
        self._crowd.prove(descriptor)

    def look(self) -> None:
        """Take in what has happened; cut what is too much; say who was refused."""
        for _ in range(_BURST):
            try:
                parts = self.monitor.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                break
            event = parse_monitor_message(parts)
            self._take(event["event"], event["value"])
        if self.bound:
            self._shrink()

    def _take(self, event: int, value: int) -> None:
        if event in (zmq.EVENT_ACCEPTED, zmq.EVENT_CONNECTED):
            self._arrived(value)
        elif event == zmq.EVENT_DISCONNECTED:
            self._left(value)
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.ready = True
        else:  # the same connection's end follows
            self._reason = self._why(event, value)

    def _arrived(self, descriptor: int) -> None:
        self._crowd.arrived(descriptor, _address(descriptor), monotonic_ns())
        _process.change(connections=1)

    def _shrink(self) -> None:
        for number in self._crowd.shrink(_process.allows(len(self._crowd)), monotonic_ns()):
            self._complain(self._crowd.peers[number].address, "there are too many connections")
            self.cut(number)

    def _left(self, descriptor: int) -> None:
        self.ready = False
        peer = self._crowd.left(descriptor)
        if peer is None:
            return
        _process.change(connections=-1)
        if self._reason:
            self._complain(peer.address, self._reason)
            self._reason = ""

    def _why(self, event: int, value: int) -> str:
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            return _DENIED[self.bound]
        if event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
            odd = f"what it says is not this protocol ({value:#x})"
            return _REFUSED.get((self.bound, self._has_keys, value), odd)
        return ""  # it hung up, or said nothing

    def _complain(self, address: str, reason: str) -> None:
        if times := self._complaints(monotonic_ns()):
            more = f" ({times} times)" if times > 1 else ""
            _log.warning("%s: refused %s: %s%s", self.name, address or "a peer", reason, more)

    def cut(self, descriptor: int) -> None:
        """End a connection; an honest peer makes a new one at once."""
        peer = self._crowd.peers.get(descriptor)
        if peer is None:
            return
        try:
            # ZeroMQ owns it, and may have closed it by now: then the number may be another's.
            borrowed = socket.socket(fileno=descriptor)
        except OSError:
            return
        try:
            if _peer_name(borrowed) == peer.address:
                borrowed.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it has just ended by itself
        finally:
            borrowed.detach()

    def cut_all(self) -> None:
        """End every connection, so that all have to prove themselves again."""
        self.look()
        for descriptor in list(self._crowd.peers):
            self.cut(descriptor)

    def close(self) -> None:
        """Stop watching; before the socket is closed."""
        while self.monitor.poll(0):  # its writer may be waiting for room, holding what we need
            self.look()
        _process.change(sockets=-1, connections=-len(self._crowd))
        self._crowd = Crowd()
        self._watched.disable_monitor()
        self.monitor.close(0)


def _descriptor(message: zmq.Frame) -> int | None:
    try:
        return int(message.get(zmq.SRCFD))
    except zmq.ZMQError:
        return None  # of `inproc`, or the end of a connection


def _address(descriptor: int) -> str:
    try:
        borrowed = socket.socket(fileno=descriptor)
    except OSError:
        return ""
    try:
        return _peer_name(borrowed)
    finally:
        borrowed.detach()


def _peer_name(connection: socket.socket) -> str:
    try:
        name = connection.getpeername()
    except OSError:
        return ""
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else ""
