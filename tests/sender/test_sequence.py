"""Frame numbers: strictly rising, with exactly one hole for each frame that was dropped."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.sender.sequence import Sequence


def test_numbers_begin_at_0_and_follow_each_other() -> None:
    numbers = Sequence()
    assert [numbers.take() for _ in range(3)] == [0, 1, 2]
    assert (numbers.next, numbers.dropped) == (3, 0)


@given(st.lists(st.integers(0, 100)))
def test_what_the_source_dropped_leaves_as_many_holes(fresh: list[int]) -> None:
    numbers = Sequence()
    taken = [numbers.take(total) for total in accumulate(fresh)]
    missing = set(range(numbers.next)) - set(taken)
    assert taken == sorted(set(taken))
    assert len(missing) == numbers.dropped == sum(fresh)


def test_holes_lie_before_the_frame_that_tells_of_them() -> None:
    numbers = Sequence()
    assert [numbers.take(total) for total in (0, 2, 2, 3)] == [0, 3, 4, 6]


def test_the_same_count_again_is_no_new_loss() -> None:
    numbers = Sequence()
    assert [numbers.take(5), numbers.take(5), numbers.take(5)] == [5, 6, 7]
    assert numbers.dropped == 5


@pytest.mark.parametrize(("begins_with", "number"), [(0, 11), (3, 14)])
def test_a_source_that_begins_anew_counts_from_nothing(begins_with: int, number: int) -> None:
    numbers = Sequence()
    assert numbers.take(10) == 10
    assert numbers.take(begins_with) == number
    assert numbers.dropped == 10 + begins_with
    assert numbers.take(begins_with) == number + 1


def test_following_another_count() -> None:
    numbers = Sequence()
    numbers.follow(41)
    assert numbers.next == 42
    assert numbers.take() == 42
    numbers.follow(7)
    assert (numbers.next, numbers.dropped) == (8, 0)
