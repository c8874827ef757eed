"""Which JPEG quality and scale a link carries at the full frame rate.

Pure: no socket, thread or clock. All times are durations in seconds, measured by the receiver.

The aim is a link that is never idle and has no queue. Both are told by how long frames take to
arrive: `LinkModel` learns from it what the link carries, `SizeModel` how large a frame becomes at a
quality, and `RateControl` asks for the quality at which the two meet. The delay of the last frame
corrects the next one's size, so neither model has to be exact.
"""

import math
from collections import deque
from dataclasses import dataclass

from framewire.common.level import Level
from framewire.receiver.links.path import LinkModel

__all__ = ["Arrival", "Ladder", "RateControl", "SizeModel"]


@dataclass(frozen=True, slots=True)
class Arrival:
    """One frame that came, as a receiver sees it. Durations in seconds."""

    size: int
    """Bytes of the payload, 1 at least."""
    transfer_s: float
    """From when its first byte could have come, had the link been empty, to its last byte."""
    late_s: float
    """How long it had been captured, and waited for a request, when the sender took it."""
    interval_s: float
    """Mean time between captured frames, of all topics together; nan before it is known."""
    topics: int
    """How many topics are answered in turn."""
    passed_s: float
    """Since the answer before."""
    asked: Level
    """What the request asked for."""
    quality: int
    """JPEG quality as the sender states it; 0 if unknown."""


# -- the frames -------------------------------------------------------------------------------------

EXPONENT = 0.6
"""Bytes of a JPEG fall with libjpeg's quantiser steps to this power (measured: 0.5 to 0.75)."""
SCALE_EXPONENT = 1.7
"""And with width and height to this power (measured: 1.6 to 1.9): small pictures are dense."""
TREND = 0.15
"""Weight of the newest error in the mean error and the mean absolute error."""
SLOWEST, FASTEST = 0.03, 0.6
"""Share of an error that is followed: of one among errors of both signs, of one sign only."""
SUDDEN = 1.5
"""Most that a single frame counts, in natural logarithms: 4.5 times the size."""


def steps(quality: float) -> float:
    """How coarse libjpeg quantises at a quality (1 to 100), in percent of the standard's tables."""
    return max(1.0, 5000 / quality if quality < 50 else 200 - 2 * quality)


def quality_of(coarseness: float) -> float:
    """The inverse of `steps`, not limited to 1 to 100."""
    return 5000 / coarseness if coarseness > 100 else (200 - coarseness) / 2


class SizeModel:
    """How large the next frame becomes at a quality and scale.

    It follows the frames fast while its errors have one sign (another scene), slowly while the signs
    alternate (Trigg and Leach, "Exponential smoothing with an adaptive response rate", 1967).
    """

    def __init__(self) -> None:
        self._log = math.nan
        self._bias = 0.0
        self._spread = 0.1

    @property
    def spread(self) -> float:
        """Mean relative error of late."""
        return self._spread

    def learn(self, size: int, quality: float, scale: float) -> None:
        coarse = EXPONENT * math.log(steps(quality))
        seen = math.log(size) + coarse - SCALE_EXPONENT * math.log(scale)
        if math.isnan(self._log):
            self._log = seen
        error = max(-SUDDEN, min(SUDDEN, seen - self._log))
        self._bias += TREND * (error - self._bias)
        self._spread += TREND * (abs(error) - self._spread)
        one_sided = abs(self._bias) / max(self._spread, 0.02)
        self._log += min(FASTEST, max(SLOWEST, one_sided**3)) * error

    def quality(self, size: float, scale: float) -> float:
        """The quality at which a frame has `size` bytes; below 1 or above 100 where none has."""
        log = self._log + SCALE_EXPONENT * math.log(scale) - math.log(size)
        return quality_of(math.exp(max(-20.0, min(20.0, log / EXPONENT))))


# -- the choice -------------------------------------------------------------------------------------

GAIN = 0.35
"""Share of a wrong delay that the next frame makes up for: more lets the quality waver with each
frame's size, less lets delays last."""
OPTIMISM = 1.015
"""What is asked of the link, relative to what it is known to carry: a better link shows only so."""
LEAST_SHARE = 0.3
"""However late frames are, the next gets this share of its budget."""
PROBE, ALIKE = 0.03, 0.03
"""Frames are made so much larger and smaller in turn where they differ less than that: frames that
are all alike cannot tell a fast link from one that lets bursts through."""
LATE = 0.95
"""A frame that takes this share of the interval cannot be followed by the next in time."""
UNKNOWN_QUALITY = 90
"""What a JPEG that was passed through is taken for."""
FLOOR, WORST = 25, 5
"""Below quality 25 a smaller picture looks better; where none may be asked for, quality goes to 5."""
SCALES = (1.0, 0.5, 0.25)
LONGEST_INTERVAL_S = 0.2
"""Cameras slower than 5 fps get no more time than this for a frame: it would arrive too old."""


class RateControl:
    """Chooses the level of the next request. `scale`: what is always asked for, or None to choose."""

    def __init__(self, scale: float | None = None) -> None:
        self._fixed = scale
        self._scales = SCALES if scale is None else (scale,)
        self._ladder = Ladder(len(self._scales))
        self._sizes = SizeModel()
        self._own, self._own_size = UNKNOWN_QUALITY, 0
        self._told = False
        self._quality: int | None = None
        self._delays_s: deque[float] = deque(maxlen=64)
        self._frames = 0

    @property
    def level(self) -> Level:
        """What to ask for next."""
        if not self.limited:
            return Level(None, self._fixed)
        scale = self._fixed if self._ladder.rung == 1 else SCALES[self._ladder.rung - 1]
        return Level(self._quality, scale)

    @property
    def limited(self) -> bool:
        """Whether the link carries less than the sender's own quality."""
        return self._ladder.rung > 0

    def arrived(self, arrival: Arrival, link: LinkModel, credits: int) -> None:
        """Take in a frame, which `link` has learnt already; so many requests are outstanding."""
        self._learn(arrival)
        if math.isnan(arrival.interval_s) or math.isnan(link.bytes_per_s):
            return
        interval_s = min(arrival.interval_s, LONGEST_INTERVAL_S)
        delay_s = self._delay_s(arrival) - link.hiccup_s
        budget = OPTIMISM * link.bytes_per_s * interval_s
        self._ladder.climb(
            [self._sizes.quality(budget, scale) for scale in self._scales],
            self._own,
            congested=delay_s > LATE * interval_s,
            roomy=self._told or budget > self._own_size,
            passed_s=arrival.passed_s,
        )
        # With several frames on their way each sees the same delay: each makes up for its part.
        correction = GAIN / credits * (link.delay_s(interval_s) - delay_s) / interval_s
        self._choose(budget * max(LEAST_SHARE, 1 + correction) * self._probe())

    def _learn(self, arrival: Arrival) -> None:
        asked = arrival.asked
        if asked.quality is None:
            self._told = arrival.quality > 0
            self._own, self._own_size = arrival.quality or UNKNOWN_QUALITY, arrival.size
        quality = arrival.quality or asked.quality or UNKNOWN_QUALITY
        self._sizes.learn(arrival.size, quality, asked.scale or 1.0)

    def _delay_s(self, arrival: Arrival) -> float:
        """How long the last frame was on its way; the mean of the last of each topic."""
        self._delays_s.append(arrival.transfer_s + arrival.late_s)
        last = list(self._delays_s)[-max(1, arrival.topics) :]
        return sum(last) / len(last)

    def _probe(self) -> float:
        self._frames += 1
        if self._sizes.spread > ALIKE:
            return 1.0
        return 1 + PROBE if self._frames & 2 else 1 - PROBE

    def _choose(self, size: float) -> None:
        quality = self._sizes.quality(size, self._scales[max(0, self._ladder.rung - 1)])
        lowest = WORST if self._ladder.lowest else FLOOR
        self._quality = round(min(self._own, max(lowest, quality)))

    def enough_credits(self, pause_s: float, link: LinkModel, interval_s: float) -> int:
        """Requests that must be outstanding so that each captured frame finds one.

        `pause_s`: what passes between a frame's arrival and the next one's hand-over at least.
        """
        return 1 + int((pause_s + max(0.0, interval_s - link.depth_s)) / interval_s)


DOWN_S = 0.5
"""How long a lower rung must be needed, seconds."""
UP_S = (1.0, 3.0)
"""How long a higher one must seem possible: the sender's own quality, a larger picture; seconds."""
HEADROOM = 8
"""A larger picture must get this quality above `FLOOR`."""
FAILED_S, FORGOTTEN_S = 10.0, 30.0
"""A climb has failed if it is undone within 10 s; after 30 s without a move that is forgotten."""
MOST_PATIENCE = 16.0
CONGESTED_FRAMES = 3
"""The sender's own quality is left after so many late frames in a row: one may be a hiccup."""


class Ladder:
    """The rungs: 0 as the sender has it, 1 a lower quality, 2 and more a smaller picture.

    Down when that was needed for some time, up when it seems possible for longer; each climb that
    failed makes the next one wait twice as long.
    """

    def __init__(self, scales: int) -> None:
        self.rung = 0
        self._scales = scales
        self._down_s = self._up_s = self._since_s = 0.0
        self._patience = 1.0
        self._climbed = False
        self._congested = 0

    @property
    def lowest(self) -> bool:
        """Whether no smaller picture may be asked for."""
        return self.rung >= self._scales

    def climb(
        self, wanted: list[float], own: int, *, congested: bool, roomy: bool, passed_s: float
    ) -> None:
        """Take in a frame. `wanted`: the quality that fits the link at each scale; `own`: the
        sender's; `roomy`: whether a frame of the sender's own fits; `passed_s`: since the last."""
        self._since_s += passed_s
        self._congested = self._congested + 1 if congested else 0
        if self._since_s > FORGOTTEN_S:
            self._patience = 1.0
        if self.rung == 0:
            if self._congested >= CONGESTED_FRAMES and (wanted[0] < own or not roomy):
                self._move(1)
            return
        low = not self.lowest and wanted[self.rung - 1] < FLOOR
        high = roomy and wanted[0] >= own if self.rung == 1 else self._fits(wanted, own, congested)
        self._down_s = self._down_s + passed_s if low else 0.0
        self._up_s = self._up_s + passed_s if high else 0.0
        if self._down_s > DOWN_S:
            self._move(1)
        elif self._up_s > UP_S[self.rung > 1] * self._patience:
            self._move(-1)

    def _fits(self, wanted: list[float], own: int, congested: bool) -> bool:
        """Whether a larger picture may: it is known to, or nothing better is left to try here."""
        above, here = wanted[self.rung - 2 : self.rung]
        return above > FLOOR + HEADROOM or (here >= own and not congested)

    def _move(self, by: int) -> None:
        if by > 0 and self._climbed and self._since_s < FAILED_S:
            self._patience = min(MOST_PATIENCE, 2 * self._patience)
        self._climbed = by < 0
        self.rung += by
        self._down_s = self._up_s = self._since_s = 0.0
        self._congested = 0
