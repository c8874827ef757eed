"""The newest packet of each topic, for any number of viewers in one event loop."""

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from framewire.app.web.limits import LIMITS, Limits
from framewire.common.clock import NS, monotonic_ns, wall_ns
from framewire.common.closing import Closing
from framewire.common.errors import Closed
from framewire.common.frame import Packet
from framewire.common.newest import Newest
from framewire.common.topic import wire_topic
from framewire.receiver import Receiver, ReceiverStats, TopicReceived
from framewire.receiver.account import STALE_S

__all__ = ["Hub", "Look", "Stream"]

_log = logging.getLogger("framewire.web")

_GLANCE_S = 5.0
_TICK_S = 0.25
_JOIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Stream:
    """What there is to say of a topic now."""

    topic: str
    state: str
    """That of its sender (``live``, ``no-signal``, ``ended``), or ``stale``: no word of it."""
    reason: str
    since_ns: int
    """Wall clock since when it is so."""
    received: TopicReceived
    newest: Packet | None


class Look:
    """A viewer's place at the hub; of one event loop."""

    def __init__(self, hub: "Hub", topic: str) -> None:
        self._hub = hub
        self._topic = topic
        self._had: Packet | None = None
        self._acknowledged = asyncio.Event()
        self.arrived = asyncio.Event()

    def acknowledge(self) -> None:
        """The viewer has done with what it had."""
        self._acknowledged.set()

    async def acknowledged(self) -> None:
        """Wait for that."""
        await self._acknowledged.wait()
        self._acknowledged.clear()

    async def next(self, timeout: float | None = None) -> Packet | None:
        """The newest packet, once there is one that this viewer has not had.

        None after `timeout` seconds without; `Closed` when the hub is.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while (packet := self._hub.newest(self._topic)) is self._had or packet is None:
                    if self._hub.closed:
                        raise Closed("the server stops")
                    self.arrived.clear()
                    await self.arrived.wait()
                self._had = packet
                return packet
        return None


class Hub(Closing):
    """Takes packets from a receiver as long as somebody looks, and keeps the newest of each topic.

    `receiver` is the hub's own, made with ``topics=None`` and ``keep="newest"``: its topics follow
    those who look. With `warm`, everything is taken all the time. Make and use it in an event loop;
    one thread of its own reads. What comes faster than the loop takes it is passed over.
    """

    def __init__(self, receiver: Receiver, *, warm: bool = False, limits: Limits = LIMITS) -> None:
        self.failure: Exception | None = None
        """What ended it, if something did."""
        self._receiver, self._limits = receiver, limits
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._arrived = Newest()
        self._newest = Newest()
        self._looks: dict[str, set[Look]] = {}
        self._wanted: Counter[bytes] = Counter()
        self._states: dict[str, tuple[str, str, int]] = {}
        self._ended = asyncio.Event()
        self._wanted_ns: dict[bytes, int] = {}
        self._glances: dict[bytes, float] = {}  # until when, by the loop's clock
        if warm:
            self._want(b"")
        self._ticker = self._loop.create_task(self._tick())
        self._thread = threading.Thread(target=self._read, name="framewire-hub", daemon=True)
        self._thread.start()

    # -- those who look -------------------------------------------------------------------------

    @contextmanager
    def look(self, topic: str) -> Iterator[Look]:
        """Have a topic taken, and be told of what arrives, as long as the block lasts."""
        look, prefix = Look(self, topic), wire_topic(topic)
        self._looks.setdefault(topic, set()).add(look)
        self._want(prefix)
        try:
            yield look
        finally:
            self._unwant(prefix)
            self._looks[topic].discard(look)
            if not self._looks[topic]:
                del self._looks[topic]

    def glance(self, topic: str | None = None) -> None:
        """Have a topic, or all, taken for some seconds: by those who ask again and again.

        Of more topics at a time than are allowed, no more are taken.
        """
        prefix = b"" if topic is None else wire_topic(topic)
        if prefix not in self._glances:
            if topic is not None and len(self._glances) > self._limits.glances:
                return
            self._want(prefix)
        self._glances[prefix] = self._loop.time() + _GLANCE_S

    def newest(self, topic: str) -> Packet | None:
        """What arrived last of a topic that is taken; None before the first."""
        return self._newest.get(topic)

    def streams(self) -> list[Stream]:
        """All topics that were ever seen, by name."""
        return self.report()[1]

    def report(self) -> tuple[ReceiverStats, list[Stream]]:
        """The receiver's figures, and `streams` of the same moment."""
        stats = self._receiver.stats
        topics = stats.topics
        self._judge(topics)
        return stats, [
            Stream(name, *self._states[name], topics[name], self._newest.get(name))
            for name in sorted(topics)
        ]

    @property
    def closed(self) -> bool:
        """Whether nothing comes any more."""
        return self._ended.is_set()

    async def wait(self, seconds: float) -> None:
        """So long, but not beyond the end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()

    @property
    def viewers(self) -> int:
        """How many look now."""
        return sum(map(len, self._looks.values()))

    def _want(self, prefix: bytes) -> None:
        self._wanted[prefix] += 1
        if self._wanted[prefix] == 1:
            self._wanted_ns[prefix] = monotonic_ns()
            self._receiver.select(self._wanted.keys())

    def _unwant(self, prefix: bytes) -> None:
        self._wanted[prefix] -= 1
        if not self._wanted[prefix]:
            del self._wanted[prefix], self._wanted_ns[prefix]
            self._receiver.select(self._wanted.keys())
            for name in [name for name in self._newest if not self._is_wanted(name)]:
                del self._newest[name]  # the next viewer is not shown an old picture

    def _is_wanted(self, name: str) -> bool:
        return any(wire_topic(name).startswith(prefix) for prefix in self._wanted)

    # -- states -----------------------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self._look_away()
            if self._wanted:
                self._judge(self._receiver.stats.topics)

    def _look_away(self) -> None:
        """From those topics for which nobody asks any more."""
        now_s = self._loop.time()
        for prefix in [prefix for prefix, until_s in self._glances.items() if until_s < now_s]:
            del self._glances[prefix]
            self._unwant(prefix)

    def _judge(self, topics: dict[str, TopicReceived]) -> None:
        """Note when a topic's state changed, and let go of the picture of one that is not live."""
        for name, topic in topics.items():
            state: str = topic.state
            reason, since_ns = topic.reason, wall_ns()
            if self._is_silent(name, topic) and state != "ended":
                state, reason = "stale", ""
                since_ns -= round(topic.silent_s * NS)
            before = self._states.get(name)
            if before is None or before[:2] != (state, reason):
                self._states[name] = state, reason, since_ns
            if state != "live":
                self._newest.pop(name, None)  # nobody is shown an old picture as new

    def _is_silent(self, name: str, topic: TopicReceived) -> bool:
        """Nothing came for a while, although it was asked for all the time."""
        part = wire_topic(name)
        began = [ns for prefix, ns in self._wanted_ns.items() if part.startswith(prefix)]
        asked_s = (monotonic_ns() - min(began)) / NS if began else 0.0
        return min(topic.silent_s, asked_s) > STALE_S

    # -- the thread that reads --------------------------------------------------------------------

    def _read(self) -> None:
        try:
            for packet in self._receiver.packets():
                with self._lock:
                    waits = bool(self._arrived)
                    self._arrived[packet.topic] = packet
                if not waits:
                    self._call(self._take)
        except Exception as error:  # noqa: BLE001 - the top of this thread: who runs it asks
            self.failure = error
        self._call(self._end)

    def _call(self, function: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody looks any more
            self._loop.call_soon_threadsafe(function)

    def _take(self) -> None:
        with self._lock:
            arrived, self._arrived = self._arrived, Newest()
        for name, packet in arrived.items():
            if packet.header.codec != "jpeg":
                continue  # browsers do not know raw pixels
            if self._is_wanted(name):
                self._newest[name] = packet
            for look in self._looks.get(name, ()):
                look.arrived.set()

    def _end(self) -> None:
        """Tell those who look that nothing comes any more."""
        self._ended.set()
        for looks in self._looks.values():
            for look in looks:
                look.arrived.set()

    def close(self) -> None:
        """Stop reading; the receiver is closed. May be called again."""
        self._end()
        self._ticker.cancel()
        self._receiver.close()
        self._thread.join(_JOIN_S)
