"""What tests of several processes share."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from processes import Start, commands


@pytest.fixture
def framewire(tmp_path: Path) -> Iterator[Start]:
    """Starts `framewire ...` in the test's folder; everything is ended after the test."""
    with commands(tmp_path) as start:
        yield start


@pytest.fixture
def port() -> int:
    """A free port below 32768: a subscriber to a closed ephemeral port can connect to itself."""
    for number in range(20000, 32000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                continue
            return number
    raise AssertionError("no free port")
