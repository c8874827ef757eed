"""What every test of the transport relies on: real sockets, none of which outlives its test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.transport.meeting import bindable
from framewire.common.endpoint import Endpoint
from framewire.common.transport import Waker, open_sockets


@pytest.fixture(autouse=True)
def nothing_is_left_open() -> Iterator[None]:
    before = open_sockets()  # 0, unless another test failed
    yield
    assert open_sockets() == before


@pytest.fixture
def waker() -> Iterator[Waker]:
    waker = Waker()
    yield waker
    waker.close()


@pytest.fixture(params=["tcp", "ipc", "inproc"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Endpoint:
    text = {"tcp": "tcp://127.0.0.1:*", "ipc": f"ipc://{tmp_path}/s", "inproc": "inproc://s"}
    return bindable(text[request.param])
