"""An MJPEG camera over HTTP that misbehaves as it is told."""

import socket
import threading
import time
from contextlib import suppress

import numpy as np

from framewire.common.clock import monotonic_ns
from framewire.common.jpeg import encode
from framewire.common.testchart import draw_number

NOISE = np.random.default_rng(1)
HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"


def picture(number: int, size: tuple[int, int]) -> bytes:
    """A JPEG with noise, and its number."""
    image = NOISE.integers(0, 255, (size[1], size[0], 3), np.uint8)
    draw_number(image, number)
    return encode(image, 70)


class BadCamera:
    """Listens on a port of this machine. `do` says what it does from the next picture on.

    | `do` | |
    | --- | --- |
    | `good`, `large` | 20 pictures a second, of one size or another |
    | `refuse` | nobody is there; connections that are open are cut |
    | `accept` | connections are taken, and nothing is said; open ones are cut |
    | `stall` | nothing comes any more; a new one gets its head and nothing else |
    | `half` | half a picture comes, and no more |
    | `rubbish` | something else than pictures |
    | `damaged` | pictures without their second half |
    | `still` | the same picture again and again |
    | `redirect` | to itself, for ever |
    | `close` | one picture, and the end |
    | `slow` | a head that never ends, a byte at a time |
    """

    def __init__(self) -> None:
        self.do = "good"
        self.attempts: list[int] = []
        """When somebody connected: monotonic clock, nanoseconds."""
        self._open = True
        self._listener = self._listen(0)
        self.port = self._listener.getsockname()[1]
        self._still = picture(7, (320, 240))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/cam"

    def close(self) -> None:
        self._open = False
        self._listener.close()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        listener.settimeout(0.05)
        return listener

    def _accept(self) -> None:
        while self._open:
            if self.do == "refuse":
                self._listener.close()
                while self.do == "refuse" and self._open:
                    time.sleep(0.02)
                if self._open:
                    self._listener = self._listen(self.port)
            with suppress(OSError):
                connection, _ = self._listener.accept()
                self.attempts.append(monotonic_ns())
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(2)
            if self.do == "accept":
                self._idle(connection)
                return
            connection.recv(65536)
            if self.do == "redirect":
                connection.sendall(f"HTTP/1.0 302 Found\r\nLocation: {self.url}\r\n\r\n".encode())
            elif self.do == "slow":
                connection.sendall(b"HTTP/1.0 200 OK\r\nX: ")
                while self._open and self.do == "slow":
                    connection.sendall(b"x")
                    time.sleep(0.1)
            else:
                connection.sendall(HEAD)
                self._stream(connection)

    def _idle(self, connection: socket.socket) -> None:
        """Until it is to do something else."""
        now = self.do
        while self._open and self.do == now:
            time.sleep(0.02)

    def _stream(self, connection: socket.socket) -> None:
        number = 0
        while self._open:
            number += 1
            time.sleep(0.05)
            match self.do:
                case "good" | "large":
                    size = (320, 240) if self.do == "good" else (640, 480)
                    self._part(connection, picture(number, size))
                case "still":
                    self._part(connection, self._still)
                case "damaged":
                    whole = picture(number, (320, 240))
                    self._part(connection, whole[: len(whole) // 2])
                case "close":
                    self._part(connection, picture(number, (320, 240)))
                    return
                case "half":
                    whole = picture(number, (320, 240))
                    connection.sendall(_part_head(whole) + whole[: len(whole) // 2])
                    self._idle(connection)
                    return
                case "stall":
                    self._idle(connection)
                    return
                case "rubbish":
                    connection.sendall(NOISE.bytes(5000))
                case _:  # refuse, accept, redirect, slow: for who connects anew
                    return

    def _part(self, connection: socket.socket, jpeg: bytes) -> None:
        connection.sendall(_part_head(jpeg) + jpeg + b"\r\n")


def _part_head(jpeg: bytes) -> bytes:
    return b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
