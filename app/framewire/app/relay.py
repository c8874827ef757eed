"""`relay`: many senders, one address. Packets pass as they are; nothing is decoded."""

import logging
import os
import threading
from collections.abc import Iterable
from typing import Annotated

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from framewire.app.metrics import RelayFigures
from framewire.common.clock import NS, monotonic_ns
from framewire.common.closing import Closing
from framewire.common.config import DEFAULT_LIMITS, Limits, limits_from
from framewire.common.errors import ReceiveTimeout, UsageError
from framewire.common.frame import MAX_HOPS, Packet, Status
from framewire.common.keyfile import StrPath
from framewire.common.monitoring import monitored
from framewire.common.options import (
    NO_KEYS,
    BindTo,
    ConnectTo,
    Duration,
    Insecure,
    Json,
    MaxPixels,
    MaxTopics,
    Metrics,
    Topics,
    Verbose,
    WithKeys,
)
from framewire.common.stats import Throttle
from framewire.common.terminal import EXIT_DONE, LiveLine, Stopper, print_json, set_up_logging
from framewire.common.topic import check_topic, wire_topic
from framewire.receiver import Receiver, ReceiverStats
from framewire.receiver.account import STALE_S
from framewire.receiver.watching import describe, print_topics
from framewire.sender import Sender, SenderStats

__all__ = ["Relay", "relay"]

_log = logging.getLogger("framewire.relay")

_TOPICS_OF_ONE = 4
_LOOK_NS = NS // 2
_JOIN_S = 2.0


class _Ways:
    """How many relays the longest way of each topic to here has, as its statuses tell. Pure.

    A frame comes twice where relays are connected in a circle, and its second coming is dropped. Its
    statuses tell of the circle: each relay in it says one more than the other, until that is too
    many. Where there is none, the longest way stays as long as it is.
    """

    def __init__(self) -> None:
        self._longest: dict[str, tuple[int, int]] = {}  # hops, when that was last heard

    def longest(self, topic: str, hops: int, now_ns: int) -> int:
        """Note a status that came through `hops` relays; the most that there were recently."""
        most, heard_ns = self._longest.get(topic, (0, now_ns))
        if hops >= most or now_ns - heard_ns > STALE_S * NS:
            self._longest[topic] = hops, now_ns
        return self._longest[topic][0]


def _divided(
    server_key: StrPath | Iterable[StrPath], upstream: int, connect: int
) -> tuple[tuple[StrPath, ...], tuple[StrPath, ...]]:
    """Whose keys are upstream, and whose downstream: one for all, or one for each."""
    keys = (server_key,) if isinstance(server_key, str | os.PathLike) else tuple(server_key)
    if len(keys) == 1:
        return keys, keys if connect else ()
    if keys and len(keys) != upstream + connect:
        raise UsageError(
            f"{len(keys)} keys for {upstream + connect} addresses to connect to: name one --server-key "
            "for all, or one for each, first those upstream, in the order of the addresses"
        )
    return keys[:upstream], keys[upstream:]


class Relay(Closing):
    """Takes the topics of many senders and offers them at one address or more.

    Topics, numbers, times and payloads do not change. Upstream only that is taken which somebody
    downstream listens to, so an idle relay costs nothing there. Who subscribes gets the last frame of
    each topic at once. What came through eight relays already is refused: it goes in a circle.

    `queue` is how many frames may wait for each receiver: as many as there are topics; by default
    four for each sender upstream.

    With keys, `key` is the relay's own on both sides; `server_key` has the keys of those upstream and
    then of those in `connect`, or one for all.

    Works in a thread of its own until `close`. Arguments and errors as for `Receiver` and `Sender`.
    """

    def __init__(
        self,
        upstream: Iterable[str],
        bind: Iterable[str] = (),
        *,
        connect: Iterable[str] = (),
        topics: Iterable[str] = (),
        queue: int | None = None,
        key: StrPath | None = None,
        allow: StrPath | None = None,
        server_key: StrPath | Iterable[StrPath] = (),
        insecure: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        upstream, connect = tuple(upstream), tuple(connect)
        above, below = _divided(server_key, len(upstream), len(connect))
        self._allowed = [wire_topic(check_topic(name)) for name in topics] or [b""]
        self.refused = 0
        """Messages that went in a circle."""
        self._complaints = Throttle()
        self._silent: set[str] = set()
        self._ways = _Ways()
        self._look_ns = 0
        self._failure: Exception | None = None
        self._receiver = Receiver(
            *upstream,
            topics=None,
            keep="all",
            statuses=True,
            key=key,
            server_key=above,
            limits=limits,
        )
        try:
            self._sender = Sender(
                *bind,
                connect=connect,
                when_full="newest",
                queue=queue or min(1024, _TOPICS_OF_ONE * len(upstream)),
                repeat=True,
                key=key,
                allow=allow,
                server_key=below,
                insecure=insecure,
                limits=limits,
            )
        except BaseException:
            self._receiver.close()
            raise
        self._sender.on_audience = self._select
        self._select()
        self._thread = threading.Thread(target=self._run, name="framewire-relay", daemon=True)
        self._thread.start()

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The addresses downstream."""
        return self._sender.endpoints

    @property
    def stats(self) -> tuple[ReceiverStats, SenderStats]:
        """Figures upstream and downstream."""
        return self._receiver.stats, self._sender.stats

    def check(self) -> None:
        """Raise what ended it, if something did."""
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """End it; topics end downstream. May be called again."""
        self._receiver.close()
        self._thread.join(_JOIN_S)
        self._sender.close()

    def _select(self) -> None:
        """Take upstream what is wanted downstream."""
        self._receiver.select(
            max(prefix, allowed, key=len)
            for prefix in self._sender.demand
            for allowed in self._allowed
            if prefix.startswith(allowed) or allowed.startswith(prefix)
        )

    def _run(self) -> None:
        try:
            while not self._passed_on_all():
                self._look()
        except Exception as error:  # noqa: BLE001 - the top of this thread: who runs it asks
            self._failure = error

    def _passed_on_all(self) -> bool:
        """Pass on what comes until nothing does for a while, or it is closed; whether it is."""
        try:
            for message in self._receiver.messages(_LOOK_NS / NS):
                self._pass_on(message)
                self._look()
            return True
        except ReceiveTimeout:
            return False

    def _pass_on(self, message: Packet | Status) -> None:
        header = message.header if isinstance(message, Packet) else message
        if header.hops >= MAX_HOPS:
            self._refuse(header.topic)
            return
        if header.topic in self._silent:
            self._silent.discard(header.topic)
            self._sender.announce("live", topic=header.topic)
        if isinstance(message, Packet):
            counted = msgspec.structs.replace(message.header, hops=header.hops + 1)
            self._sender.forward(Packet(counted, message.payload))
        else:
            hops = self._ways.longest(message.topic, header.hops + 1, monotonic_ns())
            self._sender.forward(msgspec.structs.replace(message, hops=hops))

    def _refuse(self, topic: str) -> None:
        self.refused += 1
        if self._complaints(monotonic_ns()):
            _log.warning(
                "%s came through %d relays: relays are connected in a circle; take one out",
                topic,
                MAX_HOPS,
            )

    def _look(self) -> None:
        """Now and then, say downstream which topics nothing is heard of any more."""
        now_ns = monotonic_ns()
        if now_ns < self._look_ns:
            return
        self._look_ns = now_ns + _LOOK_NS
        for name, topic in self._receiver.stats.topics.items():
            if topic.stale and name not in self._silent:
                self._silent.add(name)
                self._sender.announce("no-signal", "its sender is not heard any more", topic=name)


def relay(
    *,
    upstream: Annotated[list[str] | None, Parameter(name="--from", negative="")] = None,
    bind: BindTo = None,
    connect: ConnectTo = None,
    topic: Topics = None,
    queue: Annotated[int | None, Parameter(validator=Number(gte=1, lte=1024))] = None,
    duration: Duration = None,
    max_topics: MaxTopics = None,
    max_pixels: MaxPixels = None,
    metrics: Metrics = None,
    keys: WithKeys = NO_KEYS,
    insecure: Insecure = False,
    json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Offer the topics of many senders at one address, without decoding anything.

    Parameters
    ----------
    upstream
        A sender to take from, as in tcp://lab-pi:5555; may be repeated.
    queue
        Frames that may wait for each receiver: as many as there are topics. Default: four for each
        sender.
    """
    set_up_logging(verbose=verbose)
    if not upstream:
        raise UsageError("nothing to relay: name one sender or more with --from")
    with Relay(
        upstream,
        bind or (),
        connect=connect or (),
        topics=topic or (),
        queue=queue,
        **keys.given,
        insecure=insecure,
        limits=limits_from(max_topics, max_pixels),
    ) as running:
        figures = RelayFigures(running)
        with monitored(metrics, "relay", figures, insecure=insecure, json=json) as told:
            _watch(running, duration, json=json, told=told)
        received, sent = running.stats
    if json:
        print_json(
            event="summary",
            received=received.received,
            lost=received.lost,
            sent=sent.sent,
            encoded=sent.encoded,
            refused=running.refused,
        )
    else:
        print(
            f"{len(received.topics)} topic(s), {received.received} frames received, "
            f"{received.lost} lost, {sent.sent} sent, {running.refused} refused"
        )
    return EXIT_DONE


def _watch(running: Relay, duration: float | None, *, json: bool, told: dict[str, str]) -> None:
    """Show figures until the time is over or a signal comes."""
    addresses = ", ".join(running.endpoints)

    def figures() -> str:
        received, sent = running.stats
        return f"{addresses}: {sent.receivers} receiver(s), {describe(received)}"

    line, second = LiveLine(quiet=json), Throttle()
    with line, Stopper(duration=duration) as stop:
        if json:
            print_json(event="ready", endpoints=list(running.endpoints), **told)
        while not stop.wait(0.1):
            running.check()
            line.update(figures)
            if json and second(monotonic_ns()):
                print_topics(running.stats[0])
