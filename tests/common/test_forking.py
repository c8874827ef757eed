"""What a forked child may not use, and lets go of."""

import os
import socket
import sys

import pytest

from framewire.common import forking
from framewire.common.errors import Closed
from framewire.common.forking import Home, close_in_children


def test_at_home_all_is_well() -> None:
    home = Home("Sender")
    home.check()
    assert not home.left


def test_elsewhere_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home("Sender")
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert home.left
    with pytest.raises(Closed, match="this Sender was made in another process"):
        home.check()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_only_sockets_that_are_ours_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a child; here the sockets are this process's own."""
    monkeypatch.setattr(forking, "_judges", [])
    ours, theirs = socket.socket(), socket.socket()
    ours.bind(("127.0.0.1", 0))
    port = ours.getsockname()[1]

    def refuse(found: socket.socket) -> bool:
        raise OSError("this one cannot be asked")

    close_in_children(
        lambda found: found.family == socket.AF_INET and found.getsockname()[1] == port
    )
    with open(os.devnull) as file:
        forking._close()
        assert file.read() == ""
        assert theirs.fileno() >= 0
        os.fstat(theirs.fileno())
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(ours.fileno())
    ours.detach()
    close_in_children(refuse)
    forking._close_if_ours(theirs.fileno())
    theirs.close()
