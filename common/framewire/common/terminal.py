"""What all commands share: how they are stopped, what they print, how they fail."""

import json
import logging
import sys
import threading
from collections.abc import Callable
from math import isnan
from typing import Any, TextIO

from framewire.common.clock import NS, monotonic_ns
from framewire.common.closing import Closing
from framewire.common.printable import printable
from framewire.common.signals import GRACE_S, Signals

__all__ = [
    "EXIT_DONE",
    "EXIT_FAILED",
    "EXIT_LOST",
    "EXIT_USAGE",
    "LiveLine",
    "Stopper",
    "megabits",
    "print_json",
    "set_up_logging",
]

_log = logging.getLogger("framewire")

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_LOST = 0, 1, 2, 3

_PLAIN_INTERVAL_NS = 5 * NS
_TTY_INTERVAL_NS = NS // 5


class Stopper(Closing):
    """Ends a command when the program is asked to end or after `duration` seconds, by `on_stop`.

    The calls are made in a thread of their own: a signal handler must not take locks. What the
    program does besides is told in `framewire.common.signals`: the command has `grace` seconds to
    end, and a second signal ends the process at once. Use it in the main thread.
    """

    def __init__(
        self,
        *on_stop: Callable[[], None],
        duration: float | None = None,
        grace: float = GRACE_S,
    ) -> None:
        self._asked, self._ending = threading.Event(), threading.Event()
        self._open = True
        self._on_stop = on_stop
        self._duration = duration
        self._own = Signals(works=True) if Signals.current is None else None
        signals = self._own or Signals.current
        assert signals is not None
        self._signals = signals
        self._thread = threading.Thread(target=self._watch, name="framewire-stopper", daemon=True)
        self._thread.start()
        self._signals.enter(self._asked.set, grace)

    @property
    def requested(self) -> bool:
        """Whether the command was asked to end."""
        return self._signals.asked or self._ending.is_set()

    @property
    def signalled(self) -> bool:
        """Whether it was by a signal, and not because the time is over."""
        return self._signals.asked

    def wait(self, seconds: float) -> bool:
        """Until it is asked to end, or for so many seconds; whether it is asked."""
        return self._ending.wait(seconds) or self._signals.asked

    def _watch(self) -> None:
        self._asked.wait(self._duration)
        if not self._open:
            return
        self._ending.set()
        for call in self._on_stop:
            try:
                call()
            except Exception:  # noqa: BLE001 - the top of this thread; what else is to end still does
                _log.exception("not everything could be ended")

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        self._signals.exit(self._asked.set)
        self._asked.set()
        self._thread.join()
        if self._own is not None:
            self._own.close()


class LiveLine(Closing):
    """One line of figures on stderr: renewed in place on a terminal, else printed now and then."""

    def __init__(self, *, quiet: bool = False, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._quiet = quiet
        self._tty = self._out.isatty()
        self._due_ns = 0
        self._open = False

    def update(self, text: Callable[[], str]) -> None:
        """Print what `text` gives, if it is time to."""
        now_ns = monotonic_ns()
        if self._quiet or now_ns < self._due_ns:
            return
        self._due_ns = now_ns + (_TTY_INTERVAL_NS if self._tty else _PLAIN_INTERVAL_NS)
        line = printable(text())
        print(f"\r\x1b[2K{line}" if self._tty else line, end="", file=self._out)
        print(end="" if self._tty else "\n", file=self._out, flush=True)
        self._open = self._tty

    def close(self) -> None:
        if self._open:
            print(file=self._out, flush=True)
            self._open = False


def print_json(**fields: object) -> None:
    """One JSON object on a line of its own, on stdout; nan becomes null."""
    plain = {k: None if isinstance(v, float) and isnan(v) else v for k, v in fields.items()}
    sys.stdout.write(json.dumps(plain, default=str) + "\n")  # in one piece
    sys.stdout.flush()


def megabits(bits_per_s: float) -> str:
    """A bit rate for people."""
    return f"{bits_per_s / 1e6:.1f} Mbit/s"


class _Lines(logging.Formatter):
    """A line for each record, whatever its message quotes."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        return "\n".join(map(printable, super().formatException(ei).split("\n")))


def set_up_logging(*, verbose: bool) -> None:
    """Log lines on stderr; warnings and worse, or everything with `verbose`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines("framewire: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.DEBUG if verbose else logging.WARNING)
