"""Targets: the two small servers that speak HTTP, through real sockets."""

import io
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import redirect_stderr, suppress
from functools import cache

from framewire.common.exposition import MetricsServer
from framewire.common.listening import Address
from framewire.receiver.triggers import Triggers
from fuzz.target import Target

__all__ = ["METRICS", "TRIGGER"]

_DEADLINE_S = 5.0
_PLAIN = b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def _asked(port: int, data: bytes) -> bytes:
    """All that comes back until the server hangs up, which it must."""
    with socket.create_connection(("127.0.0.1", port), _DEADLINE_S) as connection:
        answer = b""
        with suppress(ConnectionError):  # it may answer and hang up before all was read
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                answer += piece
        return answer


def _checked(port: int, data: bytes) -> bytes:
    """The answer, of a server that complains of nothing on the terminal."""
    said = io.StringIO()
    with redirect_stderr(said):
        answer = _asked(port, data)
        for thread in threading.enumerate():  # it may complain after it has hung up
            if thread.name.endswith("-answer"):
                thread.join(_DEADLINE_S)
    if said.getvalue():
        print(said.getvalue(), file=sys.stderr)
    assert not said.getvalue(), "a client can make it write to stderr"
    return answer


# -- the trigger --------------------------------------------------------------------------------


@cache
def _triggers() -> tuple[Triggers, int]:
    triggers = Triggers(["http://127.0.0.1:0"])
    return triggers, int(triggers.addresses[0].rpartition(":")[2].partition("/")[0])


def _close_triggers() -> None:
    if _triggers.cache_info().currsize:
        _triggers()[0].close()
        _triggers.cache_clear()


def _check_trigger(data: bytes) -> bool:
    triggers, port = _triggers()
    answer = _checked(port, data)
    noted = list(triggers.taken())
    assert noted == ["http"] * (b"triggered\n" in answer)
    assert not noted or (b"POST" in data and b"/trigger" in data)
    assert b" 500 " not in answer
    return bool(noted)


def _trigger_requests() -> Iterator[bytes]:
    yield b"POST /trigger" + _PLAIN
    yield b"POST /trigger?who=me HTTP/1.1\r\nHost: localhost:1\r\nContent-Length: 5\r\n\r\nhello"
    yield b"POST /trigger HTTP/1.0\r\nHost: [::1]\r\nOrigin: https://example.org\r\n\r\n"
    yield b"GET /" + _PLAIN
    yield b"POST http://127.0.0.1/trigger" + _PLAIN


# -- the metrics --------------------------------------------------------------------------------


@cache
def _metrics() -> tuple[MetricsServer, int]:
    server = MetricsServer(Address("127.0.0.1", 0), "fuzz", list)
    return server, int(server.url.rpartition(":")[2].partition("/")[0])


def _close_metrics() -> None:
    if _metrics.cache_info().currsize:
        _metrics()[0].close()
        _metrics.cache_clear()


def _check_metrics(data: bytes) -> bool:
    answer = _checked(_metrics()[1], data)
    assert b" 500 " not in answer
    return b"framewire_build_info" in answer


def _metrics_requests() -> Iterator[bytes]:
    yield b"GET /metrics" + _PLAIN
    yield b"HEAD /metrics" + _PLAIN
    yield b"GET /metrics?a=b" + _PLAIN
    yield b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: application/openmetrics-text; version=1.0.0\r\n\r\n"
    yield b"GET /" + _PLAIN


_WORDS = (
    *(b"GET ", b"POST ", b"HEAD ", b"PUT ", b"/trigger", b"/metrics", b" HTTP/1.1", b" HTTP/0.9"),
    *(b" HTTP/2.0", b" HTTP/1.99999999999", b"\r\n", b"\r\n\r\n", b"\n", b"\0", b"\xff", b" "),
    *(
        b"Host: ",
        b"Host: x",
        b"Origin: ",
        b"Accept: ",
        b"Content-Length: ",
        b"Expect: 100-continue",
        b"-1",
    ),
    *(b"Transfer-Encoding: chunked", b"Connection: keep-alive", b"//[", b"http://[", b"%00"),
    *(b"application/openmetrics-text", b"version=1.0.0", b"escaping=values", b"q=", b";", b","),
)
TRIGGER = Target(_check_trigger, _trigger_requests, _WORDS, 1024, _close_triggers)
METRICS = Target(_check_metrics, _metrics_requests, _WORDS, 1024, _close_metrics)
