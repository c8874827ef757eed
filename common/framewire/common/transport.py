"""The only place that knows ZeroMQ: sockets and their options, and what their errors mean.

A socket belongs to the thread that uses it: open it anywhere, then use and close it in one thread.
Another thread wakes it through a `Waker`.

Why each option is set is in docs/ARCHITECTURE.md; ZMQ_HEARTBEAT_IVL and ZMQ_CONFLATE are never set.
"""

import contextlib
import errno
import os
import socket
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence

import zmq

from framewire.common.clock import NS, monotonic_ns, pause
from framewire.common.endpoint import Endpoint
from framewire.common.errors import TransportError
from framewire.common.stats import Patience

__all__ = ["TICK_MS", "Publisher", "Subscriber", "Waker", "open_sockets", "wait"]

TICK_MS = 200
"""The longest wait in any loop, milliseconds: how soon a stop is noticed."""

_PROBE_S = 0.2
_MAX_PARTS = 3
_DRAIN = 1024  # parts of an endless message that one call reads past

_COMMON: Mapping[int, int] = {
    zmq.LINGER: 0,  # the default, -1, makes a context wait for ever
    zmq.HANDSHAKE_IVL: 3000,
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 3,
    zmq.TCP_KEEPALIVE_INTVL: 1,
    zmq.TCP_KEEPALIVE_CNT: 3,
    zmq.TCP_MAXRT: 5000,
    zmq.RECONNECT_IVL: 100,
    # Doubling from 100 ms to 2 s could by itself miss "frames again within two seconds".
    zmq.RECONNECT_IVL_MAX: 1000,
    zmq.CONNECT_TIMEOUT: 2000,
}
_XPUB: Mapping[int, int] = {
    zmq.RCVHWM: 100,
    zmq.MAXMSGSIZE: 4096,  # what comes in are subscriptions
    zmq.XPUB_VERBOSER: 1,  # every subscription and its end, so that receivers can be counted
    zmq.BACKLOG: 512,
    zmq.XPUB_NODROP: 1,  # say so when a queue is full: see Publisher.send
}

SEND_MARK_PER_TOPIC = 2
"""Messages of each topic that may wait for one receiver."""
_MOST_TOPICS = 64  # beyond that, topics share
RECEIVE_MARK = 4
_LIVE, _PATIENT = (NS // 20, 0.005), (NS // 4, 0.05)  # longest wait, share of all time
_LAST_WORD_AGAIN_S = 0.02
_ROOM_POLL_S = 0.001  # XPUB cannot be polled for room
_HAND_OVER_NS = 1_000_000  # what handing over may take by itself
BUFFER_BYTES = 256 * 1024
"""Kernel buffers each way: small enough that a slow link holds frames of the present."""


class _Contexts:
    """One ZeroMQ context in a process, there while somebody uses it (`inproc://` needs one).

    A forked child gets its own: a context does not survive a fork.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._pid = 0
        self.users = 0

    def acquire(self) -> "zmq.Context[zmq.Socket[bytes]]":
        with self._lock:
            if self._context is None or self._pid != os.getpid():
                self._context, self._pid, self.users = zmq.Context(), os.getpid(), 0
            self.users += 1
            return self._context

    def release(self) -> None:
        with self._lock:
            self.users -= 1
            if self.users or self._context is None:
                return
            context, self._context = self._context, None
        context.term()  # every socket is closed by now, so this waits for lingering messages at most


_contexts = _Contexts()


def open_sockets() -> int:
    """Sockets of this process that are not closed yet; 0 means that no context is left either."""
    return _contexts.users


class _Socket:
    """What publisher and subscriber share: creation, addresses, translation of errors, closing."""

    def __init__(
        self, kind: int, options: Mapping[int, int], endpoints: Iterable[Endpoint]
    ) -> None:
        context = _contexts.acquire()
        try:
            self.socket: zmq.Socket[bytes] = context.socket(kind)
        except zmq.ZMQError as error:
            _contexts.release()
            raise TransportError(f"no more sockets can be opened: {error}") from error
        self._open = True
        for option, value in {**_COMMON, **options}.items():
            self.socket.setsockopt(option, value)
        if any(endpoint.ipv6 for endpoint in endpoints):
            self.socket.setsockopt(zmq.IPV6, 1)

    def _attach(self, bind: Sequence[Endpoint], connect: Sequence[Endpoint]) -> tuple[str, ...]:
        """Bind and connect everything, or close and raise; return the addresses in use."""
        try:
            return tuple(
                [self._bind(endpoint) for endpoint in bind]
                + [self._connect(endpoint) for endpoint in connect]
            )
        except BaseException:
            self.close()
            raise

    def _bind(self, endpoint: Endpoint) -> str:
        url = endpoint.url
        if endpoint.host == "localhost":  # ZeroMQ binds to numbers and interfaces, not to names
            url = url.replace("localhost", "127.0.0.1", 1)
        if endpoint.transport == "ipc":
            _check_ipc_path(endpoint)
        try:
            self.socket.bind(url)
        except (zmq.ZMQError, OSError) as error:
            raise _bind_error(endpoint, error.errno or 0, str(error)) from error
        return self.socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def _connect(self, endpoint: Endpoint) -> str:
        try:
            self.socket.connect(endpoint.url)
        except zmq.ZMQError as error:
            raise TransportError(f"cannot connect to {endpoint}: {error}") from error
        return endpoint.url

    def close(self, linger_ms: int = 0) -> None:
        """Close; messages on their way get `linger_ms` to leave. May be called again."""
        if self._open:
            self._open = False
            self.socket.close(linger_ms)
            _contexts.release()


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


class Waker:
    """Ends a `wait` of another thread. `wake` may be called from any thread, at any time."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        return self._reader.fileno()

    def wake(self) -> None:
        # Full: a wake-up is on its way already. Closed: nobody waits any more.
        with contextlib.suppress(OSError):
            self._writer.send(b"\0")

    def clear(self) -> None:
        """Take back all wake-ups; only the waiting thread calls this."""
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass

    def close(self) -> None:
        self._reader.close()
        self._writer.close()


def wait(sockets: Iterable[_Socket], waker: Waker, timeout_ms: int = TICK_MS) -> None:
    """Until one of `sockets` can be read, `waker` is woken or the time is over."""
    poller = zmq.Poller()
    poller.register(waker.fileno(), zmq.POLLIN)
    for each in sockets:
        poller.register(each.socket, zmq.POLLIN)
    if any(ready == waker.fileno() for ready, _ in poller.poll(timeout_ms)):
        waker.clear()


class Publisher(_Socket):
    """An XPUB socket: fans messages out, and tells who listens to what."""

    def __init__(
        self, bind: Sequence[Endpoint], connect: Sequence[Endpoint], *, patient: bool = False
    ) -> None:
        options: dict[int, int] = {
            **_XPUB,
            zmq.SNDHWM: SEND_MARK_PER_TOPIC,
            zmq.SNDBUF: BUFFER_BYTES,
        }
        super().__init__(zmq.XPUB, options, (*bind, *connect))
        self._patience = Patience(*(_PATIENT if patient else _LIVE))
        self._has_dropped = False
        self._mark = SEND_MARK_PER_TOPIC
        self.endpoints = self._attach(bind, connect)

    def carry(self, topics: int) -> None:
        """Make room in the queues for so many topics: a mark counts all of its socket's."""
        mark = SEND_MARK_PER_TOPIC * min(max(1, topics), _MOST_TOPICS)
        if mark > self._mark:
            self._mark = mark
            self.socket.setsockopt(zmq.SNDHWM, mark)

    def subscriptions(self) -> Iterator[tuple[bool, bytes]]:
        """(begins, prefix) of each change that has arrived; does not wait."""
        while True:
            try:
                message = self.socket.recv(zmq.DONTWAIT)
            except zmq.Again:
                return
            if message[:1] in (b"\0", b"\1"):
                yield message[:1] == b"\1", message[1:]

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
        while True:
            try:
                self.socket.send_multipart(parts, zmq.DONTWAIT, copy=False)
                return
            except zmq.Again:
                if monotonic_ns() >= deadline_ns:
                    break
                pause(_ROOM_POLL_S)
        self._has_dropped = True
        self.socket.setsockopt(zmq.XPUB_NODROP, 0)
        self.socket.send_multipart(parts, zmq.DONTWAIT, copy=False)
        self.socket.setsockopt(zmq.XPUB_NODROP, 1)


class Subscriber(_Socket):
    """A SUB socket at one endpoint, bound or connected."""

    def __init__(
        self,
        bind: Sequence[Endpoint],
        connect: Sequence[Endpoint],
        prefixes: Sequence[bytes],
        max_message_bytes: int,
    ) -> None:
        options: dict[int, int] = {
            zmq.RCVHWM: RECEIVE_MARK,
            zmq.RCVBUF: BUFFER_BYTES,
            zmq.MAXMSGSIZE: max_message_bytes,
        }
        super().__init__(zmq.SUB, options, (*bind, *connect))
        for prefix in prefixes:
            self.socket.setsockopt(zmq.SUBSCRIBE, prefix)
        self.endpoints = self._attach(bind, connect)
        self._skipping = False  # whether the rest of a message that was given out is to come

    def receive(self) -> list[bytes] | None:
        """The parts of one message, or None if none has arrived; does not wait.

        Parts past the fourth are read and thrown away: their number alone shows that it is none of
        ours, and they must not pile up. Of a very long message, some at each call.
        """
        parts: list[bytes] = []
        for _ in range(_DRAIN):
            try:
                part = self.socket.recv(zmq.DONTWAIT)
            except zmq.Again:
                return None
            more = bool(self.socket.getsockopt(zmq.RCVMORE))
            if self._skipping:
                self._skipping = more
                continue
            parts.append(part)
            self._skipping = more and len(parts) > _MAX_PARTS
            if self._skipping or not more:
                return parts
        return None
