"""`Sender`: frames in, packets out to whoever listens."""

import logging
import secrets
import threading
from collections.abc import Iterable
from copy import deepcopy
from typing import Any, get_args

import msgspec

from framewire.common import wire
from framewire.common.clock import NS, monotonic_ns, wall_ns
from framewire.common.closing import Closing
from framewire.common.config import DEFAULT_ENDPOINT
from framewire.common.endpoint import check_exposure, parse_endpoints
from framewire.common.errors import Closed, FramewireError, UsageError
from framewire.common.frame import Frame, Header, Image, Packet, State
from framewire.common.jpeg import check_image
from framewire.common.mailbox import Mailbox, WhenFull
from framewire.common.stats import Quantiles, Throttle
from framewire.common.topic import check_topic, wire_topic
from framewire.common.transport import TICK_MS, Publisher, Waker, wait
from framewire.sender.account import SenderStats, TopicAccount
from framewire.sender.encoder import Encoder

__all__ = ["Sender"]

_log = logging.getLogger("framewire.sender")

_STATUS_NS = NS
_OUTBOX_BYTES = 8 << 20
_LAST_WORD_MS = 300
_BURST = 32  # packets before subscriptions and statuses have their turn
_JOIN_S = 5.0


class Sender(Closing):
    """Publishes frames as JPEG to any number of receivers, which come and go as they like.

    Binds to `bind` (default: tcp://127.0.0.1:5555, this machine only) and connects to `connect`;
    endpoints are strings such as ``tcp://127.0.0.1:5555``. A slow or stalled receiver never slows
    this side or other receivers: it misses frames, and counts them. Nothing is encoded for a topic
    that nobody has subscribed to.

    `topic` is the default topic of plain images and replaces that of a source's frames. `quality`
    is the JPEG quality, 1 to 100; `size` (width, height) and `gray` convert before encoding.
    `when_full` says what `send` does while the encoder is busy: ``block`` (a file) or ``newest``
    (a camera: the waiting frame is replaced and counted as dropped).

    An address that other machines can reach is refused unless `insecure` says that anybody may
    connect. Raises `UsageError` for arguments and `TransportError` if an address cannot be used.

    All methods may be called from any thread; frames that two threads send to one topic at once may
    change places. `close` sends what was accepted, says ``ended`` and returns within a second or
    two; nothing is left running.
    """

    def __init__(
        self,
        *bind: str,
        connect: str | Iterable[str] = (),
        topic: str | None = None,
        quality: int = 85,
        size: tuple[int, int] | None = None,
        gray: bool = False,
        when_full: WhenFull = "block",
        insecure: bool = False,
    ) -> None:
        self._topic = None if topic is None else check_topic(topic)
        self._encoder = Encoder(quality, size, gray)
        to_connect = parse_endpoints(connect, bind=False)
        to_bind = parse_endpoints(bind or (() if to_connect else DEFAULT_ENDPOINT), bind=True)
        check_exposure(to_bind, insecure=insecure)
        self._id = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._subscribed = threading.Condition(self._lock)
        self._topics: dict[str, TopicAccount] = {}
        self._prefixes: dict[bytes, int] = {}
        self._encode_ms = Quantiles()
        self._failures = Throttle()
        self._publisher = Publisher(to_bind, to_connect, patient=when_full == "block")
        self._waker = Waker()
        self._inbox: Mailbox[Frame] = Mailbox(when_full)
        self._outbox: Mailbox[Packet] = Mailbox(
            "block",
            capacity=_OUTBOX_BYTES,
            weight=lambda packet: len(packet.payload),
            on_change=self._waker.wake,
        )
        if self._topic is not None:
            self._entry(self._topic, self._id)  # its status is sent before its first frame
        self._threads = [
            threading.Thread(target=self._encode_all, name="framewire-encoder", daemon=True),
            threading.Thread(target=self._serve, name="framewire-sender", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    # -- for the user -------------------------------------------------------------------------

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The addresses in use, with the port that the system chose where ``*`` was asked for."""
        return self._publisher.endpoints

    @property
    def receivers(self) -> int:
        """Subscriptions that are there now."""
        with self._lock:
            return sum(self._prefixes.values())

    @property
    def stats(self) -> SenderStats:
        """A snapshot of the figures so far; cheap."""
        with self._lock:
            topics = {name: topic.snapshot() for name, topic in self._topics.items()}
            p50, p95 = self._encode_ms(0.5, 0.95)
            return SenderStats(topics, sum(self._prefixes.values()), (p50, p95))

    def send(
        self,
        image: Image | Frame,
        *,
        topic: str | None = None,
        metadata: dict[str, Any] | None = None,
        copy: bool = True,
    ) -> None:
        """Send pixels: an array (H, W, 3) uint8 in BGR order or (H, W) gray, or a source's `Frame`.

        A plain array counts as captured now; a frame keeps its capture times and metadata (to which
        `metadata` is added). The array may be reused as soon as `send` returns; with ``copy=False``
        it is given away instead and must not be touched again. Raises `UsageError` for what cannot
        be sent, `Closed` after `close`.
        """
        frame = image if isinstance(image, Frame) else None
        pixels = check_image(image.image if isinstance(image, Frame) else image)
        name = self._name(topic, frame)
        facts = {**(frame.metadata if frame else {}), **(metadata or {})}
        wire.check_metadata(facts)
        if self._inbox.closed:
            raise Closed("send on a closed Sender")
        header = self._take(name, frame, pixels, facts)
        if header is None:
            return
        replaced = self._inbox.put(Frame(pixels.copy() if copy else pixels, header), key=name)
        if replaced is not None:
            with self._lock:
                self._topics[name].lose()

    def forward(self, packet: Packet, *, topic: str | None = None) -> None:
        """Send an encoded picture as it is: payload, times, sequence and metadata do not change.

        For what comes out of a recording, an MJPEG camera or another receiver. Raises `Closed`
        after `close`; waits while more than 8 MiB are on their way to the socket.
        """
        header = packet.header
        name = check_topic(topic) if topic is not None else self._topic or header.topic
        if self._inbox.closed:
            raise Closed("forward on a closed Sender")
        wire.check_metadata(header.metadata)
        run = header.sender or self._id
        with self._lock:
            entry = self._entry(name, run)
            entry.follow(packet)
            if not self._wanted(name):
                entry.unwatched += 1
                return
            entry.accept(header.sequence)
        changed = msgspec.structs.replace(header, topic=name, sender=run)
        self._outbox.put(Packet(changed, packet.payload))

    def announce(self, state: State, reason: str = "", *, topic: str | None = None) -> None:
        """Tell receivers what has become of a topic (default: all): live, no-signal or ended."""
        if state not in get_args(State):
            raise UsageError(f"unknown state {state!r}: use {', '.join(get_args(State))}")
        only = None if topic is None else check_topic(topic)
        with self._lock:
            if only is not None and only not in self._topics:
                self._entry(only, self._id)
            for name, entry in self._topics.items():
                if only in (None, name):
                    entry.state, entry.reason, entry.status_due_ns = state, reason[:1024], 0
        self._waker.wake()

    def wait_for_receivers(self, count: int = 1, timeout: float | None = None) -> bool:
        """Until `count` subscriptions are there; False if `timeout` seconds pass before."""
        with self._subscribed:
            self._subscribed.wait_for(
                lambda: sum(self._prefixes.values()) >= count or self._inbox.closed, timeout
            )
            return sum(self._prefixes.values()) >= count

    def close(self) -> None:
        """Send what was accepted, tell receivers that it ended, and stop. May be called again."""
        self._inbox.close()
        with self._subscribed:
            self._subscribed.notify_all()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_JOIN_S)

    # -- under the lock -----------------------------------------------------------------------

    def _name(self, topic: str | None, frame: Frame | None) -> str:
        if topic is not None:
            return check_topic(topic)
        if self._topic is not None:
            return self._topic
        if frame is None:
            raise UsageError("no topic for this image: Sender(topic=...) or send(..., topic=...)")
        return check_topic(frame.topic)

    def _entry(self, name: str, run: str) -> TopicAccount:
        entry = self._topics.setdefault(name, TopicAccount(self._id))
        entry.begin(run)
        return entry

    def _wanted(self, name: str) -> bool:
        part = wire_topic(name)
        return any(part.startswith(prefix) for prefix in self._prefixes)

    def _take(
        self, name: str, frame: Frame | None, pixels: Image, metadata: dict[str, Any]
    ) -> Header | None:
        """Number a frame and fill in its header; None if nobody wants it."""
        with self._lock:
            entry = self._entry(name, self._id)
            sequence = entry.number(frame.header.dropped if frame else 0)
            if not self._wanted(name):
                entry.unwatched += 1
                return None
            entry.accept(sequence)
            dropped = entry.numbers.dropped
        return Header(
            topic=name,
            sender=self._id,
            sequence=sequence,
            dropped=dropped,
            captured_ns=frame.header.captured_ns if frame else wall_ns(),
            monotonic_ns=frame.header.monotonic_ns if frame else monotonic_ns(),
            sent_ns=0,
            width=pixels.shape[1],
            height=pixels.shape[0],
            channels=1 if pixels.ndim == 2 else 3,
            codec="raw",
            metadata=deepcopy(metadata),  # the caller may go on with what is in it
        )

    # -- the encoder's thread -----------------------------------------------------------------

    def _encode_all(self) -> None:
        try:
            while True:
                frame = self._inbox.get()
                if frame is not None:
                    self._encode(frame)
        except Closed:
            pass
        finally:
            self._outbox.close()

    def _encode(self, frame: Frame) -> None:
        try:
            packet = self._encoder.packet(frame)
        except Exception as error:  # noqa: BLE001 - one frame is lost and said so, the stream goes on
            with self._lock:
                self._topics[frame.topic].lose()
            if self._failures(monotonic_ns()):
                _log.error("a frame of %s was not encoded: %s", frame.topic, error)
            return
        with self._lock:
            self._encode_ms.add(packet.header.encode_us / 1000)
        self._outbox.put(packet)

    # -- the socket's thread ------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            while True:
                self._read_subscriptions()
                more = self._send_waiting()
                self._send_statuses()
                wait((self._publisher,), self._waker, 0 if more else TICK_MS)
        except Closed:
            self._send_last_words()
        except FramewireError as error:
            _log.error("the sender stopped: %s", error)
        finally:
            self._inbox.close()
            self._outbox.close()
            self._publisher.close(linger_ms=_LAST_WORD_MS)
            self._waker.close()

    def _read_subscriptions(self) -> None:
        for begins, prefix in self._publisher.subscriptions():
            with self._subscribed:
                count = self._prefixes.get(prefix, 0) + (1 if begins else -1)
                if count > 0:
                    self._prefixes[prefix] = count
                else:
                    self._prefixes.pop(prefix, None)
                for entry in self._topics.values():
                    entry.status_due_ns = 0  # a new receiver learns the state at once
                self._subscribed.notify_all()

    def _send_waiting(self) -> bool:
        """Send what the encoder has ready; whether there may be more of it."""
        for _ in range(_BURST):
            packet = self._outbox.get(0)
            if packet is None:
                return False
            header = msgspec.structs.replace(packet.header, sent_ns=wall_ns())
            self._publisher.send(wire.encode(Packet(header, packet.payload)))
            with self._lock:
                self._topics[header.topic].settle(packet)
        return True

    def _send_statuses(self) -> None:
        now_ns = monotonic_ns()
        with self._lock:
            topics = len(self._topics)
            due = []
            for name, entry in self._topics.items():
                if entry.status_due_ns <= now_ns:
                    entry.status_due_ns = now_ns + _STATUS_NS
                    due.append(entry.status(name, wall_ns()))
        self._publisher.carry(topics)
        for status in due:
            self._publisher.send(wire.encode_status(status))

    def _send_last_words(self) -> None:
        with self._lock:
            last = []
            for name, entry in self._topics.items():
                if entry.state != "ended":
                    entry.state, entry.reason = "ended", ""
                last.append(entry.status(name, wall_ns()))
        deadline_ns = monotonic_ns() + _LAST_WORD_MS * NS // 1000
        for status in last:
            left_ms = max(0, deadline_ns - monotonic_ns()) // 1_000_000
            self._publisher.send_to_all(wire.encode_status(status), left_ms)
