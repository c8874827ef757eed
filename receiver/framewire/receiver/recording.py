"""The loop of `record`, and what it says meanwhile: progress for people, events for machines."""

from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from framewire.common.amount import bytes_text, duration_text
from framewire.common.clock import NS, monotonic_ns
from framewire.common.stats import Rate, Throttle
from framewire.common.terminal import LiveLine, Stopper, megabits, print_json
from framewire.receiver.sinks.books import FileEvent, RecorderStats
from framewire.receiver.watching import arrivals, describe, print_summary, print_topics, problems

if TYPE_CHECKING:
    from framewire.common.frame import Packet
    from framewire.receiver import Receiver, Recorder
    from framewire.receiver.sinks import Sink
    from framewire.receiver.triggers import Triggers

__all__ = ["Report", "progress", "take_all"]

_RATE_NS = 10 * NS


def take_all(
    receiver: "Receiver",
    sink: "Sink[Packet]",
    report: "Report",
    *,
    count: int | None = None,
    duration: float | None = None,
) -> None:
    """Record until there were `count` packets, `duration` seconds are over or a signal comes."""
    with report.line, Stopper(duration=duration) as stop:
        report.ready()
        for packet in arrivals(receiver, stop, count=count):
            if packet is not None:
                sink.write(packet)
            report.update()


class Report:
    """What is told of a recording, and what triggers are handed on. `files` takes from any thread."""

    def __init__(
        self,
        receiver: "Receiver",
        json: bool,
        triggers: "Triggers | None" = None,
        *,
        limited: bool = False,
    ) -> None:
        self._receiver, self._json, self._limited = receiver, json, limited
        self._triggers = triggers
        self._sink: Sink[Packet] | None = None
        self._recorder: Recorder | None = None
        self._second = Throttle(NS)
        self._rate = Rate(_RATE_NS)
        self._seen_bytes = 0
        self._trouble = ""
        self.line = LiveLine(quiet=json)
        self.files: SimpleQueue[FileEvent] = SimpleQueue()

    def of(self, sink: "Sink[Packet]") -> None:
        """Tell of this sink from now on; of its disk only if it is a recorder."""
        from framewire.receiver.sinks.recorder import Recorder

        self._sink = sink
        self._recorder = sink if isinstance(sink, Recorder) else None

    @property
    def recovered(self) -> bool:
        """Whether all was well with the disk at the end."""
        return self._recorder is not None and not self._recorder.stats.trouble

    def ready(self) -> None:
        """Say where triggers are taken."""
        if self._triggers is not None and self._json:
            print_json(event="ready", triggers=self._triggers.addresses)

    def _hand_on(self) -> None:
        """Each trigger begins an event, or makes the one that lasts longer."""
        if self._triggers is None or self._recorder is None:
            return
        for by in self._triggers.taken():
            self._recorder.trigger()
            if self._json:
                print_json(event="trigger", by=by, number=self._recorder.stats.events)

    def update(self) -> None:
        """Hand triggers on, and say what is due; call it often."""
        self._hand_on()
        stats = None if self._recorder is None else self._recorder.stats
        self.line.update(lambda: self._text(stats))
        if self._json:
            self.events()
            self._tell_trouble(stats)
            if self._second(monotonic_ns()):
                print_topics(self._receiver.stats, lambda topic: _figures(topic, stats))

    def events(self) -> None:
        """Print what happened to files as JSON lines."""
        for each in _taken(self.files):
            print_json(
                event="segment",
                state=each.state,
                file=str(each.path),
                topic=each.topic,
                frames=each.frames,
                bytes=each.bytes,
                **({"trigger": each.event} if each.event else {}),
            )

    def end(self, out: Path) -> None:
        """The summary."""
        frames = getattr(self._sink, "frames", 0)
        more: dict[str, object] = {"recorded": frames, "out": str(out)}
        if self._recorder is not None:
            stats = self._recorder.stats
            more["unwritten"] = sum(stats.unwritten.values())
            if self._triggers is not None:
                more["events"] = stats.events
        if self._json:
            self.events()
        print_summary(self._receiver.stats, self._json, **more)

    def _tell_trouble(self, stats: RecorderStats | None) -> None:
        trouble = stats.trouble if stats else ""
        if bool(trouble) != bool(self._trouble):
            state = "failing" if trouble else "well"
            print_json(event="disk", state=state, reason=trouble or self._trouble)
        self._trouble = trouble

    def _text(self, stats: RecorderStats | None) -> str:
        now_ns = monotonic_ns()
        if stats is None:
            return describe(self._receiver.stats)
        self._rate.add(now_ns, stats.payload_bytes - self._seen_bytes)
        self._seen_bytes = stats.payload_bytes
        bytes_per_s = self._rate.amount(now_ns)
        heard = self._receiver.stats
        if not heard.topics:
            return "waiting for frames"
        line = progress(
            stats, bytes_per_s, topics=len(heard.topics), lost=heard.lost, limited=self._limited
        )
        return line + problems(heard)


def progress(
    stats: RecorderStats, bytes_per_s: float, *, topics: int, lost: int, limited: bool = False
) -> str:
    """One line about a recording; `limited` if old files make room for new ones."""
    unwritten = sum(stats.unwritten.values())
    parts = [
        f"{topics} topic(s)",
        f"{sum(stats.recorded.values())} frames",
        bytes_text(stats.payload_bytes),
        megabits(8 * bytes_per_s),
        f"lost {lost}",
    ]
    if unwritten:
        parts.append(f"unwritten {unwritten}")
    free = stats.disk_free_bytes
    if free is not None and bytes_per_s > 0 and not limited:
        parts.append(f"disk free for {duration_text(free / bytes_per_s)}")
    elif free is not None:
        parts.append(f"disk free {bytes_text(free)}")
    return ", ".join(parts) + (f"; {stats.trouble}" if stats.trouble else "")


def _figures(topic: str, stats: RecorderStats | None) -> dict[str, object]:
    if stats is None:
        return {}
    return {
        "recorded": stats.recorded.get(topic, 0),
        "unwritten": stats.unwritten.get(topic, 0),
        "disk_free_bytes": stats.disk_free_bytes,
    }


def _taken(files: "SimpleQueue[FileEvent]") -> Iterator[FileEvent]:
    while True:
        try:
            yield files.get_nowait()
        except Empty:
            return
