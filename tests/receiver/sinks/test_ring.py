"""The ring before an event: bounded in time and bytes, and what it pushed out."""

from hypothesis import given
from hypothesis import strategies as st

from framewire.receiver.sinks.ring import Ring


def test_it_keeps_what_is_young() -> None:
    ring: Ring[int] = Ring(10, 1000)
    for now in range(0, 30, 5):
        ring.add(now, "a", 1, now)
    assert ring.drain(25) == ([15, 20, 25], [])
    assert ring.drain(25) == ([], [])
    assert ring.weight == 0


def test_it_forgets_while_nothing_comes() -> None:
    ring: Ring[int] = Ring(10, 1000)
    ring.add(0, "a", 1, 0)
    assert ring.drain(11) == ([], [])


def test_what_had_no_room_is_told_for_as_long_as_it_would_have_stayed() -> None:
    ring: Ring[int] = Ring(10, 2)
    for now, topic in enumerate("abcd"):
        ring.add(now, topic, 1, now)
    assert ring.drain(11) == ([2, 3], ["b"])


def test_what_is_larger_than_all_room_is_not_kept() -> None:
    ring: Ring[int] = Ring(10, 2)
    ring.add(0, "a", 1, 0)
    ring.add(1, "b", 3, 1)
    assert ring.drain(1) == ([], ["a", "b"])


@given(
    st.integers(0, 20),
    st.integers(0, 30),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12)), max_size=40),
)
def test_nothing_young_is_lost_untold(
    span: int, capacity: int, items: list[tuple[int, int]]
) -> None:
    ring: Ring[int] = Ring(span, capacity)
    now, times = 0, []
    for number, (step, weight) in enumerate(items):
        now += step
        times.append(now)
        ring.add(now, "a", weight, number)
        assert ring.weight <= capacity
        assert len(ring) <= number + 1
    kept, missing = ring.drain(now)
    young = [number for number, at in enumerate(times) if at >= now - span]
    assert len(missing) + len(kept) == len(young)
    assert kept == young[len(missing) :]
