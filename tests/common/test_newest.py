"""The newest of each topic, within bounds."""

from hypothesis import given
from hypothesis import strategies as st

from framewire.common.frame import Packet
from framewire.common.newest import Newest
from receiver.publishing import packet


def _packet(topic: str, size: int, sequence: int = 0) -> Packet:
    return packet(sequence, topic, bytes(size))


WEIGHT = _packet("a", 1000).weight


def test_a_newer_one_takes_the_place_of_its_topic() -> None:
    newest = Newest()
    for sequence in range(3):
        newest["a"] = _packet("a", 1000, sequence)
    assert {topic: each.sequence for topic, each in newest.items()} == {"a": 2}
    assert newest.weight == WEIGHT
    assert newest.pop("a").sequence == 2
    assert (len(newest), newest.weight, newest.get("a")) == (0, 0, None)


def test_at_the_limit_all_stay_and_one_past_it_the_oldest_goes() -> None:
    newest = Newest(3 * WEIGHT)
    for topic in "abc":
        newest[topic] = _packet(topic, 1000)
    newest["a"] = _packet("a", 1000, 1)  # young again
    assert list(newest) == ["b", "c", "a"]
    newest["d"] = _packet("d", 1001)
    assert list(newest) == ["a", "d"]


def test_one_that_is_larger_than_all_may_be_stays_alone() -> None:
    newest = Newest(3 * WEIGHT)
    newest["a"] = _packet("a", 10)
    newest["b"] = _packet("b", 100_000)
    assert list(newest) == ["b"]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 5000), st.booleans())))
def test_the_weight_is_that_of_what_is_there(steps: list[tuple[str, int, bool]]) -> None:
    newest = Newest(4 * WEIGHT)
    for topic, size, taken in steps:
        newest[topic] = _packet(topic, size)
        if taken:
            del newest[topic]
        assert newest.weight == sum(each.weight for each in newest.values())
        assert newest.weight <= 4 * WEIGHT or len(newest) == 1
