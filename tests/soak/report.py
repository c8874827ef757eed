"""What a soak has shown: for people, and for machines."""

from collections.abc import Iterator
from dataclasses import asdict
from statistics import median
from typing import Any

from soak.events import Incident
from soak.faults import FAULTS
from soak.invariants import INVARIANTS
from soak.measures import growth
from soak.scene import Scene

__all__ = ["as_json", "lines"]


def lines(scene: Scene) -> Iterator[str]:
    """Tables: faults, processes, what came to whom, promises."""
    yield ""
    yield f"{'fault':<16}{'times':>6}{'median s':>10}{'longest s':>11}  frames again after it"
    for name in FAULTS:
        slowest = [each.slowest_s for each in _of(scene, name)]
        known = [each for each in slowest if each is not None]
        times = f"{median(known):>10.1f}{max(known):>11.1f}" if known else f"{'-':>10}{'-':>11}"
        yield f"{name:<16}{len(slowest):>6}{times}  {FAULTS[name].does}"
    yield ""
    yield (
        f"{'process':<10}{'lives':>6}{'longest s':>10}{'MB first':>10}{'last':>6}{'MB/min':>8}"
        f"{'descriptors':>13}{'threads':>9}"
    )
    for name in scene.topology.parts:
        yield _process(scene, name)
    yield ""
    yield f"{'at':<10}{'topic':<12}{'received':>9}{'lost':>7}{'skipped':>9}{'restarts':>9}  (last life)"
    for flow in scene.topology.flows:
        figures = scene.heard(flow).figures
        counts = [figures.get(what, 0) for what in ("received", "lost", "skipped", "restarts")]
        yield f"{flow.part:<10}{flow.topic:<12}{counts[0]:>9}{counts[1]:>7}{counts[2]:>9}{counts[3]:>9}"
    yield ""
    for name, each in INVARIANTS.items():
        broken = sum(violation.invariant == name for violation in scene.events.violations)
        yield f"{f'BROKEN {broken}x' if broken else 'held':<12}{name}: {each.promise}"
    for violation in scene.events.violations:
        yield f"{violation.at_s:7.1f}  {violation.invariant}: {violation.what}"
    yield (
        f"{len(scene.events.incidents)} faults in {scene.events.now_s:.0f} s; the machine itself stood still for "
        f"{scene.longest_standstill_s:.1f} s at most; something about time could not be judged for "
        f"{scene.unjudged_s:.0f} s"
    )


def _of(scene: Scene, fault: str) -> list[Incident]:
    return [each for each in scene.events.incidents if each.fault == fault]


def _process(scene: Scene, name: str) -> str:
    lives = scene.samples.get(name, [])
    longest = max(lives, key=len, default=[])
    lasted_s = longest[-1].age_s if longest else 0.0
    grown = growth(longest)
    if grown is None:
        return f"{name:<10}{len(lives):>6}{lasted_s:>10.0f}"
    descriptors = "{} to {}".format(*grown.descriptors)
    threads = "{} to {}".format(*grown.threads)
    return (
        f"{name:<10}{len(lives):>6}{lasted_s:>10.0f}{grown.first_mb:>10.0f}{grown.last_mb:>6.0f}"
        f"{grown.slope_mb_per_min:>+8.2f}{descriptors:>13}{threads:>9}"
    )


def as_json(scene: Scene, *, seed: int) -> dict[str, Any]:
    """All figures."""
    grown = {name: list(map(growth, lives)) for name, lives in scene.samples.items()}
    return {
        "seed": seed,
        "seconds": round(scene.events.now_s, 1),
        "standstill_s": round(scene.longest_standstill_s, 2),
        "unjudged_s": round(scene.unjudged_s, 1),
        **scene.events.as_json(),
        "processes": {
            name: [each and asdict(each) for each in lives] for name, lives in grown.items()
        },
        "flows": [
            {"part": flow.part, "topic": flow.topic, "figures": scene.heard(flow).figures}
            for flow in scene.topology.flows
        ],
    }
