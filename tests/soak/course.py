"""The course of a soak: all are started, faults come and go, all are ended."""

import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from soak.events import Events, Incident
from soak.faults import FAULTS, BrokenPromise
from soak.invariants import END_S, RECOVERY_S, check
from soak.scene import Scene
from soak.topology import Topology, build
from soak.watching import count_dropped, watching

__all__ = ["LONG", "SHORT", "Pace", "soak"]

_LONGEST_S = 60.0
_SETTLE_S = 1.5
_STEP_S = 0.05
_EARLY = ("cam", "hall", "history", "jobs")
"""Senders: they end first, so that receivers hear it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How faults follow each other; seconds, from and to."""

    fault_s: tuple[float, float]
    pause_s: tuple[float, float]
    at_once: tuple[int, ...]
    """How many faults there are at a time: one of these."""


LONG = Pace(fault_s=(1.0, 8.0), pause_s=(0.2, 2.0), at_once=(1, 1, 2, 3))
"""So that it can be seen of most faults what they do alone."""
SHORT = Pace(fault_s=(1.0, 3.0), pause_s=(0.1, 0.3), at_once=(5, 6))
"""So that much happens in little time."""


@dataclass(frozen=True, slots=True)
class _Drawn:
    fault: str
    target: str
    seconds: float


def soak(folder: Path, *, seconds: float, seed: int, pace: Pace = LONG) -> Scene:
    """Run for so long, and then as long as it takes to end; what came of it."""
    events, chance = Events(), random.Random(seed)
    with build(folder, f"{os.getpid()}-{seed}", events.complain) as topology:
        scene = Scene(topology, events)
        try:
            _start(topology)
            with watching(scene):
                _wait_for_all(scene, "the start", lambda took: None)
                events.began_s = time.monotonic()
                scene.started = True
                while events.now_s < seconds:
                    time.sleep(chance.uniform(*pace.pause_s))
                    _round(scene, _draw(chance, topology, pace))
                    time.sleep(_SETTLE_S)
                    count_dropped(scene)  # later than what is held against it
                    check(scene, "quiet")
                scene.started = False
                _end(scene)
        finally:
            for part in topology.parts.values():
                if part.alive:
                    part.kill()
    check(scene, "end")
    return scene


def _start(topology: Topology) -> None:
    for part in topology.parts.values():
        part.start()
    for part in topology.parts.values():
        if not part.wait(_LONGEST_S):
            raise BrokenPromise("starts", f"{part.name} did not: {part.log.read_text()}")


def _draw(chance: random.Random, topology: Topology, pace: Pace) -> list[_Drawn]:
    names, weights = list(FAULTS), [fault.weight for fault in FAULTS.values()]
    drawn: dict[str, _Drawn] = {}
    for name in chance.choices(names, weights, k=chance.choice(pace.at_once)):
        target = chance.choice(FAULTS[name].targets(topology))
        drawn[target] = _Drawn(
            name, target, chance.uniform(*(FAULTS[name].seconds or pace.fault_s))
        )
    return list(drawn.values())


def _round(scene: Scene, drawn: list[_Drawn]) -> None:
    """Those faults at the same time; then wait until all that they touched is well again."""
    incidents: list[Incident] = []
    threads = [
        threading.Thread(target=_happen, args=(scene, each, incidents), daemon=True)
        for each in drawn
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    def note(took: "_Took") -> None:
        for incident in incidents:
            if incident.target in took.elements:
                incident.recovery_s[took.flow] = took.seconds

    _wait_for_all(scene, " and ".join(map(str, incidents)), note)


def _happen(scene: Scene, drawn: _Drawn, incidents: list[Incident]) -> None:
    fault = FAULTS[drawn.fault]
    incident = scene.events.begin(
        drawn.fault, drawn.target, silences=fault.silences, harmless=fault.harmless
    )
    incidents.append(incident)
    try:
        with fault.act(scene.topology, drawn.target):
            time.sleep(drawn.seconds)
            incident.lifted_s = time.monotonic()
    except BrokenPromise as error:
        scene.events.complain(*error.args)
    incident.ended_s = time.monotonic()


@dataclass(frozen=True, slots=True)
class _Took:
    flow: str
    elements: tuple[str, ...]
    seconds: float


def _wait_for_all(scene: Scene, after: str, note: "Callable[[_Took], None]") -> None:
    """Until a new frame came to everybody; what takes too long is told."""
    since_s, since_wall_s = time.monotonic(), time.time()
    waiting = list(scene.topology.flows)
    late: set[str] = set()
    while waiting and time.monotonic() - since_s < _LONGEST_S:
        took_s = time.monotonic() - since_s
        for flow in list(waiting):
            name = f"{flow.topic} at {flow.part}"
            if scene.is_new(flow, since_s, since_wall_s):
                waiting.remove(flow)
                note(_Took(name, (*flow.way, *flow.beside), took_s))
                if name in late:
                    scene.events.say(f"{name} came after {took_s:.1f} s")
            elif took_s > RECOVERY_S and name not in late and scene.is_judged(flow):
                late.add(name)
                scene.events.complain(
                    "recovery", f"no frame of {name} {took_s:.1f} s after {after}"
                )
        time.sleep(_STEP_S)
    for flow in waiting:
        scene.events.complain(
            "recovery", f"{flow.topic} never came again at {flow.part} after {after}"
        )


def _end(scene: Scene) -> None:
    """Senders first, and all others at the same time."""
    parts = scene.topology.parts
    for names in (_EARLY, [name for name in parts if name not in _EARLY]):
        threads = [
            threading.Thread(target=parts[name].end, args=(10 * END_S,))
            for name in names
            if parts[name].alive
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
