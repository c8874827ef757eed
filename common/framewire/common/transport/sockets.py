"""What all sockets share: one context, addresses, translation of errors, receiving, closing."""

import errno
import os
import socket
import stat
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence

import zmq

from framewire.common.endpoint import Endpoint
from framewire.common.errors import TransportError
from framewire.common.forking import close_in_children
from framewire.common.keytext import Keys
from framewire.common.transport.authenticator import OPEN_DOMAIN, Authenticator, Door
from framewire.common.transport.connections import Connections, Stage
from framewire.common.transport.crowd import Peer
from framewire.common.transport.curve import use_as_client, use_as_server
from framewire.common.transport.shortage import check_spare_files, refused

__all__ = ["Socket", "open_sockets"]

_PROBE_S = 0.2
_COPIED_BYTES = 128 * 1024
"""A shorter part is cheaper copied to ZeroMQ than shared with it: sharing wakes a thread when it was
sent. CPU of sending 100 kB: 46 against 72 us; 200 kB: 104 against 82 us."""
_KEEPALIVE_IDLE_S, _KEEPALIVE_INTERVAL_S, _KEEPALIVE_COUNT = 3, 1, 3
_DRAIN = 1024  # parts of an endless message that one call reads past

_COMMON: Mapping[int, int] = {
    zmq.LINGER: 0,  # the default, -1, makes a context wait for ever
    zmq.HANDSHAKE_IVL: 3000,
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: _KEEPALIVE_IDLE_S,
    zmq.TCP_KEEPALIVE_INTVL: _KEEPALIVE_INTERVAL_S,
    zmq.TCP_KEEPALIVE_CNT: _KEEPALIVE_COUNT,
    zmq.TCP_MAXRT: 5000,
    zmq.RECONNECT_IVL: 100,
    # Doubling from 100 ms to 2 s could by itself miss "frames again within two seconds", and 1 s that
    # the newest is there a second after a receiver that was stopped goes on.
    zmq.RECONNECT_IVL_MAX: 500,
    zmq.CONNECT_TIMEOUT: 2000,
}


class _Contexts:
    """One ZeroMQ context in a process, there while somebody uses it (`inproc://` needs one).

    A forked child gets its own: a context does not survive a fork.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._authenticator: Authenticator | None = None
        self._abandoned: list[zmq.Context[zmq.Socket[bytes]]] = []
        self._pid = 0
        self.users = 0

    def acquire(self) -> "zmq.Context[zmq.Socket[bytes]]":
        with self._lock:
            if self._context is None or self._pid != os.getpid():
                check_spare_files()
                self._context, self._pid, self.users = zmq.Context(), os.getpid(), 0
                self._authenticator = None
            self.users += 1
            return self._context

    def authenticator(self) -> Authenticator:
        """The handler of keys of the context, for somebody who uses that."""
        with self._lock:
            if self._authenticator is None:
                assert self._context is not None
                self._authenticator = Authenticator(self._context)
            return self._authenticator

    def release(self) -> None:
        with self._lock:
            self.users -= 1
            if self.users or self._context is None:
                return
            context, self._context = self._context, None
            authenticator, self._authenticator = self._authenticator, None
        if authenticator is not None and not authenticator.close():
            self._abandoned.append(context)  # ending it would wait for the handler's socket
            return
        context.term()  # every socket is closed by now, so this waits for lingering messages at most

    def forget(self) -> None:
        """In a forked child: whoever held the lock is not here."""
        self._lock = threading.Lock()


_contexts = _Contexts()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_contexts.forget)


def open_sockets() -> int:
    """Sockets of this process that are not closed yet; 0 means that no context is left either."""
    return _contexts.users


class Socket:
    """A ZeroMQ socket with its options and addresses. One thread uses it.

    With `keys` it talks by CURVE only, at all addresses that can leave this process.
    """

    def __init__(
        self,
        kind: int,
        options: Mapping[int, int],
        endpoints: Iterable[Endpoint],
        keys: Keys | None = None,
    ) -> None:
        context = _contexts.acquire()
        try:
            self.socket: zmq.Socket[bytes] = context.socket(kind)
        except zmq.ZMQError as error:
            _contexts.release()
            raise refused(OSError(error.errno, str(error))) from error
        self.socket.copy_threshold = _COPIED_BYTES
        self._open = True
        self._keys = keys
        self._door: Door | None = None
        self._revoked = False
        self.connections: Connections | None = None
        """None before it has an address, and of `inproc`, which has no connections."""
        self._sender: Peer | None = None  # of the last message, to a bound socket
        self._skipping = False  # whether the rest of a message that was given out is to come
        self.awaits_message = True
        """Whether `wait` ends when a message arrives ..."""
        self.awaits_room = False
        """... or when one can be sent."""
        try:
            for option, value in {**_COMMON, **options}.items():
                self.socket.setsockopt(option, value)
            if keys is None:
                self.socket.zap_domain = OPEN_DOMAIN
            if any(endpoint.ipv6 for endpoint in endpoints):
                self.socket.setsockopt(zmq.IPV6, 1)
        except BaseException:
            self.close()
            raise

    def _attach(self, bind: Sequence[Endpoint], connect: Sequence[Endpoint]) -> tuple[str, ...]:
        """Bind and connect everything, or close and raise; return the addresses in use."""
        try:
            self._watch((*bind, *connect), bound=bool(bind))
            used = tuple(
                [self._bind(endpoint) for endpoint in bind]
                + [self._connect(endpoint) for endpoint in connect]
            )
        except BaseException:
            self.close()
            raise
        if self.connections is not None:
            self.connections.name = ", ".join(used)
        if self._door is not None:
            self._door.place = ", ".join(used)
        return used

    def _watch(self, endpoints: Sequence[Endpoint], *, bound: bool) -> None:
        if all(endpoint.transport == "inproc" for endpoint in endpoints):
            return
        try:
            self.connections = Connections(self.socket, bound=bound, keyed=self._keys is not None)
        except zmq.ZMQError as error:
            raise refused(OSError(error.errno, str(error))) from error

    @property
    def stage(self) -> Stage:
        """Of a connecting socket: how far it has come."""
        return "open" if self.connections is None else self.connections.stage

    @property
    def attended(self) -> bool:
        """Whether somebody is connected; true where that is not known. Any thread may ask."""
        if self.connections is None:
            return True
        return bool(len(self.connections)) if self.connections.bound else self.connections.ready

    def _notice_room(self) -> None:
        """Let ZeroMQ take in what its other threads have to tell: that a queue has room again.

        When it sends, it looks only about once a millisecond (libzmq 4.3.5, `process_commands`).
        """
        self.socket.getsockopt(zmq.EVENTS)

    def _receive(self, most: int) -> list[bytes] | None:
        """The parts of one message, or None if none has arrived; does not wait.

        Parts past the one after `most` are read and thrown away: their number alone shows that it is
        none of ours, and they must not pile up. Of a very long message, some at each call.
        """
        parts: list[bytes] = []
        skipped = 0
        while skipped < _DRAIN:
            if not parts and not int(self.socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
                return None  # cheaper than an exception
            try:
                part = self._receive_part(first=not parts and not self._skipping)
            except zmq.Again:
                return None
            more = bool(self.socket.getsockopt(zmq.RCVMORE))
            if self._skipping:
                skipped += 1
                self._skipping = more
                continue
            parts.append(part)
            self._skipping = more and len(parts) > most
            if self._skipping or not more:
                return parts
        return None

    def _receive_part(self, *, first: bool) -> bytes:
        if not first or self.connections is None:
            return self.socket.recv(zmq.DONTWAIT)
        frame = self.socket.recv(zmq.DONTWAIT, copy=False)
        if self.connections.bound:
            self._sender = self.connections.prove(frame)
        else:
            self.connections.took(frame)
        return frame.bytes

    def _bind(self, endpoint: Endpoint) -> str:
        url = endpoint.url
        if endpoint.host == "localhost":  # ZeroMQ binds to numbers and interfaces, not to names
            url = url.replace("localhost", "127.0.0.1", 1)
        if endpoint.transport == "ipc":
            _check_ipc_path(endpoint)
        self._guard(endpoint)
        try:
            self.socket.bind(url)
        except (zmq.ZMQError, OSError) as error:
            raise _bind_error(endpoint, error.errno or 0, str(error)) from error
        bound = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        _bound.add(bound.rpartition(":")[2])
        return _named(endpoint, bound)

    def _guard(self, endpoint: Endpoint) -> None:
        """Let in only whom the keys allow, at what is bound next."""
        if self._keys is None or self._keys.allow is None or endpoint.transport == "inproc":
            return
        if self._door is None:
            self._door = _contexts.authenticator().open(
                self._keys.allow, str(endpoint), self._note_revoked
            )
        use_as_server(self.socket, self._keys.own, self._door.domain)

    def _note_revoked(self) -> None:
        self._revoked = True

    def attend(self) -> None:
        """Do what others have noted for the thread of this socket; `wait` calls it.

        ZeroMQ asks about a key when a connection begins and never again. Where one was revoked all
        connections are cut: not every kind of socket can tell which is whose, and those who are still
        allowed are back in a moment.
        """
        if self._revoked and self.connections is not None:
            self._revoked = False
            self.connections.cut_all()

    def _connect(self, endpoint: Endpoint) -> str:
        if self._keys is not None and endpoint.transport != "inproc":
            use_as_client(self.socket, self._keys.own, self._keys.servers[endpoint])
        try:
            self.socket.connect(endpoint.url)
        except zmq.ZMQError as error:
            raise TransportError(f"cannot connect to {endpoint}: {error}") from error
        return _named(endpoint, endpoint.url)

    def close(self, linger_ms: int = 0) -> None:
        """Close; messages on their way get `linger_ms` to leave. May be called again."""
        if self._open:
            self._open = False
            if self.connections is not None:
                self.connections.close()
            self.socket.close(linger_ms)
            if self._door is not None:
                _contexts.authenticator().forget(self._door)
            _contexts.release()


_bound: set[str] = set()
"""Ports and paths that were ever bound here: what a forked child must not hold."""


def _is_ours(found: socket.socket) -> bool:
    """Whether a socket is one of libzmq's: it has a place that was bound, or its options are ours."""
    if found.family == getattr(socket, "AF_UNIX", None):
        return str(found.getsockname()).join(("//", "")) in _bound
    if found.family not in (socket.AF_INET, socket.AF_INET6) or found.type != socket.SOCK_STREAM:
        return False
    if str(found.getsockname()[1]) in _bound:
        return True
    options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    values = tuple(found.getsockopt(socket.IPPROTO_TCP, option) for option in options)
    return values == (_KEEPALIVE_IDLE_S, _KEEPALIVE_INTERVAL_S, _KEEPALIVE_COUNT)


if sys.platform == "linux":
    close_in_children(_is_ours)


def _named(endpoint: Endpoint, url: str) -> str:
    """The address that ZeroMQ uses for `endpoint`, as a peer can be given it."""
    transport, _, address = url.partition("://")
    return str(Endpoint(endpoint.pattern, transport, address))


def _bind_error(endpoint: Endpoint, number: int, text: str) -> TransportError:
    advice = {
        errno.EADDRINUSE: "another program has that address; end it, or choose another port",
        errno.EACCES: "this user may not bind there; choose a port above 1023 or another path",
        errno.EADDRNOTAVAIL: "that address is not one of this machine's",
        errno.ENODEV: "that is neither an address nor an interface of this machine",
        errno.ENOENT: "its folder does not exist",
        errno.ENOTDIR: "its folder does not exist",
    }
    return TransportError(f"cannot bind {endpoint}: {advice.get(number, text)}")


def _check_ipc_path(endpoint: Endpoint) -> None:
    """Refuse what ZeroMQ would do silently: delete whatever lies at the path, in use or not."""
    path = endpoint.address
    if path.startswith("@") or path == "*" or not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise TransportError(
            f"cannot bind {endpoint}: what lies there is not a socket; choose another path"
        )
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_PROBE_S)
        try:
            probe.connect(path)
        except TimeoutError:
            pass  # somebody is there, but busy
        except OSError:
            return  # a sender that is gone left it
    raise _bind_error(endpoint, errno.EADDRINUSE, "")
