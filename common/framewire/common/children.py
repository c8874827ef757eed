"""Processes of our own that end with this one, however it ends: also by `kill -9`.

A child's standard input is a pipe that this process holds open and never writes to. Its end tells
the child that its parent is gone, on every system; Linux's "parent death signal" would tell it when
the *thread* that started it ends, which is not the same.

    python -m framewire.common.children MODULE ARGUMENTS    as `python -m MODULE ARGUMENTS`, with that
"""

import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import IO
from weakref import WeakSet

from framewire.common.clock import pause
from framewire.common.closing import Closing
from framewire.common.errors import FramewireError

__all__ = ["Child", "end_with_parent"]

_GRACE_S = 3.0
"""As long as any of our commands takes to end properly."""


class Child(Closing):
    """A Python module that runs as a program of its own, as with ``python -m``, until `close`.

    It is asked to end (SIGTERM) when this process is gone, and killed 3 seconds later. Ctrl-C in the
    terminal does not reach it: what it means for the child is for this process to say. `stdout` is
    as for `subprocess.Popen`; `pass_fds` are descriptors that it gets, where the system can do that.

    Any thread may call the methods. Raises `FramewireError` if it cannot be started.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        stdout: int | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        command = [sys.executable, "-m", "framewire.common.children", module, *arguments]
        try:
            self.process: subprocess.Popen[bytes] = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=stdout,
                pass_fds=pass_fds,
                process_group=None if sys.platform == "win32" else 0,
            )
            _children.add(self)
        except OSError as error:
            raise FramewireError(
                f"no other process could be started: {error.strerror}; that is this machine's limit "
                "of processes, memory or open files"
            ) from error

    @property
    def output(self) -> IO[bytes]:
        """What it writes, where `stdout` is ``subprocess.PIPE``."""
        assert self.process.stdout is not None
        return self.process.stdout

    def stop(self) -> None:
        """Ask it to end; does not wait."""
        with suppress(ProcessLookupError):
            self.process.terminate()

    def close(self, grace: float = 0.0) -> None:
        """Let it end within `grace` seconds if it was asked to, then kill it. May be called again."""
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


_children: WeakSet[Child] = WeakSet()


def _let_go() -> None:
    """In a forked child of this process: children end with this one, not with that."""
    for child in list(_children):
        for stream in (child.process.stdin, child.process.stdout):
            if stream is not None:
                stream.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


def end_with_parent() -> None:
    """In a `Child`: see to it that this process ends when its parent is gone.

    What runs here finds its standard input empty.
    """
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(
        target=_watch, args=(lifeline,), name="framewire-lifeline", daemon=True
    ).start()


def _watch(lifeline: int) -> None:
    while os.read(lifeline, 1):  # nothing is ever written
        continue
    os.kill(os.getpid(), signal.SIGTERM)
    pause(_GRACE_S)
    os._exit(1)  # whatever holds it up: nobody waits for its outcome any more


def _main() -> None:
    del sys.argv[0]
    end_with_parent()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
