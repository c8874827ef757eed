"""The program `framewire`: what must be there before anything heavy is loaded, and how it ends."""

import logging
import os
import signal
import sys
import traceback
from contextlib import suppress
from typing import NoReturn

from framewire.common import output
from framewire.common.output import Spout
from framewire.common.signals import Signals

__all__ = ["main"]

_LIVE = frozenset(("demo", "record", "relay", "replay", "send", "stats", "view", "web"))
"""Commands that move frames, and must not wait for who reads what they say."""
_PATIENCE_S = 0.5
_MOST_FILES = 65536

_log = logging.getLogger("framewire")


def main() -> NoReturn:
    """Run the command of this process's arguments, and end the process."""
    output.open_standard_streams()
    signals = Signals(say=_say)
    _ignore_what_means_nothing()
    _raise_limit_of_files()
    sys.stderr = Spout(2, "framewire-stderr")
    if set(sys.argv[1:2]) <= _LIVE:
        sys.stdout = Spout(1, "framewire-stdout", on_end=lambda error: _go_on(signals, error))
    from framewire.app.main import run

    try:
        code = run()
    except Exception:  # noqa: BLE001 - the top of the program: a defect, with all that helps to find it
        traceback.print_exc()
        code = 1
    # Not by the end of the interpreter: threads of libraries that do not end would hold it up.
    os._exit(_flushed(code))


def _say(line: str) -> None:
    """The last line."""
    print(line, file=sys.stderr)
    if isinstance(sys.stderr, Spout):
        sys.stderr.drain(_PATIENCE_S)


def _go_on(signals: Signals, error: OSError | None) -> None:
    """Nobody reads what is told: then it is over, as for other programs. On a full disk it is not."""
    if error is None:
        signals.ask()
    else:
        _log.error("cannot write to standard output: %s; going on without", error.strerror)


def _flushed(code: int) -> int:
    """Let go of what is still to be read; the exit code."""
    out, err = sys.stdout, sys.stderr
    if isinstance(out, Spout):
        out.drain(_PATIENCE_S)
        if out.error is not None:
            code = code or 1
        elif out.dropped:
            _log.warning("%d lines of output had no room: nobody read them in time", out.dropped)
    if isinstance(err, Spout):
        err.drain(_PATIENCE_S)
    return code


def _ignore_what_means_nothing() -> None:
    """SIGUSR1 triggers recordings of events; elsewhere it must not kill what it was not meant for."""
    if hasattr(signal, "SIGUSR1"):  # not SIG_IGN: children would inherit that
        signal.signal(signal.SIGUSR1, lambda number, frame: None)


def _raise_limit_of_files() -> None:
    """As many open files as this user may have: each connection of each socket is one."""
    try:
        import resource
    except ImportError:  # Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # macOS has a lower limit than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
