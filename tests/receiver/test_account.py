"""The books of a receiver, at times of the test's own."""

import math
from dataclasses import replace

import pytest

from framewire.common.clock import NS
from framewire.common.gaps import Missing
from framewire.receiver.account import ReceiverStats, TopicAccount, TopicReceived
from receiver.publishing import SENDER, packet, status


def test_an_untouched_topic() -> None:
    books = TopicAccount().snapshot(5 * NS)
    assert (books.received, books.lost, books.state, books.silent_s) == (0, 0, "live", 5.0)
    assert math.isnan(books.age_ms[0])
    assert (books.fps, books.bits_per_s) == (0.0, 0.0)


def test_what_arrives_is_counted_with_what_is_missing_before_it() -> None:
    topic = TopicAccount(state="no-signal", reason="unplugged")
    first, second = packet(0), packet(3)
    assert topic.take(first, 10 * NS) == 0
    assert topic.take(second, 11 * NS) == 2
    books = topic.snapshot(11 * NS + NS // 2)
    size = len(first.payload) + len(second.payload)
    assert (books.received, books.received_bytes, books.lost) == (2, size, 2)
    assert (books.state, books.reason) == ("live", "")  # a frame says more than a status
    assert books.silent_s == 0.5
    assert (books.fps, books.bits_per_s) == (1.0, 8 * size / 2)


def test_ages_are_quantiles_of_what_was_handed_over() -> None:
    topic = TopicAccount()
    for age_ms in range(101):
        topic.ages.add(age_ms)
    assert topic.snapshot(0).age_ms == (50, 95)


def test_sums() -> None:
    def seen(n: int) -> TopicReceived:
        return replace(
            TopicAccount().snapshot(0),
            received=n,
            received_bytes=2 * n,
            delivered=3 * n,
            skipped=4 * n,
            lost=5 * n,
            passed_by=6 * n,
            restarts=7 * n,
        )

    stats = ReceiverStats({"a": seen(1), "b": seen(10)}, malformed=7, age_ms=(1, 2))
    names = ("received", "received_bytes", "delivered", "skipped", "lost", "passed_by", "restarts")
    assert [getattr(stats, name) for name in names] == [11, 22, 33, 44, 55, 66, 77]
    assert stats.malformed == 7
    with pytest.raises(AttributeError):
        stats.malformed = 8  # type: ignore[misc]


def test_what_comes_again_is_counted_as_that_and_as_nothing_else() -> None:
    topic = TopicAccount()
    topic.take(packet(0), 10 * NS)
    topic.take(packet(1), 10 * NS)
    before = topic.snapshot(11 * NS)
    assert topic.take(packet(1), 11 * NS) is None
    after = topic.snapshot(11 * NS)
    # It is a sign of life all the same. (Ages are not compared: nan is not equal to itself.)
    assert after == replace(before, repeated=1, silent_s=0.0, age_ms=after.age_ms)


def test_a_late_frame_is_lost_no_more() -> None:
    topic = TopicAccount()
    for number in (0, 5, 9):
        topic.take(packet(number), NS)
    books = topic.snapshot(NS)
    assert (books.lost, books.missing) == (7, (Missing(SENDER, 1, 4), Missing(SENDER, 6, 8)))
    assert topic.take(packet(3), NS) == 0
    books = topic.snapshot(NS)
    assert books.lost == 6
    assert books.missing == (
        Missing(SENDER, 1, 2),
        Missing(SENDER, 4, 4),
        Missing(SENDER, 6, 8),
    )
    assert books.received == 4


def test_what_was_meant_for_others_is_passed_by() -> None:
    topic = TopicAccount()
    assert topic.take(packet(0), NS, partial=True) == 0
    assert topic.take(packet(4), NS, partial=True) == 3
    books = topic.snapshot(NS)
    assert (books.lost, books.passed_by, books.missing) == (0, 3, (Missing(SENDER, 1, 3),))
    # For one run of a sender: captured = received + lost + passed_by.
    assert books.received + books.lost + books.passed_by == 5


def test_a_status_tells_what_is_missing_at_the_end() -> None:
    topic = TopicAccount()
    topic.take(packet(0), NS)
    topic.hear(status(3, "ended", "the clip is over"), 2 * NS)
    books = topic.snapshot(2 * NS)
    assert (books.lost, books.missing) == (2, (Missing(SENDER, 1, 2),))
    assert (books.state, books.reason) == ("ended", "the clip is over")


def test_the_quality_is_that_of_the_last_frame() -> None:
    topic = TopicAccount()
    assert topic.snapshot(0).quality == 0
    topic.take(packet(0, quality=85), NS)
    topic.take(packet(1, quality=40), NS)
    assert topic.snapshot(NS).quality == 40
