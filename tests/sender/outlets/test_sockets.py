"""Sockets of a sender that connects: one for each address, replaced where it is dead."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import numpy as np
import pytest

from framewire.common.endpoint import parse_endpoint
from framewire.common.errors import ReceiveTimeout, TransportError
from framewire.common.transport import Pusher, open_sockets
from framewire.receiver import Receiver
from framewire.sender import Sender
from framewire.sender.outlets.sockets import Sockets
from processes import free_port

PICTURE = np.zeros((48, 64, 3), np.uint8)
AGAIN_S = 10.0


@pytest.fixture(autouse=True)
def nothing_is_left_open() -> Iterator[None]:
    yield
    assert open_sockets() == 0


def test_one_for_what_is_bound_and_one_for_each_to_connect_to() -> None:
    bind = [parse_endpoint(f"push-pull+tcp://127.0.0.1:{free_port()}", bind=True) for _ in "ab"]
    connect = [parse_endpoint(f"push-pull+tcp://127.0.0.1:{free_port()}", bind=False) for _ in "ab"]
    sockets = Sockets(bind, connect, Pusher)
    assert len(list(sockets)) == 3
    assert sockets.endpoints == tuple(map(str, (*bind, *connect)))
    sockets.close(0)


def test_an_address_that_fails_leaves_nothing_open() -> None:
    port = free_port()
    same = [parse_endpoint(f"tcp://127.0.0.1:{port}", bind=True) for _ in "ab"]
    with pytest.raises(TransportError, match="cannot bind"):
        Sockets(same, (), Pusher)


def test_what_has_no_connection_for_long_is_replaced() -> None:
    endpoint = parse_endpoint(f"tcp://127.0.0.1:{free_port()}", bind=False)
    sockets = Sockets((), (endpoint,), Pusher)
    (first,) = sockets
    began_ns = sockets._seen_ns[0]
    assert sockets.replace_dead(began_ns + 3_000_000_000) == []
    assert sockets.replace_dead(began_ns + 3_000_000_001) == [first]
    (second,) = sockets
    assert second is not first
    assert first.socket.closed
    assert sockets.replace_dead(began_ns + 3_000_000_002) == []
    sockets.close(0)


def test_what_cannot_be_replaced_is_kept_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    endpoint = parse_endpoint(f"tcp://127.0.0.1:{free_port()}", bind=False)
    opened = [Pusher((), (endpoint,))]

    def fail_second(bind: object, connect: object) -> Pusher:
        if opened:
            return opened.pop()
        raise TransportError("no more sockets can be opened")

    sockets = Sockets((), (endpoint,), fail_second)
    (only,) = sockets
    assert sockets.replace_dead(sockets._seen_ns[0] + 4_000_000_000) == []
    assert list(sockets) == [only]
    assert "was not made anew: no more sockets" in caplog.text
    sockets.close(0)


@pytest.mark.parametrize("pattern", ["", "req-rep+", "push-pull+"])
def test_a_sender_that_met_another_service_finds_the_receiver_that_comes_later(
    pattern: str,
) -> None:
    """Its socket is dead then, and never tries again."""
    port = free_port()
    with Sender(
        connect=f"{pattern}tcp://127.0.0.1:{port}", topic="t", when_full="newest"
    ) as sender:
        with closing(socket.create_server(("127.0.0.1", port))) as server:
            _be_rude(server)
        with Receiver(bind=f"{pattern}tcp://127.0.0.1:{port}") as receiver:
            _flows(sender, receiver)


def _be_rude(server: socket.socket) -> None:
    """Answer one call with what is not ZeroMQ, and wait until it hangs up."""
    server.settimeout(AGAIN_S)
    call, _ = server.accept()
    with closing(call), suppress(ConnectionError):
        call.settimeout(AGAIN_S)
        call.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 4)
        while call.recv(4096):
            continue


def _flows(sender: Sender, receiver: Receiver) -> None:
    stop = threading.Event()

    def feed() -> None:
        while not stop.wait(0.05):
            sender.send(PICTURE)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        receiver.read_packet(AGAIN_S)
    except ReceiveTimeout:
        pytest.fail(f"no frame in {AGAIN_S} s")
    finally:
        stop.set()
        feeder.join()


def test_workers_at_several_sockets_take_turns() -> None:
    url = "push-pull+tcp://127.0.0.1"
    with (
        Receiver(bind=f"{url}:*") as first,
        Receiver(bind=f"{url}:*") as second,
        Sender(connect=(*first.endpoints, *second.endpoints), topic="t") as sender,
    ):
        for _ in range(2):
            sender.send(PICTURE)
        numbers = {each.read_packet(AGAIN_S).sequence for each in (first, second)}
    assert numbers == {0, 1}
