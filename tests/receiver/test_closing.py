"""How a receiver ends: at once, from anywhere, and with nothing left behind."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from framewire.common import wire
from framewire.common.endpoint import parse_endpoint
from framewire.common.errors import Closed, FramewireError
from framewire.common.transport import Pusher
from framewire.common.transport.pubsub import RECEIVE_MARK, SEND_MARK_PER_TOPIC
from framewire.receiver import Receiver
from framewire.receiver import receiver as module
from framewire.receiver.receiver import Keep
from receiver.answering import Desk
from receiver.publishing import (
    DEADLINE_S,
    Station,
    packet,
    parts_of,
    picture,
    status,
    until,
)
from receiver.reading import Connect, books_of


def _ended(receiver: Receiver, station: Station, sequence: int) -> bool:
    """Whether the last word came; says it again, because a full queue does not get it."""
    station.look()
    station.offer(status(sequence, "ended"))
    return books_of(receiver).state == "ended"


def test_a_full_queue_stops_reading_and_what_is_lost_meanwhile_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payload = picture(0)
    monkeypatch.setattr(module, "_QUEUE_BYTES", 3 * packet(0, payload=payload).weight)
    arguments: dict[str, Any] = {"keep": "all", "timeout": DEADLINE_S}
    with Station("inproc://full") as station, Receiver(station.url, **arguments) as receiver:
        station.wait_for_subscriptions()
        for number in range(100):
            station.offer(packet(number, payload=payload))
        until(lambda: receiver.stats.received == 4)  # three in the queue, one in the hand
        with ThreadPoolExecutor(1) as threads:
            reader = threads.submit(lambda: [each.sequence for each in receiver.packets()])
            until(lambda: _ended(receiver, station, 100))
            received = receiver.stats.received
            until(lambda: receiver.stats.delivered == received)
            receiver.close()
            numbers = reader.result(DEADLINE_S)
        assert numbers[:4] == [0, 1, 2, 3]
        assert numbers == sorted(set(numbers))
        assert len(numbers) == received <= 4 + SEND_MARK_PER_TOPIC + RECEIVE_MARK
        assert receiver.stats.lost == 100 - received


def test_closing_frees_a_thread_that_waits_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_QUEUE_BYTES", 1)
    with Station("inproc://full") as station, Receiver(station.url, keep="all") as receiver:
        station.wait_for_subscriptions()
        station.send(packet(0), packet(1))
        until(lambda: receiver.stats.received == 2)
        receiver.close()  # the fixture finds what it leaves behind


def test_after_close_there_is_nothing_to_read(station: Station, connect: Connect) -> None:
    receiver = connect()
    station.send(packet(0))
    assert receiver.read().sequence == 0
    receiver.close()
    receiver.close()
    with pytest.raises(Closed):
        receiver.read()
    with pytest.raises(Closed):
        receiver.read_packet(timeout=0)
    assert list(receiver) == []
    assert list(receiver.packets()) == []
    assert receiver.stats.delivered == 1  # the figures stay


@pytest.mark.parametrize("kind", ["frames", "packets"])
def test_closing_from_another_thread_ends_an_iteration(
    station: Station, connect: Connect, kind: str
) -> None:
    receiver = connect()
    began = threading.Event()

    def iterate() -> list[int]:
        numbers = []
        for item in receiver if kind == "frames" else receiver.packets():
            numbers.append(item.sequence)
            began.set()
        return numbers

    with ThreadPoolExecutor(1) as threads:
        numbers = threads.submit(iterate)
        station.send(packet(4))
        assert began.wait(DEADLINE_S)
        receiver.close()
        assert numbers.result(DEADLINE_S) == [4]


def test_closing_from_its_own_thread(
    station: Station, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = connect()
    monkeypatch.setattr(module._log, "warning", lambda *words: receiver.close())
    station.send([b"rubbish"])
    with pytest.raises(Closed):
        receiver.read()


def test_a_receiver_that_fails_says_so_and_ends(
    station: Station,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(wire, "decode", fail)
    receiver = connect()
    station.send(packet(0))
    with caplog.at_level(logging.ERROR):
        for read in (receiver.read, receiver.read_packet, lambda: next(iter(receiver))):
            with pytest.raises(FramewireError, match="the receiver stopped: RuntimeError"):
                read()
    assert "the receiver stopped" in caplog.text


def test_a_message_that_has_no_room_is_refused(
    station: Station, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = wire.decode
    failed: list[int] = []

    def fail(*arguments: Any) -> object:
        if not failed:
            failed.append(1)
            raise MemoryError("no room")
        return decode(*arguments)

    monkeypatch.setattr(wire, "decode", fail)
    receiver = connect()
    station.send(packet(0))
    until(lambda: receiver.stats.malformed == 1)
    station.send(packet(1))
    assert receiver.read().sequence == 1


# -- in every state -------------------------------------------------------------------------------


NOWHERE = ["tcp://127.0.0.1:9", "req-rep+tcp://127.0.0.1:9", "push-pull+tcp://127.0.0.1:9"]


def _closes(receiver: Receiver) -> None:
    """Close it, within the deadline and with a reader that waits meanwhile."""
    with ThreadPoolExecutor(2) as threads:
        reader = threads.submit(list, receiver.packets())
        threads.submit(receiver.close).result(DEADLINE_S)
        reader.result(DEADLINE_S)
    assert not receiver._thread.is_alive()


@pytest.mark.parametrize("url", NOWHERE)
def test_it_closes_where_nobody_is(url: str) -> None:
    _closes(Receiver(url))


@pytest.mark.parametrize("pattern", ["", "req-rep+", "push-pull+"])
def test_it_closes_where_nobody_connected(pattern: str) -> None:
    _closes(Receiver(bind=f"{pattern}tcp://127.0.0.1:*"))


@pytest.mark.parametrize("keep", ["newest", "all"])
def test_it_closes_while_an_answer_is_to_come(keep: Keep) -> None:
    with Desk() as desk:
        receiver = Receiver(desk.url, keep=keep)
        desk.answer(desk.next(), status(0))
        desk.next()
        _closes(receiver)


def test_it_closes_while_a_sender_that_connected_owes_an_answer() -> None:
    receiver = Receiver(bind="req-rep+tcp://127.0.0.1:*")
    with Desk(connect=receiver.endpoints[0]) as desk:
        desk.greet()
        desk.next()
        _closes(receiver)


def test_it_closes_while_enough_waits_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ENOUGH_BYTES", 1)
    with Desk() as desk, Receiver(desk.url, keep="all") as receiver:
        desk.answer(desk.next(), status(0))
        desk.answer(desk.next(), packet(0))
        until(lambda: receiver.stats.received == 1)
        receiver.close()
        assert receiver.read_packet().sequence == 0  # what came is still handed out
        with pytest.raises(Closed):
            receiver.read_packet()


def test_it_closes_while_work_waits() -> None:
    place = parse_endpoint("push-pull+inproc://jobs", bind=True)
    with closing(Pusher([place], [])) as pusher:
        receiver = Receiver(pusher.endpoints[0])
        for number in range(3):
            until(lambda: pusher.send(parts_of(packet(number))))  # noqa: B023
        until(lambda: receiver.stats.received == 1)
        _closes(receiver)


def test_it_closes_with_every_pattern_at_once(station: Station) -> None:
    with Desk() as desk:
        jobs = "push-pull+tcp://127.0.0.1:*"
        receiver = Receiver(station.url, desk.url, *NOWHERE, bind=[jobs, "req-rep+inproc://in"])
        station.wait_for_subscriptions()
        desk.next()
        _closes(receiver)


@pytest.mark.parametrize("count", [1, 3])
def test_it_closes_from_several_threads_at_once(station: Station, count: int) -> None:
    receiver = Receiver(station.url)
    with ThreadPoolExecutor(count) as threads:
        for each in [threads.submit(receiver.close) for _ in range(count)]:
            each.result(DEADLINE_S)
