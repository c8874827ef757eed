"""Loss counting against stories of what can happen to a stream."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common.gaps import GapCounter, Missing

BIGGEST = 2**63 - 1


def test_what_was_sent_before_the_first_frame_is_no_loss() -> None:
    gaps = GapCounter()
    assert gaps.frame("a", 1000) == 0
    assert (gaps.lost, gaps.restarts) == (0, 0)


def test_a_gap_is_counted_once() -> None:
    gaps = GapCounter()
    gaps.frame("a", 0)
    assert gaps.frame("a", 1) == 0
    assert gaps.frame("a", 5) == 3
    assert gaps.frame("a", 6) == 0
    assert gaps.lost == 3


def test_a_repetition_changes_nothing() -> None:
    gaps = GapCounter()
    gaps.frame("a", 5)
    assert gaps.frame("a", 5) is None
    assert gaps.frame("a", 6) == 0
    assert gaps.frame("a", 9) == 2
    assert gaps.frame("a", 6) is None
    assert gaps.frame("a", 9) is None
    assert (gaps.lost, gaps.repeated, gaps.restarts) == (2, 3, 0)


def test_a_late_frame_is_lost_no_more() -> None:
    gaps = GapCounter()
    gaps.frame("a", 0)
    assert gaps.frame("a", 5) == 4
    assert gaps.frame("a", 3) == 0
    assert gaps.missing() == (Missing("a", 1, 2), Missing("a", 4, 4))
    assert gaps.frame("a", 3) is None
    assert [gaps.frame("a", number) for number in (1, 4, 2)] == [0, 0, 0]
    assert (gaps.lost, gaps.repeated, gaps.missing()) == (0, 1, ())
    assert gaps.frame("a", 6) == 0


def test_a_frame_that_a_status_overtook_is_lost_no_more() -> None:
    gaps = GapCounter()
    gaps.frame("a", 0)
    assert gaps.status("a", 3) == 2
    assert gaps.frame("a", 1) == 0
    assert gaps.status("a", 3) == 0
    assert gaps.missing() == (Missing("a", 2, 2),)
    assert gaps.lost == 1


def test_statuses_of_a_long_silence_are_one_range() -> None:
    gaps = GapCounter()
    gaps.frame("a", 0)
    for number in range(10, 50_000, 10):
        assert gaps.status("a", number) == (9 if number == 10 else 10)
    assert gaps.missing() == (Missing("a", 1, 49_989),)


def test_what_was_not_asked_for_is_no_loss() -> None:
    gaps = GapCounter()
    gaps.frame("a", 0)
    assert gaps.frame("a", 3) == 2
    gaps.rejoin()
    assert gaps.frame("a", 50) == 0
    assert gaps.frame("a", 53) == 2
    gaps.rejoin()
    assert gaps.status("a", 70) == 0
    assert gaps.frame("a", 72) == 2
    assert gaps.lost == 6
    gaps.rejoin()
    assert gaps.frame("a", 72) is None  # it came before, all the same
    assert gaps.frame("a", 1) == 0
    assert gaps.frame("a", 73) == 0
    assert (gaps.lost, gaps.repeated, gaps.restarts) == (5, 1, 0)


def test_a_new_run_after_a_time_of_not_asking() -> None:
    gaps = GapCounter()
    gaps.frame("a", 5)
    gaps.rejoin()
    assert gaps.frame("b", 9) == 0
    assert gaps.frame("a", 100) == 0
    assert (gaps.lost, gaps.restarts) == (0, 1)


def test_what_was_overtaken_by_the_first_number_is_new_and_no_loss() -> None:
    gaps = GapCounter()
    gaps.status("a", 10)
    assert gaps.frame("a", 7) == 0  # as a relay repeats its last frame behind a status
    assert gaps.frame("a", 7) is None
    assert gaps.frame("a", 9) == 0
    assert gaps.frame("a", 9) is None
    assert (gaps.lost, gaps.missing()) == (0, ())
    assert gaps.frame("a", 12) == 2
    assert gaps.missing() == (Missing("a", 10, 11),)
    assert gaps.frame("a", 8) == 0
    assert gaps.lost == 2


def test_a_status_reveals_what_was_lost_at_the_end() -> None:
    gaps = GapCounter()
    gaps.frame("a", 0)
    assert gaps.status("a", 1) == 0
    assert gaps.status("a", 4) == 3
    assert gaps.status("a", 4) == 0
    assert gaps.frame("a", 4) == 0
    assert gaps.lost == 3


def test_a_status_before_the_first_frame_sets_the_mark() -> None:
    gaps = GapCounter()
    assert gaps.status("a", 10) == 0
    assert gaps.frame("a", 12) == 2


def test_an_old_status_changes_nothing() -> None:
    gaps = GapCounter()
    gaps.frame("a", 9)
    assert gaps.status("a", 3) == 0
    assert gaps.frame("a", 10) == 0
    assert gaps.lost == 0


def test_a_restart_begins_anew() -> None:
    gaps = GapCounter()
    gaps.frame("a", 500)
    assert gaps.frame("b", 0) == 0
    assert gaps.frame("b", 2) == 1
    assert (gaps.lost, gaps.restarts) == (1, 1)


def test_a_restart_counts_once_and_with_its_first_frame() -> None:
    """A status does not tell whether a replay follows, which would be no restart."""
    gaps = GapCounter()
    gaps.status("a", 500)
    gaps.frame("a", 500)
    assert gaps.restarts == 0
    gaps.status("b", 0)
    assert gaps.restarts == 0
    gaps.frame("b", 0)
    gaps.status("b", 1)
    gaps.frame("b", 1)
    assert gaps.restarts == 1


def test_a_replay_that_loops_is_no_restart() -> None:
    gaps = GapCounter()
    gaps.frame("a", 9, replay=True)
    gaps.frame("b", 0, replay=True)
    assert gaps.frame("b", 3, replay=True) == 2
    assert (gaps.lost, gaps.restarts) == (2, 0)


def test_two_senders_that_alternate_are_one_restart_at_most() -> None:
    gaps = GapCounter()
    for number in range(20):
        gaps.frame("a", number)
        gaps.frame("b", 100 + number)
    assert (gaps.lost, gaps.restarts) == (0, 1)


def test_only_the_last_eight_runs_are_remembered() -> None:
    gaps = GapCounter()
    for run in range(9):
        gaps.frame(f"run{run}", 10)
    assert gaps.frame("run1", 12) == 1  # still known
    assert gaps.frame("run0", 12) == 0  # forgotten: a first frame again
    assert gaps.restarts == 9


def test_a_sender_that_goes_on_is_not_forgotten() -> None:
    gaps = GapCounter()
    for run in range(10):
        gaps.frame("steady", run)
        gaps.frame(f"flapping{run}", 0)
    assert gaps.restarts == 10  # ten runs beside the first


def test_a_late_frame_of_the_run_before_is_no_restart() -> None:
    gaps = GapCounter()
    gaps.frame("a", 0)
    gaps.frame("a", 2)
    gaps.frame("b", 0)
    assert gaps.frame("a", 1) == 0
    assert gaps.frame("a", 2) is None
    assert (gaps.lost, gaps.repeated, gaps.restarts) == (0, 1, 1)


def test_missing_ends_with_the_run_that_was_heard_last() -> None:
    gaps = GapCounter()
    for number in (0, 2, 4):
        gaps.frame("b", number)
        gaps.frame("a", number)
    ranges = [(each.sender, each.first, each.last) for each in gaps.missing()]
    assert ranges == [("b", 1, 1), ("b", 3, 3), ("a", 1, 1), ("a", 3, 3)]


# -- bounds -------------------------------------------------------------------------------------


def test_the_oldest_ranges_are_forgotten_but_stay_lost() -> None:
    gaps = GapCounter()
    for number in range(0, 6000, 2):
        gaps.frame("a", number)
    assert gaps.lost == 2999
    assert len(gaps.missing()) == 1024
    assert gaps.missing()[0] == Missing("a", 3951, 3951)
    assert gaps.frame("a", 3949) is None  # nobody knows any more; counted as lost it stays
    assert gaps.frame("a", 3951) == 0
    assert gaps.lost == 2998


def test_a_split_range_counts_as_two() -> None:
    gaps = GapCounter()
    gaps.frame("a", 0)
    gaps.frame("a", 10_000)
    for number in range(2, 10_000, 2):
        assert gaps.frame("a", number) == 0
    assert len(gaps.missing()) == 1024
    assert gaps.lost == 5000


def test_the_bound_holds_over_all_runs() -> None:
    gaps = GapCounter()
    for run in "abcdefghijkl":
        for number in range(0, 600, 2):
            gaps.frame(run, number)
    assert len(gaps.missing()) == 1024
    assert gaps.missing()[-1] == Missing("l", 597, 597)
    assert gaps.lost == 12 * 299


def test_what_a_forgotten_run_had_makes_room() -> None:
    gaps = GapCounter()
    for number in range(0, 2050, 2):
        gaps.frame("a", number)
    for run in range(8):  # these push it out
        gaps.frame(f"run{run}", 0)
    assert gaps.missing() == ()
    for number in range(0, 2050, 2):
        gaps.frame("z", number)
    assert len(gaps.missing()) == 1024
    assert gaps.lost == 2048


def test_below_the_mark_the_bound_holds_too() -> None:
    gaps = GapCounter()
    for number in range(6000, 0, -2):
        assert gaps.frame("a", number) == 0
    assert (gaps.lost, gaps.missing()) == (0, ())
    assert gaps.frame("a", 3) in (0, None)


# -- numbers that lie -----------------------------------------------------------------------------

FARTHEST = 1 << 24


@pytest.mark.parametrize("message", ["frame", "status"])
def test_a_forged_number_costs_nothing(message: str) -> None:
    gaps = GapCounter()
    gaps.frame("a", 0)
    assert getattr(gaps, message)("a", BIGGEST) == 0
    for number in range(1, 2000):
        assert gaps.frame("a", number) == 0  # the true ones still count
        assert not gaps.late
        assert gaps.frame("a", number) is None
        getattr(gaps, message)("a", BIGGEST)
    assert (gaps.lost, gaps.missing(), gaps.restarts) == (0, (), 0)
    assert gaps.frame("b", BIGGEST) == 0
    assert gaps.frame("b", 0) == 0
    assert gaps.frame("b", 2**62) == 0


@pytest.mark.parametrize("message", ["frame", "status"])
def test_the_farthest_number_that_is_believed_at_once(message: str) -> None:
    gaps = GapCounter()
    gaps.frame("a", 0)
    assert getattr(gaps, message)("a", FARTHEST) == FARTHEST - 1
    gaps = GapCounter()
    gaps.frame("a", 0)
    assert getattr(gaps, message)("a", FARTHEST + 1) == 0


def test_a_number_far_ahead_is_believed_when_another_follows_it() -> None:
    gaps = GapCounter()
    gaps.frame("a", 0)
    assert gaps.frame("a", 10 * FARTHEST) == 0
    assert gaps.frame("a", 10 * FARTHEST) is None  # taken already
    assert gaps.lost == 0
    assert gaps.frame("a", 10 * FARTHEST + 3) == 2
    assert gaps.lost == 10 * FARTHEST - 1 + 2
    assert gaps.frame("a", 10 * FARTHEST) is None


def test_a_number_far_ahead_that_none_follows_is_forgotten() -> None:
    gaps = GapCounter()
    gaps.frame("a", 0)
    gaps.frame("a", 10 * FARTHEST)
    assert gaps.frame("a", 10 * FARTHEST + 1025) == 0
    assert gaps.frame("a", 1) == 0
    assert gaps.lost == 0


def test_what_was_not_asked_for_is_no_loss_however_long_it_was() -> None:
    gaps = GapCounter()
    gaps.frame("a", 0)
    gaps.rejoin()
    assert gaps.frame("a", 10 * FARTHEST) == 0
    assert gaps.frame("a", 10 * FARTHEST + 1) == 0
    assert gaps.frame("a", 10 * FARTHEST + 3) == 1
    assert gaps.lost == 1


def test_after_two_forged_numbers_frames_are_late_for_a_moment_only() -> None:
    gaps = GapCounter()
    gaps.frame("a", 0)
    gaps.frame("a", BIGGEST - 1)
    gaps.frame("a", BIGGEST)
    late = []
    for number in range(1, 21):
        assert gaps.frame("a", number) == 0
        late.append(gaps.late)
    assert late == [True] * 7 + [False] * 13


def test_frames_that_others_overtake_are_late() -> None:
    gaps = GapCounter()
    late = []
    for number in (0, 2, 1, 5, 3, 4, 6):
        gaps.frame("a", number)
        late.append(gaps.late)
    assert late == [False, False, True, False, True, True, False]


def test_a_status_makes_no_frame_late() -> None:
    gaps = GapCounter()
    gaps.frame("a", 0)
    gaps.status("a", 9)
    assert gaps.frame("a", 1) == 0
    assert not gaps.late


def test_a_run_that_counts_from_the_beginning_again_is_a_new_one() -> None:
    """As of a sender whose id is always the same. Its frames are young, whatever their numbers."""
    gaps = GapCounter()
    for number in range(500):
        gaps.frame("a", number, captured_ns=1000 + number)
    for number in range(600):
        assert gaps.frame("a", number, captured_ns=5000 + number) == 0
        assert not gaps.late
    assert (gaps.repeated, gaps.restarts, gaps.lost) == (0, 1, 0)


def test_a_run_that_is_repeated_as_it_was_is_a_new_one_in_the_end() -> None:
    """As of a recording that is played in a loop under one id."""
    gaps = GapCounter()
    for number in range(500):
        gaps.frame("a", number, captured_ns=1000 + number)
    taken = [gaps.frame("a", number, captured_ns=1000 + number) for number in range(500)]
    assert taken == [None] * 255 + [0] * 245
    assert (gaps.repeated, gaps.restarts) == (255, 1)


def test_who_repeats_old_frames_among_new_ones_begins_nothing() -> None:
    gaps = GapCounter()
    for number in range(2000):
        assert gaps.frame("a", number, captured_ns=number) == 0
        if number > 1000:
            assert gaps.frame("a", number - 1000, captured_ns=number - 1000) is None
    assert (gaps.repeated, gaps.restarts, gaps.lost) == (999, 0, 0)


def test_what_was_missing_before_a_new_beginning_stays_lost() -> None:
    gaps = GapCounter()
    gaps.frame("a", 0, captured_ns=1)
    gaps.frame("a", 10, captured_ns=2)
    assert gaps.frame("a", 0, captured_ns=3) == 0
    assert (gaps.lost, gaps.missing()) == (9, ())
    assert gaps.frame("a", 1, captured_ns=4) == 0


# -- models -------------------------------------------------------------------------------------


@given(st.sets(st.integers(0, 200), min_size=1))
def test_lost_and_arrived_add_up_to_what_was_sent(arrived: set[int]) -> None:
    gaps = GapCounter()
    gaps.status("a", 0)
    for number in sorted(arrived):
        gaps.frame("a", number)
    gaps.status("a", 201)
    assert gaps.lost + len(arrived) == 201


class Model:
    """The same with sets: every number by itself."""

    def __init__(self) -> None:
        self.seen: dict[str, set[int]] = {}
        self.range: dict[str, tuple[int, int]] = {}

    def take(self, sender: str, sequence: int, *, is_frame: bool) -> int | None:
        seen = self.seen.setdefault(sender, set())
        mark, expected = self.range.get(sender, (sequence, sequence))
        if is_frame and sequence in seen:
            return None
        seen |= {sequence} if is_frame else set()
        self.range[sender] = mark, max(expected, sequence + is_frame)
        return max(0, sequence - expected)

    def missing(self) -> set[tuple[str, int]]:
        return {
            (sender, number)
            for sender, limits in self.range.items()
            for number in range(*limits)
            if number not in self.seen[sender]
        }


events = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 60), st.booleans()), max_size=120
)


@given(events)
def test_any_order_against_a_model(events: list[tuple[str, int, bool]]) -> None:
    gaps, model = GapCounter(), Model()
    repeated = 0
    for sender, number, is_frame in events:
        expected = model.take(sender, number, is_frame=is_frame)
        got = gaps.frame(sender, number) if is_frame else gaps.status(sender, number)
        assert got == expected
        repeated += got is None
        missing = gaps.missing()
        numbers = [(r.sender, n) for r in missing for n in range(r.first, r.last + 1)]
        assert set(numbers) == model.missing()
        assert len(numbers) == len(set(numbers)) == gaps.lost
        for one, other in pairwise(missing):
            assert one.sender != other.sender or one.last + 1 < other.first
    assert gaps.repeated == repeated


@given(st.permutations(range(30)), st.integers(1, 3))
def test_in_whatever_order_each_frame_comes_once(order: list[int], copies: int) -> None:
    gaps = GapCounter()
    gaps.status("a", 0)
    taken = Counter(n for _ in range(copies) for n in order if gaps.frame("a", n) is not None)
    assert taken == Counter(range(30))
    assert (gaps.lost, gaps.repeated) == (0, 30 * (copies - 1))


def test_where_frames_are_asked_for_a_status_marks_nothing() -> None:
    counter = GapCounter()
    assert counter.status("a", 93, marks=False) == 0
    assert counter.frame("a", 94) == 0
    assert counter.status("a", 97, marks=False) == 2  # of a run that is known it tells all the same
    assert counter.lost == 2
