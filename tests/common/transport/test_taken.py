"""What the system tells of what a peer has taken."""

import os
import socket
import sys

import pytest

from framewire.common.transport.taken import bytes_taken
from processes import until


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it")
def test_what_a_peer_has_acknowledged_counts() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as here,
        listener.accept()[0],
    ):
        before = bytes_taken(here.fileno())
        here.sendall(bytes(5000))
        until(lambda: bytes_taken(here.fileno()) == before + 5000)


def test_of_what_is_no_tcp_connection_nothing_is_known() -> None:
    ours, theirs = socket.socketpair()
    reader, writer = os.pipe()
    with ours, theirs:
        assert bytes_taken(ours.fileno()) == bytes_taken(reader) == bytes_taken(99_999) == 0
        theirs.send(b"still open")
        assert ours.recv(100) == b"still open"
    os.close(reader)
    os.close(writer)
