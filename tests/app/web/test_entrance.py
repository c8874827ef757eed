"""Who is let in: also where there is no room, no descriptor, and no end to a handshake."""

import asyncio
import errno
import logging
import socket
from contextlib import ExitStack, closing, suppress

import pytest

from app.web.conftest import Serve
from app.web.test_serving import Certificate, certificate
from app.web.viewing import (
    Camera,
    MotionJpeg,
    ask,
    connect_raw,
    connection,
    noise,
    see,
    stalled,
    until,
    watch,
)
from framewire.app.web.entrance import Entrance, listen_for_viewers
from framewire.app.web.limits import LIMITS, Limits, room
from framewire.common.listening import Address

__all__ = ["certificate"]

FEW = 4


def test_there_is_room_for_a_connection_and_a_file_each() -> None:
    assert room(256, 100_000) == 256
    assert room(256, 256) == 96
    assert room(256, 0) == 1, "it cannot serve nobody"
    assert 0 < room(256) <= 256


def test_handshakes_that_do_not_end_keep_nobody_out(serve: Serve, certificate: Certificate) -> None:
    viewer = serve(cert=certificate.cert, key=certificate.key, limits=Limits(connections=FEW))
    with ExitStack() as stack:
        silent = [stack.enter_context(connect_raw(viewer)) for _ in range(10 * FEW)]
        assert ask(viewer, "/", tls=certificate.trust()).status == 200
        for each in silent[:-FEW]:
            with suppress(ConnectionError):
                assert each.recv(1) == b"", "it is still there"


def test_handshakes_are_not_waited_for(serve: Serve, certificate: Certificate) -> None:
    limits = Limits(head_s=0.3)
    viewer = serve(cert=certificate.cert, key=certificate.key, limits=limits)
    with connect_raw(viewer) as client:
        client.sendall(b"\x16\x03\x01")  # a handshake begins
        with suppress(ConnectionError):
            assert client.recv(1) == b""


def test_who_reads_nothing_makes_room(camera: Camera, serve: Serve) -> None:
    """Only where there is no room, and not for those who read."""
    viewer = serve(limits=Limits(connections=FEW, stuck_s=0.2))
    with ExitStack() as stack, camera.streaming(draw=noise):
        other = stack.enter_context(watch(viewer))
        for _ in range(FEW - 1):
            stack.enter_context(stalled(viewer))
        until(lambda: viewer.viewers == FEW)
        until(lambda: viewer.most_waiting_bytes > 0)
        until(lambda: ask(viewer, "/").status == 200, "let in")
        see(other)
        with MotionJpeg(viewer) as stream:
            stream.part()
        see(other)


def test_the_end_of_a_picture_does_not_wait_for_an_acknowledgement() -> None:
    with listen_for_viewers(Address("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname(), 5):
            connected, _ = listener.accept()
        with connected:
            assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


class _Short(socket.socket):
    """Has no descriptor for the next few who come."""

    refuses = 5

    def accept(self) -> tuple[socket.socket, object]:
        if self.refuses:
            self.refuses -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"in")
        transport.close()


def test_without_descriptors_one_line_is_said_and_who_comes_is_let_in_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> bytes:
        with _Short() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            with closing(Entrance(listener, _Echo, list)):
                reader, writer = await asyncio.open_connection(*listener.getsockname())
                said = await asyncio.wait_for(reader.read(), 10)
                writer.close()
                return said

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(run()) == b"in"
    (line,) = caplog.records
    assert "Too many open files" in line.getMessage()
    assert line.exc_info is None


def test_limits_are_what_the_guide_says() -> None:
    assert (LIMITS.connections, LIMITS.head_bytes, LIMITS.head_s) == (256, 16 << 10, 10.0)


def test_nobody_waits_at_an_entrance_that_closes() -> None:
    async def run() -> None:
        with listen_for_viewers(Address("127.0.0.1", 0)) as listener:
            entrance = Entrance(listener, _Echo, list)
            with socket.create_connection(listener.getsockname(), 5):
                await asyncio.sleep(0)
                entrance.close()
                await asyncio.sleep(0.05)

    asyncio.run(run())


def test_a_request_at_a_time_takes_no_forty_milliseconds(camera: Camera, serve: Serve) -> None:
    """Many on one connection: each is answered before the next is asked."""
    viewer = serve()
    with closing(connection(viewer.port)) as client:
        for _ in range(20):
            client.request("GET", "/page/page.js")
            assert client.getresponse().read() == b"'ours'"
