"""The recordings that one sender of the soak replays, and whether those that were made are whole."""

import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from framewire.common.clock import NS
from framewire.common.frame import Header, Packet
from framewire.common.jpeg import encode
from framewire.common.testchart import draw_number
from framewire.receiver import Recorder

__all__ = ["judge", "record_hall"]

_FRAMES, _FPS = 100, 10
_CHECK_S = 120.0


def record_hall(folder: Path) -> list[str]:
    """Two topics of ten seconds, whose pictures carry their numbers; the files."""
    folder.mkdir()
    paths = []
    for side, level in (("left", 60), ("right", 120)):
        path = folder / f"{side}.mkv"
        with Recorder(path) as recorder:
            for number in range(_FRAMES):
                image = np.full((240, 320, 3), level, np.uint8)
                draw_number(image, number)
                payload = encode(image, 85)
                moment_ns = 1_700_000_000 * NS + number * NS // _FPS
                header = Header(
                    topic=f"hall/{side}", sender=f"5{level:015}", sequence=number, captured_ns=moment_ns,
                    sent_ns=moment_ns, width=320, height=240, channels=3, codec="jpeg", quality=85,
                    crc32=zlib.crc32(payload),
                )  # fmt: skip
                recorder.write(Packet(header, payload))
        paths.append(str(path))
    return paths


def judge(folder: Path, *, killed: bool) -> list[str]:
    """What is wrong with the recordings of a folder, by `framewire info --check`.

    Frames may be missing, and where the recorder was `killed` the last frame of a file may be cut; no
    frame may be damaged, and every file must be readable.
    """
    files = sorted(folder.rglob("*.mkv"))
    if not files:
        return ["nothing was recorded"]
    check = subprocess.run(
        [sys.executable, "-m", "framewire", "info", "--check", "--json", str(folder)],
        capture_output=True,
        check=False,
        text=True,
        timeout=_CHECK_S,
    )
    facts: list[dict[str, Any]] = [json.loads(line) for line in check.stdout.splitlines()]
    wrong = [line for line in check.stderr.splitlines() if line.startswith("framewire: ")]
    if len(facts) + len(wrong) != len(files):
        wrong.append(f"{len(files)} files, and {len(facts)} were told of: {check.stderr[-500:]}")
    for each in facts:
        name = Path(each["file"]).relative_to(folder)
        if each["damaged"] or each["faults"]:
            wrong.append(
                f"{name}: {each['damaged']} frames and {len(each['faults'])} places are damaged"
            )
        if not killed and (each["cut_bytes"] or not each["finished"]):
            wrong.append(f"{name} is not whole, though no recorder was killed")
        if each["repeated"]:
            wrong.append(f"{name}: {each['repeated']} frames came twice")
    return wrong
