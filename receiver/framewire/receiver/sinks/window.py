"""`Window`: frames on the screen, several topics tiled into one window."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np

from framewire.common.clock import NS, monotonic_ns
from framewire.common.closing import Closing
from framewire.common.errors import SinkError
from framewire.common.frame import Frame, Image
from framewire.common.opencv import cv2
from framewire.receiver.mosaic import Tile, enough, fit, grid, paste

__all__ = ["MOST_TILES", "Window", "check_display"]

_log = logging.getLogger("framewire.window")

_CANVAS = (1280, 720)
_ESCAPE = 27
_SHOW_NS = NS // 60
"""Screens show no more than that; drawing more would only make the frames wait."""
_REDRAW_NS = NS // 2
MOST_TILES = 64
"""Topics in one window: 8 by 8 tiles of 160x90."""
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
    only. `SinkError` where there is no display. It shows 64 topics at most; further ones are told in a
    log line, and not shown.
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
        self._tiles: dict[str, Tile] = {}
        self._canvas = np.zeros((1, 1, 3), np.uint8)
        self._overlay = self._paused = self._full = False
        self._shown_ns = self._redrawn_ns = 0
        self._crowded = False
        self.open = True
        """False once the user has closed it."""
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)

    @property
    def paused(self) -> bool:
        """Whether the picture stands still because the user wants it to."""
        return self._paused

    def takes(self, topic: str) -> bool:
        """Whether a topic has its tile, or there is room for one more."""
        if topic in self._frames or len(self._frames) < MOST_TILES:
            return True
        if not self._crowded:
            self._crowded = True
            _log.warning("a window shows %d topics: others are left out; choose some", MOST_TILES)
        return False

    def scale(self, topic: str, width: int, height: int) -> float:
        """The scale at which it is enough to decode a picture of a topic, sent in this size.

        1 for a picture that has the window for itself, to be looked at closely, and for the first
        of a topic; among several 1/2, 1/4 or 1/8 where that is no less than its tile.
        """
        if len(self._frames) < 2 or topic not in self._tiles:
            return 1
        return enough(width, height, self._tiles[topic])

    def write(self, frame: Frame, /) -> None:
        """Show a frame, unless the window is paused, and handle keys."""
        if not self._paused and self.takes(frame.topic):
            self._frames[frame.topic] = frame
            if self._fits(frame):
                self._draw(frame.topic)
            else:
                self._lay_out()
        now_ns = monotonic_ns()
        if now_ns - self._redrawn_ns > _REDRAW_NS:
            self.refresh()
        elif now_ns - self._shown_ns > _SHOW_NS:
            self._show()

    def refresh(self) -> None:
        """Redraw everything and handle keys; call it some times a second while no frames come."""
        self._redrawn_ns = monotonic_ns()
        for topic in self._frames:
            self._draw(topic)
        self._show()

    def close(self) -> None:
        self.open = False
        cv2.destroyAllWindows()
        cv2.waitKey(1)

    def _fits(self, frame: Frame) -> bool:
        """Whether the picture has its place already."""
        if len(self._frames) == 1:
            return frame.topic in self._tiles and frame.image.shape[:2] == self._canvas.shape[:2]
        return frame.topic in self._tiles

    def _lay_out(self) -> None:
        """Give each topic its place: a single picture its own size, several a grid."""
        topics = sorted(self._frames)
        width, height = _CANVAS
        if len(topics) == 1:
            height, width = self._frames[topics[0]].image.shape[:2]
        self._canvas = np.zeros((height, width, 3), np.uint8)
        self._tiles = dict(zip(topics, grid(len(topics), width, height), strict=True))
        place = fit(width, height, Tile(0, 0, *_CANVAS))
        if not self._full:
            size = (place.width, place.height) if place.width < width else (width, height)
            cv2.resizeWindow(self._title, *size)
        for topic in topics:
            self._draw(topic)

    def _draw(self, topic: str) -> None:
        tile = self._tiles[topic]
        region = self._canvas[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width]
        region[:] = 0
        paste(region, self._frames[topic].image, Tile(0, 0, tile.width, tile.height))
        alarm = self._alarm(topic)
        if alarm:
            region[:] = region // 4
            _write(region, alarm, 10, tile.height // 2, (64, 64, 255))
        if self._overlay:
            for row, line in enumerate(self._figures(topic).splitlines()):
                _write(region, line, 10, 26 + 24 * row, (255, 255, 255))
        if self._paused:
            _write(region, "paused", 10, tile.height - 14, (0, 255, 255))

    def _show(self) -> None:
        if not self.open:
            return
        self._shown_ns = monotonic_ns()
        if self._frames:
            cv2.imshow(self._title, self._canvas)
        self._handle(cv2.waitKey(1) & 0xFF)
        if self.open and cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:
            self.open = False

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
    """Text with a shadow, readable on any picture."""
    for shade, shift in (((0, 0, 0), 1), (colour, 0)):
        cv2.putText(canvas, text, (x + shift, y + shift), _FONT, 0.6, shade, 2, cv2.LINE_AA)
