"""WebSockets of those who say too much, or never listen."""

import time
from contextlib import suppress
from socket import socket

import pytest

from app.web.viewing import (
    ACK,
    HANDSHAKE,
    TOPIC,
    Camera,
    Viewer,
    connect_raw,
    deaf,
    noise,
    see,
    until,
    watch,
)
from framewire.app.web.limits import LIMITS
from framewire.app.web.line import Allowance

TEXT, CONTINUATION, PING, PONG = 1, 0, 9, 10
CLOSE = 0x88
POLICY = 1008


def frame(opcode: int, data: bytes = b"", *, last: bool = True) -> bytes:
    """As a browser sends it, masked with zeros (RFC 6455, 5.2)."""
    assert len(data) < 126
    return bytes((opcode | (0x80 if last else 0), 0x80 | len(data), 0, 0, 0, 0)) + data


def opened(viewer: Viewer) -> socket:
    client = connect_raw(viewer)
    client.sendall(f"GET /ws/{TOPIC} HTTP/1.1\r\nHost: {viewer.host}\r\n{HANDSHAKE}".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.recv(1)
    assert head.startswith(b"HTTP/1.1 101")
    return client


def ends_with(client: socket) -> int | None:
    """The code with which the server closes it; None if only the connection ends."""
    said = b""
    with suppress(ConnectionError):
        while chunk := client.recv(65536):
            said += chunk
    while len(said) >= 2:  # frames of a server: RFC 6455, 5.2
        size, head = said[1], 2
        if size > 125:
            head = 4 if size == 126 else 10
            size = int.from_bytes(said[2:head])
        if said[0] == CLOSE:
            return int.from_bytes(said[head : head + 2])
        said = said[head + size :]
    return None


def test_so_many_a_second_and_as_many_at_once() -> None:
    allowance = Allowance(10, 0.0)
    assert allowance.take(10, 0.0)
    assert allowance.take(5, 0.5)
    assert not allowance.take(1, 0.5)
    assert allowance.take(10, 100.0), "what was not said does not add up"
    assert not allowance.take(1, 100.0)


@pytest.mark.parametrize(
    "flood",
    [
        frame(TEXT, b"ok") * 2 * LIMITS.messages_per_s,
        frame(PING, b"x" * 125) * 2 * LIMITS.messages_per_s,
        frame(PONG) * 2 * LIMITS.messages_per_s,
        frame(TEXT, last=False) + frame(CONTINUATION, last=False) * 2 * LIMITS.fragments,
    ],
    ids=["messages", "pings", "pongs", "parts of a message"],
)
def test_a_flood_ends(flood: bytes, camera: Camera, viewer: Viewer) -> None:
    with watch(viewer) as other, camera.streaming():
        with opened(viewer) as client:
            with suppress(ConnectionError):
                client.sendall(flood)
            assert ends_with(client) in (POLICY, None)
        see(other)
    until(lambda: viewer.viewers == 0)


def test_as_many_as_may_be_said_do_no_harm(camera: Camera, viewer: Viewer) -> None:
    with opened(viewer) as client:
        client.sendall(frame(TEXT, b"ok") * LIMITS.messages_per_s)
        client.sendall(frame(PING, b"there?"))
        said = b""
        while b"there?" not in said:
            chunk = client.recv(4096)
            assert chunk, "it was cut off"
            said += chunk


def test_a_message_in_a_few_parts_is_one(camera: Camera, viewer: Viewer) -> None:
    with opened(viewer) as client:
        parts = [frame(CONTINUATION, b"k", last=False)] * (LIMITS.fragments - 2)
        client.sendall(frame(TEXT, b"o", last=False) + b"".join(parts))
        client.sendall(frame(CONTINUATION, b"k") + frame(PING, b"there?"))
        said = b""
        while b"there?" not in said:
            chunk = client.recv(4096)
            assert chunk, "it was cut off"
            said += chunk


@pytest.mark.parametrize(
    "parts",
    [[frame(TEXT, b"\xff")], [frame(TEXT, b"\xc3", last=False), frame(CONTINUATION, b"\xff")]],
    ids=["at once", "in two parts"],
)
def test_text_that_is_none_makes_no_noise(
    parts: list[bytes], camera: Camera, viewer: Viewer, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(viewer) as client:
        client.sendall(b"".join(parts))
        assert ends_with(client) == 1007
    until(lambda: viewer.viewers == 0)
    assert caplog.records == []


def test_compression_is_not_spoken(camera: Camera, viewer: Viewer) -> None:
    """A few bytes of it could stand for gigabytes."""
    with connect_raw(viewer) as client:
        head = f"GET /ws/{TOPIC} HTTP/1.1\r\nHost: {viewer.host}\r\n"
        head += "Sec-WebSocket-Extensions: permessage-deflate\r\n"
        client.sendall((head + HANDSHAKE).encode())
        assert b"extensions" not in client.recv(4096).lower()
        client.sendall(b"\xc1" + frame(TEXT, b"bomb")[1:])  # as if it were
        assert ends_with(client) == 1002


def test_pings_of_who_does_not_read_are_not_kept(camera: Camera, viewer: Viewer) -> None:
    with camera.streaming(draw=noise), deaf(viewer) as client:
        until(lambda: viewer.viewers == 1)
        pings = frame(PING, b"x" * 125) * 20
        while viewer.most_waiting_bytes < 64 * 1024:  # asyncio's mark: nothing more is sent
            client.sendall(ACK)
            time.sleep(0.02)
        waits = viewer.most_waiting_bytes
        for _ in range(20):
            client.sendall(pings)
            time.sleep(0.05)
        assert viewer.most_waiting_bytes <= waits + 2 * LIMITS.pongs * 127  # of 400
