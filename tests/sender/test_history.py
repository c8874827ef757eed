"""The ring of recent packets against stories, and against a list."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common.errors import UsageError
from framewire.common.frame import Header, Packet
from framewire.sender.history import History

HEADER_BYTES = 512


def packet(
    sequence: int, run: str = "a", topic: str = "cam", size: int = 100, **metadata: object
) -> Packet:
    header = Header(
        topic=topic,
        sender=run,
        sequence=sequence,
        captured_ns=0,
        sent_ns=0,
        width=1,
        height=1,
        channels=1,
        codec="raw",
        metadata=metadata,
    )
    return Packet(header, bytes(size))


def history(*packets: Packet, capacity: int = 1 << 20) -> History:
    ring = History(capacity)
    for each in packets:
        ring.add(each)
    return ring


def followers(ring: History, run: str, sequence: int, topic: str = "cam") -> list[tuple[str, int]]:
    """All that a receiver gets that asks for what follows, again and again."""
    found = []
    while (following := ring.after(topic, run, sequence)) is not None:
        run, sequence = following.header.sender, following.sequence
        found.append((run, sequence))
    return found


# -- capacity -----------------------------------------------------------------------------------


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_history_of_nothing_is_none(capacity: int) -> None:
    with pytest.raises(UsageError, match=f"1 byte or more, not {capacity}"):
        History(capacity)


def test_an_empty_history() -> None:
    ring = History(1)
    assert (ring.capacity, ring.bytes, ring.topics) == (1, 0, ())
    assert ring.newest("cam") is None
    assert ring.after("cam", "a", 0) is None


def test_the_oldest_of_any_topic_go_first() -> None:
    room = 3 * (HEADER_BYTES + 100)
    packets = [packet(0), packet(0, topic="door"), packet(1), packet(2)]
    ring = history(*packets[:3], capacity=room)
    assert (ring.bytes, ring.topics) == (room, ("cam", "door"))
    ring.add(packets[3])
    assert ring.bytes == room
    assert ring.after("cam", "gone", 0) is packets[2]
    ring.add(packet(3))
    assert ring.topics == ("cam",)
    assert ring.newest("door") is None
    assert ring.after("door", "a", 0) is None


def test_one_large_packet_takes_the_room_of_many() -> None:
    ring = history(*(packet(number) for number in range(10)), capacity=10 * (HEADER_BYTES + 100))
    ring.add(packet(10, size=4996))
    assert followers(ring, "gone", 0) == [("a", 9), ("a", 10)]
    assert ring.bytes == ring.capacity


def test_what_is_larger_than_the_capacity_is_not_kept() -> None:
    ring = history(packet(0), capacity=2000)
    ring.add(packet(1, size=2000 - HEADER_BYTES + 1))
    assert ring.bytes == HEADER_BYTES + 100
    assert followers(ring, "gone", 0) == [("a", 0)]
    ring.add(packet(2, size=2000 - HEADER_BYTES))
    assert ring.bytes == 2000
    assert followers(ring, "gone", 0) == [("a", 2)]


def test_metadata_count() -> None:
    ring = history(packet(0, size=1, note="x" * 5000))
    assert ring.bytes == HEADER_BYTES + 1 + len(msgspec.msgpack.encode({"note": "x" * 5000}))


# -- positions ----------------------------------------------------------------------------------


def test_the_newest_is_the_one_added_last() -> None:
    last = packet(1)
    assert history(packet(0), last, packet(7, topic="door")).newest("cam") is last


def test_one_after_the_other() -> None:
    ring = history(packet(3), packet(9, topic="door"), packet(4), packet(7))
    assert followers(ring, "a", 3) == [("a", 4), ("a", 7)]
    assert followers(ring, "a", 5) == [("a", 7)]
    assert followers(ring, "a", 7) == followers(ring, "a", 2**63 - 1) == []


def test_what_has_left_the_ring_is_a_gap() -> None:
    assert followers(history(packet(5), packet(6)), "a", 1) == [("a", 5), ("a", 6)]


def test_behind_a_run_comes_the_next_one() -> None:
    ring = history(packet(8), packet(9), packet(0, "b"), packet(1, "b"), packet(0, "c"))
    assert followers(ring, "a", 8) == [("a", 9), ("b", 0), ("b", 1), ("c", 0)]
    assert followers(ring, "b", 5) == [("c", 0)]


def test_a_run_that_is_not_there_begins_with_the_oldest() -> None:
    ring = history(packet(8), packet(0, "b"))
    assert followers(ring, "gone", 10**6) == [("a", 8), ("b", 0)]


def test_a_packet_that_was_overtaken_takes_its_place() -> None:
    ring = history(packet(9, "z"), *(packet(number) for number in (2, 4, 1, 3, 5)))
    assert followers(ring, "z", 9) == [("a", number) for number in (1, 2, 3, 4, 5)]


def test_two_runs_on_one_topic_do_not_lead_back() -> None:
    ring = history(*(packet(n, run) for n in range(4) for run in ("a", "b")))
    assert followers(ring, "a", 0) == [("a", 1), ("a", 2), ("a", 3), ("b", 3)]
    assert followers(ring, "b", 1) == [("b", 2), ("b", 3)]


# -- a model ------------------------------------------------------------------------------------

topics = st.sampled_from(["cam", "door"])
runs = st.sampled_from(["a", "b", "c"])
additions = st.lists(st.tuples(topics, st.booleans(), st.integers(1, 3), st.integers(0, 900)))


@given(additions, st.integers(1, 6000), st.lists(st.tuples(topics, runs, st.integers(0, 40))))
def test_against_a_list(
    additions: list[tuple[str, bool, int, int]],
    capacity: int,
    positions: list[tuple[str, str, int]],
) -> None:
    """Runs that come one after the other, as those of one sender do, with numbers left out."""
    ring = History(capacity)
    kept: list[Packet] = []
    state = {"cam": ("a", 0), "door": ("a", 0)}
    for topic, restart, step, size in additions:
        run, number = state[topic]
        run, number = (chr(ord(run) + 1), 0) if restart and run < "c" else (run, number + step)
        state[topic] = run, number
        one = packet(number, run, topic, size)
        ring.add(one)
        if size + HEADER_BYTES <= capacity:
            kept.append(one)
        while sum(len(each.payload) + HEADER_BYTES for each in kept) > capacity:
            del kept[0]
    assert ring.bytes == sum(len(each.payload) + HEADER_BYTES for each in kept) <= capacity
    assert set(ring.topics) == {each.topic for each in kept}
    for topic, run, sequence in positions:
        mine = [each for each in kept if each.topic == topic]
        assert ring.newest(topic) is (mine[-1] if mine else None)
        known = any(each.header.sender == run for each in mine)
        following = [
            each
            for each in mine
            if not known or (each.header.sender, each.sequence) > (run, sequence)
        ]
        assert ring.after(topic, run, sequence) is (following[0] if following else None)
