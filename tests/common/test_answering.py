"""The small server alone, with visits that do what they are told."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from framewire.common import answering
from framewire.common.answering import Answering, Request
from framewire.common.clock import NS
from framewire.common.listening import Address
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
