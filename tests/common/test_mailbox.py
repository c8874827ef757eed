"""The mailbox: both policies against models, and threads that wait.

No test sleeps: `waiting` is set when a thread truly waits inside the mailbox, and every future is
asked for its result with a deadline.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common import mailbox
from framewire.common.errors import Closed, FramewireError
from framewire.common.mailbox import Mailbox, WhenFull

DEADLINE_S = 20
POLICIES: tuple[WhenFull, ...] = ("newest", "block")


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Counts threads that began to wait in a mailbox made after this. They hold the lock until they
    wait, so whoever acquires this and then calls the mailbox finds them waiting."""
    count = threading.Semaphore(0)

    class Watched(threading.Condition):
        def wait(self, timeout: float | None = None) -> bool:
            count.release()
            return super().wait(timeout)

    watched = SimpleNamespace(RLock=threading.RLock, Condition=Watched)
    monkeypatch.setattr(mailbox, "threading", watched)
    return count


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


def _until(waiting: threading.Semaphore, count: int = 1) -> None:
    for _ in range(count):
        assert waiting.acquire(timeout=DEADLINE_S)


# -- newest -------------------------------------------------------------------------------------


def test_newest_keeps_one_item_for_each_key() -> None:
    box: Mailbox[str] = Mailbox("newest")
    assert box.put("a1", "a") is None
    assert box.put("b1", "b") is None
    assert box.put("a2", "a") == "a1"
    assert (len(box), box.dropped) == (2, 1)
    assert [box.get(0), box.get(0), box.get(0)] == ["a2", "b1", None]
    assert box.put("a3", "a") is None  # taken, not replaced
    assert box.dropped == 1


def test_a_busy_key_starves_no_other() -> None:
    box: Mailbox[str] = Mailbox("newest")
    taken = []
    for number in range(6):
        for _ in range(10):
            box.put(f"busy{number}", "busy")
        if number == 0:
            box.put("quiet", "quiet")
        taken.append(box.get(0))
    assert taken[:2] == ["busy0", "quiet"]


operations = st.lists(st.tuples(st.sampled_from("pg"), st.sampled_from("abc")), max_size=40)


@given(operations)
def test_newest_against_a_model(operations: list[tuple[str, str]]) -> None:
    box: Mailbox[int] = Mailbox("newest")
    model: list[tuple[str, int]] = []
    dropped = 0
    for number, (what, key) in enumerate(operations):
        at = next((i for i, each in enumerate(model) if each[0] == key), None)
        if what == "g":
            assert box.get(0) == (model.pop(0)[1] if model else None)
        elif at is None:
            assert box.put(number, key) is None
            model.append((key, number))
        else:
            assert box.put(number, key) == model[at][1]
            model[at] = (key, number)
            dropped += 1
        assert (len(box), box.dropped) == (len(model), dropped)


# -- block --------------------------------------------------------------------------------------


def test_block_is_first_in_first_out_and_ignores_keys() -> None:
    box: Mailbox[int] = Mailbox("block", capacity=3)
    for number in range(3):
        assert box.put(number, "same") is None
    assert [box.get(0) for _ in range(4)] == [0, 1, 2, None]
    assert box.dropped == 0


def test_block_makes_a_full_box_wait(
    waiting: threading.Semaphore, threads: ThreadPoolExecutor
) -> None:
    box: Mailbox[str] = Mailbox("block", capacity=1)
    box.put("first")
    second = threads.submit(box.put, "second")
    _until(waiting)
    assert len(box) == 1
    assert box.get(0) == "first"
    second.result(DEADLINE_S)
    assert box.get(0) == "second"
    assert box.dropped == 0


def test_capacity_in_bytes(waiting: threading.Semaphore, threads: ThreadPoolExecutor) -> None:
    box: Mailbox[bytes] = Mailbox("block", capacity=10, weight=len)
    box.put(b"4444")
    box.put(b"666666")  # exactly full: nobody waited
    assert len(box) == 2
    third = threads.submit(box.put, b"55555")
    _until(waiting)
    assert box.get(0) == b"4444"  # 6 are left, 5 more are too many
    _until(waiting)  # it looked again, and waits again
    assert not third.done()
    assert box.get(0) == b"666666"
    third.result(DEADLINE_S)
    assert box.get(0) == b"55555"


def test_what_was_taken_weighs_no_longer() -> None:
    box: Mailbox[bytes] = Mailbox("block", capacity=10, weight=len)
    for _ in range(3):
        box.put(b"4444")
        box.put(b"666666")  # would wait for ever if the box still weighed what it held before
        assert [box.get(0), box.get(0)] == [b"4444", b"666666"]


def test_an_item_above_the_capacity_goes_in_alone(
    waiting: threading.Semaphore, threads: ThreadPoolExecutor
) -> None:
    box: Mailbox[bytes] = Mailbox("block", capacity=3, weight=len)
    box.put(b"giant")
    small = threads.submit(box.put, b"s")
    _until(waiting)
    assert box.get(0) == b"giant"
    small.result(DEADLINE_S)
    assert len(box) == 1


def test_many_producers_and_consumers_lose_nothing(threads: ThreadPoolExecutor) -> None:
    sizes: list[int] = []
    box: Mailbox[int] = Mailbox("block", capacity=3, on_change=lambda: sizes.append(len(box)))

    def produce(start: int) -> None:
        for number in range(start, start + 200):
            box.put(number)

    def consume() -> list[int]:
        taken = []
        while (item := box.get(DEADLINE_S)) is not None and item >= 0:
            taken.append(item)
        return taken

    producers = [threads.submit(produce, start) for start in (0, 200, 400)]
    consumers = [threads.submit(consume) for _ in range(3)]
    for producer in producers:
        producer.result(DEADLINE_S)
    for _ in consumers:
        box.put(-1)
    taken = [item for consumer in consumers for item in consumer.result(DEADLINE_S)]
    assert sorted(taken) == list(range(600))
    assert max(sizes) <= 3


def test_clear_makes_room_and_counts_nothing(
    waiting: threading.Semaphore, threads: ThreadPoolExecutor
) -> None:
    box: Mailbox[str] = Mailbox("block", capacity=1)
    box.put("old")
    new = threads.submit(box.put, "new")
    _until(waiting)
    box.clear()
    new.result(DEADLINE_S)
    assert box.get(0) == "new"
    assert (box.dropped, len(box)) == (0, 0)


def test_clear_forgets_the_weight() -> None:
    box: Mailbox[bytes] = Mailbox("block", capacity=10, weight=len)
    box.put(b"4444")
    box.clear()
    box.put(b"4444")
    box.put(b"666666")  # would wait for ever
    assert len(box) == 2


@pytest.mark.parametrize("policy", POLICIES)
def test_its_weight_is_that_of_the_items_inside(policy: WhenFull) -> None:
    box: Mailbox[bytes] = Mailbox(policy, capacity=100, weight=len)
    assert box.weight == 0
    box.put(b"333", "a")
    box.put(b"55555", "b")
    assert box.weight == 8
    box.get(0)
    assert box.weight == 5
    box.put(b"22", "b")
    assert box.weight == (2 if policy == "newest" else 7)  # what was replaced weighs nothing
    box.clear()
    assert box.weight == 0


# -- both ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
def test_get_waits_for_a_put(
    policy: WhenFull, waiting: threading.Semaphore, threads: ThreadPoolExecutor
) -> None:
    box: Mailbox[str] = Mailbox(policy)
    item = threads.submit(box.get)
    _until(waiting)
    box.put("it")
    assert item.result(DEADLINE_S) == "it"


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("timeout", [0, 0.001])
def test_get_gives_up_after_its_timeout(policy: WhenFull, timeout: float) -> None:
    assert Mailbox[str](policy).get(timeout) is None


@pytest.mark.parametrize("policy", POLICIES)
def test_on_change_is_told_after_the_item_can_be_taken(policy: WhenFull) -> None:
    taken: list[str | None] = []
    box: Mailbox[str] = Mailbox(policy, on_change=lambda: taken.append(box.get(0)))
    box.put("a")
    box.put("b")
    assert taken == ["a", "b"]


def _raises_closed(future: Future[str | None]) -> None:
    with pytest.raises(Closed):
        future.result(DEADLINE_S)


@pytest.mark.parametrize("policy", POLICIES)
def test_close_wakes_everybody_who_waits_to_get(
    policy: WhenFull, waiting: threading.Semaphore, threads: ThreadPoolExecutor
) -> None:
    box: Mailbox[str] = Mailbox(policy)
    getters = [threads.submit(box.get) for _ in range(3)]
    _until(waiting, 3)
    box.close()
    for getter in getters:
        _raises_closed(getter)


def test_close_wakes_everybody_who_waits_to_put(
    waiting: threading.Semaphore, threads: ThreadPoolExecutor
) -> None:
    box: Mailbox[str] = Mailbox("block")
    box.put("in")
    putters = [threads.submit(box.put, "out") for _ in range(3)]
    _until(waiting, 3)
    box.close()
    for putter in putters:
        _raises_closed(putter)
    assert len(box) == 1


@pytest.mark.parametrize("policy", POLICIES)
def test_a_closed_box_hands_out_what_is_left(policy: WhenFull) -> None:
    box: Mailbox[str] = Mailbox(policy, capacity=2)
    box.put("a", 1)
    box.put("b", 2)
    assert not box.closed
    box.close()
    box.close()  # may be called again
    assert box.closed
    with pytest.raises(Closed, match="put into a closed"):
        box.put("c")
    assert [box.get(), box.get()] == ["a", "b"]
    with pytest.raises(Closed):
        box.get(0)


@pytest.mark.parametrize("policy", POLICIES)
def test_on_change_is_told_of_the_end_but_not_of_what_is_taken(policy: WhenFull) -> None:
    told: list[bool] = []
    box: Mailbox[str] = Mailbox(policy, on_change=lambda: told.append(box.closed))
    box.put("a")
    box.get(0)
    assert told == [False]
    box.close()
    assert told == [False, True]


def test_an_offer_waits_no_longer_than_it_is_told_to() -> None:
    box: Mailbox[int] = Mailbox("block", capacity=2)
    assert box.offer(1, 0)
    assert box.offer(2, 0)
    assert not box.offer(3, 0.01)
    assert box.get(0) == 1
    assert box.offer(3, 0)
    assert box.clear() == [2, 3]
    box.close()
    with pytest.raises(Closed):
        box.offer(4, 0)


def test_what_is_pushed_goes_in_whatever_the_room() -> None:
    box: Mailbox[int] = Mailbox("block", capacity=2)
    box.push(range(5))
    assert box.weight == 5
    assert not box.offer(5, 0)
    assert [box.get(0) for _ in range(5)] == [0, 1, 2, 3, 4]
    box.close()
    with pytest.raises(Closed):
        box.push([1])


def test_a_failure_at_one_end_is_told_at_the_other() -> None:
    box: Mailbox[int] = Mailbox("block")
    box.put(1)
    box.close("it broke")
    box.close()
    with pytest.raises(FramewireError, match="it broke") as raised:
        box.put(2)
    assert not isinstance(raised.value, Closed)
    assert box.get() == 1
    with pytest.raises(FramewireError, match="it broke"):
        box.get()


def test_a_failure_after_the_end_is_none() -> None:
    box: Mailbox[int] = Mailbox("block")
    box.close()
    box.close("it broke")
    with pytest.raises(Closed):
        box.get()


def test_who_was_interrupted_within_may_close_it() -> None:
    """As a signal handler does."""
    box: Mailbox[int] = Mailbox("newest")
    with box._filled:
        box.close()
    assert box.closed
