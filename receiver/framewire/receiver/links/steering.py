"""Steers one conversation of the `req-rep` pattern: what to ask for, and when.

Pure: no socket, thread or clock. The time is an argument, in nanoseconds of the receiver's monotonic
clock. Of the sender's clock only differences are used: between two captures, and how long a request
waited. So it does not matter what the sender's clock shows.
"""

import math
from collections import deque
from typing import Literal

from framewire.common.clock import NS
from framewire.common.errors import UsageError
from framewire.common.frame import Header
from framewire.common.level import Level
from framewire.receiver.links.path import Cadence, LinkModel, RoundTrip
from framewire.receiver.links.rate_control import Arrival, RateControl

__all__ = ["Steering"]

MOST_CREDITS = 8
SMALLEST_SCALE = 1 / 16
NEAR_NS = 3_000_000
"""Up to a round trip of 3 ms one request is enough: a slow link idles no longer between frames."""
SATURATED = 0.9
"""A frame whose transfer takes this share of the frame interval leaves the link no pause."""
MARGIN, MARGIN_S = 0.3, 0.003
"""On a saturated link requests come so much of a transfer, and 3 ms, before they are needed: frames
differ in size, and a link that idles has lost more than a frame that waits a little."""
TRANSFER_MEMORY = 0.7
"""Weight of the past in the mean transfer time, at each frame."""
ALONE = 1.2
"""A frame that comes so many transfer times after the one before was not queued behind it."""
FRESH_S = 0.001
"""A request that waited 1 ms longer than the encoding waited for the capture: nothing is late."""


class Steering:
    """What one receiver asks one sender. Not thread-safe.

    Requests may be outstanding up to `credits`. With `quality="auto"` the quality (and, unless it is
    given, the scale) follow what the link carries; otherwise they are asked for as given.
    """

    def __init__(
        self,
        *,
        quality: int | Literal["auto"] | None = None,
        scale: float | None = None,
        credits: int | None = None,
    ) -> None:
        _check(quality, scale, credits)
        self._control = RateControl(scale) if quality == "auto" else None
        self._level = Level(None if quality == "auto" else quality, scale)
        self._fixed_credits = credits
        self._levels: deque[tuple[int, Level]] = deque([(0, self._level)], maxlen=32)
        self._cadence = Cadence()
        self._link = LinkModel()
        self.reset()

    def reset(self) -> None:
        """The connection was lost: what was measured on the path is forgotten. The level is kept, and
        the link's rate counts little: what comes next is likely to be as it was, but need not be."""
        self._trip = RoundTrip()
        self._link.doubt()
        self._cadence.interrupted()
        self._answered_ns: int | None = None
        self._transfer_s = math.nan
        self._encode_s = 0.0

    def answered(
        self, *, asked_ns: int, now_ns: int, waited_ns: int, size: int, header: Header | None
    ) -> None:
        """An answer came, whole.

        `asked_ns` and `now_ns`: when it was asked for and when it was there; `waited_ns`: how long
        the request waited at the sender, by its clock; `size`: bytes of the payload; `header`: None
        for a status.
        """
        took_ns = max(0, now_ns - asked_ns - waited_ns)
        if header is None:
            self._trip.status(took_ns, now_ns)
        else:
            self._bound_trip(took_ns, now_ns, size)
            begin_ns = now_ns - max(0, took_ns - self._trip.ns)
            self._frame(asked_ns, begin_ns, now_ns, waited_ns, max(1, size), header)
        self._answered_ns = now_ns

    def _bound_trip(self, took_ns: int, now_ns: int, size: int) -> None:
        transfer_s = size / self._link.bytes_per_s
        passed_s = math.nan if self._answered_ns is None else (now_ns - self._answered_ns) / NS
        alone = passed_s > ALONE * transfer_s
        self._trip.frame(took_ns, took_ns - int(transfer_s * NS) if alone else None, now_ns)

    def _frame(
        self, asked_ns: int, begin_ns: int, now_ns: int, waited_ns: int, size: int, header: Header
    ) -> None:
        """`begin_ns`: when the frame's first byte could have been here."""
        self._encode_s = header.encode_us / 1e6
        fresh = waited_ns / NS - self._encode_s > FRESH_S
        late_s = self._cadence.frame(header, begin_ns, fresh=fresh)
        before_ns = begin_ns if self._answered_ns is None else self._answered_ns
        alone_s = (now_ns - max(begin_ns, before_ns)) / NS
        self._link.learn(size, alone_s, max(0, begin_ns - before_ns) / NS)
        past = 0.0 if math.isnan(self._transfer_s) else TRANSFER_MEMORY
        self._transfer_s = (past and past * self._transfer_s) + (1 - past) * alone_s
        if self._control is not None:
            arrival = Arrival(
                size=size,
                transfer_s=(now_ns - begin_ns) / NS,
                late_s=late_s,
                interval_s=self._cadence.interval_s,
                topics=self._cadence.topics,
                passed_s=0.0 if self._answered_ns is None else (now_ns - self._answered_ns) / NS,
                asked=self._level_at(asked_ns),
                quality=header.quality,
            )
            self._control.arrived(arrival, self._link, self.credits)
            self._set(self._control.level, now_ns)

    def _set(self, level: Level, now_ns: int) -> None:
        if level != self._level:
            self._level = level
            self._levels.append((now_ns, level))

    def _level_at(self, asked_ns: int) -> Level:
        """What a request asked for that was sent then."""
        known = (level for since_ns, level in reversed(self._levels) if since_ns <= asked_ns)
        return next(known, self._levels[0][1])

    def ready_ns(self, outstanding: int, now_ns: int) -> int | None:
        """When the next request may be sent; None while as many are outstanding as may be.

        A request that waits for a capture costs nothing. But on a link that is always busy a request
        that comes early makes a frame queue at the sender and grow old: there the next one is sent
        so that it arrives when the frames before have nearly passed.
        """
        if outstanding >= self.credits:
            return None
        saturated = self._transfer_s > SATURATED * self._cadence.interval_s
        if not outstanding or not saturated or self._answered_ns is None:
            return now_ns
        margin_s = MARGIN * self._transfer_s + MARGIN_S
        ahead_ns = (outstanding * self._transfer_s - margin_s) * NS - self._trip.ns
        return max(now_ns, self._answered_ns + int(ahead_ns))

    @property
    def level(self) -> Level:
        """What the next request asks for."""
        return self._level

    @property
    def credits(self) -> int:
        """How many requests may be outstanding now."""
        if self._fixed_credits is not None:
            return self._fixed_credits
        if not self._trip.known:
            return 1
        least = 1 if self._trip.ns < NEAR_NS else 2
        return max(least, min(MOST_CREDITS, self._enough_credits()))

    def _enough_credits(self) -> int:
        """So many that neither link nor camera waits for a request."""
        interval_s, trip_s = self._cadence.interval_s, self._trip.ns / NS
        if math.isnan(interval_s):
            return 1
        if self._control is not None and self._control.limited:
            return self._control.enough_credits(trip_s + self._encode_s, self._link, interval_s)
        if self._trip.ns < NEAR_NS:
            return 1
        return 1 + math.ceil(trip_s / max(interval_s, self._transfer_s))

    @property
    def round_trip_ms(self) -> float:
        """The path's round trip without transfer and waiting, milliseconds; nan before known."""
        return self._trip.ns / 1e6 if self._trip.known else math.nan

    @property
    def bytes_per_s(self) -> float:
        """Payload bytes a second that the link carries, as far as tried; nan before known."""
        return self._link.bytes_per_s


def _check(quality: int | str | None, scale: float | None, credits: int | None) -> None:
    if quality not in (None, "auto", *range(1, 101)):
        raise UsageError(f"quality is 1 to 100, 'auto' or None, not {quality!r}")
    if scale is not None and not SMALLEST_SCALE <= scale <= 1:
        raise UsageError(f"scale is 1/16 to 1, or None, not {scale!r}")
    if credits is not None and credits not in range(1, MOST_CREDITS + 1):
        raise UsageError(f"credits is 1 to {MOST_CREDITS}, or None, not {credits!r}")
