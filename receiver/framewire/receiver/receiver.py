"""`Receiver`: packets in, the newest or all of them out."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Literal

from framewire.common import wire
from framewire.common.clock import NS, monotonic_ns, wall_ns
from framewire.common.closing import Closing
from framewire.common.config import DEFAULT_ENDPOINT, DEFAULT_LIMITS, Limits
from framewire.common.endpoint import check_exposure, parse_endpoints
from framewire.common.errors import (
    Closed,
    JpegError,
    ProtocolError,
    ReceiveTimeout,
    UsageError,
    VersionError,
)
from framewire.common.forking import Home
from framewire.common.frame import Frame, Packet, Status
from framewire.common.jpeg_scaled import factor_of
from framewire.common.keyfile import StrPath
from framewire.common.keys import open_keys
from framewire.common.mailbox import Mailbox
from framewire.common.topic import wire_topic
from framewire.common.transport import TICK_MS, Shortage, Waker, wait
from framewire.receiver.account import ReceiverStats
from framewire.receiver.ahead import Ahead, Begun
from framewire.receiver.decoder import decode
from framewire.receiver.ledger import Ledger
from framewire.receiver.links import Link, Want, open_link
from framewire.receiver.wishes import Keep, check_asking, prefixes_of

__all__ = ["Keep", "Receiver"]

_log = logging.getLogger("framewire.receiver")

_QUEUE_BYTES = 256 << 20
_ENOUGH_BYTES = 32 << 20  # of every frame that is asked for, this much waits here at most
_STATUS_BYTES = 500
_BURST = 32  # messages from one socket before the next has its turn
_JOIN_S = 5.0


class Receiver(Closing):
    """Receives frames from any number of senders, which come and go as they like.

    Connects to `connect` (default: tcp://127.0.0.1:5555) and binds to `bind`; an endpoint's pattern
    is the sender's, as in ``req-rep+tcp://host:port``. `topics` chooses topics and everything below
    them (``lab`` takes ``lab`` and ``lab/cam1``, never ``lab2``); no topic means all, and None that
    nothing is taken before `select`. (Work, which comes
    over ``push-pull``, is taken whatever its topic.)

    `keep` is ``newest``: for each topic the newest frame only, so that slow work here never makes
    frames old; what it passes over is counted as skipped. Or ``all``: every frame that arrives, in
    order, from a queue of at most 256 MiB; when that is full, the senders' side drops and it is
    counted as lost. Over ``req-rep``, ``all`` asks the sender for what comes after the last frame
    here, so that nothing is lost that its history still holds. Work is never passed over: a worker
    holds one frame at a time.

    Over ``req-rep`` the sender is asked for pictures of this `quality` (1 to 100), or with
    ``"auto"`` of the best quality at which the full frame rate fits through the link, as measured
    all the time. `credits` is how many requests are on their way at once; by default one, and more
    where the round trip is long.

    `scale` is of width and height. If every endpoint is ``req-rep`` and `keep` is ``newest``, the
    senders are asked for it (1/16 to 1) and the pictures come so. Otherwise they come as they were
    sent, and frames are decoded that small (1/2, 1/4 or 1/8; sizes are rounded up), in less time
    than whole. With `gray` they are decoded gray, as (H, W), wherever they come from. A frame's
    header still tells the size and channels of the picture that was sent. Packets are not touched.

    With keys (files made by `framewire keygen`) all is encrypted, and nobody is let in or believed
    who has not shown the right one: `key` is one's own secret file; `allow` the folder of public keys
    of those who may connect to what is bound here, which is looked at all the time; `server_key` the
    public file of who is to be at the addresses to connect to, one for all or one for each in their
    order. docs/guide/security.md tells more.

    `limits` is what is taken from senders: docs/guide/limits.md. What is above is counted as malformed.

    `timeout` is how many seconds reading waits for a frame (None: for ever) before it raises
    `ReceiveTimeout`. An address that other machines can reach is not bound without keys, unless
    `insecure`. Raises `UsageError` for arguments, `KeyFileError` for files of keys, `TransportError`
    if an address cannot be bound.

    Reading raises `FramewireError` if receiving has failed, which is a defect, and `Closed` in a process
    that was forked from the one that made it.

    Several threads may read from one receiver; each frame goes to one of them. `close` may be
    called from any thread, ends the iterations and returns within a second.
    """

    def __init__(
        self,
        *connect: str,
        bind: str | Iterable[str] = (),
        topics: str | Iterable[str] | None = (),
        keep: Keep = "newest",
        timeout: float | None = None,
        quality: int | Literal["auto"] | None = None,
        scale: float | None = None,
        credits: int | None = None,
        gray: bool = False,
        statuses: bool = False,
        key: StrPath | None = None,
        allow: StrPath | None = None,
        server_key: StrPath | Iterable[StrPath] = (),
        insecure: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._home = Home("Receiver")
        if keep not in ("newest", "all"):
            raise UsageError(f"keep={keep!r} is not possible: use 'newest' or 'all'")
        to_bind = parse_endpoints(bind, bind=True)
        to_connect = parse_endpoints(connect or (() if to_bind else DEFAULT_ENDPOINT), bind=False)
        keys = open_keys(to_bind, to_connect, key=key, allow=allow, server_key=server_key)
        check_exposure(to_bind, insecure=insecure or keys is not None)
        if statuses and keep != "all":
            raise UsageError("statuses have their place among all frames: use keep='all' with them")
        patterns = {endpoint.pattern for endpoint in (*to_bind, *to_connect)}
        check_asking(patterns, keep, quality, scale, credits)
        asks_scale = keep == "newest" and patterns == {"req-rep"}
        self._decode_scale = 1.0 if asks_scale or scale is None else 1 / factor_of(scale)
        self._gray = gray
        self._selected = prefixes_of(topics)
        self._timeout = timeout
        self._limits = limits
        self._statuses = statuses
        self._ledger = Ledger(limits.topics)
        self._newest = keep == "newest"
        self._listeners: set[Callable[[], None]] = set()
        self._packets: Mailbox[Packet | Status] = Mailbox(
            "newest" if self._newest else "block",
            capacity=_QUEUE_BYTES,
            weight=_weight,
            on_change=self._tell_listeners,
        )
        self._ahead = Ahead(self._packets, self._decode)
        self._waker = Waker()
        self._selecting = threading.Lock()
        self._to_select: frozenset[bytes] | None = None
        self._asked_for = tuple(self._selected)
        """What answers may be of: also what was asked for until now."""
        want = Want(
            everything=not self._newest,
            max_message_bytes=max(limits.payload_bytes, limits.header_bytes),
            most_peers=limits.connections,
            quality=quality,
            scale=scale if asks_scale else None,
            credits=credits,
            keys=keys,
        )
        self._thread = threading.Thread(target=self._run, name="framewire-receiver", daemon=True)
        self._links: list[Link] = []
        try:
            for endpoint in to_bind:
                self._links.append(open_link(endpoint, want, bind=True))
            for endpoint in to_connect:
                self._links.append(open_link(endpoint, want, bind=False))
            for link in self._links:
                link.select(self._selected)
            self._wakes_when_taken = patterns != {"pub-sub"}
            self._thread.start()
        except BaseException:  # also Ctrl-C, which leaves nothing half made
            self._packets.close()
            if self._thread.ident is None:
                self._close_links()
            raise

    # -- for the user -------------------------------------------------------------------------

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The addresses in use, with the port that the system chose where ``*`` was asked for."""
        return tuple(url for link in self._links for url in link.endpoints)

    @property
    def decode_scale(self) -> float:
        """What is left of `scale` to who decodes a packet: 1 where the senders see to it."""
        return self._decode_scale

    @property
    def stats(self) -> ReceiverStats:
        """A snapshot of the figures so far; takes some 0.05 ms for each topic."""
        self._home.check()
        return self._ledger.snapshot(monotonic_ns())

    def __iter__(self) -> Iterator[Frame]:
        """Frames until `close`; each array is new, writable and the caller's own.

        Decoding happens when a frame is asked for: what is skipped costs none. Where all frames are
        kept and several wait, the next few are decoded ahead, side by side. A picture that does not
        decode is counted as malformed and passed over.
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
        self._home.check()
        seconds = self._timeout if timeout is None else timeout
        deadline_ns = None if seconds is None else monotonic_ns() + round(seconds * NS)
        while True:
            begun = self._begun()
            packet = begun.packet if begun else self._next(seconds)
            try:
                frame = begun.frame() if begun else self._decode(packet)
            except JpegError as error:
                self._ledger.refuse(f"{packet.topic}: {error}", monotonic_ns())
                if deadline_ns is not None:
                    seconds = max(0.0, (deadline_ns - monotonic_ns()) / NS)
                continue
            frame = Frame(frame.image, frame.header, wall_ns())
            self._ledger.deliver(frame.topic, frame.age_ms)
            return frame

    def read_packet(self, timeout: float | None = None) -> Packet:
        """The next packet, still encoded; as `read` otherwise."""
        packet = _received(self._next(timeout))
        self._ledger.deliver(packet.topic, packet.age_ms)
        return packet

    def messages(self, timeout: float | None = None) -> Iterator[Packet | Status]:
        """Packets, and what senders say of their topics in between, each in its place.

        For a receiver with ``statuses=True``. Ends at `close`; raises `ReceiveTimeout` after
        `timeout` seconds without either.
        """
        while True:
            try:
                message = self._get(timeout)
            except Closed:
                return
            if isinstance(message, Packet):
                message = _received(message)
                self._ledger.deliver(message.topic, message.age_ms)
            yield message

    def select(self, prefixes: Iterable[bytes]) -> None:
        """Take other topics from now on: those whose wire names begin with one of `prefixes`.

        For a relay, which passes on what it is asked for. The empty prefix stands for all; with
        none, nothing is taken and nothing asked for.
        """
        self._home.check()
        with self._selecting:
            self._to_select = frozenset(prefixes)
        self._waker.wake()

    def close(self) -> None:
        """Stop receiving and free everything. May be called again."""
        if self._home.left:
            return
        self._packets.close()
        self._waker.wake()
        if self._thread is not threading.current_thread():
            self._thread.join(_JOIN_S)

    # -- the caller's thread ------------------------------------------------------------------

    def _next(self, timeout: float | None) -> Packet:
        seconds = self._timeout if timeout is None else timeout
        deadline_ns = None if seconds is None else monotonic_ns() + round(seconds * NS)
        while True:
            message = self._get(seconds)
            if isinstance(message, Packet):
                return message
            if deadline_ns is not None:
                seconds = max(0.0, (deadline_ns - monotonic_ns()) / NS)

    def _begun(self) -> Begun | None:
        """The next packet, if its decoding has begun."""
        if not self._newest and self._ahead.begin():
            self._make_room()
        return self._ahead.first()

    def _decode(self, packet: Packet) -> Frame:
        return decode(packet, scale=self._decode_scale, gray=self._gray)

    def _get(self, timeout: float | None) -> Packet | Status:
        self._home.check()
        begun = self._ahead.first()
        if begun is not None:
            return begun.as_packet()
        seconds = self._timeout if timeout is None else timeout
        message = self._packets.get(seconds)
        if message is None:
            raise self._nothing_came(seconds)
        self._make_room()
        return message

    def _make_room(self) -> None:
        """Something was taken: where the receiving thread decides what may come, it looks again."""
        if self._wakes_when_taken:
            self._waker.wake()

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

    # -- the receiving thread -----------------------------------------------------------------

    def _run(self) -> None:
        try:
            shortage = Shortage()
            due_ns = self._step(monotonic_ns())
            while not self._packets.closed:
                self._wait_until(due_ns)
                began_ns = monotonic_ns()
                shortage.look(began_ns)
                for link in self._links:
                    self._drain(link)
                due_ns = self._step(began_ns)
        except Closed:
            pass
        except Exception as error:  # noqa: BLE001 - the top of this thread: whoever reads gets it
            _log.exception("the receiver stopped")
            self._packets.close(f"the receiver stopped: {error!r}; make a new one")
        finally:
            self._packets.close()
            self._close_links()

    def _close_links(self) -> None:
        for link in self._links:
            link.close()
        self._waker.close()

    def _wait_until(self, due_ns: int | None) -> None:
        left_ms = TICK_MS
        if due_ns is not None:
            left_ms = min(TICK_MS, max(0, -((monotonic_ns() - due_ns) // 1_000_000)))
        wait([socket for link in self._links for socket in link.sockets], self._waker, left_ms)

    def _drain(self, link: Link) -> None:
        for _ in range(_BURST):
            message = None
            try:
                parts = link.receive()
                if parts is None:
                    return
                message = wire.decode(parts, self._limits)
            except MemoryError:
                self._ledger.refuse("there is no memory for it", monotonic_ns())
            except VersionError as error:
                self._ledger.refuse(str(error), monotonic_ns(), once=True)
            except ProtocolError as error:
                self._ledger.refuse(str(error), monotonic_ns())
            link.took(message, monotonic_ns())
            if message is not None and self._is_wanted(message.topic, link):
                self._take(message, link)

    def _step(self, began_ns: int) -> int | None:
        """Let every link do what is due; when the next thing is."""
        now_ns = monotonic_ns()
        with self._selecting:
            selected, self._to_select = self._to_select, None
        if selected is not None:
            self._take_others(selected)
        dues = []
        for link in self._links:
            link.excuse(now_ns - began_ns)
            dues.append(link.step(now_ns, room=self._has_room(link)))
        return min((due for due in dues if due is not None), default=None)

    def _take_others(self, selected: frozenset[bytes]) -> None:
        """Follow `select`. What was sent of a topic while it was not subscribed to is no loss."""
        before, self._selected = self._selected, selected
        self._asked_for = (*selected, *before)
        for link in self._links:
            link.select(selected)
        if any(link.asks or link.is_work for link in self._links):
            return  # who asks goes on where it was
        self._ledger.rejoin(selected, before)

    def _has_room(self, link: Link) -> bool:
        if link.is_work:
            return not len(self._packets) and not len(self._ahead)
        return self._newest or self._packets.weight < _ENOUGH_BYTES

    def _take(self, message: Packet | Status, link: Link) -> None:
        now_ns, partial = monotonic_ns(), link.partial
        if isinstance(message, Status):
            missing = self._ledger.hear(message, now_ns, partial=partial, marks=not link.asks)
        else:
            missing = self._ledger.take(message, now_ns, partial=partial)
        if missing and not self._newest and not partial:
            first, last = message.sequence - missing, message.sequence - 1
            self._ledger.tell_loss(message.topic, first, last, now_ns)
        if isinstance(message, Packet) and missing is not None:
            self._keep(message, link)
        elif isinstance(message, Status) and self._statuses:
            self._packets.put(message)

    def _keep(self, packet: Packet, link: Link) -> None:
        header = packet.header
        key = (header.topic, header.sender, header.sequence) if link.is_work else header.topic
        late = self._newest and not link.is_work and self._ledger.is_late(packet.topic)
        crowded = self._newest and self._packets.weight + packet.weight > _QUEUE_BYTES
        if (
            late
            or (crowded and self._packets.weight)
            or self._packets.put(packet, key=key) is not None
        ):
            self._ledger.skip(packet.topic)

    def _is_wanted(self, name: str, link: Link) -> bool:
        """Whether a topic was asked for, and there are figures of it or room for them.

        ZeroMQ sees to subscriptions, and work is taken whatever it is. Only this thread adds any.
        """
        if link.asks and not wire_topic(name).startswith(self._asked_for):
            self._ledger.refuse(f"an answer of {name}, which was not asked for", monotonic_ns())
            return False
        if self._ledger.has_room_for(name):
            return True
        self._ledger.refuse(
            f"more than {self._limits.topics} topics: {name} is refused", monotonic_ns()
        )
        return False


def _received(packet: Packet) -> Packet:
    return Packet(packet.header, packet.payload, wall_ns())


def _weight(message: Packet | Status) -> int:
    """Bytes that it takes, roughly."""
    if isinstance(message, Packet):
        return message.weight
    return _STATUS_BYTES + len(message.reason)
