"""A camera, a sender, a thin link and a receiver that steers, in simulated time: no sleeping.

The link is a token bucket, as Linux' `tbf` is one: bytes up to `burst` pass at once while the bucket
is full, everything else at `rate`. Times are seconds from the start of the run.
"""

import heapq
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from framewire.common.clock import NS
from framewire.common.frame import Header
from framewire.common.level import Level
from framewire.receiver.links.steering import Steering

OWN_QUALITY = 85
ENCODE_S = DECODE_S = 0.002
STATUS_AFTER_S = 1.0
STATUS_SIZE = 100
OVERHEAD = 0.037
"""TCP, IP and Ethernet beside the payload: 96.4 % of the rate is left."""
SENDER_CLOCK_S = 5_000.0
"""What the sender's clock shows at the start: nothing that a receiver may build on."""

Content = Callable[[int, random.Random], tuple[float, float]]
"""Frame number -> (size at the sender's own quality relative to the link's mean, size exponent)."""


def constant(_i: int, _rng: random.Random) -> tuple[float, float]:
    return 1.0, 0.58


def noisy(_i: int, rng: random.Random) -> tuple[float, float]:
    return rng.uniform(0.85, 1.15), 0.58


def alternating(_i: int, rng: random.Random) -> tuple[float, float]:
    """Two clips, the next frame from either: nothing tells its size beforehand."""
    size, alpha = rng.choice([(0.75, 0.65), (1.25, 0.52)])
    return size * rng.uniform(0.97, 1.03), alpha


def cuts(i: int, rng: random.Random) -> tuple[float, float]:
    """A scene of other size and kind every 3 s."""
    scene = random.Random(i // 90)
    return scene.uniform(0.6, 1.6) * rng.uniform(0.97, 1.03), scene.uniform(0.5, 0.68)


def drift(i: int, rng: random.Random) -> tuple[float, float]:
    """Between half and one and a half in 20 s, then back."""
    phase = (i / 300) % 2
    return (0.5 + min(phase, 2 - phase)) * rng.uniform(0.97, 1.03), 0.6


def size_of(level: Level, full: float, alpha: float) -> int:
    """Bytes of a frame that has `full` bytes at the sender's own quality."""
    quality = min(OWN_QUALITY, level.quality or OWN_QUALITY)
    steps = 5000 / quality if quality < 50 else 200 - 2 * quality
    own = 200 - 2 * OWN_QUALITY
    return int(700 + full * (max(1, steps) / own) ** -alpha * (level.scale or 1.0) ** 1.6)


@dataclass
class Link:
    """What the run goes through. `rates`: from which second on how many bytes a second pass."""

    rates: Sequence[tuple[float, float]] = ((0.0, 13.774e6 / 8),)
    burst: float = 32_768
    round_trip_s: float = 0.0003
    jitter_s: float = 0.0002
    _filled: float = 0.0
    _at_s: float = 0.0
    _last_s: float = 0.0

    def rate(self, now_s: float) -> float:
        return [rate for since, rate in self.rates if since <= now_s][-1]

    def arrival(self, now_s: float, size: int, rng: random.Random) -> float:
        """When the last byte of a message is there that was handed over at `now_s`."""
        rate = self.rate(now_s)
        drained = (now_s - self._at_s) * rate
        self._filled = max(0.0, self._filled - drained) + size * (1 + OVERHEAD)
        self._at_s = now_s
        queued = max(0.0, self._filled - self.burst) / rate
        at = now_s + queued + self.round_trip_s / 2 + rng.expovariate(1) * self.jitter_s
        self._last_s = max(at, self._last_s)
        return self._last_s


@dataclass
class Answer:
    """One frame that arrived."""

    at_s: float
    age_ms: float
    size: int
    level: Level
    topic: str


@dataclass
class Run:
    """What a run brought, and figures of a part of it."""

    link: Link
    answers: list[Answer] = field(default_factory=list)
    statuses: int = 0
    most_outstanding: int = 0

    def part(self, begin_s: float, end_s: float = 1e9) -> list[Answer]:
        return [answer for answer in self.answers if begin_s <= answer.at_s < end_s]

    def age(self, share: float, begin_s: float, end_s: float = 1e9) -> float:
        ages = sorted(answer.age_ms for answer in self.part(begin_s, end_s))
        return ages[round(share * (len(ages) - 1))]

    def fps(self, begin_s: float, end_s: float = 1e9) -> float:
        part = self.part(begin_s, end_s)
        return (len(part) - 1) / (part[-1].at_s - part[0].at_s)

    def use(self, begin_s: float, end_s: float = 1e9) -> float:
        """Share of the nominal rate that carried payload; 0.964 is a full link."""
        part = self.part(begin_s, end_s)
        span_s = part[-1].at_s - part[0].at_s
        return sum(a.size for a in part[1:]) / span_s / self.link.rate(part[0].at_s)

    def qualities(self, begin_s: float, end_s: float = 1e9) -> list[int]:
        return [a.level.quality or OWN_QUALITY for a in self.part(begin_s, end_s)]

    def wobble(self, begin_s: float, end_s: float = 1e9) -> float:
        """Standard deviation of the quality."""
        return statistics.pstdev(self.qualities(begin_s, end_s))


class Simulation:
    """One receiver, one sender with cameras that share the conversation, and the link between."""

    def __init__(
        self,
        steering: Steering,
        link: Link,
        *,
        content: Content = constant,
        full_size: float = 115_000,
        fps: float = 30.0,
        topics: int = 1,
        own_quality_told: bool = True,
        silent: tuple[float, float] = (0.0, 0.0),
        lost_at_s: float = 1e9,
        clock_drift: float = 0.0,
        seed: int = 1,
    ) -> None:
        self.steering, self.link = steering, link
        self._content, self._full, self._fps, self._topics = content, full_size, fps, topics
        self._told, self._silent, self._lost_at_s = own_quality_told, silent, lost_at_s
        self._clock = 1 + clock_drift
        self._rng = random.Random(seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._now_s = 0.0
        self._newest: dict[int, tuple[int, float]] = {}
        self._requests: list[tuple[float, float, Level, bool]] = []
        self._busy = False
        self._outstanding = 0
        self._timer = 0
        self._epoch = 0
        self.run = Run(link)

    def __call__(self, seconds: float) -> Run:
        for camera in range(self._topics):
            self._at(0.013 + camera * 0.004, lambda c=camera: self._capture(c, 0))  # type: ignore[misc]
        self._at(0.0, self._ping)
        self._at(self._lost_at_s, self._lose)
        while self._events and self._events[0][0] <= seconds:
            self._now_s, _, event = heapq.heappop(self._events)
            event()
        return self.run

    def _at(self, at_s: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (at_s, next(self._order), event))

    # The cameras and the sender

    def _capture(self, camera: int, i: int) -> None:
        if not self._silent[0] <= self._now_s < self._silent[1]:
            self._newest[camera] = (i, self._now_s)
        self._at(self._now_s + 1 / self._fps, lambda: self._capture(camera, i + 1))
        self._serve()

    def _requested(self, asked_s: float, level: Level, ping: bool) -> None:
        request = (asked_s, self._now_s, level, ping)
        self._requests.append(request)
        self._at(self._now_s + STATUS_AFTER_S, lambda: self._give_up(request))
        self._serve()

    def _give_up(self, request: tuple[float, float, Level, bool]) -> None:
        if request in self._requests:
            self._requests.remove(request)
            self._hand_over(request, STATUS_SIZE, None, 0.0)

    def _serve(self) -> None:
        if self._busy or not self._requests:
            return
        if self._requests[0][3]:
            self._hand_over(self._requests.pop(0), STATUS_SIZE, None, 0.0)
            return self._serve()
        if self._newest:
            camera = min(self._newest, key=lambda c: self._newest[c][1])
            i, captured_s = self._newest.pop(camera)
            request = self._requests.pop(0)
            self._busy = True
            self._at(self._now_s + ENCODE_S, lambda: self._encoded(request, camera, i, captured_s))
        return None

    def _encoded(
        self, request: tuple[float, float, Level, bool], camera: int, i: int, captured_s: float
    ) -> None:
        self._busy = False
        weight, alpha = self._content(i, self._rng)
        level = request[2]
        size = size_of(level, self._full * weight, alpha)
        quality = min(OWN_QUALITY, level.quality or OWN_QUALITY)
        header = Header(
            topic=f"camera{camera}",
            sender="simulated",
            sequence=i,
            captured_ns=int((captured_s + 1e6) * NS),
            monotonic_ns=int((captured_s * self._clock + SENDER_CLOCK_S) * NS),
            sent_ns=0,
            encode_us=int(ENCODE_S * 1e6),
            width=1280,
            height=720,
            channels=3,
            codec="jpeg",
            quality=quality if self._told or level.quality else 0,
        )
        self._hand_over(request, size, header, captured_s)
        self._serve()

    def _hand_over(
        self,
        request: tuple[float, float, Level, bool],
        size: int,
        header: Header | None,
        captured_s: float,
    ) -> None:
        asked_s, came_s, level, _ = request
        waited_s, epoch = self._now_s - came_s, self._epoch
        at_s = self.link.arrival(self._now_s, size, self._rng)
        self._at(
            at_s,
            lambda: self._answered(epoch, asked_s, waited_s, size, header, captured_s, level),
        )

    # The receiver

    def _ping(self) -> None:
        self._ask(ping=True)

    def _lose(self) -> None:
        """The connection breaks, and stands again at once."""
        self._epoch += 1
        self._outstanding = 0
        self._requests.clear()
        self.steering.reset()
        self._ask(ping=True)

    def _ask(self, *, ping: bool = False) -> None:
        self._outstanding += 1
        self.run.most_outstanding = max(self.run.most_outstanding, self._outstanding)
        asked_s, level, epoch = self._now_s, self.steering.level, self._epoch

        def arrive() -> None:
            if epoch == self._epoch:
                self._requested(asked_s, level, ping)

        self._at(self._now_s + self.link.round_trip_s / 2, arrive)

    def _answered(
        self,
        epoch: int,
        asked_s: float,
        waited_s: float,
        size: int,
        header: Header | None,
        captured_s: float,
        level: Level,
    ) -> None:
        if epoch != self._epoch:
            return
        self._outstanding -= 1
        if header is None:
            self.run.statuses += 1
        else:
            age_ms = (self._now_s + DECODE_S - captured_s) * 1e3
            self.run.answers.append(Answer(self._now_s, age_ms, size, level, header.topic))
        self.steering.answered(
            asked_ns=int(asked_s * NS),
            now_ns=int(self._now_s * NS),
            waited_ns=int(waited_s * 1e6) * 1000,
            size=size,
            header=header,
        )
        self._timer += 1
        self._ask_if_ready(self._timer)

    def _ask_if_ready(self, timer: int) -> None:
        while timer == self._timer:
            now_ns = int(self._now_s * NS)
            ready_ns = self.steering.ready_ns(self._outstanding, now_ns)
            if ready_ns is None:
                return
            if ready_ns > now_ns:
                self._at(ready_ns / NS + 1e-6, lambda: self._ask_if_ready(timer))
                return
            self._ask()


def header(sequence: int, captured_s: float, *, topic: str = "", **more: Any) -> Header:
    """The header of a picture that was captured so many seconds after some beginning."""
    facts: dict[str, Any] = {
        "sender": "s",
        "captured_ns": int((captured_s + 1e9) * NS),
        "monotonic_ns": int((captured_s + 77) * NS),
        "sent_ns": 0,
        "width": 8,
        "height": 8,
        "channels": 3,
        "codec": "jpeg",
        "quality": 85,
    } | more
    return Header(topic=topic, sequence=sequence, **facts)
