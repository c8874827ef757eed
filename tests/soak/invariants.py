"""Everything that must hold: a row a promise. To add one: what yields what is wrong, and its row.

What is yielded: a name, of which only the first is told, and what is wrong.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from soak.measures import growth
from soak.part import MARK
from soak.recordings import judge
from soak.scene import Scene

__all__ = ["END_S", "INVARIANTS", "RECOVERY_S", "Invariant", "check"]

RECOVERY_S = 10.0
"""After a fault has ended, frames come again within this."""
END_S = 3.0
"""After SIGTERM, a process has ended."""
_STALE_S = 4.0
"""Three seconds until a sender that is silent is called that, and one until it is told."""
_SILENT_S = 5.0
_TOLD_S, _AGREE_S = 2.0, 4.0
_MOST_WAITING = 100  # of a receiver that is busy
_GROWTH_MB, _SLOPE_MB_PER_MIN = 40.0, 2.0
_MORE_DESCRIPTORS, _MORE_THREADS = 16, 8
_MOST_MB = 700.0
_SIGNS = ("Traceback (most recent", "Assertion failed", "Fatal Python error", "Segmentation fault")

Wrong = Iterator[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Invariant:
    promise: str
    when: Literal["told", "always", "quiet", "end"]
    """`told`: by the programs themselves, as it happens. `quiet`: after each recovery."""
    check: Callable[[Scene], Wrong] | None = None


def check(scene: Scene, when: str) -> None:
    """All of that kind, now."""
    for name, each in INVARIANTS.items():
        if each.when == when and each.check:
            for once, what in each.check(scene):
                scene.events.complain(name, what, once=once)


# -- always ---------------------------------------------------------------------------------------


def _alive(scene: Scene) -> Wrong:
    for name, part in scene.topology.parts.items():
        if part.lives and not part.life.how and (code := part.life.process.poll()) is not None:
            yield f"{name} {len(part.lives)}", f"{name} ended by itself, with {code}"


def _small(scene: Scene) -> Wrong:
    for name, lives in scene.samples.items():
        if lives[-1] and lives[-1][-1].resident_mb > _MOST_MB:
            yield name, f"{name} holds {lives[-1][-1].resident_mb:.0f} MB"


def _flowing(scene: Scene) -> Wrong:
    now_s = time.monotonic()
    for flow in filter(scene.is_judged, scene.topology.flows):
        touching = scene.events.touching((*flow.way, *flow.beside), 2 * RECOVERY_S)
        silent_s = now_s - max(scene.heard(flow).grew_s, scene.events.began_s)
        if not touching and scene.is_heard(flow.part) and silent_s > _SILENT_S:
            faults = ", ".join(map(str, scene.events.incidents[-3:]))
            yield (
                f"{flow.part} {flow.topic} {len(scene.events.incidents)}",
                f"no frame of {flow.topic} at {flow.part} for {silent_s:.1f} s, though all was well; "
                + f"last: {faults}",
            )


def _healthy(scene: Scene) -> Wrong:
    now_s = time.monotonic()
    for flow in filter(scene.is_judged, scene.topology.flows):
        if flow.part == "web":
            at_s = scene.asked_s
            ill = (scene.ill or {}).get(flow.topic, "")
        else:
            figures, at_s = scene.heard(flow).figures, scene.heard(flow).told_s
            if "stale" not in figures or flow.part == "results":
                continue
            ill = "stale" if figures["stale"] else figures["state"].replace("live", "")
        if now_s - at_s > _TOLD_S:
            continue
        faults = scene.events.touching(flow.way, RECOVERY_S)
        at_home = any(each.target in (flow.part, flow.way[-2]) for each in faults)
        silenced = [
            each
            for each in faults
            if each.silences and each.lifted_s is None and at_s - each.began_s > _STALE_S
        ]
        name = f"{flow.part} {flow.topic} {len(scene.events.incidents)}"
        if ill and not faults:
            yield name, f"{flow.part} calls {flow.topic} {ill!r}, though nothing was wrong with it"
        elif silenced and not ill and not at_home and scene.is_heard(flow.part):
            yield name, f"{flow.part} calls {flow.topic} live {_STALE_S} s after: {silenced[0]}"


# -- quiet ----------------------------------------------------------------------------------------


def _accounts(scene: Scene) -> Wrong:
    for flow in scene.topology.flows:
        figures = scene.heard(flow).figures
        name = f"{flow.part} {flow.topic} {len(scene.topology.parts[flow.part].lives)}"
        if not scene.is_heard(flow.part):
            continue
        if "skipped" in figures and "delivered" in figures:
            waits = figures["received"] - figures["delivered"] - figures["skipped"]
            if not 0 <= waits <= _MOST_WAITING:
                yield (
                    name,
                    f"{flow.part} {flow.topic}: received, and neither taken nor skipped: {waits}",
                )
        disagree_s = scene.heard(flow).told_s - scene.heard(flow).agreed_s
        if figures.get("own_received") and flow.part != "direct" and disagree_s > _AGREE_S:
            yield (
                name,
                f"{flow.part} {flow.topic}: for {disagree_s:.1f} s the receiver's books and others "
                + f"do not agree: {figures}",
            )


def _whole(scene: Scene) -> Wrong:
    for flow in scene.topology.flows:
        heard, sender = scene.heard(flow), scene.topology.parts[flow.sender]
        counted = heard.told_s < sender.life.dropped_s
        if not (flow.whole and counted and scene.is_heard(flow.part)):
            continue
        lost = heard.figures["lost"] + heard.figures["passed_by"]
        dropped = sum(life.dropped for life in sender.lives)
        if lost > dropped:
            yield (
                f"{flow.part} {len(scene.topology.parts[flow.part].lives)} {lost}",
                f"{flow.part} lost {lost} frames of {flow.topic}, of which its sender dropped "
                + f"{dropped:.0f}, though the history held the others",
            )


# -- the end --------------------------------------------------------------------------------------


def _flat(scene: Scene) -> Wrong:
    for name, lives in scene.samples.items():
        for number, samples in enumerate(lives, 1):
            grown = growth(samples)
            if grown is None:
                continue
            more_mb = grown.last_mb - grown.first_mb
            if grown.judged and more_mb > _GROWTH_MB and grown.slope_mb_per_min > _SLOPE_MB_PER_MIN:
                yield (
                    f"{name} {number} memory",
                    (
                        f"life {number} of {name} went from {grown.first_mb:.0f} to {grown.last_mb:.0f} MB, "
                        f"{grown.slope_mb_per_min:+.1f} MB a minute"
                    ),
                )
            for what, (first, last), more in (
                ("descriptors", grown.descriptors, _MORE_DESCRIPTORS),
                ("threads", grown.threads, _MORE_THREADS),
            ):
                if last - first > more:
                    yield (
                        f"{name} {number} {what}",
                        f"life {number} of {name}: {first} to {last} {what}",
                    )


def _told(scene: Scene) -> Wrong:
    """A sender's last word is how many frames there were."""
    for flow in scene.topology.flows:
        sender = scene.topology.parts[flow.sender]
        summary, figures = sender.life.summary, scene.heard(flow).figures
        if sender.name == "hall" or flow.part not in ("watch", "bound") or not summary:
            continue
        if figures.get("next") != summary["captured"]:
            yield (
                f"{flow.part} {flow.topic}",
                f"{sender.name} captured {summary['captured']} frames, and {flow.part} knows of "
                + f"{figures.get('next')} of {flow.topic}",
            )


def _ended(scene: Scene) -> Wrong:
    for name, part in scene.topology.parts.items():
        life = part.life
        if life.how == "ended" and life.code not in part.codes:
            yield name, f"{name} exited with {life.code} after SIGTERM"
        if life.took_s > END_S and not scene.is_starved(name):
            yield f"{name} time", f"{name} took {life.took_s:.1f} s to end"


def _recorded(scene: Scene) -> Wrong:
    record = scene.topology.parts["record"]
    killed = any(life.how == "killed" for life in record.lives)
    for what in judge(scene.topology.recordings, killed=killed):
        yield what, what
    summary = record.life.summary
    if summary and summary["recorded"] + summary["unwritten"] != summary["received"]:
        yield "summary", f"received, but neither recorded nor counted: {summary}"


def _silent(scene: Scene) -> Wrong:
    for name, part in scene.topology.parts.items():
        text = part.log.read_text(errors="replace")
        for sign in _SIGNS:
            if sign in text:
                at = text.index(sign)
                yield f"{name} {sign}", f"{part.log.name}: {text[max(0, at - 100) : at + 1500]}"


def _nobody_left(scene: Scene) -> Wrong:
    token = f"{MARK}={scene.topology.mark}".encode()
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal() or int(process.name) == os.getpid():
            continue
        try:
            if token in (process / "environ").read_bytes().split(b"\0"):
                command = (process / "cmdline").read_text().replace("\0", " ")
                yield process.name, f"process {process.name} is still there: {command}"
                continue
            status = (process / "status").read_text()
            if f"PPid:\t{os.getpid()}\n" in status and "State:\tZ" in status:
                yield process.name, f"process {process.name} is a zombie"
        except OSError:
            continue


INVARIANTS = {
    "alive": Invariant("no process ends that was not killed", "always", _alive),
    "small": Invariant(f"no process holds more than {_MOST_MB:.0f} MB", "always", _small),
    "flows": Invariant(
        f"what is not in a fault's way flows on: no more than {_SILENT_S:g} s without a frame", "always", _flowing
    ),
    "health": Invariant(
        f"a sender is called gone within {_STALE_S:g} s when, and only when, it is cut off", "always", _healthy
    ),
    "recovery": Invariant(f"frames come again within {RECOVERY_S:g} s after a fault", "told"),
    "starts": Invariant("who was killed starts again", "told"),
    "keys": Invariant("who has no key, or one that is not let in, gives nothing and gets nothing", "told"),
    "pictures": Invariant("no frame comes twice, no picture is damaged or another's", "told"),
    "pages": Invariant("the web viewer's snapshots are whole, its list of recordings is there", "told"),
    "accounts": Invariant("every frame was received or counted as lost", "quiet", _accounts),
    "told": Invariant("receivers know of every frame that a sender captured until it ended", "end", _told),
    "whole": Invariant("who asks for every frame gets every frame", "quiet", _whole),
    "flat": Invariant(
        f"no life grows by more than {_GROWTH_MB:g} MB and {_SLOPE_MB_PER_MIN:g} MB a minute, by "
        f"{_MORE_DESCRIPTORS} descriptors or {_MORE_THREADS} threads, once it is warm", "end", _flat
    ),
    "ends": Invariant(f"SIGTERM ends every process within {END_S:g} s, well", "end", _ended),
    "recordings": Invariant("every recording can be read, and is not damaged", "end", _recorded),
    "silence": Invariant("no traceback and no failed assertion in any log", "end", _silent),
    "nobody left": Invariant("no process is left behind", "end", _nobody_left),
}  # fmt: skip
"""By name."""
