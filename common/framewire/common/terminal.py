"""What all commands share: how they are stopped, what they print, how they fail."""

import json
import logging
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from math import isnan
from types import FrameType
from typing import Any, TextIO

from framewire.common.clock import NS, monotonic_ns
from framewire.common.closing import Closing
from framewire.common.printable import printable

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

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_LOST = 0, 1, 2, 3

_PLAIN_INTERVAL_NS = 5 * NS
_TTY_INTERVAL_NS = NS // 5


class Stopper(Closing):
    """Ends a command on SIGINT, SIGTERM or after `duration` seconds, by calling `on_stop`.

    The calls are made in a thread of their own: a signal handler must not take locks. A second
    signal ends the process at once. Use it in the main thread.
    """

    def __init__(self, *on_stop: Callable[[], None], duration: float | None = None) -> None:
        self._signalled = False
        self._ending = threading.Event()
        self._on_stop = on_stop
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._duration = duration
        self._before = {number: signal.getsignal(number) for number in _SIGNALS}
        for number in _SIGNALS:
            signal.signal(number, self._noted)
        self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._watch, name="framewire-stopper", daemon=True)
        self._thread.start()

    @property
    def requested(self) -> bool:
        """Whether the command was asked to end."""
        return self._signalled or self._ending.is_set()

    def wait(self, seconds: float) -> bool:
        """Until it is asked to end, or for so many seconds; whether it is asked."""
        return self._ending.wait(seconds) or self._signalled

    def _noted(self, number: int, frame: FrameType | None) -> None:
        """The first signal is handled by the thread, which reads it off the wake-up socket."""
        self._signalled = True  # setting an event would take a lock
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)

    def _watch(self) -> None:
        if not self._asked():
            return
        self._ending.set()
        for call in self._on_stop:
            call()

    def _asked(self) -> bool:
        """Wait for one of our signals or the end of the time; False if `close` came first."""
        end_ns = None if self._duration is None else monotonic_ns() + round(self._duration * NS)
        while True:
            left_s = None if end_ns is None else max(0.0, (end_ns - monotonic_ns()) / NS)
            if not select.select([self._reader], [], [], left_s)[0]:
                return True
            number = self._reader.recv(1)[0]  # every signal that Python handles arrives here
            if number == _CLOSING:
                return False
            if number in _SIGNALS:
                return True

    def close(self) -> None:
        if self._writer.fileno() < 0:
            return
        signal.set_wakeup_fd(self._wakeup_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        with suppress(BlockingIOError):
            self._writer.send(bytes((_CLOSING,)))
        self._thread.join()
        self._reader.close()
        self._writer.close()


_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_CLOSING = 255  # no signal has this number


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
    print(json.dumps(plain, default=str), flush=True)


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
