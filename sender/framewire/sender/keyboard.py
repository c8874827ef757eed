"""Single keys from the terminal, while a command runs."""

import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import TextIO

from framewire.common.closing import Closing

__all__ = ["Keyboard"]

termios: ModuleType | None
try:
    import termios
except ImportError:  # Windows: no keys there
    termios = None

_TICK_S, _JOIN_S = 0.2, 1.0
_KEYS = {
    b"\x1b[C": "right",
    b"\x1bOC": "right",
    b"\x1b[D": "left",
    b"\x1bOD": "left",
}
"""What terminals send for arrow keys, in their two modes (ECMA-48; xterm's "cursor keys")."""


class Keyboard(Closing):
    """Calls `on_key` with each key pressed, and `on_tick` a few times a second.

    Both are called in a thread of its own. Keys are characters, or ``left`` and ``right``. Only
    if they are `wanted`, and where `stream` is a terminal that this process may use; elsewhere `active` is False and nothing
    happens. Keys are not echoed meanwhile; `close` puts the terminal back as it was, and must
    be called however the command ends.
    """

    def __init__(
        self,
        on_key: Callable[[str], None],
        on_tick: Callable[[], None] = lambda: None,
        stream: TextIO | None = None,
        *,
        wanted: bool = True,
    ) -> None:
        self._on_key, self._on_tick = on_key, on_tick
        self._closing = threading.Lock()
        self._fd = _terminal(stream or sys.stdin) if wanted else None
        self.active = self._fd is not None
        """Whether keys are read."""
        if self._fd is None:
            return
        self._before = _settings(self._fd)
        _set(self._fd, _unbuffered(self._before))
        self._wake, self._woken = os.pipe()
        self._thread = threading.Thread(target=self._read, name="framewire-keyboard", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Put the terminal back. From any thread; may be called again."""
        with self._closing:
            if not self.active or self._fd is None:
                return
            self.active = False
            _set(self._fd, self._before)
        os.close(self._woken)  # the thread sees the end of the pipe
        if self._thread is not threading.current_thread():
            self._thread.join(_JOIN_S)  # it may print to a terminal that is held by Ctrl-S

    def _read(self) -> None:
        try:
            self._read_keys()
        finally:
            os.close(self._wake)

    def _read_keys(self) -> None:
        assert self._fd is not None
        while self.active:
            ready = select.select([self._fd, self._wake], [], [], _TICK_S)[0]
            if self._wake in ready:
                return
            if self._fd in ready and _is_ours(self._fd):
                pressed = os.read(self._fd, 64)
                if not pressed:
                    return  # the terminal is gone
                for key in _keys(pressed):
                    self._on_key(key)
            self._on_tick()


def _terminal(stream: TextIO) -> int | None:
    """The file descriptor of a terminal that we may read from, or None."""
    try:
        fd = stream.fileno()
        return fd if termios is not None and os.isatty(fd) and _is_ours(fd) else None
    except (
        AttributeError,
        OSError,
        ValueError,
    ):  # no stream, a closed one, or none of the system's
        return None


def _is_ours(fd: int) -> bool:
    """Whether we are in the foreground: who reads or sets a terminal from behind is stopped."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False


def _settings(fd: int) -> list[object]:
    assert termios is not None
    return list(termios.tcgetattr(fd))


def _unbuffered(settings: list[object]) -> list[object]:
    """Each key at once, without echo; Ctrl-C and Ctrl-Z stay what they are."""
    assert termios is not None
    changed = list(settings)
    flags = changed[3]
    assert isinstance(flags, int)
    changed[3] = flags & ~(termios.ICANON | termios.ECHO)
    return changed


def _set(fd: int, settings: list[object]) -> None:
    """Also from the background, where SIGTTOU would stop the process."""
    assert termios is not None
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        termios.tcsetattr(fd, termios.TCSANOW, settings)  # others wait for output to drain
    except termios.error:  # the terminal is gone: nothing is left to be put back
        pass
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _keys(pressed: bytes) -> list[str]:
    """What one read gave, key by key."""
    keys = []
    while pressed:
        sequence = next((each for each in _KEYS if pressed.startswith(each)), None)
        if sequence is not None:
            keys.append(_KEYS[sequence])
        elif pressed[:1].isascii():
            keys.append(pressed[:1].decode())
        pressed = pressed[len(sequence or b"x") :]
    return keys
