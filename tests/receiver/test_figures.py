"""What a receiver says of itself."""

import math
from dataclasses import FrozenInstanceError

import pytest

from framewire.common.clock import NS
from framewire.receiver import receiver as module
from receiver.publishing import (
    BEGIN_NS,
    Station,
    packet,
    picture,
    status,
    until,
)
from receiver.reading import Clock, Connect, books_of, until_taken


def test_ages_count_from_capture_and_for_a_replay_from_sending(
    station: Station, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "wall_ns", lambda: BEGIN_NS + 70_000_000)
    receiver = connect(keep="all")
    assert all(math.isnan(age) for age in receiver.stats.age_ms)
    station.send(packet(0), packet(0, captured_ns=1, sent_ns=BEGIN_NS, replay=True, sender="r"))
    frame = receiver.read()
    assert (frame.received_ns, frame.age_ms) == (BEGIN_NS + 70_000_000, 70.0)
    assert receiver.stats.age_ms == (70.0, 70.0)
    assert receiver.read_packet().age_ms == 70.0
    monkeypatch.setattr(module, "wall_ns", lambda: BEGIN_NS - 30_000_000)  # another machine's clock
    station.send(packet(0, "yard"))
    assert receiver.read_packet().age_ms == -30.0
    assert books_of(receiver, "yard").age_ms == (-30.0, -30.0)
    assert books_of(receiver).age_ms == (70.0, 70.0)
    assert receiver.stats.age_ms == (70.0, 70.0)  # of all three


def test_figures_over_time(
    station: Station, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    receiver = connect(keep="all")
    assert receiver.stats.topics == {}
    sizes = [len(picture(number)) for number in range(4)]
    for number in range(4):
        station.send(packet(number))
        until_taken(receiver, number + 1)
        clock.now_ns += NS // 4
    figures = books_of(receiver)
    assert figures.received_bytes == receiver.stats.received_bytes == sum(sizes)
    assert figures.fps == 2.0  # four in the last two seconds
    assert figures.bits_per_s == 4 * sum(sizes)
    assert figures.silent_s == 0.25
    assert math.isnan(figures.age_ms[0])
    clock.now_ns += 2 * NS
    figures = books_of(receiver)
    assert (figures.fps, figures.bits_per_s, figures.silent_s) == (0, 0, 2.25)
    station.send(status(4))
    until(lambda: books_of(receiver).silent_s == 0)  # a status is a sign of life


def test_a_snapshot_adds_up_and_does_not_change(station: Station, connect: Connect) -> None:
    receiver = connect(keep="all")
    station.send(packet(0, "a"), packet(2, "a"), packet(0, "b"), packet(0, "b", sender="new"))
    for _ in range(4):
        receiver.read_packet()
    stats = receiver.stats
    assert (stats.received, stats.delivered, stats.skipped) == (4, 4, 0)
    assert (stats.lost, stats.restarts, stats.malformed) == (1, 1, 0)
    assert stats.received_bytes == len(picture(2)) + 3 * len(picture(0))
    assert (stats.topics["a"].lost, stats.topics["b"].restarts) == (1, 1)
    with pytest.raises(FrozenInstanceError):
        stats.malformed = 1  # type: ignore[misc]
    station.send(packet(3, "a"))
    receiver.read_packet()
    assert stats.received == 4
    assert receiver.stats.received == 5
