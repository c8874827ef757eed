"""The books of a receiver, at times of the test's own."""

import math

import pytest

from framewire.common.clock import NS
from framewire.receiver.account import ReceiverStats, TopicAccount, TopicReceived
from receiver.publishing import packet


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
        return TopicReceived(n, 2 * n, 3 * n, 4 * n, 5 * n, 6 * n, "live", "", 0, 0, 0, (0, 0))

    stats = ReceiverStats({"a": seen(1), "b": seen(10)}, malformed=7, age_ms=(1, 2))
    names = ("received", "received_bytes", "delivered", "skipped", "lost", "restarts")
    assert [getattr(stats, name) for name in names] == [11, 22, 33, 44, 55, 66]
    assert stats.malformed == 7
    with pytest.raises(AttributeError):
        stats.malformed = 8  # type: ignore[misc]
