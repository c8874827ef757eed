"""Whom to cut where there are too many connections."""

from collections.abc import Iterable

from framewire.common.clock import NS
from framewire.common.transport.crowd import Crowd


def crowd(*, ages_s: dict[int, float], proven: Iterable[int] = ()) -> Crowd:
    """Connections by number, each so many seconds old at second 100."""
    made = Crowd()
    for number, age_s in sorted(ages_s.items(), key=lambda item: -item[1]):
        made.arrived(number, f"10.0.0.{number}:1", round((100 - age_s) * NS))
    for number in proven:
        made.prove(number)
    return made


def test_nobody_is_cut_up_to_the_limit() -> None:
    assert crowd(ages_s={1: 1, 2: 2}).shrink(2, 100 * NS) == []


def test_of_the_silent_ones_those_go_that_have_been_silent_for_longest() -> None:
    silent = crowd(ages_s={1: 2.5, 2: 1, 3: 0.1, 4: 0})
    assert silent.shrink(2, 100 * NS) == [1, 2]


def test_who_has_said_something_stays() -> None:
    assert crowd(proven={1, 2}, ages_s={1: 2.5, 2: 1, 3: 0}).shrink(2, 100 * NS) == [3]


def test_who_made_its_way_in_and_says_nothing_goes_first() -> None:
    assert crowd(ages_s={1: 60, 2: 4, 3: 1, 4: 0}, proven={1}).shrink(2, 100 * NS) == [2, 3]


def test_who_is_at_work_need_not_speak() -> None:
    workers = crowd(ages_s={1: 60, 2: 30, 3: 10, 4: 1})
    assert workers.shrink(2, 100 * NS, lambda number: number in (1, 2)) == [3, 4]
    assert workers.proven == 2
    assert workers.shrink(1, 100 * NS, lambda number: False) == [2]


def test_at_last_the_newest_go() -> None:
    served = crowd(proven={1, 2, 3}, ages_s={1: 60, 2: 30, 3: 10})
    assert served.shrink(1, 100 * NS) == [3, 2]


def test_who_was_cut_counts_no_more() -> None:
    shrinking = crowd(ages_s={1: 2, 2: 1, 3: 0})
    assert shrinking.shrink(2, 100 * NS) == [1]
    assert shrinking.shrink(2, 100 * NS) == []
    assert shrinking.shrink(1, 100 * NS) == [2]


def test_a_number_that_is_used_again_is_another_connection() -> None:
    again = crowd(proven={1}, ages_s={1: 60})
    again.arrived(1, "10.0.0.9:1", 100 * NS)
    assert (len(again), again.proven) == (1, 0)
    left = again.left(1)
    assert left is not None
    assert left.address == "10.0.0.9:1"
    assert left.gone
    assert again.left(1) is None
