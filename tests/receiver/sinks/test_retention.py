"""Which recordings have to go."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from framewire.common.clock import NS
from framewire.receiver.sinks.retention import Kept, Steps, doomed


def _kept(name: str, size: int = 10, written_ns: int = 0) -> Kept:
    return Kept(Path(name), size, written_ns)


def test_what_is_too_old_goes_oldest_first() -> None:
    files = [_kept("c", written_ns=30), _kept("a", written_ns=10), _kept("b", written_ns=20)]
    assert doomed(files, [], now_ns=100, keep_ns=75) == [files[1], files[2]]
    assert doomed(files, [], now_ns=100, keep_ns=90) == []
    assert doomed(files, [], now_ns=100) == []


def test_the_oldest_go_until_the_rest_is_small_enough() -> None:
    files = [_kept(name, written_ns=at) for at, name in enumerate("abcd")]
    assert doomed(files, [], now_ns=100, max_bytes=40) == []
    assert doomed(files, [], now_ns=100, max_bytes=39) == files[:1]
    assert doomed(files, [], now_ns=100, max_bytes=20) == files[:2]


def test_what_is_open_counts_and_stays() -> None:
    files = [_kept(name, written_ns=at) for at, name in enumerate("abcd")]
    assert doomed(files, [Path("a")], now_ns=100, max_bytes=20) == files[1:3]
    assert doomed(files, [each.path for each in files], now_ns=100, keep_ns=1, max_bytes=1) == []


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.booleans()), max_size=20),
    st.none() | st.integers(1, 50),
    st.none() | st.integers(1, 200),
)
def test_limits_hold_and_nothing_goes_without_need(
    facts: list[tuple[int, int, bool]], keep: int | None, most: int | None
) -> None:
    files = [_kept(f"{n:02}", size, at) for n, (size, at, _) in enumerate(facts)]
    open_paths = [file.path for file, fact in zip(files, facts, strict=True) if fact[2]]
    gone = doomed(files, open_paths, now_ns=50, keep_ns=keep, max_bytes=most)
    left = [file for file in files if file not in gone]
    closed = [file for file in left if file.path not in open_paths]
    assert not {file.path for file in gone} & set(open_paths)
    if keep is not None:
        assert all(50 - file.written_ns <= keep for file in closed)
    if most is not None and closed:
        assert sum(file.size for file in left) <= most
    if most is None:
        assert all(keep is not None and 50 - file.written_ns > keep for file in gone)


def test_what_was_found_first_goes_first_whatever_the_clock_said_then() -> None:
    """A clock that was set back makes new files look older than old ones."""
    old, new = _kept("old", written_ns=100), _kept("new", written_ns=50)._replace(seen=1)
    assert doomed([new, old], [], now_ns=60, max_bytes=10) == [old]


def test_nothing_is_old_for_an_hour_after_the_clock_leapt_forward() -> None:
    hour = 3600 * NS
    steps = Steps()
    assert steps.trusts(0, 0)
    assert steps.trusts(10 * NS, 10 * NS)
    assert not steps.trusts(20 * NS + hour, 20 * NS)
    assert not steps.trusts(19 * NS + 2 * hour, 19 * NS + hour)
    assert steps.trusts(20 * NS + 2 * hour, 20 * NS + hour)


def test_a_clock_that_is_set_back_or_put_right_a_little_is_trusted() -> None:
    steps = Steps()
    assert steps.trusts(0, 0)
    assert steps.trusts(60 * NS, 10 * NS)
    assert steps.trusts(-3600 * NS, 20 * NS)
