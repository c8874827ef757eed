"""The small server alone, with visits that do what they are told."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from framewire.common import http_server
from framewire.common.clock import NS
from framewire.common.http_server import HttpServer, Visit
from framewire.common.listening import Address, listen
from processes import until

DEADLINE_S = 10.0
ASK = b"GET / HTTP/1.1\r\n\r\n"


class _Echo(Visit):
    def do_GET(self) -> None:
        if self.path == "/mistake":
            raise ZeroDivisionError
        self.answer(200, "text/plain", self.path.encode(), fields={"X-Asked": "yes"})


@pytest.fixture
def server() -> Iterator[HttpServer]:
    made = HttpServer(listen(Address("127.0.0.1", 0)), _Echo, "echo")
    made.start()
    yield made
    made.close()


def connected(server: HttpServer, data: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port), DEADLINE_S)
    client.sendall(data)
    return client


def answered(server: HttpServer, data: bytes = ASK) -> bytes:
    with connected(server, data) as client:
        return b"".join(iter(lambda: client.recv(4096), b""))


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("echo")]


def test_an_answer(server: HttpServer) -> None:
    answer = answered(server)
    assert answer.startswith(b"HTTP/1.0 200 OK\r\nServer: framewire\r\n")
    assert b"\r\nX-Asked: yes\r\n" in answer
    assert answer.endswith(b"\r\n\r\n/")


def test_who_says_nothing_holds_nobody_up(server: HttpServer) -> None:
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(connected(server))
        assert b"200 OK" in answered(server)
        assert len(threads()) <= 9


def test_who_is_slow_is_hung_up_on(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "_PATIENCE_NS", NS // 10)
    with connected(server, b"GET / HT") as client:
        assert client.recv(1) == b""
    until(lambda: threads() == ["echo"])


def test_who_hangs_up_is_no_news(server: HttpServer, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(20):
        with connected(server, ASK + b"and more") as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert b"200 OK" in answered(server)
    until(lambda: threads() == ["echo"])
    assert capsys.readouterr().err == ""


def test_a_mistake_is_reported_and_ends_nothing(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))
    assert answered(server, b"GET /mistake HTTP/1.1\r\n\r\n") == b""
    until(lambda: seen == [ZeroDivisionError])
    assert b"200 OK" in answered(server)


def test_closing_hangs_up_and_frees_the_port(server: HttpServer) -> None:
    with connected(server, b"GET /") as client:
        until(lambda: len(threads()) == 2)
        server.close()
        assert threads() == []
        with suppress(ConnectionResetError):
            assert client.recv(1) == b""
    server.close()
    with pytest.raises(ConnectionRefusedError):
        connected(server)
