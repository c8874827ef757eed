"""What strangers do to an open port: silence, garbage, and messages that are meant to hurt."""

import contextlib
import os
import random
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import msgspec
import zmq

__all__ = ["garbage", "hostile_messages", "silent_connections", "unread_streams"]

_SILENT = 100
_PAUSE_S = 0.05
_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48)


@contextmanager
def silent_connections(port: int) -> Iterator[None]:
    """A hundred connections that say nothing, or half of a greeting, and stay."""
    with ExitStack() as stack:
        for number in range(_SILENT):
            with contextlib.suppress(OSError):
                each = stack.enter_context(socket.create_connection(("127.0.0.1", port), 2))
                each.sendall(_GREETING[: number % 12])
        yield


@contextmanager
def garbage(port: int) -> Iterator[None]:
    """Connections one after the other, with random bytes, some of which begin like a peer's."""

    def once() -> None:
        with socket.create_connection(("127.0.0.1", port), 2) as each:
            each.sendall(random.choice((b"", _GREETING, b"GET / HTTP/1.1\r\n")) + os.urandom(4096))

    with _again_and_again(once):
        yield


@contextmanager
def unread_streams(port: int, topic: str) -> Iterator[None]:
    """Browsers that ask for a stream and never read it."""
    with ExitStack() as stack:
        for _ in range(5):
            with contextlib.suppress(OSError):
                each = stack.enter_context(socket.create_connection(("127.0.0.1", port), 2))
                each.sendall(
                    f"GET /stream/{topic} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
                )
        yield


@contextmanager
def hostile_messages(
    endpoint: str, kind: int, topic: str, prepare: Callable[[zmq.Socket[bytes]], None]
) -> Iterator[None]:
    """A peer (`kind`: PUB or PUSH) at a receiver that binds, with messages that nobody should believe."""
    with zmq.Context() as context, context.socket(kind) as peer:
        peer.linger, peer.sndtimeo = 0, 100
        prepare(peer)
        peer.connect(endpoint)
        messages = _messages(topic)

        def once() -> None:
            with contextlib.suppress(zmq.Again):
                peer.send_multipart(random.choice(messages))

        with _again_and_again(once):
            yield


def _messages(topic: str) -> list[list[bytes]]:
    name = f"{topic}/".encode()
    jpeg = b"\xff\xd8\xff\xc0\x00\x11\x08\x7f\xff\x7f\xff\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xd9"
    header = {
        "version": 1, "kind": "frame", "sender": "0" * 16, "sequence": 1 << 40, "captured_ns": 1, "sent_ns": 1,
        "width": 32767, "height": 32767, "channels": 3, "codec": "jpeg", "crc32": zlib.crc32(jpeg),
    }  # fmt: skip
    deep = b"\x81\xa8metadata" + b"\x91" * 2000 + b"\x90"

    def message(**changes: object) -> list[bytes]:
        return [name, msgspec.msgpack.encode({**header, **changes}), jpeg]

    return [
        [b""], [name], [name, b"", b""], [name] * 9, [b"../../etc/\x1b[2J/", b"\x80", b""],
        message(), message(crc32=1), message(codec="raw"), message(version=9), message(width=-1),
        message(sequence=2**63 - 1), message(topic="x" * 5000), [name, deep, jpeg],
        [name, os.urandom(200), jpeg], [name, b"\x80" * (200 << 10), jpeg],
    ]  # fmt: skip


@contextmanager
def _again_and_again(once: Callable[[], None]) -> Iterator[None]:
    ended = threading.Event()

    def attack() -> None:
        while not ended.wait(_PAUSE_S):
            with contextlib.suppress(OSError):
                once()

    thread = threading.Thread(target=attack, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
