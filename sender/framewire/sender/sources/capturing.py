"""The capture process: opens one device and writes its pictures into shared memory.

It does what may block for ever or crash, and nothing else, so that its parent can kill it. Its parent
starts it with one end of a connection; each message is a line of JSON:

| to the process | |
| --- | --- |
| `parent` `grabber` `arguments` | the order, once |

| from the process | |
| --- | --- |
| `opened` | what is known of the device (`Traits`) |
| `memory` | bytes of a slot; the memory itself comes with the message (SCM_RIGHTS) |
| `picture` `bytes` `shape` `wall_ns` `monotonic_ns` | a picture is in its slot; without a shape, a JPEG |
| `failed` | why it ends |

The messages of pictures are left out while the parent takes none; pictures are overwritten then. The
connection's end means that the parent wants no more, or is gone.
"""

import ctypes
import dataclasses
import json
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from typing import Any

from framewire.common.clock import monotonic_ns, wall_ns
from framewire.common.errors import FramewireError
from framewire.common.frame import Image
from framewire.sender.sources.grabber import Grabber, Order
from framewire.sender.sources.slots import WriteSlots

__all__ = ["main"]

_GRACE_S = 0.3
"""How long after the connection's end a device may take to be released."""
_PR_SET_PDEATHSIG = 1
_LEAST_JPEG = 1 << 20
"""Room that is made for JPEG files at once: the next one may be larger."""


class Line:
    """The connection to the parent."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""
        self.ended = threading.Event()

    def order(self) -> dict[str, Any]:
        with self._connection.makefile("rb") as file:
            order: dict[str, Any] = json.loads(file.readline())
        return order

    def watch(self) -> None:
        """Wait for the parent's end, in a thread; then end, too, however the device blocks."""
        with suppress(ConnectionResetError):
            self._connection.recv(1)
        self.ended.set()
        threading.Event().wait(_GRACE_S)
        os._exit(0)

    def say(self, message: dict[str, Any], fds: tuple[int, ...] = ()) -> None:
        """Waits until the parent takes it."""
        whole = self._rest + json.dumps(message).encode() + b"\n"
        self._rest = b""
        sent = socket.send_fds(self._connection, [whole], fds)
        self._connection.sendall(whole[sent:])

    def mention(self, message: dict[str, Any]) -> None:
        """Leaves it out if the parent takes none now."""
        whole = self._rest or json.dumps(message).encode() + b"\n"
        try:
            sent = self._connection.send(whole, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        self._rest = whole[sent:]


class Writer:
    """Puts pictures into slots, and says so."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._slots: WriteSlots | None = None
        self._shape: tuple[int, ...] = ()
        self._number = 0

    def room(self) -> Image | None:
        """Where the next picture may be written at once, if it is like the last one."""
        if not (self._shape and self._slots):
            return None
        room = self._slots.begin(self._number + 1, _size(self._shape))
        return room.reshape(self._shape)

    def put(self, picture: Image | bytes, room: Image | None) -> None:
        wall, monotonic = wall_ns(), monotonic_ns()
        self._number += 1
        self._shape = () if isinstance(picture, bytes) else picture.shape
        size = len(picture) if isinstance(picture, bytes) else picture.nbytes
        slots = self._slots_for(size, 0 if self._shape else max(2 * size, _LEAST_JPEG))
        if picture is not room:
            place = slots.begin(self._number, size)
            if isinstance(picture, bytes):
                place.data[:] = picture
            else:
                place.reshape(picture.shape)[:] = picture
        slots.end(self._number)
        self._line.mention(
            {
                "picture": self._number,
                "bytes": size,
                "shape": self._shape,
                "wall_ns": wall,
                "monotonic_ns": monotonic,
            }
        )

    def _slots_for(self, size: int, generous: int) -> WriteSlots:
        """Those there are, or larger ones."""
        if self._slots is None or self._slots.capacity < size:
            self._slots = WriteSlots(max(size, generous))
            self._line.say({"memory": self._slots.capacity}, (self._slots.fd,))
            os.close(self._slots.fd)
        return self._slots


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def serve(grabber: Grabber, line: Line) -> None:
    """Capture until the device breaks or the parent wants no more."""
    try:
        traits = grabber.open()
    except FramewireError as error:
        line.say({"failed": str(error)})
        return
    try:
        line.say({"opened": dataclasses.asdict(traits)})
        writer = Writer(line)
        while not line.ended.is_set():
            room = writer.room()
            picture = grabber.grab(room)
            if picture is None:
                line.say({"failed": "it gives no more pictures"})
                return
            writer.put(picture, room)
    finally:
        grabber.release()


def _die_with(parent: int) -> None:
    """Be killed with the parent's thread that started this process, also where nothing else runs."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it had died before
            os._exit(0)


def main(fd: int) -> None:
    """The process: `fd` is its end of the connection."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent ends it; a signal may go to both
    line = Line(socket.socket(fileno=fd))
    order = line.order()
    _die_with(order["parent"])
    threading.Thread(target=line.watch, name="framewire-parent", daemon=True).start()
    with suppress(BrokenPipeError, ConnectionResetError):  # the parent is gone
        serve(Order(order["grabber"], order["arguments"]).make(), line)
