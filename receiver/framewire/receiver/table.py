"""The table of `framewire stats`."""

from math import isnan
from typing import TYPE_CHECKING

from framewire.common.terminal import Stopper, megabits
from framewire.receiver.watching import arrivals, print_topics, trouble, watch

if TYPE_CHECKING:
    from rich.table import Table

    from framewire.receiver import Receiver, ReceiverStats

__all__ = ["listen", "print_figures", "show_table", "table"]

_RENEWALS_PER_S = 4


def table(stats: "ReceiverStats") -> "Table":
    """A row for each topic, in the order of their names."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    passed = ("passed by",) if stats.passed_by else ()
    columns = ("topic", "fps", "Mbit/s", "age p50", "p95", "received", "lost", *passed, "restarts")
    made = Table(*columns, "state", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    made.columns[0].overflow = "fold"
    for column in made.columns[1:-1]:
        column.justify = "right"
    for name, topic in sorted(stats.topics.items()):
        p50, p95 = topic.age_ms
        made.add_row(
            Text(name),
            f"{topic.fps:.1f}",
            megabits(topic.bits_per_s).removesuffix(" Mbit/s"),
            _milliseconds(p50),
            _milliseconds(p95),
            str(topic.received),
            str(topic.lost),
            *([str(topic.passed_by)] if passed else []),
            str(topic.restarts),
            Text(trouble(topic) or topic.state),  # a plain str would be read for markup
        )
    return made


def _milliseconds(age_ms: float) -> str:
    return "" if isnan(age_ms) else f"{age_ms:.1f} ms"


def listen(receiver: "Receiver", *, duration: float) -> bool:
    """Take frames for so many seconds, or until a signal comes; whether one came."""
    with Stopper(duration=duration) as stop:
        for _ in arrivals(receiver, stop):
            pass
        return stop.signalled


def print_figures(stats: "ReceiverStats", json: bool) -> None:
    """The figures once, for people or machines."""
    if json:
        print_topics(stats)
        return
    from rich.console import Console

    Console().print(table(stats))


def show_table(receiver: "Receiver", *, duration: float | None, json: bool) -> None:
    """The figures all the while: a table that renews itself, or JSON lines once a second."""
    if json:
        watch(receiver, duration=duration, json=True)
        return
    from rich.live import Live

    with (
        Stopper(duration=duration) as stop,
        Live(
            get_renderable=lambda: table(receiver.stats),
            refresh_per_second=_RENEWALS_PER_S,
            vertical_overflow="visible",
        ),
    ):
        for _ in arrivals(receiver, stop):
            pass
