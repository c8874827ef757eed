"""A short soak: `make soak` runs as long as one likes. All promises are in tests/soak/invariants.py."""

import sys
from pathlib import Path

import pytest

from soak.course import SHORT, soak
from soak.report import lines

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and signals as Linux")


@pytest.mark.timeout(150)
def test_a_topology_holds_its_promises_while_it_is_hurt(tmp_path: Path) -> None:
    scene = soak(tmp_path, seconds=8.0, seed=9, pace=SHORT)
    assert scene.events.incidents
    assert not scene.events.violations, "\n".join(lines(scene))
