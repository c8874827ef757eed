"""What is no framewire: other services at a port, other clients of one, and ZeroMQ used wrongly."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from faults.zmtp import frame, greeting, ready

__all__ = ["SAYINGS", "SERVICES", "Service", "announced", "handshake", "oversized", "says"]

Serve = Callable[[socket.socket], None]

_PART_BYTES = 1 << 20


class Service:
    """A server on 127.0.0.1 that does `serve` with each connection, until the block is left."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.address: tuple[str, int] = self._listener.getsockname()
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._take_all, daemon=True)

    def _take_all(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.add(connection)
                threading.Thread(target=self._take, args=(connection,), daemon=True).start()

    def _take(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            self._serve(connection)
        self._open.discard(connection)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._thread.join()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


# -- what a peer of ZeroMQ says -----------------------------------------------------------------------


def handshake(kind: bytes) -> bytes:
    """Of a socket of that kind, without keys."""
    return greeting() + ready(kind)


def announced(kind: bytes) -> bytes:
    """The same, and the head of a message of an exabyte."""
    return handshake(kind) + frame(b"", size=1 << 60)


def oversized(kind: bytes, size: int) -> Serve:
    """Send a message that is really so large."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(handshake(kind) + frame(b"", size=size))
        for _ in range(0, size, _PART_BYTES):
            connection.sendall(bytes(_PART_BYTES))
        connection.recv(1)

    return serve


# -- what others say ------------------------------------------------------------------------------


def says(words: bytes) -> Serve:
    """Say it, and wait for what comes."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(words)
        while connection.recv(65536):
            pass

    return serve


def _http(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )


def _echo(connection: socket.socket) -> None:
    while piece := connection.recv(65536):
        connection.sendall(piece)


def _slow(connection: socket.socket) -> None:
    """A handshake, byte by byte."""
    for byte in handshake(b"PUB"):
        connection.sendall(bytes((byte,)))
        time.sleep(0.2)


SAYINGS: dict[str, bytes] = {
    "http": b"GET / HTTP/1.1\r\nHost: camera\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.7\r\n",
    "tls": bytes.fromhex("16030100c8010000c40303") + bytes(196),
    "garbage": bytes((17 * i + 5) & 0xFF for i in range(5000)),
    "zeros": bytes(5000),
    "nothing": b"",
    "exabyte": announced(b"SUB"),
    "wrong kind": handshake(b"PAIR"),
    "a worker that talks": handshake(b"PULL") + bytes(4000),
    "ZMTP 1.0": b"\1\0" * 2500,
}
"""What clients say that are none of ours."""

SERVICES: dict[str, Serve] = {
    "http": _http,
    "ssh": says(SAYINGS["ssh"]),
    "echo": _echo,
    "garbage": says(SAYINGS["garbage"]),
    "silent": says(b""),
    "hangs up": lambda connection: None,
    "byte by byte": _slow,
}
"""Servers that are none of ours."""
