"""Two ends with keys, what travels between them, and who stands in the middle."""

import shutil
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from framewire.common.errors import Closed, ReceiveTimeout, TransportError
from framewire.common.keys import make_keys
from framewire.receiver import Receiver
from framewire.sender import Sender
from processes import free_port

TOPIC = "lab/secret"
MARKS = (b"lab/secret", b"captured_ns", b"JFIF")
"""What shows that a frame passes by in the open: its topic, its header, its picture."""
PATTERNS = ("", "req-rep+", "push-pull+")
PICTURE = np.random.default_rng(1).integers(0, 255, (120, 160, 3), np.uint8)
"""Some 20 kB as JPEG."""

_FREE_S = 2.0
_STREAM_BYTES = 50_000  # the handshake is over, and frames are under way


class Camera:
    """A `Sender` with a camera: twenty frames a second until `close`."""

    def __init__(self, *bind: str, **options: Any) -> None:
        self.sender = Sender(*bind, topic=TOPIC, when_full="newest", **options)
        self.url = self.sender.endpoints[0]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            self.sender.send(PICTURE)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.sender.close()


class Viewer:
    """A `Receiver`, and when it got frames."""

    def __init__(self, *connect: str, **options: Any) -> None:
        self.receiver = Receiver(*connect, **options)
        self.url = self.receiver.endpoints[0]
        self.times: list[float] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                self.receiver.read_packet(0.1)
                self.times.append(time.monotonic())
            except ReceiveTimeout:
                continue
            except Closed:
                return

    def got_since(self, moment: float) -> bool:
        return bool(self.times) and self.times[-1] > moment

    def close(self) -> None:
        self.receiver.close()
        self._thread.join()


class Tap:
    """A proxy that keeps what passes: of each connection the bytes towards the server and back."""

    def __init__(self, url: str) -> None:
        self._target = int(url.rpartition(":")[2])
        self._pattern = url.partition("tcp://")[0]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{self._pattern}tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections: list[tuple[bytearray, bytearray]] = []
        self._open: set[socket.socket] = set()
        self.spoil = False
        """Whether to change a bit of what passes next, in the middle of a stream."""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                near.close()
                continue
            there, back = bytearray(), bytearray()
            self.connections.append((there, back))
            self._open |= {near, far}
            for source, sink, kept in ((near, far, there), (far, near, back)):
                threading.Thread(target=self._pass, args=(source, sink, kept), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                kept += data
                if self.spoil and len(kept) > _STREAM_BYTES:
                    self.spoil = False
                    data = data[:-1] + bytes((data[-1] ^ 4,))
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def shows(self, mark: bytes) -> bool:
        """Whether it passed by in the open, one way or the other."""
        return any(mark in way for each in list(self.connections) for way in each)

    @property
    def most_bytes(self) -> int:
        """That passed one way in one connection."""
        return max((len(way) for each in list(self.connections) for way in each), default=0)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            each.close()


class Meeting:
    """A camera and a viewer in one pattern, one of which binds; a tap between them if asked for.

    Each has its keys in the working folder: camera.key_secret and so on, and allows in
    `allow-NUMBER` whom it does.
    """

    _number = 0

    def __init__(
        self, pattern: str, binder: str, address: str = "tcp://127.0.0.1:*", *, tapped: bool = False
    ) -> None:
        Meeting._number += 1
        self.binder, self.connector = (
            (binder, "viewer") if binder == "camera" else (binder, "camera")
        )
        self.allow = Path(f"allow-{Meeting._number}")
        self.allow.mkdir()
        self.ends: dict[str, Camera | Viewer] = {}
        self._address = pattern + address.replace("*", str(free_port()))
        self._tapped = tapped
        self.tap: Tap | None = None

    def let_in(self, name: str = "") -> None:
        shutil.copy(f"{name or self.connector}.key", self.allow)

    def revoke(self, name: str = "") -> None:
        (self.allow / f"{name or self.connector}.key").unlink()

    def bind(self, **keys: Any) -> None:
        """Open the side that binds, where it was before if it was open; with its keys by default."""
        options = keys or {"key": f"{self.binder}.key_secret", "allow": self.allow}
        if options == {"plain": True}:
            options = {}
        self.ends[self.binder] = self._bound(options)
        if self._tapped and self.tap is None:
            self.tap = Tap(self._address)

    def _bound(self, options: dict[str, Any]) -> Camera | Viewer:
        """A closed socket gives its address free in a moment."""
        end = time.monotonic() + _FREE_S
        while True:
            try:
                if self.binder == "camera":
                    return Camera(self._address, **options)
                return Viewer(bind=self._address, **options)
            except TransportError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def connect(self, *, at: str = "", **keys: Any) -> None:
        """Open the side that connects, through the tap if there is one; with its keys by default."""
        options = keys or {
            "key": f"{self.connector}.key_secret",
            "server_key": f"{self.binder}.key",
        }
        if options == {"plain": True}:
            options = {}
        there = at or (self.tap.url if self.tap else self._address)
        if self.connector == "camera":
            self.ends["camera"] = Camera(connect=there, **options)
        else:
            self.ends["viewer"] = Viewer(there, **options)

    @property
    def viewer(self) -> Viewer:
        viewer = self.ends["viewer"]
        assert isinstance(viewer, Viewer)
        return viewer

    def end(self, which: str) -> None:
        self.ends.pop(which).close()

    def close(self) -> None:
        for which in list(self.ends):
            self.end(which)
        if self.tap:
            self.tap.close()


def make_all_keys() -> None:
    """Of all who appear in these tests, in the working folder."""
    for name in ("camera", "viewer", "other", "relay"):
        make_keys(name)


def meetings(address: str = "tcp://127.0.0.1:*", *, tapped: bool = False) -> list[Meeting]:
    """One of each pattern and each side that binds."""
    return [
        Meeting(pattern, binder, address, tapped=tapped)
        for pattern in PATTERNS
        for binder in ("camera", "viewer")
    ]


def all_flow(meetings: list[Meeting], since: float, within_s: float) -> None:
    """Frames came to every viewer after a moment, each within so long of it; or it is an error."""
    end = since + within_s
    while time.monotonic() < end:
        if all(each.viewer.got_since(since) for each in meetings):
            return
        time.sleep(0.02)
    dry = [each._address for each in meetings if not each.viewer.got_since(since)]
    raise AssertionError(f"nothing within {within_s} s at {dry}")
