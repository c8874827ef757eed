"""What a receiver counts as lost, as repeated and as a restart."""

from contextlib import suppress
from typing import Any

import pytest

from framewire.common.clock import NS
from framewire.common.errors import ReceiveTimeout
from framewire.common.gaps import Missing
from framewire.receiver import Receiver
from receiver.publishing import (
    DEADLINE_S,
    SENDER,
    Station,
    free_port,
    packet,
    picture,
    station_again,
    status,
    until,
)
from receiver.reading import Clock, Connect, after, books_of


def test_gaps_are_losses(station: Station, connect: Connect) -> None:
    receiver = connect()
    assert after(receiver, station, packet(5), packet(6), packet(9)).lost == 2
    assert after(receiver, station, packet(20)).lost == 12
    assert receiver.stats.lost == 12


def test_a_late_frame_is_delivered_and_lost_no_more(station: Station, connect: Connect) -> None:
    receiver = connect(keep="all")
    books = after(receiver, station, packet(0), packet(4))
    assert (books.lost, books.missing) == (3, (Missing(SENDER, 1, 3),))
    books = after(receiver, station, packet(2))
    assert books.lost == 2
    assert books.missing == (Missing(SENDER, 1, 1), Missing(SENDER, 3, 3))
    books = after(receiver, station, packet(1), packet(3))
    assert (books.lost, books.missing, books.repeated) == (0, (), 0)
    assert [receiver.read_packet().sequence for _ in range(5)] == [0, 4, 2, 1, 3]


@pytest.mark.parametrize("reads_at_once", [False, True])
def test_a_late_frame_is_not_the_newest(
    station: Station, connect: Connect, reads_at_once: bool
) -> None:
    receiver = connect()
    after(receiver, station, packet(0), packet(5))
    taken = [receiver.read_packet().sequence] if reads_at_once else []
    assert after(receiver, station, packet(4)).lost == 3  # it is no loss all the same
    with suppress(ReceiveTimeout):
        while True:
            taken.append(receiver.read_packet(timeout=0).sequence)
    assert taken == [5]


def test_what_comes_again_is_counted_and_dropped(station: Station, connect: Connect) -> None:
    receiver = connect(keep="all")
    books = after(receiver, station, *(packet(number) for number in (0, 1, 1, 0, 2, 2)))
    assert (books.received, books.repeated, books.lost) == (3, 3, 0)
    assert books.received_bytes == sum(len(picture(number)) for number in range(3))
    assert [receiver.read_packet().sequence for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ReceiveTimeout):
        receiver.read(timeout=0)


def test_what_comes_again_takes_no_place_of_a_newer_frame(
    station: Station, connect: Connect
) -> None:
    """A relay repeats its last frame for everybody when somebody joins."""
    receiver = connect()
    books = after(receiver, station, packet(5), packet(5))
    assert (books.repeated, books.skipped) == (1, 0)
    assert receiver.read_packet().sequence == 5
    assert after(receiver, station, packet(5)).repeated == 2
    with pytest.raises(ReceiveTimeout):
        receiver.read(timeout=0)


def test_the_same_frame_over_two_paths_is_one(station: Station) -> None:
    arguments: dict[str, Any] = {"keep": "all", "timeout": DEADLINE_S}
    with Station() as other, Receiver(station.url, other.url, **arguments) as receiver:
        for each in (station, other):
            each.wait_for_subscriptions()
        for number in range(10):
            station.send(packet(number))
            other.send(packet(number))
        until(lambda: receiver.stats.received + books_of(receiver).repeated == 20)
        books = books_of(receiver)
        assert (books.received, books.repeated, books.lost, books.restarts) == (10, 10, 0, 0)


def test_a_loss_is_told_where_all_was_asked_for(
    station: Station,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    receiver = connect(keep="all")
    after(receiver, station, packet(0), packet(4), packet(9), status(20))
    assert caplog.messages == ["lab/cam1: 3 frame(s) lost, 1 to 3"]  # at most once a second
    clock.now_ns += NS
    after(receiver, station, packet(21))
    assert caplog.messages[1:] == ["lab/cam1: 1 frame(s) lost, 20 to 20"]


def test_who_wants_the_newest_is_told_of_no_loss(
    station: Station, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    assert after(connect(), station, packet(0), packet(4)).lost == 3
    assert caplog.messages == []


def test_a_last_status_reveals_what_was_lost_at_the_end(station: Station, connect: Connect) -> None:
    receiver = connect()
    figures = after(receiver, station, packet(0), status(4, "ended", "the clip is over"))
    assert (figures.lost, figures.state, figures.reason) == (3, "ended", "the clip is over")


def test_a_first_status_sets_the_mark(station: Station, connect: Connect) -> None:
    receiver = connect()
    assert after(receiver, station, status(3)).lost == 0
    assert after(receiver, station, packet(5)).lost == 2
    assert receiver.stats.restarts == 0


def test_pictures_say_that_a_topic_lives(station: Station, connect: Connect) -> None:
    receiver = connect()
    figures = after(receiver, station, packet(0), status(1, "no-signal", "unplugged"))
    assert (figures.state, figures.reason) == ("no-signal", "unplugged")
    figures = after(receiver, station, packet(1))
    assert (figures.state, figures.reason) == ("live", "")


def test_a_sender_that_comes_back_on_its_port_is_one_restart() -> None:
    url = f"tcp://127.0.0.1:{free_port()}"
    with Receiver(url, keep="all", timeout=DEADLINE_S) as receiver:
        for run in ("first", "second"):
            with station_again(url) as station:
                station.wait_for_subscriptions()
                numbers = range(3) if run == "second" else range(7, 10)
                station.send(status(numbers[0], sender=run))
                station.send(*(packet(number, sender=run) for number in numbers))
                assert [receiver.read().sequence for _ in numbers] == list(numbers)
        assert (books_of(receiver).restarts, receiver.stats.restarts) == (1, 1)
        assert (receiver.stats.received, receiver.stats.lost) == (6, 0)


def test_runs_of_a_replay_are_no_restarts(station: Station, connect: Connect) -> None:
    receiver = connect()
    for run in ("run-1", "run-2", "run-3"):
        figures = after(receiver, station, *(packet(n, sender=run, replay=True) for n in range(3)))
    assert (figures.received, figures.lost, figures.restarts) == (9, 0, 0)


def test_a_status_of_a_replays_new_run_is_no_restart(station: Station, connect: Connect) -> None:
    receiver = connect()
    figures = after(
        receiver,
        station,
        packet(0, sender="run-1", replay=True),
        status(0, sender="run-2"),
        packet(0, sender="run-2", replay=True),
    )
    assert figures.restarts == 0


def test_two_senders_of_one_topic_do_not_restart_with_every_frame(
    station: Station, connect: Connect
) -> None:
    receiver = connect(keep="all")
    with Station() as other, Receiver(station.url, other.url, keep="all") as both:
        station.wait_for_subscriptions(2)
        other.wait_for_subscriptions()
        for number in range(10):
            station.send(packet(number, sender="one"))
            other.send(packet(100 + number, sender="two"))
        until(lambda: both.stats.received == 20)
        figures = books_of(both)
        assert (figures.lost, figures.restarts) == (0, 1)
        assert both.endpoints == (station.url, other.url)
    assert [receiver.read_packet().sequence for _ in range(10)] == list(range(10))
