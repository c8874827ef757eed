"""`make soak`: a whole topology of framewire, hurt at random, and held to its promises all the while.

Exit code 1 if one was broken.
"""

import json
import random
import signal
import sys
import tempfile
from pathlib import Path

import cyclopts

from soak.course import soak
from soak.report import as_json, lines


def main(*, seconds: float = 600.0, seed: int | None = None, folder: Path | None = None) -> int:
    """Run, and print a report; it lies in the folder as report.json, too, beside the logs.

    Parameters
    ----------
    seed
        The same choices as another run had.
    folder
        A new one if it is not given; it is kept.
    """
    signal.signal(
        signal.SIGTERM, lambda number, frame: sys.exit(1)
    )  # not without all that it started
    seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    place = folder or Path(tempfile.mkdtemp(prefix="framewire-soak-"))
    place.mkdir(parents=True, exist_ok=True)
    print(f"SOAK_SEED={seed} SOAK_SECONDS={seconds:g}, in {place}", flush=True)
    scene = soak(place.absolute(), seconds=seconds, seed=seed)
    print("\n".join(lines(scene)))
    (place / "report.json").write_text(json.dumps(as_json(scene, seed=seed), indent=1))
    return 1 if scene.events.violations else 0


if __name__ == "__main__":
    sys.exit(cyclopts.run(main))
