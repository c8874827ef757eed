"""Loss counting against stories of what can happen to a stream."""

from hypothesis import given
from hypothesis import strategies as st

from framewire.common.gaps import GapCounter


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


def test_old_and_repeated_frames_are_no_gap() -> None:
    gaps = GapCounter()
    gaps.frame("a", 5)
    assert gaps.frame("a", 5) == 0
    assert gaps.frame("a", 3) == 0
    assert gaps.frame("a", 6) == 0
    assert (gaps.lost, gaps.restarts) == (0, 0)


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


@given(st.sets(st.integers(0, 200), min_size=1))
def test_lost_and_arrived_add_up_to_what_was_sent(arrived: set[int]) -> None:
    gaps = GapCounter()
    gaps.status("a", 0)
    for number in sorted(arrived):
        gaps.frame("a", number)
    gaps.status("a", 201)
    assert gaps.lost + len(arrived) == 201
