"""What happened in a soak, and when: faults and violations. Times: seconds of the monotonic clock."""

import threading
import time
from dataclasses import asdict, dataclass, field

__all__ = ["Events", "Incident", "Violation"]


@dataclass(slots=True)
class Incident:
    """One fault."""

    fault: str
    target: str
    silences: bool
    harmless: bool
    began_s: float
    lifted_s: float | None = None
    """When it was over: what was killed begins to start again, a key is put back."""
    ended_s: float | None = None
    """When all is as before."""
    recovery_s: dict[str, float] = field(default_factory=dict)
    """For each flow in its way, how long after its end the first new frame came."""

    @property
    def slowest_s(self) -> float | None:
        return max(self.recovery_s.values(), default=None)

    def __str__(self) -> str:
        return f"{self.fault} {self.target}"


@dataclass(frozen=True, slots=True)
class Violation:
    at_s: float
    """Since the soak began."""
    invariant: str
    what: str


class Events:
    """All of them. Thread-safe."""

    def __init__(self) -> None:
        self.began_s = time.monotonic()
        self.incidents: list[Incident] = []
        self.violations: list[Violation] = []
        self._said: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    @property
    def now_s(self) -> float:
        return time.monotonic() - self.began_s

    def complain(self, invariant: str, what: str, *, once: str = "") -> None:
        """Note a violation; with `once`, only the first of that name."""
        with self._lock:
            if once and (invariant, once) in self._said:
                return
            self._said.add((invariant, once))
            self.violations.append(Violation(round(self.now_s, 1), invariant, what))
        self.say(f"VIOLATION  {invariant}: {what}")

    def begin(self, fault: str, target: str, *, silences: bool, harmless: bool) -> Incident:
        incident = Incident(fault, target, silences, harmless, time.monotonic())
        self.incidents.append(incident)
        self.say(str(incident))
        return incident

    def say(self, what: str) -> None:
        """A line with the time, for who looks on."""
        print(f"{self.now_s:7.1f}  {what}\n", end="", flush=True)

    def touching(self, elements: tuple[str, ...], within_s: float) -> list[Incident]:
        """Those that are not harmless, at one of `elements`, now or so short a time ago."""
        now_s = time.monotonic()
        return [
            each
            for each in list(self.incidents)
            if each.target in elements
            and not each.harmless
            and (each.ended_s is None or now_s - each.ended_s < within_s)
        ]

    def as_json(self) -> dict[str, object]:
        return {
            "incidents": [
                {
                    "fault": each.fault, "target": each.target,
                    "began_s": round(each.began_s - self.began_s, 2),
                    "ended_s": None if each.ended_s is None else round(each.ended_s - self.began_s, 2),
                    "recovery_s": {name: round(s, 2) for name, s in each.recovery_s.items()},
                }
                for each in self.incidents
            ],
            "violations": [asdict(each) for each in self.violations],
        }  # fmt: skip
