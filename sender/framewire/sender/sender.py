"""`Sender`: frames in, packets out to whoever listens."""

import logging
import secrets
import threading
from collections.abc import Callable, Collection, Iterable
from contextlib import nullcontext, suppress
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, get_args

import msgspec
import numpy as np

from framewire.common import wire
from framewire.common.arrays import new_image
from framewire.common.clock import NS, monotonic_ns, wall_ns
from framewire.common.closing import Closing
from framewire.common.config import DEFAULT_ENDPOINT, DEFAULT_LIMITS, Limits
from framewire.common.endpoint import check_exposure, parse_endpoints
from framewire.common.errors import Closed, FramewireError, UsageError
from framewire.common.forking import Home
from framewire.common.frame import Frame, Header, Image, Packet, State, Status
from framewire.common.jpeg import check_image
from framewire.common.keyfile import StrPath
from framewire.common.keys import open_keys
from framewire.common.level import OWN, Level
from framewire.common.mailbox import Mailbox, WhenFull
from framewire.common.stats import Throttle
from framewire.common.topic import check_topic, wire_topic
from framewire.common.transport import TICK_MS, Shortage, Waker, wait
from framewire.common.turns import Turns
from framewire.common.workers import cores, undivided
from framewire.sender.account import SenderStats
from framewire.sender.encoder import Encoder
from framewire.sender.ledger import Ledger
from framewire.sender.outlets import Desk, Outlet, open_outlets
from framewire.sender.picture import Picture

__all__ = ["Sender"]

_log = logging.getLogger("framewire.sender")

_LINGER_S = 0.4
_LAST_WORD_MS = 300
_LAST_TICK_MS = 20
_JOIN_S = 0.5


@dataclass(frozen=True, slots=True)
class _Job:
    """A picture to encode, and the outlets that want it; none: somebody asked for the level."""

    picture: Picture
    level: Level
    outlets: tuple[Outlet, ...] = ()


class Sender(Closing):
    """Sends frames as JPEG to any number of receivers, which come and go as they like.

    Binds to `bind` (default: tcp://127.0.0.1:5555, this machine only) and connects to `connect`.
    Endpoints are strings such as ``tcp://127.0.0.1:5555``; their pattern says who gets what:

    - ``tcp://...`` (pub-sub): everybody who has subscribed gets every frame. A slow or stalled
      receiver never slows this side or other receivers: it misses frames, and counts them.
    - ``req-rep+tcp://...``: who asks gets the newest frame, at the quality that it asks for; or, with
      a `history` (bytes of recent packets to keep), every frame, also those that it missed.
    - ``push-pull+tcp://...``: each frame goes to one of several workers.

    One sender may have any of them at once; a frame is encoded once for all, and not at all where
    nobody wants it.

    `topic` is the default topic of plain images and replaces that of a source's frames. `quality`
    is the JPEG quality, 1 to 100; `size` (width, height) and `gray` convert before encoding.
    `when_full` says what `send` does while the encoder or the workers are busy: ``block`` (a file)
    or ``newest`` (a camera: the waiting frame is replaced and counted as dropped). With `repeat`
    who subscribes gets the last frame of a topic at once (and so do the others, who drop it).
    `queue` is how many frames may wait for each receiver of pub-sub: as many as there are topics,
    because they may come at the same time; not more, because what waits grows old. `limits` is what
    is taken from those who subscribe and ask.

    With keys (files made by `framewire keygen`) all is encrypted, and nobody is let in or believed
    who has not shown the right one: `key` is one's own secret file; `allow` the folder of public keys
    of those who may connect to what is bound here, which is looked at all the time; `server_key` the
    public file of who is to be at the addresses to connect to, one for all or one for each in their
    order. docs/guide/security.md tells more.

    An address that other machines can reach is refused without keys, unless `insecure` says that
    anybody may connect. Raises `UsageError` for arguments, `KeyFileError` for files of keys and
    `TransportError` if an address cannot be used.

    Sending raises `FramewireError` if a thread of the sender has failed, which is a defect, and `Closed`
    in a process that was forked from the one that made it.

    All methods may be called from any thread; frames that two threads send to one topic at once may
    change places. `close` sends what was accepted, says ``ended`` and returns within a second;
    nothing is left running.
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
        queue: int = 1,
        history: int = 0,
        repeat: bool = False,
        key: StrPath | None = None,
        allow: StrPath | None = None,
        server_key: StrPath | Iterable[StrPath] = (),
        insecure: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._home = Home("Sender")
        self._topic = None if topic is None else check_topic(topic)
        self._encoder = Encoder(quality, size, gray)
        to_connect = parse_endpoints(connect, bind=False)
        to_bind = parse_endpoints(bind or (() if to_connect else DEFAULT_ENDPOINT), bind=True)
        keys = open_keys(to_bind, to_connect, key=key, allow=allow, server_key=server_key)
        check_exposure(to_bind, insecure=insecure or keys is not None)
        if not 1 <= queue <= 1024:
            raise UsageError(f"a queue of {queue} frames is not possible: 1 to 1024")
        patterns = {endpoint.pattern for endpoint in (*to_bind, *to_connect)}
        if history < 0 or (history and "req-rep" not in patterns):
            raise UsageError(
                f"a history of {history} bytes is not possible: it is a number above 0, for those "
                "who ask at a req-rep endpoint"
            )
        self._serving = threading.Thread(target=self._serve, name="framewire-sender", daemon=True)
        self._ledger = Ledger(secrets.token_hex(8))
        self._audience = threading.Condition()
        self.on_audience: Callable[[], None] = lambda: None
        """Called when somebody comes or leaves, by the thread that serves them: must not wait."""
        self._failures = Throttle()
        self._end_ns: int | None = None
        self._waker = Waker()
        self._inbox: Mailbox[_Job] = Mailbox(when_full)
        self._turns = Turns()
        # What a camera makes is encoded as soon as can be: one frame at a time, on all cores.
        self._encoders = cores() if when_full == "block" else 1
        self._orders: Mailbox[_Job] = Mailbox(
            "newest"
        )  # by picture and level: none replaces another
        desk = Desk(
            ledger=self._ledger,
            wake=self._waker.wake,
            audience_changed=self._tell_audience,
            encode=self._order,
            quality=quality,
            when_full=when_full,
            queue=queue,
            history=history,
            keys=keys,
            repeat=repeat,
            limits=limits,
        )
        try:
            self._outlets = open_outlets(to_bind, to_connect, desk)
        except BaseException:
            self._waker.close()
            raise
        try:
            self._begin(patterns)
        except BaseException:  # also Ctrl-C, which leaves nothing half made
            self._inbox.close()
            self._orders.close()
            self._end_ns = monotonic_ns()
            if self._serving.ident is None:
                self._stop()
            raise

    def _begin(self, patterns: Collection[str]) -> None:
        self._holds = "req-rep" in patterns
        if self._topic is not None:
            self._ledger.open(self._topic)  # its status is sent before its first frame
        self._threads = [
            threading.Thread(target=self._encode_all, name="framewire-encoder", daemon=True),
            self._serving,
        ]
        if self._holds:
            self._threads.append(
                threading.Thread(target=self._encode_orders, name="framewire-orders", daemon=True)
            )
        for thread in self._threads:
            thread.start()

    # -- for the user -------------------------------------------------------------------------

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The addresses in use, with the port that the system chose where ``*`` was asked for."""
        return tuple(url for outlet in self._outlets for url in outlet.endpoints)

    @property
    def receivers(self) -> int:
        """Who listens now; see `SenderStats.receivers`."""
        return sum(outlet.receivers for outlet in self._outlets)

    @property
    def demand(self) -> frozenset[bytes]:
        """Prefixes of wire topics that somebody listens to now; the empty one stands for all."""
        return frozenset(prefix for outlet in self._outlets for prefix in outlet.demand)

    @property
    def stats(self) -> SenderStats:
        """A snapshot of the figures so far; cheap."""
        self._home.check()
        topics, encoded, encode_ms = self._ledger.snapshot()
        return SenderStats(topics, self.receivers, encoded, encode_ms, self._ledger.encodings())

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
        self._home.check()
        frame = image if isinstance(image, Frame) else None
        pixels = check_image(image.image if isinstance(image, Frame) else image)
        name = self._name(topic, frame)
        facts = {**(frame.metadata if frame else {}), **(metadata or {})}
        wire.check_metadata(facts)
        if self._inbox.closed:
            raise self._inbox.ended("send on a closed Sender")
        outlets: list[Outlet] = []
        sequence, dropped, wanted = self._ledger.number(
            name, frame.header.dropped if frame else 0, lambda: self._find(name, outlets)
        )
        if not wanted and not self._holds:
            self._ledger.pass_over(name)
            return
        header = Header(
            topic=name,
            sender=self._ledger.run,
            sequence=sequence,
            dropped=dropped,
            captured_ns=frame.header.captured_ns if frame else wall_ns(),
            monotonic_ns=frame.header.monotonic_ns if frame else monotonic_ns(),
            sent_ns=0,
            width=pixels.shape[1],
            height=pixels.shape[0],
            channels=1 if pixels.ndim == 2 else 3,
            codec="raw",
            metadata=deepcopy(facts),  # the caller may go on with what is in it
        )
        picture = Picture(Frame(_copy(pixels) if copy else pixels, header), self._encode)
        picture.used = wanted
        self._hold(picture)
        if wanted:
            replaced = self._inbox.put(_Job(picture, OWN, tuple(outlets)), key=name)
            if replaced is not None:
                self._ledger.lose(name)

    def forward(
        self,
        message: Packet | Status,
        *,
        topic: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Send an encoded picture as it is: payload, times and sequence do not change.

        Its metadata neither, but that `metadata` is added.
        For what comes out of a recording, an MJPEG camera or another receiver. What another sender
        said of its topic (a `Status`) is said on. Raises `Closed` after `close`; waits while more
        than 8 MiB are on their way to the socket, or where no worker has room (``block``).
        """
        self._home.check()
        header = message.header if isinstance(message, Packet) else message
        name = check_topic(topic) if topic is not None else self._topic or header.topic
        if self._inbox.closed:
            raise self._inbox.ended("forward on a closed Sender")
        run = header.sender or self._ledger.run
        if isinstance(message, Status):
            self._ledger.repeat(msgspec.structs.replace(message, topic=name, sender=run))
            self._waker.wake()
            return
        facts = wire.check_metadata({**message.metadata, **(metadata or {})})
        changed = msgspec.structs.replace(message.header, topic=name, sender=run, metadata=facts)
        packet = Packet(changed, message.payload)
        outlets: list[Outlet] = []
        wanted = self._ledger.follow(packet, lambda: self._find(name, outlets))
        picture = Picture(packet, self._encode)
        picture.used = wanted
        self._hold(picture)
        if wanted:
            self._give(packet, outlets)
        elif not self._holds:
            self._ledger.pass_over(name)

    def announce(self, state: State, reason: str = "", *, topic: str | None = None) -> None:
        """Tell receivers what has become of a topic (default: all): live, no-signal or ended."""
        self._home.check()
        if state not in get_args(State):
            raise UsageError(f"unknown state {state!r}: use {', '.join(get_args(State))}")
        only = None if topic is None else check_topic(topic)
        if only is not None:
            self._ledger.open(only)
        self._ledger.announce(state, reason[:1024], only)
        self._waker.wake()

    def wait_for_receivers(self, count: int = 1, timeout: float | None = None) -> bool:
        """Until so many listen (see `receivers`); False if `timeout` seconds pass before."""
        with self._audience:
            self._audience.wait_for(lambda: self.receivers >= count or self._inbox.closed, timeout)
        return self.receivers >= count

    def close(self, linger: float = _LINGER_S) -> None:
        """Send what was accepted, tell receivers that it ended, and stop. May be called again.

        `linger` is how many seconds that may take. Work that waits for busy workers, and a history
        that somebody still reads, may need longer than the default; what has not left by then is
        dropped, and counted. Another call can only shorten it.
        """
        if self._home.left:
            return
        end_ns = monotonic_ns() + round(linger * NS)
        self._end_ns = end_ns if self._end_ns is None else min(self._end_ns, end_ns)
        self._inbox.close()
        self._orders.close()
        self._tell_audience()
        self._waker.wake()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, self._end_ns - monotonic_ns()) / NS + _JOIN_S)

    # -- the caller's thread ------------------------------------------------------------------

    def _name(self, topic: str | None, frame: Frame | None) -> str:
        if topic is not None:
            return check_topic(topic)
        if self._topic is not None:
            return self._topic
        if frame is None:
            raise UsageError("no topic for this image: Sender(topic=...) or send(..., topic=...)")
        return check_topic(frame.topic)

    def _find(self, name: str, outlets: list[Outlet]) -> bool:
        """Add the outlets that want frames of a topic; whether there are any."""
        part = wire_topic(name)
        outlets.extend(outlet for outlet in self._outlets if outlet.wants(part))
        return bool(outlets)

    def _hold(self, picture: Picture) -> None:
        if self._holds:
            self._ledger.hold(picture)
            self._waker.wake()  # somebody may have asked for it already

    def _give(self, packet: Packet, outlets: Iterable[Outlet]) -> None:
        settled = False
        for outlet in outlets:
            outlet.give(packet)
            settled = settled or outlet.carries_statuses
        if not settled:
            self._ledger.settle(packet)

    def _tell_audience(self) -> None:
        with self._audience:
            self._audience.notify_all()
        self.on_audience()

    # -- the encoders' threads ----------------------------------------------------------------

    def _order(self, picture: Picture, level: Level) -> None:
        with suppress(FramewireError):  # nothing is encoded for those who ask while it closes
            self._orders.put(_Job(picture, level), key=(id(picture), level))

    def _encode_all(self) -> None:
        others = [
            threading.Thread(target=self._encode_jobs, name="framewire-encoder", daemon=True)
            for _ in range(self._encoders - 1)
        ]
        for thread in others:
            thread.start()
        self._encode_jobs()
        for thread in others:
            thread.join()
        for outlet in self._outlets:
            outlet.finish()

    def _encode_jobs(self) -> None:
        """Encode what comes: a frame that comes alone on all cores, others side by side."""
        with suppress(FramewireError):  # closed, or failed: whoever sends hears of that
            while (taken := self._inbox.take()) is not None:
                number, job = taken
                alone = self._turns.is_on(number) and not len(self._inbox)
                with nullcontext() if alone or self._encoders == 1 else undivided():
                    packet = self._packet(job)
                with self._turns.turn(number):
                    if packet is not None:
                        self._hand_on(packet, job.outlets)

    def _hand_on(self, packet: Packet, outlets: Iterable[Outlet]) -> None:
        try:
            self._give(packet, outlets)
        except Closed:
            raise
        except Exception as error:  # noqa: BLE001 - the top of this thread
            self._fail(error)

    def _encode_orders(self) -> None:
        with suppress(FramewireError):
            while (job := self._orders.get()) is not None:
                self._packet(job)
                self._waker.wake()

    def _packet(self, job: _Job) -> Packet | None:
        """The picture encoded; None, with the loss counted and said, where that fails."""
        name = job.picture.header.topic
        try:
            return job.picture.packet(job.level)
        except Exception as error:  # noqa: BLE001 - one frame is lost and said so, the stream goes on
            if job.outlets:
                self._ledger.lose(name)
            if self._failures(monotonic_ns()):
                _log.error("a frame of %s was not encoded: %s", name, error)
            return None

    def _encode(self, content: Frame | Packet, level: Level) -> Packet:
        packet = self._encoder.packet(content, level)
        if packet is not content:
            self._ledger.encoded(packet)
        return packet

    # -- the sockets' thread ------------------------------------------------------------------

    def _serve(self) -> None:
        shortage = Shortage()
        try:
            while not self._is_over():
                now_ns = monotonic_ns()
                shortage.look(now_ns)
                more = [outlet.step(now_ns) for outlet in self._outlets]
                for status in self._ledger.due(now_ns, wall_ns()):
                    for outlet in self._outlets:
                        outlet.tell(status)
                pause_ms = TICK_MS if self._end_ns is None else _LAST_TICK_MS
                sockets = [socket for outlet in self._outlets for socket in outlet.sockets]
                wait(sockets, self._waker, 0 if any(more) else pause_ms)
        except Exception as error:  # noqa: BLE001 - the top of this thread: whoever sends gets it
            self._fail(error)
        finally:
            self._stop()

    def _fail(self, error: Exception) -> None:
        """A thread of ours cannot go on: none does, and whoever sends is told why."""
        _log.error("the sender stopped", exc_info=error)
        for box in (self._inbox, self._orders):
            box.close(f"the sender stopped: {error!r}; make a new one")
        self._end_ns = self._end_ns or monotonic_ns()
        self._tell_audience()
        self._waker.wake()

    def _is_over(self) -> bool:
        if self._end_ns is None:
            return False
        return monotonic_ns() >= self._end_ns or all(each.drained for each in self._outlets)

    def _stop(self) -> None:
        """Drop what is still on its way, say so with the last words, and close."""
        self._inbox.close()
        self._orders.close()
        for outlet in self._outlets:
            outlet.finish()
            outlet.drop_rest()
        self._ledger.drop_pending()
        last_words = self._ledger.last_words(wall_ns())
        left_ms = 0 if self._end_ns is None else (self._end_ns - monotonic_ns()) // 1_000_000
        for outlet in self._outlets:
            outlet.close(last_words, max(_LAST_WORD_MS, left_ms))
        self._waker.close()


def _copy(pixels: Image) -> Image:
    copied = new_image(pixels.shape)
    np.copyto(copied, pixels)
    return copied
