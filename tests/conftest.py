"""What tests of several processes share, in system/ and in faults/."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from processes import Start, commands, free_port


@pytest.fixture
def framewire(tmp_path: Path) -> Iterator[Start]:
    """Starts `framewire ...` in the test's folder; everything is ended after the test."""
    with commands(tmp_path) as start:
        yield start


@pytest.fixture
def port() -> int:
    """For addresses that are used again after a restart."""
    return free_port()
