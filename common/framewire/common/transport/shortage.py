"""Open files, of which a process may have so many: each socket and each connection is one."""

import errno
import logging
import os

from framewire.common.clock import NS
from framewire.common.errors import TransportError

__all__ = ["Shortage", "check_spare_files", "refused"]

_log = logging.getLogger("framewire.transport")

_SPARE = 24
"""What a context needs at once, and more: where it gets none, libzmq 4.3.5 aborts the process
(epoll.cpp: `errno_assert`)."""
_LOOK_NS, _SAY_NS = NS, 60 * NS
_ADVICE = "too many files and connections are open on this side; allow more (ulimit -n), or close something"


def refused(error: OSError) -> TransportError:
    """What the system did not give."""
    why = _ADVICE if _is_shortage(error) else error.strerror or str(error)
    return TransportError(f"no more sockets can be opened: {why}")


def check_spare_files() -> None:
    """Raise `TransportError` if there are too few left for what cannot fail."""
    spare = [_spare()]
    try:
        while len(spare) < _SPARE:
            spare.append(os.dup(spare[0]))
    except OSError as error:
        raise refused(error) from error
    finally:
        for fd in spare:
            os.close(fd)


def _spare() -> int:
    try:
        return os.open(os.devnull, os.O_RDONLY)
    except OSError as error:
        raise refused(error) from error


class Shortage:
    """Says now and then that no connection can be taken, which libzmq does not tell."""

    def __init__(self) -> None:
        self._look_ns = self._say_ns = 0

    def look(self, now_ns: int) -> None:
        """Call it often; it looks once a second."""
        if now_ns < self._look_ns:
            return
        self._look_ns = now_ns + _LOOK_NS
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            if _is_shortage(error) and now_ns >= self._say_ns:
                self._say_ns = now_ns + _SAY_NS
                _log.error("no new connection can be taken or made: %s", _ADVICE)


def _is_shortage(error: OSError) -> bool:
    return error.errno in (errno.EMFILE, errno.ENFILE)
