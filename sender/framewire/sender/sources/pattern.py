"""A moving test chart with its frame number, for a machine (`framewire.common.testchart`) and for people."""

import re
from collections.abc import Iterator
from itertools import count

import numpy as np

from framewire.common.errors import UsageError
from framewire.common.frame import Frame, Image
from framewire.common.opencv import cv2
from framewire.common.testchart import MIN_HEIGHT, MIN_WIDTH, draw_number
from framewire.sender.sources.playback import Playback
from framewire.sender.sources.source import Source, SourceOptions, picture_header

__all__ = ["PatternSource", "draw_chart"]

_SPEC = re.compile(r"\Apattern:(?:(\d{1,5})x(\d{1,5}))?(?:@(\d{1,4}(?:\.\d{1,6})?))?\Z")
_DEFAULT = (1280, 720, 30.0)

# BGR, 75 % bars in the order of SMPTE EG 1.
_BARS = ((191, 191, 191), (0, 191, 191), (191, 191, 0), (0, 191, 0), (191, 0, 191), (0, 0, 191))


def _background(width: int, height: int) -> Image:
    chart = np.empty((height, width, 3), np.uint8)
    edges = [width * i // len(_BARS) for i in range(len(_BARS) + 1)]
    for colour, left, right in zip(_BARS, edges, edges[1:], strict=False):
        chart[:, left:right] = colour
    ramp = np.linspace(0, 255, width, dtype=np.uint8)
    chart[height * 3 // 4 :] = ramp[None, :, None]
    return chart


def draw_chart(background: Image, number: int) -> Image:
    """A new chart (H, W, 3) for frame `number`: bars, a ball on its way, the number twice."""
    chart = background.copy()
    height, width = chart.shape[:2]
    radius = max(4, height // 10)
    # Triangle waves of different periods take the ball over much of the chart.
    x = abs(number * 4 % (2 * width) - width)
    y = height // 6 + abs(number * 3 % (2 * (height // 2)) - height // 2)
    cv2.circle(chart, (x, y), radius, (255, 255, 255), -1, cv2.LINE_AA)
    cv2.circle(chart, (x, y), radius // 2, (32, 32, 224), -1, cv2.LINE_AA)
    scale = height / 360
    place = (width // 20, height * 9 // 10)
    text, line = f"{number:08d}", max(1, round(2 * scale))
    (wide, high), low = cv2.getTextSize(text, 0, 1.4 * scale, line)
    corners = (place[0] - low, place[1] - high - low), (place[0] + wide + low, place[1] + low)
    cv2.rectangle(chart, *corners, (0, 0, 0), -1)
    cv2.putText(chart, text, place, 0, 1.4 * scale, (255, 255, 255), line, cv2.LINE_AA)
    draw_number(chart, number)
    return chart


class PatternSource(Source):
    """``pattern:WIDTHxHEIGHT@FPS``; all parts may be left out (1280x720 at 30).

    Runs at its own pace, like a camera; at speed 0, as fast as frames are taken.
    """

    takes = frozenset({"speed", "fps"})

    def __init__(self, spec: str, options: SourceOptions) -> None:
        super().__init__("pattern", options)
        shape = _SPEC.match(spec)
        if not shape:
            raise UsageError(f"bad pattern {spec!r}: use pattern:WIDTHxHEIGHT@FPS, or parts of it")
        width, height, fps = (
            type(default)(given) if given else default
            for given, default in zip(shape.groups(), _DEFAULT, strict=True)
        )
        if not (MIN_WIDTH <= width <= 8192 and MIN_HEIGHT <= height <= 8192 and 0 < fps <= 1000):
            raise UsageError(
                f"bad pattern {spec!r}: {MIN_WIDTH}x{MIN_HEIGHT} to 8192x8192, up to 1000 a second"
            )
        self.live = options.speed > 0
        self._period_ns = round(1e9 / fps)
        self._background = _background(int(width), int(height))

    def __iter__(self) -> Iterator[Frame]:
        playback = Playback(self.options, self._stop)
        sequence = 0
        for number in count():
            if not playback.keep(number * self._period_ns):
                continue
            image = draw_chart(self._background, number)
            moment = playback.wait(number * self._period_ns)
            if moment is None:
                return
            yield Frame(image, picture_header(self.name, sequence, moment, image))
            sequence += 1
