"""The connections of a socket: how many there are, why one was refused, and cutting one."""

import errno
import logging
import os
import socket
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Literal

import zmq
from zmq.utils.monitor import parse_monitor_message

from framewire.common.clock import NS, monotonic_ns
from framewire.common.descriptors import most_descriptors
from framewire.common.transport.crowd import Crowd, Peer
from framewire.common.transport.handshakes import Handshakes
from framewire.common.transport.refusals import Refusals
from framewire.common.transport.traffic import taken_bytes
from framewire.common.transport.unfinished import SLACK_BYTES, Unfinished

__all__ = ["MOST_CONNECTIONS", "Connections", "Stage"]

Stage = Literal["alone", "greeting", "open"]
"""Nobody who speaks this protocol is at the other end; somebody may be, the handshake goes on; it is done."""

_log = logging.getLogger("framewire.transport")

MOST_CONNECTIONS = 1024
"""To one socket. Half of the process's descriptors is a limit of all of them together."""

_WORKERS_BYTES = 16 * 1024
"""What a worker may say in all: its handshake, and a heartbeat now and then. Empty messages, of two bytes
each, take 64 in the memory of ZeroMQ, which hands them to nobody."""
_ENDLESS = "it sends a message that does not end"
_TALKS = "it talks where it should only listen"
_HANDSHAKE_BYTES = 512
"""What both sides say before the first message, at most: with keys some 400 bytes."""
_GREETING_NS = 7 * NS // 2
"""ZeroMQ ends a handshake after three seconds, but does not know that one with a web server is none."""
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
_ENDS_WITH_KEYS = _EVENTS & ~zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
"""Of sockets with keys. libzmq 4.3.5 tells of a message that was changed on its way by this event, too,
and sending that makes it forget (by `errno`) that it has to end the connection: it stands for ever then,
and nothing comes through it any more."""
_REFUSED: Mapping[bool, str] = {  # by whether they came to us; where there are no keys here
    True: "it speaks with keys, and this address has none",
    False: "it speaks with keys only: give --key and --server-key",
}
_REFUSED_WITH_KEYS: Mapping[bool, str] = {
    True: "it has no keys, or takes this side for another: its --server-key is not our public key",
    False: "it speaks without keys; refusing to go on in plain text",
}
_DENIED = "it does not allow this key: copy its .key file into the folder of --allow there"
_HANG_UPS = {errno.EPIPE, errno.ECONNRESET}
_MOST_NAMES = 256
_HUNG_UP = 3  # so often in a row it is no restart
_HANGS_UP: Mapping[tuple[bool, bool], str] = {
    # (Whether they came to us, whether there are keys here.) Who finds first that one side has keys and
    # the other has none hangs up, often before the other could find it, too. The missing row: who calls
    # an address without keys may just look if it is there.
    (True, True): "it hangs up at the first word: has it no keys, or not the right --server-key?",
    (False, True): "it hangs up at the first word: is its key the one that --server-key names, and does "
    "it speak with keys at all?",
    (False, False): "it hangs up at the first word: does it speak with keys (--key, --server-key), or is "
    "it no framewire?",
}  # fmt: skip


class _Process:
    """Connections of all sockets of this process together, which share its descriptors."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refusals: OrderedDict[str, Refusals] = OrderedDict()
        self._sockets = self._connections = 0

    def change(self, *, sockets: int = 0, connections: int = 0) -> None:
        with self._lock:
            self._sockets += sockets
            self._connections += connections

    def refused(self, name: str, *what: str) -> int:
        """How many refusals a line about this one stands for, or 0 to stay quiet.

        Kept by the socket's name: one that is opened anew does not say it all again.
        """
        with self._lock:
            refusals = self._refusals.setdefault(name, Refusals())
            if len(self._refusals) > _MOST_NAMES:
                self._refusals.popitem(last=False)
            return refusals.count(monotonic_ns(), *what)

    def welcomed(self, name: str) -> None:
        """A connection from here to there stands: the next refusal is news."""
        with self._lock:
            self._refusals.pop(name, None)

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

    def __init__(self, watched: "zmq.Socket[bytes]", *, bound: bool, keyed: bool) -> None:
        self._watched = watched
        self.name = ""
        """The addresses of the socket."""
        self.bound = bound
        self._keyed = keyed
        self._hung_up = 0
        self._crowd = Crowd()
        self._handshakes = Handshakes()
        self._workers = watched.type == zmq.PUSH
        self._unfinished = Unfinished(
            int(watched.getsockopt(zmq.MAXMSGSIZE)),
            int(watched.getsockopt(zmq.RCVHWM)),
            _WORKERS_BYTES if self._workers else SLACK_BYTES,
        )
        self._reason: str | None = None
        """Why the connection that ends next does; None: nothing was said of that."""
        self.ready = False
        """Of a connecting socket: whether its last handshake was good and the connection is up."""
        self.monitor: zmq.Socket[bytes] = watched.get_monitor_socket(
            _ENDS_WITH_KEYS if keyed else _EVENTS
        )
        _process.change(sockets=1)

    def __len__(self) -> int:
        return len(self._crowd)

    @property
    def stage(self) -> Stage:
        """Of a connecting socket: how far it has come."""
        if self.ready:
            return "open"
        young_ns = monotonic_ns() - _GREETING_NS
        young = any(peer.since_ns > young_ns for peer in self._crowd.peers.values())
        return "greeting" if young else "alone"

    @property
    def proven(self) -> int:
        """Connections over which a message came: see `prove`."""
        return self._crowd.proven

    @property
    def only(self) -> Peer | None:
        """Of a connecting socket: the other side, while it is there."""
        return next(iter(self._crowd.peers.values()), None) if self.ready else None

    def prove(self, message: zmq.Frame) -> Peer | None:
        """A message has come: its connection, which is one of the last to be cut."""
        descriptor = _descriptor(message)
        if descriptor is None:
            return None
        if descriptor not in self._crowd.peers:
            self.look()  # it may have been accepted just now
        self._unfinished.whole(descriptor)
        return self._crowd.prove(descriptor)

    def took(self, message: zmq.Frame) -> None:
        """A message has come that proves nothing."""
        descriptor = _descriptor(message)
        if descriptor is not None:
            self._unfinished.whole(descriptor)

    def _messages_wait(self) -> bool:
        return bool(int(self._watched.getsockopt(zmq.EVENTS)) & zmq.POLLIN)

    def weigh(self, now_ns: int) -> None:
        """Cut those that send a message without an end; to be called all the time."""
        staying = (number for number, peer in self._crowd.peers.items() if not peer.leaving)
        for number in self._unfinished.too_long(staying, now_ns, self._messages_wait):
            peer = self._crowd.peers[number]
            peer.leaving = True
            self._complain(peer.address, _TALKS if self._workers else _ENDLESS)
            self.cut(number)

    def subscribed(self, message: zmq.Frame, *, begins: bool, most: int) -> None:
        """It is a subscription, or its end: who has more than `most` is cut.

        ZeroMQ keeps them, some 400 bytes each, before anybody here sees one.
        """
        (self.prove if begins else self.took)(message)
        descriptor = _descriptor(message)
        if descriptor is None:
            return
        if self._crowd.subscribed(descriptor, 1 if begins else -1) > most:
            peer = self._crowd.peers[descriptor]
            self._complain(peer.address, f"it has more than {most} subscriptions")
            peer.leaving = True
            self.cut(descriptor)

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
            self.ready, self._hung_up = True, 0
            self._handshakes.succeeded()
            if not self.bound:
                _process.welcomed(self.name)
        else:  # the same connection's end follows
            self._reason = self._why(event, value)

    def _arrived(self, descriptor: int) -> None:
        before = len(self._crowd)
        self._crowd.arrived(descriptor, _address(descriptor), monotonic_ns())
        self._unfinished.begun(descriptor)
        self._handshakes.began(descriptor)
        _process.change(connections=len(self._crowd) - before)

    def _shrink(self) -> None:
        most = _process.allows(len(self._crowd))
        # Workers say nothing: what they take shows that they are some.
        at_work = (_has_taken,) if self._workers else ()
        for number in self._crowd.shrink(most, monotonic_ns(), *at_work):
            self._complain(self._crowd.peers[number].address, "there are too many connections")
            self.cut(number)

    def _left(self, descriptor: int) -> None:
        self.ready = False
        unopened = self._handshakes.ended(descriptor)
        reason, self._reason = self._reason, None
        if reason is None and unopened and self._keyed:
            reason = _REFUSED_WITH_KEYS[self.bound]
        peer = self._crowd.left(descriptor)
        self._unfinished.ended(descriptor)
        if peer is None:
            return
        _process.change(connections=-1)
        if reason and not peer.leaving:
            self._complain(peer.address, reason)

    def _why(self, event: int, value: int) -> str:
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            return "" if self.bound else _DENIED  # the handler of keys has said whose it is
        if event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
            if value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
                return _REFUSED[self.bound]
            return f"what it says is not this protocol ({value:#x})"
        self._hung_up += event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL and value in _HANG_UPS
        if self._hung_up < _HUNG_UP:
            return ""  # it hung up, or said nothing
        return _HANGS_UP.get((self.bound, self._keyed), "")

    def _complain(self, address: str, reason: str) -> None:
        host = address.rpartition(":")[0] if self.bound else ""
        if times := _process.refused(self.name, host, reason):
            more = f" ({times} times)" if times > 1 else ""
            what = "refused" if self.bound else "no connection with"
            _log.warning("%s: %s %s: %s%s", self.name, what, address or "a peer", reason, more)

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
        while self.monitor.poll(0):  # none that has come already may be overlooked
            self.look()
        for descriptor, peer in list(self._crowd.peers.items()):
            peer.leaving = True
            self.cut(descriptor)

    def close(self) -> None:
        """Stop watching; before the socket is closed."""
        while self.monitor.poll(0):  # its writer may be waiting for room, holding what we need
            self.look()
        _process.change(sockets=-1, connections=-len(self._crowd))
        for descriptor in list(self._crowd.peers):
            self._crowd.left(descriptor)
        self._watched.disable_monitor()
        self.monitor.close(0)


def _descriptor(message: zmq.Frame) -> int | None:
    try:
        return int(message.get(zmq.SRCFD))
    except zmq.ZMQError:
        return None  # of `inproc`, or the end of a connection


def _has_taken(descriptor: int) -> bool:
    return taken_bytes(descriptor) > _HANDSHAKE_BYTES


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
