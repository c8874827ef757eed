"""A camera that does what a file says: python fakecamera.py CONTROL send camera:0 ...

The command is the real one, and so is the capture process, but that OpenCV's capture in it is this one.
The file holds a word, and whatever else it wants to know:

- `run` WIDTHxHEIGHT: 15 noisy pictures a second, that carry their number
- `absent`: cannot be opened; `false`: opens, and gives nothing; `mute`: opens, and never returns
- `block`: a read does not return until the word is another; `hang`: it never does
- `freeze`: the same picture again and again, also when it is opened again
- `crash`: the process dies by SIGSEGV; `exit`: it ends in the middle of a read; `raise`: a defect
- `jpeg`: as `run`, as JPEG; `short`: such JPEG that half of it is missing; `garbage`: no JPEG at all
"""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np

from framewire.common.jpeg import encode
from framewire.common.testchart import draw_number
from framewire.sender.sources.opencv_camera import CameraGrabber

MJPG = cv2.VideoWriter.fourcc(*"MJPG")
NOISE = np.random.default_rng(1)
FROZEN = NOISE.integers(0, 255, (120, 160, 3), np.uint8)


class Capture:
    """What of `cv2.VideoCapture` a camera's grabber uses."""

    def __init__(self, control: Path) -> None:
        self._control = control
        self._number = 0
        self._raw = False
        self._due = time.monotonic()
        while self._word() == "mute":
            time.sleep(3600)

    def _words(self) -> list[str]:
        return self._control.read_text().split() or ["run"]

    def _word(self) -> str:
        return self._words()[0]

    def isOpened(self) -> bool:
        return self._word() != "absent"

    def set(self, what: int, value: float) -> bool:
        if what == cv2.CAP_PROP_CONVERT_RGB:
            self._raw = not value
        return True

    def get(self, what: int) -> float:
        jpeg = self._word() in ("jpeg", "short", "garbage")
        return float(MJPG) if what == cv2.CAP_PROP_FOURCC and jpeg else 0.0

    def read(self, into: object = None) -> tuple[bool, np.ndarray[Any, Any] | None]:
        self._due = max(self._due + 1 / 15, time.monotonic())
        time.sleep(max(0.0, self._due - time.monotonic()))
        word, *more = self._words()
        if word in ("absent", "false"):
            return False, None
        if word == "crash":
            print("the driver is confused", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)
        if word == "exit":
            os._exit(3)
        if word == "raise":
            raise RuntimeError("the grabber is confused")
        if word == "hang":
            time.sleep(3600)
        while self._word() == "block":
            time.sleep(0.02)
        image = FROZEN if word == "freeze" else self._picture(*(more or ["160x120"]))
        return True, self._as_jpeg(image, word) if self._raw else image

    def _picture(self, size: str) -> np.ndarray[Any, Any]:
        width, height = map(int, size.split("x"))
        image = NOISE.integers(0, 255, (height, width, 3), np.uint8)
        draw_number(image, self._number)
        self._number += 1
        return image

    def _as_jpeg(self, image: np.ndarray[Any, Any], word: str) -> np.ndarray[Any, Any]:
        jpeg = encode(image, 80)
        if word == "short":
            jpeg = jpeg[: len(jpeg) // 2]
        if word == "garbage":
            jpeg = b"\xff\xd8" + NOISE.bytes(2000)
        return np.frombuffer(jpeg, np.uint8)[None, :]

    def release(self) -> None:
        pass


class Grabber(CameraGrabber):
    """The real one, with such a capture."""

    def __init__(self, spec: str, control: str, **facts: Any) -> None:
        def open_capture(index: int, backend: int) -> Any:
            return Capture(Path(control))

        super().__init__(spec, **facts, open_capture=open_capture)


def main(control: str, *arguments: str) -> int:
    from framewire.app.main import run
    from framewire.sender.sources.grabber import Order

    def order(grabber: str, facts: dict[str, Any]) -> Order:
        return Order("fakecamera:Grabber", {**facts, "control": control})

    with patch("framewire.sender.sources.camera.Order", order):
        return run(list(arguments))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
