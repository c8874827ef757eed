"""A grabber that follows a script, for capture processes; they load it by its name."""

import os
import signal
import sys
import time

import numpy as np

from framewire.common.errors import SourceError
from framewire.common.frame import Image
from framewire.common.jpeg import encode
from framewire.common.testchart import draw_number
from framewire.sender.sources.grabber import Traits


def chart(number: int, width: int, height: int) -> Image:
    image = np.full((height, width, 3), 96, np.uint8)
    draw_number(image, number)
    return image


class Scripted:
    """Each step is done in turn; the last one again and again.

    `WIDTHxHEIGHT`: a picture; `fill`: the same, written where it may be; `jpeg SIZE`: a file, padded;
    `say TEXT`: on stderr, and the next step; `none` `sleep` `segv` `exit` `raise`: what they say.
    """

    def __init__(self, steps: list[str], opening: str = "") -> None:
        self._steps, self._opening = steps, opening
        self._number = 0

    def open(self) -> Traits:
        if self._opening == "sleep":
            time.sleep(3600)
        if self._opening:
            print(self._opening, file=sys.stderr, flush=True)
            raise SourceError("cannot open it")
        return Traits(encoded="jpeg" in self._steps[0], sized=True, remark="opened")

    def grab(self, into: Image | None) -> Image | bytes | None:
        step, _, more = (self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]).partition(
            " "
        )
        match step:
            case "none":
                return None
            case "sleep":
                time.sleep(3600)
            case "segv":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "exit":
                os._exit(3)
            case "raise":
                raise RuntimeError("confused")
            case "say":
                print(more, file=sys.stderr, flush=True)
                return self.grab(into)
        time.sleep(0.005)
        self._number += 1
        if step == "jpeg":
            return encode(chart(self._number, 160, 96), 80) + bytes(int(more or 0))
        if step == "fill" and into is not None:
            into[:] = chart(self._number, into.shape[1], into.shape[0])
            return into
        width, height = (160, 96) if step == "fill" else map(int, step.split("x"))
        return chart(self._number, width, height)

    def release(self) -> None:
        print("released", file=sys.stderr, flush=True)
