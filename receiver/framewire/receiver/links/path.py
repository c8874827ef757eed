"""What is known of the path to a sender: its round trip, its rate, and how often frames are captured.

Pure: no socket, thread or clock. Times that end in `_ns` are nanoseconds of the receiver's monotonic
clock, those in `_s` durations in seconds.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from statistics import median

from framewire.common.clock import NS
from framewire.common.frame import Header

__all__ = ["Cadence", "LinkModel", "RoundTrip"]

# -- its round trip -----------------------------------------------------------------------------

PERIOD_NS = 10 * NS
"""A path that became longer is believed after 10 s ..."""
ENOUGH = 10
"""... in which so many answers said so, and none else: queues and jitter last less long."""


class RoundTrip:
    """The least time from a request to its answer, without what the sender and the link's rate add.

    A status tells it. A frame tells two bounds: not more than it took, and, if nothing was queued
    before it, not less than that without its transfer. The former counts at once, the latter after
    a period in which all said so.
    """

    def __init__(self) -> None:
        self.known = False
        self.ns = 0
        self._since_ns = 0
        self._least_ns: list[int] = []

    def status(self, took_ns: int, now_ns: int) -> None:
        """A status came, so long after it was asked for, without the waiting at the sender."""
        if not self.known:
            self.ns, self.known, self._since_ns = took_ns, True, now_ns
        self.frame(took_ns, took_ns, now_ns)

    def frame(self, most_ns: int, least_ns: int | None, now_ns: int) -> None:
        """Take in bounds; `least_ns` is None if there is none."""
        if not self.known:
            return
        self.ns = min(self.ns, most_ns)
        if least_ns is not None:
            self._least_ns.append(least_ns)
        if now_ns - self._since_ns > PERIOD_NS:
            if len(self._least_ns) >= ENOUGH:
                self.ns = max(self.ns, min(self._least_ns))
            self._least_ns.clear()
            self._since_ns = now_ns


RECENT = 15
"""Captures that a topic's interval is the median of: half a second of a camera."""
SHORTEST_NS, LONGEST_NS = 1e6, 10.0 * NS
"""Limits of an interval, nanoseconds: 1000 fps, a frame in 10 s. Else a clock was set."""
ENDED_S, ENDED_INTERVALS = 2.0, 5
"""A topic has ended that was silent for 2 s and for 5 of its intervals."""


@dataclass(slots=True)
class _Topic:
    """The last frame of one topic."""

    sender: str
    sequence: int
    captured_ns: int
    begin_ns: int
    apart: bool = False
    """The connection was lost since: `begin_ns` says nothing about the next frame's lateness."""
    late_s: float = 0.0
    intervals_ns: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    @property
    def interval_s(self) -> float:
        return median(self.intervals_ns) / NS if self.intervals_ns else math.nan


class Cadence:
    """How often frames are captured, and how old they were when the sender took them.

    The hand-overs are measured on the receiver's clock, the captures on the sender's: a frame is as
    late as the one before it, plus how much further apart the hand-overs were than the captures. A
    request that waited for the capture shows that nothing is late, so the clocks cannot drift apart.
    """

    def __init__(self) -> None:
        self._topics: dict[str, _Topic] = {}

    def interrupted(self) -> None:
        """The connection was lost."""
        for topic in self._topics.values():
            topic.apart = True

    @property
    def topics(self) -> int:
        """How many topics there are."""
        return len(self._topics)

    @property
    def interval_s(self) -> float:
        """Mean time between captured frames of all topics, seconds; nan before it is known."""
        rate = sum(1 / topic.interval_s for topic in self._topics.values() if topic.intervals_ns)
        return 1 / rate if rate else math.nan

    def frame(self, header: Header, begin_ns: int, *, fresh: bool) -> float:
        """Take in a frame that could begin to come at `begin_ns`, a request having waited for it if
        it is `fresh`; returns for how long it had waited for a request, seconds."""
        moment_ns = begin_ns if header.replay else header.captured_ns
        captured_ns = header.monotonic_ns or moment_ns
        last = self._topics.get(header.topic)
        topic = _Topic(header.sender, header.sequence, captured_ns, begin_ns)
        self._topics[header.topic] = topic
        self._forget(begin_ns)
        if last is None or last.sender != header.sender or last.sequence >= header.sequence:
            return 0.0
        passed_ns = captured_ns - last.captured_ns
        interval_ns = passed_ns / (header.sequence - last.sequence)
        topic.intervals_ns = last.intervals_ns
        topic.intervals_ns.append(min(LONGEST_NS, max(SHORTEST_NS, interval_ns)))
        if not fresh and not last.apart:
            late_s = last.late_s + (begin_ns - last.begin_ns - passed_ns) / NS
            topic.late_s = min(topic.interval_s, max(0.0, late_s))
        # Topics that are captured together are answered one after the other: that is not late.
        return max(0.0, topic.late_s - (topic.interval_s - self.interval_s))

    def _forget(self, now_ns: int) -> None:
        for name, topic in list(self._topics.items()):
            silent_s = (now_ns - topic.begin_ns) / NS
            if silent_s > ENDED_S and not silent_s <= ENDED_INTERVALS * topic.interval_s:
                del self._topics[name]


# -- its rate -----------------------------------------------------------------------------------

DEPTHS_S = tuple(0.002 * step for step in range(21))
"""What a link may let through at once, in seconds of its rate: 0 to 40 ms, a frame at 25 fps."""
MEMORY = 0.97
"""Weight of the past at each frame: the last 33 frames count, about a second."""
DOUBT = 4e-4
"""Squared relative error that every measurement has (2 %): smaller ones decide nothing."""
BETTER = 0.8
"""Another depth must explain the sizes with this share of the present one's error."""
AT_ONCE_S = 0.001
"""Shorter transfers tell nothing about the rate: timers and queues are that coarse."""
CHANGED = 1.25
"""A link so many times faster or slower than thought, for `WITNESSES` frames, is another link."""
WITNESSES = 4
REMAINS = 0.1
"""Weight that the former link keeps where it is in doubt: as much as three frames."""
LEAST_DELAY = 0.2
"""No frame is asked to arrive in less than this share of the interval: jitter alone takes it."""
MOST_DELAY = 0.95
"""And none to take more than this share: the next one follows."""
SHARE_OF_PAUSE = 0.9
"""How much of the delay that a full link needs is aimed at: less delay for 1 % of the rate."""


class LinkModel:
    """Rate and depth of a link, from sizes, transfer times and pauses.

    Shapers let a burst pass at once after a pause (a token bucket: Linux' `tbf`, most operators), so
    a transfer time says little about the rate by itself. A frame of S bytes after a pause keeps the
    link busy for `transfer + min(pause, depth)`. For each depth the rate follows by least squares,
    and the depth that explains the sizes best is the link's. An error in the round trip makes the
    depth wrong by as much, and `delay_s` right again.
    """

    def __init__(self) -> None:
        self._sums = [[0.0, 0.0, 0.0] for _ in DEPTHS_S]
        self._best = 0
        self._strangers = 0
        self._excess_s = 0.0
        self.hiccup_s = 0.0
        """How much longer the last frame took than its size explains, and than the one before did:
        a hiccup of the path or of a machine, which smaller frames would not cure."""

    @property
    def depth_s(self) -> float:
        """The burst that passes at once, in seconds of the rate."""
        return DEPTHS_S[self._best]

    @property
    def bytes_per_s(self) -> float:
        """Payload bytes a second, as far as they were tried; nan before the first frame."""
        _, product, square = self._sums[self._best]
        return product / square if square else math.nan

    @property
    def scatter(self) -> float:
        """Standard deviation of the time that a frame keeps the link busy, relative to its mean."""
        return math.sqrt(max(0.0, self._error(self._best) - DOUBT))

    def delay_s(self, interval_s: float) -> float:
        """The least transfer time at which the link never pauses for longer than its depth."""
        least_s = SHARE_OF_PAUSE * (interval_s - self.depth_s)
        slack_s = self.scatter * interval_s
        return min(MOST_DELAY * interval_s, max(LEAST_DELAY * interval_s, least_s) + slack_s)

    def learn(self, size: int, transfer_s: float, idle_s: float) -> None:
        """Take in a frame: its bytes, from when on it alone was on its way, the pause before."""
        self._notice_hiccup(size, transfer_s, idle_s)
        if transfer_s < AT_ONCE_S:
            # All of it was a burst: a bound for the rate, if anything.
            transfer_s, idle_s = transfer_s + idle_s, 0.0
            if transfer_s < AT_ONCE_S or not size > self.bytes_per_s * transfer_s:
                return
        if self._is_stray(size / (transfer_s + min(idle_s, self.depth_s))):
            return
        for sums, depth_s in zip(self._sums, DEPTHS_S, strict=True):
            # Relative to the size: a large frame counts as much as a small one.
            busy = (transfer_s + min(idle_s, depth_s)) / size
            for i, value in enumerate((1.0, busy, busy * busy)):
                sums[i] = MEMORY * sums[i] + value
        best = min(range(len(DEPTHS_S)), key=self._error)
        if self._error(best) < BETTER * self._error(self._best):
            self._best = best

    def doubt(self) -> None:
        """It may be another link from now on: let the next frames decide."""
        self._strangers = 0
        self._excess_s = self.hiccup_s = 0.0
        self._sums = [[REMAINS * value for value in sums] for sums in self._sums]

    def _error(self, which: int) -> float:
        ones, product, square = self._sums[which]
        return (1 - product * product / (ones * square) if square else 0.0) + DOUBT

    def _notice_hiccup(self, size: int, transfer_s: float, idle_s: float) -> None:
        expected_s = max(0.0, size / self.bytes_per_s - min(idle_s, self.depth_s))
        excess_s = 0.0 if math.isnan(expected_s) else max(0.0, transfer_s - expected_s)
        self.hiccup_s = max(0.0, excess_s - self._excess_s)
        self._excess_s = excess_s

    def _is_stray(self, bytes_per_s: float) -> bool:
        """Whether one frame tells of a much slower link: believed if the next ones say so too."""
        ratio = bytes_per_s / self.bytes_per_s
        side = (ratio > CHANGED) - (ratio < 1 / CHANGED)
        self._strangers = self._strangers + side if side * self._strangers > 0 else side
        if abs(self._strangers) >= WITNESSES:
            self.doubt()
            return False
        return side < 0
