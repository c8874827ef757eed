"""Which refusals are worth a line."""

from framewire.common.clock import NS
from framewire.common.transport.refusals import Refusals


def test_one_line_a_second() -> None:
    refusals = Refusals()
    assert refusals.count(0, "a") == 1
    assert refusals.count(NS - 1, "b") == 0
    assert refusals.count(NS, "b") == 2


def test_the_same_once_a_minute() -> None:
    refusals = Refusals()
    assert refusals.count(0, "a", "x") == 1
    assert refusals.count(2 * NS, "a", "y") == 1
    assert [refusals.count(n * NS, "a", "x") for n in range(5, 8)] == [0, 0, 0]
    assert refusals.count(60 * NS, "a", "x") == 4


def test_after_a_success_it_is_news_again() -> None:
    refusals = Refusals()
    refusals.count(0, "a", "x")
    refusals.count(2 * NS, "b", "x")
    refusals.forget("a")
    assert refusals.count(4 * NS, "a", "x") == 1
    assert refusals.count(6 * NS, "b", "x") == 0


def test_strangers_fill_no_memory() -> None:
    refusals = Refusals()
    for number in range(10_000):
        refusals.count(0, number)
    assert len(refusals) == 256
