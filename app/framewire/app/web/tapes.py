"""`Tape`: what is known of one file of recordings. Pure, but for what it is told by a `Recording`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from framewire.common.clock import NS
from framewire.common.recording import Recording

__all__ = ["Break", "Stamp", "State", "Tape", "examined", "merged", "state_of"]

State = Literal["unread", "finished", "growing", "cut", "damaged"]

GROWING_NS = 10 * NS
"""A file without an end that nobody has written to for so long is not being recorded any more."""
_MOST_BREAKS = 500
"""A page is as wide as that many little marks."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """By which a file is known to be the one that was read."""

    size: int
    modified_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Break:
    """A place where frames are missing by their numbers, on the topic's time line."""

    from_ns: int
    to_ns: int
    lost: int


@dataclass(frozen=True, slots=True)
class Tape:
    """One file. Times are nanoseconds of the Unix epoch, by the wall clock of the first frame's sender.

    They run from `began_ns` on by media time, so they never step back; where nobody set that clock
    they are the capture times.
    """

    name: str
    """Path below the folder, with ``/``: as in addresses."""
    path: Path
    stamp: Stamp
    topic: str
    """As its frames say; before they are read, or if none can be, the folder that it is in."""
    read: bool = False
    """Whether what follows is known."""
    finished: bool = False
    broken: bool = False
    reason: str = ""
    """What is wrong with it; empty if nothing is."""
    frames: int = 0
    began_ns: int = 0
    ended_ns: int = 0
    width: int = 0
    height: int = 0
    lost: int = 0
    breaks: tuple[Break, ...] = ()


def examined(tape: Tape, recording: Recording) -> Tape:
    """The same with all that its index tells."""
    began_ns, gaps = recording.began_ns, recording.gaps
    at = [began_ns + round(recording.time_of(which) * NS) for which in (0, -1)]
    breaks = (
        Break(began_ns + round(start * NS), began_ns + round(end * NS), gap.frames)
        for gap in gaps
        for start, end in [sorted((gap.start_s, gap.end_s))]
    )
    reason = _reason(recording)
    return replace(
        tape,
        topic=recording.topic,
        read=True,
        finished=recording.finished,
        broken=bool(reason),
        reason=reason,
        frames=len(recording),
        began_ns=at[0],
        ended_ns=at[1],
        width=recording.size[0],
        height=recording.size[1],
        lost=sum(gap.frames for gap in gaps),
        breaks=merged(breaks, (at[1] - at[0]) // _MOST_BREAKS),
    )


def _reason(recording: Recording) -> str:
    if recording.damaged:
        return f"the headers of {recording.damaged} frames cannot be read"
    if recording.faults:
        return "its structure is broken"
    return "its end is missing" if recording.missing_bytes else ""


def merged(breaks: Iterable[Break], width_ns: int) -> tuple[Break, ...]:
    """In order, those nearer to each other than `width_ns` made one."""
    found: list[Break] = []
    for each in sorted(breaks, key=lambda each: each.from_ns):
        if found and each.from_ns - found[-1].from_ns < width_ns:
            last = found[-1]
            to_ns = max(last.to_ns, each.to_ns)
            found[-1] = Break(last.from_ns, to_ns, last.lost + each.lost)
        else:
            found.append(each)
    return tuple(found)


def state_of(tape: Tape, now_ns: int) -> State:
    """How it does at `now_ns` of the wall clock."""
    if not tape.read:
        return "unread"
    if not tape.finished and now_ns - tape.stamp.modified_ns < GROWING_NS:
        return "growing"  # one that was just begun holds nothing yet
    if tape.broken or not tape.frames:
        return "damaged"
    return "finished" if tape.finished else "cut"
