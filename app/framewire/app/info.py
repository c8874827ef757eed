"""`info`: what recordings and clips hold, and whether they are whole."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from framewire.common.errors import RecordingError, UsageError
from framewire.common.options import Json, Switch
from framewire.common.printable import printable
from framewire.common.terminal import EXIT_DONE, EXIT_FAILED, EXIT_LOST, print_json

if TYPE_CHECKING:
    from framewire.app.facts import Facts

__all__ = ["info"]

_SUFFIXES = frozenset((".mkv", ".mp4", ".mov", ".avi", ".webm", ".mjpeg"))
_LISTED = 10


def info(*files: Path, check: Switch = False, json: Json = False) -> int:
    """Tell what recordings and clips hold: topic, frames, times, gaps, damage.

    Parameters
    ----------
    files
        Recordings, any video files, or folders of them.
    check
        Read and check every frame; exit with 1 if one is damaged or a file was cut, with 3 if
        frames are missing.
    """
    from framewire.app.facts import facts_of

    paths = [path for file in files for path in _videos(file)]
    if not paths:
        named = ", ".join(map(str, files))
        raise UsageError(f"{named} holds no video" if named else "name a recording or a folder")
    codes = []
    for path in paths:
        try:
            facts = facts_of(path, check=check)
        except RecordingError as error:
            if len(paths) == 1:
                raise
            print(f"framewire: {printable(str(error))}", file=sys.stderr)
            codes.append(EXIT_FAILED)
            continue
        if json:
            print_json(**facts)
        else:
            print("\n".join(map(printable, _lines(facts, check))))
        codes.append(_code(facts) if check else EXIT_DONE)
    return EXIT_FAILED if EXIT_FAILED in codes else max(codes)


def _videos(file: Path) -> list[Path]:
    if not file.is_dir():
        return [file]
    return sorted(path for path in file.rglob("*") if path.suffix.lower() in _SUFFIXES)


def _code(facts: "Facts") -> int:
    if any(facts.get(name) for name in ("damaged", "faults", "cut_bytes", "missing_bytes")):
        return EXIT_FAILED
    return EXIT_LOST if facts.get("lost") else EXIT_DONE


def _lines(facts: "Facts", check: bool) -> Iterator[str]:
    yield f"{facts['file']}: {facts['kind']}, {facts['bytes'] / 1e6:.1f} MB"
    what = f"{facts['frames']} frames of {facts['width']}x{facts['height']} {facts['codec']}"
    yield f"  {what}, {facts['duration_s']:.3f} s, {facts['fps']:.2f} fps"
    if facts["kind"] == "recording":
        yield from _recorded(facts)
        yield from _gaps(facts)
        yield from _damage(facts)
    if check:
        yield f"  {facts['damaged']} damaged"


def _recorded(facts: "Facts") -> Iterator[str]:
    yield f"  {facts['min_interval_ms']:.1f} to {facts['max_interval_ms']:.1f} ms between frames"
    yield f"  topic {facts['topic']}, {facts['began'][:26]} to {facts['ended'][:26]} UTC"


def _gaps(facts: "Facts") -> Iterator[str]:
    runs = f"{len(facts['senders'])} sender run(s)"
    again = f", {facts['repeated']} came twice" if facts["repeated"] else ""
    yield f"  {facts['lost']} lost in {facts['gaps']} gap(s), {runs}{again}"
    for gap in facts["missing"][:_LISTED]:
        place = f"from {gap['start_s']:.3f} to {gap['end_s']:.3f} s"
        yield f"    {place}: {gap['frames']} lost, numbers {gap['first']} to {gap['last']}"
    yield from _more(facts["missing"])


def _damage(facts: "Facts") -> Iterator[str]:
    if not facts["finished"]:
        yield "  not finished: it has no index (framewire repair writes one)"
    if facts["cut_bytes"]:
        yield f"  cut: the last {facts['cut_bytes']} bytes are no whole frame"
    if facts["missing_bytes"]:
        yield f"  cut: {facts['missing_bytes']} bytes are missing at its end"
    for fault in facts["faults"][:_LISTED]:
        yield f"  damaged: {fault['size']} bytes from byte {fault['offset']} on: {fault['reason']}"
    yield from _more(facts["faults"])
    if facts["unreadable"]:
        yield f"  damaged: {facts['unreadable']} frame(s) whose header cannot be read"
    for frame in facts["damaged_frames"][:_LISTED]:
        yield f"  damaged: frame {frame['index']} at {frame['time_s']:.3f} s: {frame['reason']}"
    yield from _more(facts["damaged_frames"])


def _more(found: list["Facts"]) -> Iterator[str]:
    if len(found) > _LISTED:
        yield f"    and {len(found) - _LISTED} more (--json lists all)"
