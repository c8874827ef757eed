"""Watching a receiver: the loops of `view` and `record`, and what they print meanwhile."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from framewire.common.clock import NS, monotonic_ns
from framewire.common.errors import Closed, JpegError, ReceiveTimeout, SinkError
from framewire.common.printable import printable
from framewire.common.stats import Throttle
from framewire.common.terminal import LiveLine, Stopper, megabits, print_json

if TYPE_CHECKING:
    from framewire.common.frame import Packet
    from framewire.receiver import Receiver, ReceiverStats, TopicReceived

__all__ = [
    "arrivals",
    "describe",
    "print_summary",
    "print_topics",
    "problems",
    "show",
    "trouble",
    "watch",
]

_log = logging.getLogger("framewire.view")

_REASON_LENGTH = 120
"""Characters of what a sender says that fit behind a line."""
_NAME_LENGTH = 200
"""Characters of a topic in a file's name: with what stands behind it, systems take 255 bytes."""
_PROBLEMS = 5
"""Topics with trouble that a line names."""

Take = Callable[["Packet"], None]


def arrivals(
    receiver: "Receiver", stop: Stopper, *, count: int | None = None, timeout: float = 0.1
) -> Iterator["Packet | None"]:
    """Packets as they come, or None after each `timeout` seconds without one.

    Ends after `count` packets, when `stop` is asked for, or when the receiver is closed.
    """
    taken = 0
    while not stop.requested and (count is None or taken < count):
        try:
            packet = receiver.read_packet(timeout)
        except ReceiveTimeout:
            yield None
        except Closed:
            return
        else:
            taken += 1
            yield packet


def watch(
    receiver: "Receiver",
    *,
    count: int | None = None,
    duration: float | None = None,
    json: bool = False,
    take: Take = lambda packet: None,
) -> None:
    """Take packets until there were `count`, `duration` seconds are over or a signal comes."""
    figures = _Figures(receiver, json)
    with figures.line, Stopper(duration=duration) as stop:
        for packet in arrivals(receiver, stop, count=count):
            if packet is not None:
                take(packet)
            figures.update()


def show(
    receiver: "Receiver",
    *,
    count: int | None = None,
    duration: float | None = None,
    json: bool = False,
) -> None:
    """As `watch`, in a window; in the main thread only. `SinkError` where there is no display."""
    from framewire.receiver.decoder import decode
    from framewire.receiver.sinks.window import Window

    on_screen: dict[str, Packet] = {}
    figures = _Figures(receiver, json)
    with (
        Window(
            figures=figures.overlay,
            alarm=figures.alarm,
            on_snapshot=lambda topics: _save(on_screen, topics, json),
        ) as window,
        figures.line,
        Stopper(duration=duration) as stop,
    ):
        for packet in arrivals(receiver, stop, count=count, timeout=0.05):
            frame = None
            if packet is not None and window.takes(packet.topic):
                header = packet.header
                enough = window.scale(packet.topic, header.width, header.height)
                with suppress(JpegError):  # what does not decode leaves the picture as it is
                    frame = decode(packet, scale=min(enough, receiver.decode_scale))
            if packet is None or frame is None:
                window.refresh()
            else:
                if not window.paused:
                    on_screen[packet.topic] = packet
                window.write(frame)
            figures.update()
            if not window.open:
                return


def _save(on_screen: "dict[str, Packet]", topics: list[str], json: bool) -> None:
    """Snapshots of what is on the screen, into the current folder; a full disk ends no view."""
    from framewire.receiver.sinks.images import write_jpeg

    for name in topics:
        packet = on_screen[name]
        path = Path(f"{name.replace('/', '-')[:_NAME_LENGTH]}-{packet.sequence}.jpg")
        try:
            write_jpeg(path, packet)
        except SinkError as error:
            _log.error("%s", error)
            continue
        if json:
            print_json(event="snapshot", out=str(path), topic=name, sequence=packet.sequence)
        else:
            print(f"\nsaved {path}", flush=True)


def print_topics(
    stats: "ReceiverStats", more: Callable[[str], dict[str, object]] = lambda topic: {}
) -> None:
    """The figures of each topic as JSON lines, and what `more` adds to them."""
    for name, topic in stats.topics.items():
        print_json(event="figures", topic=name, **_plain(topic), **more(name))


class _Figures:
    """A receiver's figures for the terminal, the overlay and machines."""

    def __init__(self, receiver: "Receiver", json: bool) -> None:
        self._receiver, self._json = receiver, json
        self._second = Throttle(NS)
        self.line = LiveLine(quiet=json)

    def update(self) -> None:
        self.line.update(lambda: describe(self._receiver.stats))
        if self._json and self._second(monotonic_ns()):
            print_topics(self._receiver.stats)

    def overlay(self, name: str) -> str:
        topic = self._receiver.stats.topics[name]
        p50, p95 = topic.age_ms
        return (
            f"{name}  {topic.fps:.1f} fps  {megabits(topic.bits_per_s)}\n"
            f"age {p50:.0f} ms (p95 {p95:.0f})  lost {topic.lost}  skipped {topic.skipped}"
        )

    def alarm(self, name: str) -> str:
        topic = self._receiver.stats.topics[name]
        return trouble(topic)


def trouble(topic: "TopicReceived") -> str:
    """What is wrong with a topic, in a few words; nothing if pictures are coming."""
    if topic.stale:
        return f"no signal for {topic.silent_s:.0f} s"
    if topic.state != "live":
        reason = printable(topic.reason, _REASON_LENGTH)
        return f"{topic.state.replace('-', ' ')}{': ' if reason else ''}{reason}"
    return ""


def describe(stats: "ReceiverStats") -> str:
    """One line about a receiver."""
    if not stats.topics:
        return "waiting for frames"
    fps = sum(topic.fps for topic in stats.topics.values())
    bits = sum(topic.bits_per_s for topic in stats.topics.values())
    parts = [
        f"{len(stats.topics)} topic(s)",
        f"{stats.received} frames",
        f"{fps:.1f} fps",
        megabits(bits),
        f"age {stats.age_ms[0]:.0f} ms (p95 {stats.age_ms[1]:.0f})",
        f"lost {stats.lost}",
        *((f"passed by {stats.passed_by}",) if stats.passed_by else ()),
    ]
    return ", ".join(parts) + problems(stats)


def problems(stats: "ReceiverStats") -> str:
    """What is wrong with which topic, to be put behind a line; nothing if all is well."""
    found = [f"; {name}: {what}" for name, t in stats.topics.items() if (what := trouble(t))]
    more = f"; and {len(found) - _PROBLEMS} more" if len(found) > _PROBLEMS else ""
    return "".join(found[:_PROBLEMS]) + more


def _plain(topic: "TopicReceived") -> dict[str, object]:
    return {
        "received": topic.received,
        "delivered": topic.delivered,
        "skipped": topic.skipped,
        "lost": topic.lost,
        "passed_by": topic.passed_by,
        "restarts": topic.restarts,
        "state": topic.state,
        "reason": topic.reason,
        "stale": topic.stale,
        "silent_s": topic.silent_s,
        "quality": topic.quality,
        "fps": topic.fps,
        "bits_per_s": topic.bits_per_s,
        "age_p50_ms": topic.age_ms[0],
        "age_p95_ms": topic.age_ms[1],
    }


def print_summary(stats: "ReceiverStats", json: bool, **more: object) -> None:
    """What it came to, on stdout."""
    p50, p95 = stats.age_ms
    if json:
        print_json(
            event="summary",
            received=stats.received,
            received_bytes=stats.received_bytes,
            delivered=stats.delivered,
            skipped=stats.skipped,
            lost=stats.lost,
            passed_by=stats.passed_by,
            restarts=stats.restarts,
            malformed=stats.malformed,
            age_p50_ms=p50,
            age_p95_ms=p95,
            **more,
        )
        return
    recorded = f"{more['recorded']} frames recorded to {more['out']}; " if more else ""
    recorded += f"{more['unwritten']} could not be written; " if more.get("unwritten") else ""
    print(
        f"{recorded}{stats.received} frames received ({stats.received_bytes / 1e6:.1f} MB), "
        f"{stats.lost} lost, {stats.skipped} skipped, "
        + (f"{stats.passed_by} passed by, " if stats.passed_by else "")
        + f"{stats.restarts} sender restart(s), "
        f"{stats.malformed} malformed"
        + (f"; age p50 {p50:.1f} ms, p95 {p95:.1f} ms" if stats.delivered else "")
    )
