"""What the system tells of a connection's traffic."""

import os
import socket
import sys

import pytest

from framewire.common.transport.traffic import received_bytes, taken_bytes
from processes import until


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it")
def test_what_came_and_what_a_peer_has_acknowledged_count() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as here,
        listener.accept()[0] as there,
    ):
        before = taken_bytes(here.fileno())
        here.sendall(bytes(5000))
        until(lambda: taken_bytes(here.fileno()) == before + 5000)
        assert received_bytes(there.fileno()) == 5000


def test_of_what_is_no_tcp_connection_nothing_is_known() -> None:
    ours, theirs = socket.socketpair()
    reader, writer = os.pipe()
    with ours, theirs:
        for descriptor in (ours.fileno(), reader, 99_999):
            assert taken_bytes(descriptor) == received_bytes(descriptor) == -1
        theirs.send(b"still open")
        assert ours.recv(100) == b"still open"
    os.close(reader)
    os.close(writer)
