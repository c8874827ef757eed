"""A grabber in a process of its own: what blocks for ever can be killed, and a crash is survived."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import Any

from framewire.common.clock import NS, monotonic_ns
from framewire.common.errors import Closed, SourceError
from framewire.sender.sources.capture import Shot
from framewire.sender.sources.grabber import Order, Traits
from framewire.sender.sources.patience import FIRST_NS
from framewire.sender.sources.slots import ReadSlots
from framewire.sender.sources.source import Moment

__all__ = ["Apart"]

_TICK_S = 0.2
_GRACE_S, _KILLED_S = 0.5, 1.0
"""How long the process may take to let go of its device, and to be gone once it is killed."""
_LINES, _LINE = 20, 300
"""What is kept of that which the process prints: lines, and characters of each."""

# It finds modules where this process does; the module of the program itself is never run there.
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from framewire.sender.sources.capturing import main; main(int(sys.argv[2]))"
)
# What OpenCV and FFmpeg print becomes part of a reason. With no level OpenCV leaves FFmpeg its own way
# to print errors, on stderr; with any it prints them on stdout, late.
_LOUD = {"OPENCV_LOG_LEVEL": "ERROR", "OPENCV_FFMPEG_LOGLEVEL": ""}
_IDLE = re.compile("Stream ends prematurely")
"""FFmpeg's word for the end of what has no length: no news."""


class Noise:
    """What a process prints: the last lines of it, without what must not be told."""

    def __init__(self, secret: str = "") -> None:
        self._secret = secret
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._rest = b""

    def add(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-_LINE:]
        plain = (self._plain(line) for line in lines[-_LINES:])
        self._lines.extend(line for line in plain if line and not _IDLE.match(line))

    def _plain(self, line: bytes) -> str:
        text = line.decode(errors="replace").strip()
        # FFmpeg's "[rtsp @ 0x55..] ", OpenCV's "[ WARN:0@0.1] global cap.cpp:914 open "
        text = re.sub(r"^(\[[^]]*\] ?)+(global \S+ \S+ )?", "", text)
        text = "".join(c for c in text if c.isprintable())
        if self._secret:  # last: what was left out may have stood within it
            text = text.replace(self._secret, "***")
        return text[:_LINE]

    @property
    def last(self) -> str:
        """The last line; empty if there was none."""
        return self._lines[-1] if self._lines else ""


class Apart:
    """Implements `Capture`. The thread that opens it must be the one that uses and outlives it."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._poll = select.poll()
        self._noise = Noise()
        self._data = b""
        self._fds: deque[int] = deque()
        self._came: deque[dict[str, Any]] = deque()
        self._slots: ReadSlots | None = None
        self._taken = 0

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process else None

    def open(self, stop: threading.Event) -> Traits:
        if self._process is not None:
            if self._process.poll() is None:
                raise SourceError(
                    f"its capture process {self._process.pid} cannot be killed: the driver or disk "
                    "that it waits for does not let it go"
                )
            self.close()
        try:
            self._start()
        except OSError as error:
            raise SourceError(f"no capture process can be started: {error.strerror}") from error
        until_ns = monotonic_ns() + FIRST_NS
        while not stop.is_set():
            self._hear(_TICK_S)
            if self._came:
                return Traits(**self._unless_failed(self._came.popleft())["opened"])
            if monotonic_ns() >= until_ns:
                raise SourceError(self._with_noise(f"it does not answer in {FIRST_NS // NS} s"))
        raise Closed("closed while it was opened")

    def take(self, timeout_s: float) -> Shot | None:
        newest: dict[str, Any] | None = None
        if not self._came:
            self._hear(timeout_s)
        while self._came:
            message = self._came.popleft()
            if "memory" in message:
                self._slots = self._shared(message["memory"])
            elif "picture" in message:
                newest = message
            elif newest is None:
                self._unless_failed(message)
            else:  # the last picture before that
                self._came.appendleft(message)
                break
        return None if newest is None else self._shot(newest)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        while self._fds:
            os.close(self._fds.popleft())
        self._slots = None
        self._came.clear()
        if self._process is None:
            return
        if not self._ends_in(_GRACE_S):
            self._process.kill()
            if not self._ends_in(_KILLED_S):
                return  # `open` tells of it
        assert self._process.stderr
        self._process.stderr.close()
        self._process = None

    def _shared(self, capacity: int) -> ReadSlots:
        try:
            return ReadSlots(self._fds.popleft(), capacity)
        except (IndexError, OSError) as error:  # a descriptor that does not fit is thrown away
            raise SourceError(
                "its pictures cannot be taken: too many files are open, or memory is short"
            ) from error

    # -- the process --------------------------------------------------------------------------

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-c",
                    _PROGRAM,
                    json.dumps([*map(str, sys.path)]),
                    str(theirs.fileno()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
                env={**os.environ, **_LOUD},
                start_new_session=True,  # what a terminal sends is for the parent alone
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        assert self._process.stderr
        os.set_blocking(self._process.stderr.fileno(), False)
        self._connection = ours
        self._noise, self._data, self._taken = Noise(self._order.secret), b"", 0
        self._poll = select.poll()
        for each in (ours, self._process.stderr):
            self._poll.register(each, select.POLLIN)
        order = {
            "parent": os.getpid(),
            "grabber": self._order.grabber,
            "arguments": self._order.arguments,
        }
        with suppress(OSError):  # it has ended: that is told when its end is read
            ours.sendall(json.dumps(order).encode() + b"\n")

    def _ends_in(self, seconds: float) -> bool:
        assert self._process
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    # -- what it says -------------------------------------------------------------------------

    def _hear(self, timeout_s: float) -> None:
        """Take what has come, waited for; `SourceError` for the end of the process."""
        assert self._connection
        assert self._process
        assert self._process.stderr
        ready = {fd for fd, _ in self._poll.poll(timeout_s * 1000)}
        if self._process.stderr.fileno() in ready and not self._listen():
            self._poll.unregister(self._process.stderr)  # it is closed: would be ready for ever
        if self._connection.fileno() not in ready:
            return
        try:
            data, fds, _, _ = socket.recv_fds(self._connection, 1 << 16, 4)
        except ConnectionResetError:
            data, fds = b"", []
        self._fds.extend(fds)
        if not data:
            raise SourceError(self._epitaph())
        *lines, self._data = (self._data + data).split(b"\n")
        self._came.extend(json.loads(line) for line in lines)

    def _unless_failed(self, message: dict[str, Any]) -> dict[str, Any]:
        """`SourceError` if these are its last words."""
        if "failed" not in message:
            return message
        self._ends_in(_GRACE_S)  # what it prints at its end belongs to the reason
        self._listen()
        raise SourceError(self._with_noise(message["failed"]))

    def _listen(self) -> bool:
        """Read what it has printed; False if it can print no more."""
        assert self._process
        assert self._process.stderr
        try:
            data = os.read(self._process.stderr.fileno(), 1 << 16)
        except BlockingIOError:
            return True
        self._noise.add(data)
        return bool(data)

    def _epitaph(self) -> str:
        assert self._process
        if not self._ends_in(_KILLED_S):
            return self._with_noise("its capture process says nothing any more")
        self._listen()
        code = self._process.returncode
        if code < 0:
            name = signal.strsignal(-code) or "unknown"
            return self._with_noise(f"the capture process died by signal {-code} ({name})")
        return self._with_noise(f"the capture process ended with code {code}")

    def _with_noise(self, reason: str) -> str:
        return f"{reason} ({self._noise.last})" if self._noise.last else reason

    def _shot(self, message: dict[str, Any]) -> Shot | None:
        assert self._slots
        number, shape = message["picture"], tuple(message["shape"])
        picture = (
            self._slots.pixels(number, shape)
            if shape
            else self._slots.jpeg(number, message["bytes"])
        )
        if picture is None:
            return None
        missed, self._taken = number - self._taken - 1, number
        return Shot(picture, Moment(message["wall_ns"], message["monotonic_ns"]), missed)
