"""`Signals`: what a program does when it is asked to end, wherever it is just then.

A program is asked by SIGINT, SIGTERM or SIGHUP (a terminal that was closed; `nohup` keeps it ignored),
or by `ask`. What it does then:

| the program | the first time | again |
| --- | --- | --- |
| begins: nothing works yet | ends at once, with 0 | |
| works: a `Stopper` is there | ends what it does, within `grace` | ends at once, with 128 and the number |
| finishes: the last `Stopper` is gone | goes on, within `grace` | ends at once |

What is not done after `grace` is left as it is, with one line and exit code 1.
"""

import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from framewire.common.clock import NS, monotonic_ns
from framewire.common.closing import Closing

__all__ = ["GRACE_S", "Signals"]

GRACE_S = 3.0
"""How long what was asked to end may take."""
_SAY_S = 0.3
"""How long the last line may take: nobody may be reading it."""
_EXIT_DONE, _EXIT_FAILED = 0, 1
_ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
_ASKED, _CLOSING = 254, 255  # no signals have these numbers


class Signals(Closing):
    """Takes the signals that end a program, as long as it is open. Made and closed in the main thread.

    A thread of its own reads them, so that one comes through while the main thread waits inside a
    library. With `works` there is no beginning any more. `leave` ends the process with an exit code;
    `say` prints a line.
    """

    current: "Signals | None" = None
    """The one that is open."""

    def __init__(
        self,
        *,
        works: bool = False,
        leave: Callable[[int], object] = os._exit,
        say: Callable[[str], object] = lambda line: print(line, file=sys.stderr, flush=True),
    ) -> None:
        self._leave, self._say = leave, say
        self._lock = threading.Lock()
        self._at_work: list[Callable[[], None]] = []
        self._has_worked = works
        self._asked_at_ns: int | None = None
        self._grace_ns = round(GRACE_S * NS)
        self._noticed = False
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        before = {number: signal.getsignal(number) for number in _ENDING}
        self._before = {n: h for n, h in before.items() if not _is_nohup(n, h)}
        for number in self._before:
            signal.signal(number, self._notice)
        self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._watch, name="framewire-signals", daemon=True)
        self._thread.start()
        Signals.current = self

    @property
    def asked(self) -> bool:
        """Whether the program is to end; known in the main thread as soon as the signal came."""
        return self._noticed or self._asked_at_ns is not None

    def ask(self) -> None:
        """As a signal does. Any thread, also in a signal handler; more than once is once."""
        if not self.asked:
            self._noticed = True
            self._tell(_ASKED)

    def enter(self, ask: Callable[[], None], grace: float = GRACE_S) -> None:
        """The program works from now on: `ask` is called in another thread when it is to end.

        At once, if that is so already. It may take `grace` seconds then.
        """
        with self._lock:
            self._has_worked = True
            self._grace_ns = max(self._grace_ns, round(grace * NS))
            self._at_work.append(ask)
            asked = self._asked_at_ns is not None
        if asked:
            ask()

    def exit(self, ask: Callable[[], None]) -> None:
        """That work is over."""
        with self._lock:
            self._at_work.remove(ask)

    def _notice(self, number: int, frame: FrameType | None) -> None:
        """In the main thread. What is to be done is for the other one: this must take no lock."""
        self._noticed = True

    def _tell(self, number: int) -> None:
        with suppress(OSError):  # full: it is told already; closed: nobody asks any more
            self._writer.send(bytes((number,)))

    # -- the thread -----------------------------------------------------------------------------

    def _watch(self) -> None:
        while True:
            if not self._told(self._left_s()):
                if self._left_s() == 0:
                    self._give_up()
                continue
            for number in self._reader.recv(4096):  # every signal that Python handles arrives here
                if number == _CLOSING:
                    return
                if number == _ASKED or number in self._before:
                    self._end(number)

    def _told(self, seconds: float | None) -> bool:
        """Wait until there is something to read, or so long; whether there is."""
        if not hasattr(select, "poll"):  # Windows
            return bool(select.select([self._reader], [], [], seconds)[0])
        poll = select.poll()  # it knows descriptors above 1023
        poll.register(self._reader, select.POLLIN)
        return bool(poll.poll(None if seconds is None else round(seconds * 1000) + 1))

    def _left_s(self) -> float | None:
        if self._asked_at_ns is None:
            return None
        return max(0.0, (self._asked_at_ns + self._grace_ns - monotonic_ns()) / NS)

    def _end(self, number: int) -> None:
        with self._lock:
            again = self._asked_at_ns is not None
            if not again:
                self._asked_at_ns = monotonic_ns()
            at_work = list(self._at_work)
            begins = not self._has_worked
        if again:
            if number != _ASKED:
                self._leave(128 + number)
        elif begins:
            self._leave(_EXIT_DONE)
        for ask in at_work if not again else ():
            ask()

    def _give_up(self) -> None:
        self._asked_at_ns = None  # once
        line = f"framewire: it did not end within {self._grace_ns / NS:g} s and was left as it is"
        saying = threading.Thread(target=self._say, args=(line,), daemon=True)
        saying.start()
        saying.join(_SAY_S)
        self._leave(_EXIT_FAILED)

    def close(self) -> None:
        """Handlers are as they were. May be called again."""
        if self._writer.fileno() < 0:
            return
        Signals.current = None
        signal.set_wakeup_fd(self._wakeup_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._writer.setblocking(True)  # the thread takes what is in the way
        self._writer.send(bytes((_CLOSING,)))
        self._thread.join()
        self._reader.close()
        self._writer.close()


def _is_nohup(number: int, handler: object) -> bool:
    return number == getattr(signal, "SIGHUP", None) and handler == signal.SIG_IGN
