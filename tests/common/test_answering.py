"""The small server alone, with visits that do what they are told."""

import errno
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from framewire.common import answering
from framewire.common.answering import Answering, Request
from framewire.common.clock import NS
from framewire.common.listening import Address, is_called
from processes import until

DEADLINE_S = 10.0
ASK = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class _Echo(Request):
    def do_GET(self) -> None:
        if self.path == "/mistake":
            raise ZeroDivisionError
        self.send(200, self.path.encode(), x_asked="yes")


@pytest.fixture
def server() -> Iterator[Answering]:
    made = Answering(Address("127.0.0.1", 0), _Echo, "echo")
    yield made
    made.close()


def connected(server: Answering, data: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.address.port), DEADLINE_S)
    client.sendall(data)
    return client


def answered(server: Answering, data: bytes = ASK) -> bytes:
    with connected(server, data) as client:
        return b"".join(iter(lambda: client.recv(4096), b""))


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("echo")]


def test_an_answer(server: Answering) -> None:
    answer = answered(server)
    assert answer.startswith(b"HTTP/1.0 200 OK\r\nServer: framewire\r\n")
    assert b"\r\nX-Asked: yes\r\n" in answer
    assert answer.endswith(b"\r\n\r\n/")


def test_who_says_nothing_holds_nobody_up(server: Answering) -> None:
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(connected(server))
        assert b"200 OK" in answered(server)
        assert len(threads()) <= 9


def test_who_is_slow_is_hung_up_on(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "_PATIENCE_NS", NS // 10)
    with connected(server, b"GET / HT") as client:
        assert client.recv(1) == b""
    until(lambda: threads() == ["echo"])


def test_who_hangs_up_is_no_news(server: Answering, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(20):
        with connected(server, ASK + b"and more") as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert b"200 OK" in answered(server)
    until(lambda: threads() == ["echo"])
    assert capsys.readouterr().err == ""


def test_a_mistake_is_reported_and_ends_nothing(
    server: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))
    assert answered(server, b"GET /mistake HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") == b""
    until(lambda: seen == [ZeroDivisionError])
    assert b"200 OK" in answered(server)


def test_closing_hangs_up_and_frees_the_port(server: Answering) -> None:
    with connected(server, b"GET /") as client:
        until(lambda: len(threads()) == 2)
        server.close()
        assert threads() == []
        with suppress(ConnectionResetError):
            assert client.recv(1) == b""
    server.close()
    with pytest.raises(ConnectionRefusedError):
        connected(server)


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
    assert b"200 OK" in answered(server)
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
