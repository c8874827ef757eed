"""Results that grow beside their place."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from framewire.app.exporting.part import Part

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")

KILLED = """
import os, sys, time
from pathlib import Path
from framewire.app.exporting.part import Part
part = Part(Path(sys.argv[1]), overwrite=False, folder=sys.argv[2] == "True")
print(part.path, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("folder", [False, True])
def test_what_a_run_left_that_was_killed_is_removed_by_the_next(
    tmp_path: Path, folder: bool
) -> None:
    out = tmp_path / "a [1].b"
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(out), str(folder)], stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout
            left = Path(other.stdout.readline().strip())
            first = Part(out, overwrite=False, folder=folder)
            assert left.exists()  # it is at work
            first.discard()
        finally:
            other.kill()
    assert left.exists()
    second = Part(out, overwrite=False, folder=folder)
    assert os.listdir(tmp_path) == [second.path.name]
    second.finish()
    assert os.listdir(tmp_path) == [out.name]
