"""A small server where the system has no room for who comes; the rest is in test_exposition.py."""

import errno
import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from framewire.common.answering import Answering, Request
from framewire.common.listening import Address, is_called
from processes import DEADLINE_S


class _Hello(Request):
    def do_GET(self) -> None:
        self.send(200, "hello")


@pytest.fixture
def server() -> Iterator[Answering]:
    with Answering(Address("127.0.0.1", 0), _Hello, "framewire-hello") as server:
        yield server


def ask(server: Answering) -> bytes:
    with closing(http.client.HTTPConnection(str(server.address), timeout=DEADLINE_S)) as client:
        client.request("GET", "/")
        return client.getresponse().read()


def test_it_answers(server: Answering) -> None:
    assert ask(server) == b"hello\n"


class _Short:
    """A listener that has no descriptor for who comes, for a while."""

    def __init__(self, real: socket.socket) -> None:
        self._real = real
        self.room = threading.Event()
        self.asked = 0

    def accept(self) -> tuple[socket.socket, object]:
        if self.room.is_set():
            return self._real.accept()
        self.asked += 1
        raise OSError(errno.EMFILE, "Too many open files")

    def fileno(self) -> int:
        return self._real.fileno()

    def close(self) -> None:
        self._real.close()


def test_without_descriptors_it_waits_and_does_not_spin(
    server: Answering, capfd: pytest.CaptureFixture[str]
) -> None:
    place = server._server
    short = _Short(place.socket)
    place.socket = short  # type: ignore[assignment]
    threading.Timer(1.0, short.room.set).start()
    assert ask(server) == b"hello\n"
    assert 0 < short.asked < 20, "it would have been thousands"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("length", "status"), [("-1", 200), ("x", 200), ("5", 200), ("99999999999999999999", 200)]
)
def test_bodies_are_of_no_account(server: Answering, length: str, status: int) -> None:
    with socket.create_connection((server.address.host, server.address.port), DEADLINE_S) as client:
        head = f"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
        client.sendall(head.encode() + b"hello")
        client.shutdown(socket.SHUT_WR)
        answer = b""
        with suppress(ConnectionError):
            while chunk := client.recv(4096):
                answer += chunk
    assert answer.startswith(b"HTTP/1.0 %d" % status)


def test_names() -> None:
    names = Address("127.0.0.1", 80).names
    for host in ("localhost", "LOCALHOST:80", "127.0.0.1:9", "[::1]:80"):
        assert is_called(host, names), host
    for host in ("", "elsewhere.example", "localhost.", "localhost:80:80", "127.0.0.1\n", "[::2]"):
        assert not is_called(host, names), host
    assert is_called("anything", Address("0.0.0.0", 80).names)
