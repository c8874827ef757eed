"""What a child that was made by `os.fork` has of its parent: objects without threads, open connections.

Only the thread that forked goes on in the child. So what was made before is of no use there, and says
so instead of waiting for ever. Connections and ports stay open, though, as long as the child holds
them: a sender's port could not be bound again, and its receivers would not notice that it is gone. So
the child closes them at once; the parent's are not touched by that.

(`multiprocessing` with "spawn" and `subprocess` have none of this: descriptors are closed on exec.)
"""

import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

from framewire.common.errors import Closed

__all__ = ["Home", "close_in_children"]


class Home:
    """The process in which an object was made."""

    __slots__ = ("_pid", "_what")

    def __init__(self, what: str) -> None:
        self._what, self._pid = what, os.getpid()

    @property
    def left(self) -> bool:
        """Whether this is another process, forked from that one."""
        return os.getpid() != self._pid

    def check(self) -> None:
        """Raise `Closed` in another process."""
        if self.left:
            raise Closed(
                f"this {self._what} was made in another process, before a fork: make one here, or "
                'start processes with multiprocessing.get_context("spawn")'
            )


_Judge = Callable[[socket.socket], bool]
_judges: list[_Judge] = []


def close_in_children(is_ours: _Judge) -> None:
    """Have a forked child close every socket that `is_ours` tells; Linux, elsewhere nothing is closed."""
    _judges.append(is_ours)


def _close() -> None:
    with suppress(OSError):
        for name in os.listdir("/proc/self/fd"):
            _close_if_ours(int(name))


def _close_if_ours(fd: int) -> None:
    try:
        looked_at = socket.socket(fileno=fd)
    except OSError:
        return  # no socket
    ours = False
    try:
        ours = any(is_ours(looked_at) for is_ours in _judges)
    except OSError:
        pass
    finally:
        looked_at.detach()
    if ours:
        os.close(fd)


if sys.platform == "linux":
    os.register_at_fork(after_in_child=_close)
