"""Standard output and error of a program that must not wait for who reads them.

A terminal that is held by Ctrl-S, a pipe whose reader sleeps: who writes there waits for ever. In a
program that moves frames a thread writes instead, and lines that have no room are dropped and
counted.
"""

import io
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from framewire.common.clock import NS, monotonic_ns, pause

__all__ = ["Spout", "open_standard_streams"]

_CAPACITY_BYTES = 256 * 1024
"""About a thousand lines; a pipe itself holds 64 KiB."""
_TICK_S = 0.05


class Spout(io.TextIOBase):
    """Text to a file descriptor, which a thread named `name` writes. Any thread may write.

    Whoever writes never waits: what has no room behind a reader that does not read is dropped, whole
    lines at a time. `close` writes nothing more; the thread ends. `on_end` is called, by that thread, when nothing can be written any more: with None
    where nobody can read it (the other end of a pipe was closed), else with why, as on a full disk.
    """

    encoding = "utf-8"

    def __init__(
        self,
        fd: int,
        name: str,
        *,
        on_end: Callable[[OSError | None], None] = lambda error: None,
        capacity: int = _CAPACITY_BYTES,
    ) -> None:
        super().__init__()
        self._fd, self._on_end, self._capacity = fd, on_end, capacity
        self._changed = threading.Condition()
        self._begun = ""  # a line that has not ended yet
        self._waiting: deque[bytes] = deque()
        self._bytes = 0  # waiting, and being written
        self._progress_ns = monotonic_ns()
        self._over = False
        self.dropped = 0
        """Lines that had no room behind a reader that did not read."""
        self.error: OSError | None = None
        """Why nothing can be written any more, where that is not that nobody reads it."""
        threading.Thread(target=self._pour, name=name, daemon=True).start()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def write(self, text: str, /) -> int:
        with self._changed:
            whole, newline, rest = (self._begun + text).rpartition("\n")
            self._begun = rest
            if newline:
                self._offer(whole + newline)
        return len(text)

    def close(self) -> None:
        """End the thread; what still waits is not written. May be called again."""
        super().close()
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def flush(self) -> None:
        """Have the thread write what was written; does not wait for it."""
        with self._changed:
            begun, self._begun = self._begun, ""
            if begun:
                self._offer(begun)

    def _offer(self, text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")
        if self._over:
            return
        if self._bytes + len(data) > self._capacity:
            self.dropped += max(1, text.count("\n"))
            return
        self._waiting.append(data)
        self._bytes += len(data)
        self._changed.notify_all()

    def drain(self, patience: float) -> bool:
        """Wait until all is written, as long as the reader reads something every `patience` seconds.

        Whether all is.
        """
        self.flush()
        with self._changed:
            since_ns = monotonic_ns()
            while self._bytes and not self._over:
                idle_s = (monotonic_ns() - max(since_ns, self._progress_ns)) / NS
                if idle_s >= patience:
                    return False
                self._changed.wait(patience - idle_s)
            return not self._over

    # -- the thread -----------------------------------------------------------------------------

    def _pour(self) -> None:
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._waiting or self._over)
                    if self._over:
                        return
                    data = self._waiting.popleft()
                self._put(data)
        except OSError as error:
            self._end(None if isinstance(error, BrokenPipeError) else error)

    def _put(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                written = os.write(self._fd, left)
            except BlockingIOError:  # somebody else has made it so
                pause(_TICK_S)
                continue
            left = left[written:]
            with self._changed:
                self._bytes -= written
                self._progress_ns = monotonic_ns()
                self._changed.notify_all()

    def _end(self, error: OSError | None) -> None:
        with self._changed:
            self._over, self.error = True, error
            self._waiting.clear()
            self._changed.notify_all()
        self._on_end(error)


def open_standard_streams() -> None:
    """Put something behind descriptors 0, 1 and 2 if they were closed before this program began.

    The next file or socket that is opened would get such a number, and what libraries complain of
    would go into it.
    """
    with suppress(OSError):
        fd = os.open(os.devnull, os.O_RDWR)
        while fd <= 2:
            os.set_inheritable(fd, True)
            fd = os.dup(fd)
        os.close(fd)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
