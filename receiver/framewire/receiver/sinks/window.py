"""`Window`: frames on the screen, several topics tiled into one window."""

import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np

from framewire.common.closing import Closing
from framewire.common.errors import SinkError
from framewire.common.frame import Frame, Image
from framewire.common.opencv import cv2
from framewire.receiver.mosaic import Tile, fit, grid, paste

__all__ = ["Window", "check_display"]

_CANVAS = (1280, 720)
_ESCAPE = 27
_FONT = cv2.FONT_HERSHEY_SIMPLEX

_PROBE = "import cv2; cv2.namedWindow('framewire'); cv2.destroyAllWindows()"


def check_display() -> None:
    """Raise `SinkError` where no window can be opened.

    OpenCV aborts the process there, which nothing can catch: so another process tries first.
    """
    advice = (
        "use --headless for figures only, `framewire record` to keep the frames, "
        "or set DISPLAY (ssh -X sets it)"
    )
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.getenv("WAYLAND_DISPLAY")):
        raise SinkError(f"there is no display to open a window on: {advice}")
    tried = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, check=False)
    if tried.returncode:
        raise SinkError(f"a window cannot be opened on this display: {advice}")


class Window(Closing):
    """A window that shows the newest frame of each topic.

    Keys: q or Escape closes, space pauses, f is full screen, i shows the figures, s calls
    `on_snapshot` with the topic names. `figures` gives the overlay's text for a topic; `alarm` a
    text to show in place of a frozen picture (empty: all is well). Use it from the main thread
    only. `SinkError` where there is no display.
    """

    def __init__(
        self,
        title: str = "framewire",
        *,
        figures: Callable[[str], str] = lambda topic: topic,
        alarm: Callable[[str], str] = lambda topic: "",
        on_snapshot: Callable[[list[str]], None] = lambda topics: None,
    ) -> None:
        check_display()
        self._title = title
        self._figures, self._alarm, self._on_snapshot = figures, alarm, on_snapshot
        self._frames: dict[str, Frame] = {}
        self._overlay = self._paused = self._full = False
        self._sized = False
        self.open = True
        """False once the user has closed it."""
        flags = cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL
        cv2.namedWindow(title, flags)

    def write(self, frame: Frame, /) -> None:
        """Show a frame, unless the window is paused, and handle keys."""
        if not self._paused:
            self._frames[frame.topic] = frame
        self.refresh()

    def refresh(self) -> None:
        """Redraw and handle keys; call it some times a second while no frames come."""
        if not self.open:
            return
        if self._frames:
            self._show(self._picture())
        self._handle(cv2.waitKey(1) & 0xFF)
        if self.open and cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:
            self.open = False

    def close(self) -> None:
        self.open = False
        cv2.destroyAllWindows()
        cv2.waitKey(1)

    def _show(self, picture: Image) -> None:
        if not self._sized:  # begin at the picture's own size, if that fits an ordinary screen
            place = fit(picture.shape[1], picture.shape[0], Tile(0, 0, *_CANVAS))
            shrink = place.width < picture.shape[1]
            size = (place.width, place.height) if shrink else (picture.shape[1], picture.shape[0])
            cv2.resizeWindow(self._title, *size)
            self._sized = True
        cv2.imshow(self._title, picture)

    def _picture(self) -> Image:
        topics = sorted(self._frames)
        if len(topics) == 1:
            image = self._frames[topics[0]].image
            tiles = [Tile(0, 0, image.shape[1], image.shape[0])]
            canvas = image.copy() if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
        else:
            tiles = grid(len(topics), *_CANVAS)
            canvas = np.zeros((_CANVAS[1], _CANVAS[0], 3), np.uint8)
            for topic, tile in zip(topics, tiles, strict=True):
                paste(canvas, self._frames[topic].image, tile)
        for topic, tile in zip(topics, tiles, strict=True):
            self._annotate(canvas, topic, tile)
        return canvas

    def _annotate(self, canvas: Image, topic: str, tile: Tile) -> None:
        alarm = self._alarm(topic)
        if alarm:
            region = canvas[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width]
            region[:] = region // 4
            _write(canvas, alarm, tile.x + 10, tile.y + tile.height // 2, (64, 64, 255))
        if self._overlay:
            for row, line in enumerate(self._figures(topic).splitlines()):
                _write(canvas, line, tile.x + 10, tile.y + 26 + 24 * row, (255, 255, 255))
        if self._paused:
            _write(canvas, "paused", tile.x + 10, tile.y + tile.height - 14, (0, 255, 255))

    def _handle(self, key: int) -> None:
        if key in (ord("q"), _ESCAPE):
            self.open = False
        elif key == ord(" "):
            self._paused = not self._paused
        elif key == ord("i"):
            self._overlay = not self._overlay
        elif key == ord("s"):
            self._on_snapshot(sorted(self._frames))
        elif key == ord("f"):
            self._full = not self._full
            mode = cv2.WINDOW_FULLSCREEN if self._full else cv2.WINDOW_NORMAL
            cv2.setWindowProperty(self._title, cv2.WND_PROP_FULLSCREEN, mode)


def _write(canvas: Image, text: str, x: int, y: int, colour: tuple[int, int, int]) -> None:
    """Text with a dark edge, readable on any picture."""
    for shade, width in (((0, 0, 0), 4), (colour, 1)):
        cv2.putText(canvas, text, (x, y), _FONT, 0.6, shade, width, cv2.LINE_AA)
