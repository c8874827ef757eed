"""A network camera: MJPEG over HTTP, with a number in each picture, that fails on purpose."""

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import numpy as np

from framewire.common.jpeg import encode
from framewire.common.testchart import draw_number

__all__ = ["Camera", "Trouble"]

Trouble = Literal["", "absent", "frozen", "silent", "hangs up", "garbage"]
"""What is wrong with it: connections are refused, the picture stays the same, nothing comes, each
connection ends after a picture, what comes is no JPEG."""

_FPS, _SIZE = 10, (240, 320, 3)
_STEP_S = 0.02
_PART = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n"
_GARBAGE = bytes(range(256)) * 20


class Camera(ThreadingHTTPServer):
    """Streams at `url` while the block lasts. `trouble` may be set at any time, by any thread."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Stream)
        self.trouble: Trouble = ""
        self.number = 0
        self.picture = b""
        self._background = np.random.default_rng(1).integers(0, 255, _SIZE, np.uint8)
        self._background //= 4  # noise of a night, not of a broken cable
        self._ended = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/camera.mjpeg"

    @contextmanager
    def running(self) -> Iterator["Camera"]:
        threads = [threading.Thread(target=each, daemon=True) for each in (self._see, self._serve)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            self.shutdown()
            self.server_close()

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def _serve(self) -> None:
        self.serve_forever(poll_interval=0.1)

    def _see(self) -> None:
        due_s = time.monotonic()
        while not self._ended.wait(max(0.0, due_s - time.monotonic())):
            due_s = max(due_s + 1 / _FPS, time.monotonic())
            if self.trouble == "frozen":
                continue
            image = self._background.copy()
            image[60:] = np.roll(image[60:], self.number % 200, axis=1)
            draw_number(image, self.number)
            self.picture = encode(image, 85)
            self.number += 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hangs up, hangs up."""


class _Stream(BaseHTTPRequestHandler):
    server: Camera

    def do_GET(self) -> None:
        if self.server.trouble == "absent":
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        with contextlib.suppress(OSError):
            self._stream()

    def _stream(self) -> None:
        had = -1
        while not self.server.ended and self.server.trouble != "absent":
            frozen = self.server.trouble == "frozen"
            if self.server.trouble == "silent" or (self.server.number == had and not frozen):
                time.sleep(_STEP_S)
                continue
            had = self.server.number
            picture = _GARBAGE if self.server.trouble == "garbage" else self.server.picture
            self.wfile.write(_PART % (len(picture), picture))
            if self.server.trouble == "hangs up":
                return
            if frozen:
                time.sleep(1 / _FPS)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nobody wants to read it."""
