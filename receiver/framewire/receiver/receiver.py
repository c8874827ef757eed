"""`Receiver`: packets in, the newest or all of them out."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import replace
from typing import Literal

from framewire.common import wire
from framewire.common.clock import NS, monotonic_ns, wall_ns
from framewire.common.closing import Closing
from framewire.common.config import DEFAULT_ENDPOINT, DEFAULT_LIMITS, Limits
from framewire.common.endpoint import Endpoint, check_exposure, parse_endpoints
from framewire.common.errors import (
    Closed,
    JpegError,
    ProtocolError,
    ReceiveTimeout,
    UsageError,
    VersionError,
)
from framewire.common.frame import Frame, Packet, Status
from framewire.common.mailbox import Mailbox
from framewire.common.stats import Quantiles, Throttle
from framewire.common.topic import check_topic, wire_topic
from framewire.common.transport import Subscriber, Waker, wait
from framewire.receiver.account import ReceiverStats, TopicAccount
from framewire.receiver.decoder import decode
from framewire.receiver.link import Link

__all__ = ["Keep", "Receiver"]

_log = logging.getLogger("framewire.receiver")

Keep = Literal["newest", "all"]

_QUEUE_BYTES = 256 << 20
_SAID_ONCE = 16  # complaints that are not repeated; a peer must not fill memory with them
_BURST = 32  # messages from one socket before the next has its turn
_JOIN_S = 5.0


class Receiver(Closing):
    """Receives frames from any number of senders, which come and go as they like.

    Connects to `connect` (default: tcp://127.0.0.1:5555) and binds to `bind`. `topics` chooses
    topics and everything below them (``lab`` takes ``lab`` and ``lab/cam1``, never ``lab2``);
    none means all.

    `keep` is ``newest``: for each topic the newest frame only, so that slow work here never makes
    frames old; what it passes over is counted as skipped. Or ``all``: every frame that arrives, in
    order, from a queue of at most 256 MiB; when that is full, the senders' side drops and it is
    counted as lost.

    `timeout` is how many seconds reading waits for a frame (None: for ever) before it raises
    `ReceiveTimeout`. An address that other machines can reach is not bound unless `insecure`.
    Raises `UsageError` for arguments, `TransportError` if an address cannot be bound.

    Several threads may read from one receiver; each frame goes to one of them. `close` may be
    called from any thread, ends the iterations and returns within a second.
    """

    def __init__(
        self,
        *connect: str,
        bind: str | Iterable[str] = (),
        topics: str | Iterable[str] = (),
        keep: Keep = "newest",
        timeout: float | None = None,
        insecure: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        if keep not in ("newest", "all"):
            raise UsageError(f"keep={keep!r} is not possible: use 'newest' or 'all'")
        to_bind = parse_endpoints(bind, bind=True)
        to_connect = parse_endpoints(connect or (() if to_bind else DEFAULT_ENDPOINT), bind=False)
        check_exposure(to_bind, insecure=insecure)
        names = (topics,) if isinstance(topics, str) else topics
        prefixes = [wire_topic(check_topic(name)) for name in names] or [b""]
        self._timeout = timeout
        self._limits = limits
        self._lock = threading.Lock()
        self._topics: dict[str, TopicAccount] = {}
        self._ages = Quantiles()
        self._malformed = 0
        self._complaints = Throttle()
        self._said_once: set[str] = set()
        self._newest = keep == "newest"
        self._listeners: set[Callable[[], None]] = set()
        self._packets: Mailbox[Packet] = Mailbox(
            "newest" if self._newest else "block",
            capacity=_QUEUE_BYTES,
            weight=lambda packet: len(packet.payload),
            on_change=self._tell_listeners,
        )
        self._waker = Waker()
        self._links: list[Link] = []
        try:
            for endpoint in to_bind:
                self._subscribe([endpoint], [], prefixes)
            for endpoint in to_connect:
                self._subscribe([], [endpoint], prefixes)
        except BaseException:
            self._close_sockets()
            raise
        self._thread = threading.Thread(target=self._run, name="framewire-receiver", daemon=True)
        self._thread.start()

    def _subscribe(
        self, bind: list[Endpoint], connect: list[Endpoint], prefixes: list[bytes]
    ) -> None:
        limit = max(self._limits.payload_bytes, self._limits.header_bytes)

        def open_socket() -> Subscriber:
            return Subscriber(bind, connect, prefixes, limit)

        self._links.append(Link(open_socket, monotonic_ns(), connects=bool(connect)))

    # -- for the user -------------------------------------------------------------------------

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The addresses in use, with the port that the system chose where ``*`` was asked for."""
        return tuple(url for link in self._links for url in link.subscriber.endpoints)

    @property
    def stats(self) -> ReceiverStats:
        """A snapshot of the figures so far; cheap."""
        now_ns = monotonic_ns()
        with self._lock:
            topics = {name: topic.snapshot(now_ns) for name, topic in self._topics.items()}
            p50, p95 = self._ages(0.5, 0.95)
            return ReceiverStats(topics, self._malformed, (p50, p95))

    def __iter__(self) -> Iterator[Frame]:
        """Frames until `close`; each array is new, writable and the caller's own.

        Decoding happens here, in the caller's thread: what is skipped costs none. A picture that
        does not decode is counted as malformed and passed over.
        """
        while True:
            try:
                frame = self.read()
            except Closed:
                return
            yield frame

    async def __aiter__(self) -> AsyncIterator[Frame]:
        """The same frames for `async for`; decoding each takes the event loop a few milliseconds.

        Raises `ReceiveTimeout` after the receiver's own `timeout`. Cancelling loses no frame.
        """
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(arrived.set)

        self._listeners.add(tell)
        try:
            while True:
                arrived.clear()
                try:
                    frame = self.read(0)
                except Closed:
                    return
                except ReceiveTimeout:
                    await self._wait_for(arrived)
                else:
                    yield frame
        finally:
            self._listeners.discard(tell)

    def packets(self) -> Iterator[Packet]:
        """Packets until `close`, still encoded."""
        while True:
            try:
                packet = self.read_packet()
            except Closed:
                return
            yield packet

    def read(self, timeout: float | None = None) -> Frame:
        """The next frame; `timeout` in seconds, None: as the receiver's own.

        Raises `ReceiveTimeout` when the time is over, `Closed` after `close`.
        """
        seconds = self._timeout if timeout is None else timeout
        deadline_ns = None if seconds is None else monotonic_ns() + round(seconds * NS)
        while True:
            packet = self._next(seconds)
            try:
                frame = decode(packet)
            except JpegError as error:
                self._refuse(f"{packet.topic}: {error}")
                if deadline_ns is not None:
                    seconds = max(0.0, (deadline_ns - monotonic_ns()) / NS)
                continue
            frame = replace(frame, received_ns=wall_ns())
            self._delivered(frame.topic, frame.age_ms)
            return frame

    def read_packet(self, timeout: float | None = None) -> Packet:
        """The next packet, still encoded; as `read` otherwise."""
        packet = replace(self._next(timeout), received_ns=wall_ns())
        self._delivered(packet.topic, packet.age_ms)
        return packet

    def close(self) -> None:
        """Stop receiving and free everything. May be called again."""
        self._packets.close()
        self._waker.wake()
        if self._thread is not threading.current_thread():
            self._thread.join(_JOIN_S)

    # -- the caller's thread ------------------------------------------------------------------

    def _next(self, timeout: float | None) -> Packet:
        seconds = self._timeout if timeout is None else timeout
        packet = self._packets.get(seconds)
        if packet is None:
            raise self._nothing_came(seconds)
        return packet

    def _nothing_came(self, seconds: float | None) -> ReceiveTimeout:
        return ReceiveTimeout(
            f"no frame in {seconds or 0:g} s from {', '.join(self.endpoints)}: is a sender running "
            "there, and does it send this topic?"
        )

    async def _wait_for(self, arrived: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await arrived.wait()
        except TimeoutError:
            raise self._nothing_came(self._timeout) from None

    def _tell_listeners(self) -> None:
        for tell in tuple(self._listeners):
            tell()

    def _delivered(self, name: str, age_ms: float) -> None:
        with self._lock:
            topic = self._topics[name]
            topic.delivered += 1
            topic.ages.add(age_ms)
            self._ages.add(age_ms)

    # -- the receiving thread -----------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._packets.closed:
                wait([link.subscriber for link in self._links], self._waker)
                began_ns = monotonic_ns()
                for link in self._links:
                    self._drain(link)
                self._replace_deaf_links(began_ns)
        except Closed:
            pass
        except Exception:  # the top of this thread
            _log.exception("the receiver stopped")
            raise
        finally:
            self._packets.close()
            self._close_sockets()

    def _close_sockets(self) -> None:
        for link in self._links:
            link.subscriber.close()
        self._waker.close()

    def _drain(self, link: Link) -> None:
        for _ in range(_BURST):
            parts = link.subscriber.receive()
            if parts is None:
                return
            try:
                self._take(wire.decode(parts, self._limits))
            except VersionError as error:
                self._refuse(str(error), once=True)
            except ProtocolError as error:
                self._refuse(str(error))
            else:
                link.heard(monotonic_ns())

    def _replace_deaf_links(self, began_ns: int) -> None:
        now_ns = monotonic_ns()
        for link in self._links:
            link.excuse(now_ns - began_ns)
            if link.replace_if_deaf(now_ns):
                _log.debug("nothing from %s: trying anew", ", ".join(link.subscriber.endpoints))

    def _take(self, message: Packet | Status) -> None:
        now_ns = monotonic_ns()
        with self._lock:
            topic = self._topic(message.topic)
            if isinstance(message, Status):
                topic.heard_ns = now_ns
                topic.state, topic.reason = message.state, message.reason
                topic.gaps.status(message.sender, message.sequence)
                return
            topic.take(message, now_ns)
        replaced = self._packets.put(message, key=message.topic if self._newest else None)
        if replaced is not None:
            with self._lock:
                topic.skipped += 1

    def _topic(self, name: str) -> TopicAccount:
        topic = self._topics.get(name)
        if topic is None:
            if len(self._topics) >= self._limits.topics:
                raise ProtocolError(f"more than {self._limits.topics} topics: {name} is refused")
            topic = self._topics[name] = TopicAccount()
        return topic

    def _refuse(self, reason: str, *, once: bool = False) -> None:
        """Count a message that is none, and say so: now and then, or once for all."""
        with self._lock:
            self._malformed += 1
            said = 0 if reason in self._said_once else self._complaints(monotonic_ns())
            if once and said and len(self._said_once) < _SAID_ONCE:
                self._said_once.add(reason)
        if said:
            _log.warning("refused %d message(s): %s", said, reason)
