"""What is known while a soak runs: what each flow did last, and whether the machine itself stood still."""

import time
from collections import deque
from dataclasses import dataclass, field

from soak.events import Events
from soak.measures import Sample
from soak.part import Heard
from soak.topology import Flow, Topology

__all__ = ["OWN", "Scene"]

OWN = "soak"
"""This program, which all links lead through."""

_STANDSTILL_S = 1.0
_WINDOW_S = 10.0
_STARVED = 0.5
"""Share of the time."""


@dataclass(slots=True)
class Scene:
    """Shared by the threads of the soak; each field is written by one."""

    topology: Topology
    events: Events
    started: bool = False
    """Whether frames came to everybody: from then on all must hold."""
    samples: dict[str, list[list[Sample]]] = field(default_factory=dict)
    """Of each part, for each of its lives."""
    ill: dict[str, str] | None = None
    """What the web viewer's /healthz said last: topic and what is wrong with it; None: nothing."""
    asked_s: float = 0.0
    """When that was."""
    standstill_s: float = -1e9
    """When last the machine let this program wait for more than a second."""
    longest_standstill_s: float = 0.0
    waits: dict[str, deque[tuple[float, dict[int, float]]]] = field(default_factory=dict)
    """Of each part the last ten seconds: when it was, and how long each thread had waited so far."""
    unjudged_s: float = 0.0
    """How long something could not be judged."""
    unread_s: dict[str, float] = field(default_factory=dict)
    """Until when what a part says was not read."""

    def heard(self, flow: Flow) -> Heard:
        return self.topology.parts[flow.part].life.topics.get(flow.topic, Heard())

    def is_new(self, flow: Flow, since_s: float, since_wall_s: float) -> bool:
        """Whether a frame was told of that came through since then."""
        heard = self.heard(flow)
        if "captured_s" in heard.figures:
            return bool(heard.figures["captured_s"] >= since_wall_s)
        return heard.grew_s > since_s

    def is_heard(self, part: str) -> bool:
        """Whether what a part says comes here."""
        it = self.topology.parts[part]
        if not it.reading.is_set():
            self.unread_s[part] = time.monotonic()
        unread = time.monotonic() - self.unread_s.get(part, -1e9) < 3.0
        return it.alive and not unread

    def tick(self, late_s: float) -> None:
        """Note how much later than due this program was woken."""
        if late_s > _STANDSTILL_S:
            self.standstill_s = time.monotonic()
            self.longest_standstill_s = max(self.longest_standstill_s, late_s)

    def is_judged(self, flow: Flow) -> bool:
        """Whether it can be said how long a frame takes: not if in the last ten seconds the machine
        stood still, or who is in its way waited for a processor for most of the time."""
        stood_still = time.monotonic() - self.standstill_s < _WINDOW_S
        return not stood_still and not any(map(self.is_starved, (OWN, *flow.way, *flow.beside)))

    def note_waits(self, part: str, waited_s: dict[int, float]) -> None:
        now_s, past = time.monotonic(), self.waits.setdefault(part, deque())
        past.append((now_s, waited_s))
        while now_s - past[0][0] > _WINDOW_S:
            past.popleft()

    def is_starved(self, part: str) -> bool:
        """Whether one of its threads waited for a processor for most of its last ten seconds."""
        past = list(self.waits.get(part, ()))
        if len(past) < 2:
            return False
        (first_s, before), (last_s, after) = past[0], past[-1]
        longest_s = max((after[each] - before[each] for each in before.keys() & after), default=0.0)
        return longest_s > _STARVED * (last_s - first_s)
