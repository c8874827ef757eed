"""How far a long command is: a bar on a terminal, lines elsewhere, or JSON."""

import sys
from typing import TYPE_CHECKING

from framewire.common.clock import NS, monotonic_ns
from framewire.common.closing import Closing
from framewire.common.terminal import LiveLine, print_json

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["Advance"]

_INTERVAL_NS = NS // 2


class Advance(Closing):
    """Tells on stderr (with `json`: on stdout) how much of `total_ns` media time is done."""

    def __init__(self, total_ns: int, *, json: bool) -> None:
        self._total_ns = total_ns
        self._json = json
        self._due_ns = monotonic_ns() + _INTERVAL_NS
        self._line = LiveLine(quiet=json)
        self._bar = _bar() if sys.stderr.isatty() and not json else None
        if self._bar:
            self._task = self._bar.add_task("", total=total_ns or None)
            self._bar.start()

    def update(self, frames: int, done_ns: int) -> None:
        """Tell, if it is time to."""
        if monotonic_ns() < self._due_ns:
            return
        self._due_ns = monotonic_ns() + _INTERVAL_NS
        done = min(1.0, done_ns / self._total_ns) if self._total_ns > 0 else None
        if self._json:
            print_json(event="progress", frames=frames, media_s=done_ns / NS, fraction=done)
        elif self._bar:
            self._bar.update(self._task, completed=done_ns, description=f"{frames} frames")
        else:
            share = "" if done is None else f", {done:.0%}"
            self._line.update(lambda: f"{frames} frames, {done_ns / NS:.1f} s{share}")

    def close(self) -> None:
        if self._bar:
            self._bar.stop()
        self._line.close()


def _bar() -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
