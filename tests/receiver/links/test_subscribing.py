"""Sockets that have gone deaf are replaced, and only those."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import pytest

from framewire.common.clock import NS
from framewire.common.config import Limits
from framewire.receiver import Receiver
from framewire.receiver import receiver as module
from framewire.receiver.links import watched
from framewire.receiver.links.watch import Watch
from receiver.publishing import (
    DEADLINE_S,
    Station,
    free_port,
    packet,
    parts_of,
    station_again,
)
from receiver.reading import TOPIC, Connect


def _allow(monkeypatch: pytest.MonkeyPatch, silence_ns: int) -> None:
    """Let silence be a fault after so long, whatever the link says."""
    monkeypatch.setattr(watched, "Watch", lambda now_ns, _: Watch(now_ns, silence_ns))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is a fault after half a second instead of three."""
    _allow(monkeypatch, NS // 2)


@pytest.mark.usefixtures("impatient")
def test_after_a_message_that_is_too_large_the_stream_goes_on(
    station: Station, connect: Connect
) -> None:
    receiver = connect(limits=Limits(payload_bytes=1 << 18), timeout=0.1)
    station.send(packet(0))
    assert receiver.read(DEADLINE_S).sequence == 0
    station.send([*parts_of(packet(1))[:2], bytes((1 << 18) + 1)])
    with station.streaming():
        assert receiver.read(DEADLINE_S).topic == TOPIC


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 100, b""])
def test_the_right_sender_is_found_where_another_service_was(answer: bytes) -> None:
    port = free_port()
    met = threading.Event()
    with socket.create_server(("127.0.0.1", port)) as service:

        def serve() -> None:
            peer, _ = service.accept()
            with peer:
                peer.sendall(answer)
                met.set()

        with ThreadPoolExecutor(1) as threads:
            threads.submit(serve)
            receiver = Receiver(f"tcp://127.0.0.1:{port}", timeout=DEADLINE_S)
            assert met.wait(DEADLINE_S)
    with receiver, station_again(f"tcp://127.0.0.1:{port}") as station, station.streaming():
        assert receiver.read().topic == TOPIC


def test_a_sender_that_speaks_now_and_then_is_not_cut_off(
    station: Station, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    _allow(monkeypatch, NS)
    receiver = connect(keep="all")
    for number in range(12):
        station.send(packet(number))
        assert receiver.read().sequence == number
        sleep(0.15)
    station.look()
    assert station.subscriptions == 1
    assert receiver.stats.lost == 0


@pytest.mark.usefixtures("impatient")
def test_what_waits_for_a_slow_caller_is_no_silence(
    station: Station, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_QUEUE_BYTES", 1)
    receiver = connect(keep="all")
    station.send(*(packet(number) for number in range(4)))
    sleep(1.2)  # the receiving thread stands before a full mailbox all the while
    assert [receiver.read().sequence for _ in range(4)] == [0, 1, 2, 3]
    station.look()
    assert station.subscriptions == 1
