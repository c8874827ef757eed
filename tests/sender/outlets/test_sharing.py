"""`push-pull`: each frame goes to one of several workers, and nothing waits for those that are gone.

Over inproc a worker's queue holds exactly the marks of both ends; over tcp the kernel's as well.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from framewire.common.frame import Packet
from framewire.common.jpeg import decode
from framewire.common.testchart import read_number
from framewire.common.transport.work import WORK_MARK
from framewire.common.workers import cores
from framewire.sender import Sender
from processes import free_port
from sender.controls import Clock, Passes, feed
from sender.peers import DEADLINE_S, Worker, until

if TYPE_CHECKING:
    from sender.conftest import Chart, MakePacket, MakeWorker

ADDRESS = "push-pull+inproc://sharing-test"
TCP = "push-pull+tcp://127.0.0.1:*"
QUEUE = 2 * WORK_MARK
"""What waits at a worker over inproc."""


@pytest.fixture
def out() -> Iterator[Sender]:
    """That of a file: it waits for its workers."""
    with Sender(ADDRESS, topic="cam") as sender:
        yield sender


@pytest.fixture
def live(clock: Clock) -> Iterator[Sender]:
    """That of a camera. Its clock stands: workers that have no room still count as there."""
    with Sender(ADDRESS, topic="cam", when_full="newest") as sender:
        yield sender


def has(out: Sender, encoded: int, sent: int) -> bool:
    return (out.stats.encoded, out.stats.sent) == (encoded, sent)


def take_all(worker: Worker, got: list[int]) -> bool:
    """Take what is there; always true, so that it can stand in a condition."""
    while (packet := worker.take()) is not None:
        assert isinstance(packet, Packet)
        got.append(packet.sequence)
    return True


# -- who gets what ------------------------------------------------------------------------------


def test_a_worker_gets_frames_of_all_topics(
    worker: "MakeWorker", chart: "Chart", packet: "MakePacket"
) -> None:
    with Sender(TCP) as out:
        (address,) = out.endpoints
        assert address.startswith("push-pull+tcp://127.0.0.1:")
        hand = worker(address)
        out.send(chart(3), topic="a", metadata={"gain": 4})
        out.forward(packet(17, hops=1), topic="b")
        packets = {p.topic: p for p in (hand.packet(), hand.packet())}
    assert read_number(decode(packets["a"].payload)) == 3
    assert packets["a"].metadata == {"gain": 4}
    assert packets["a"].header.sent_ns >= packets["a"].header.captured_ns
    assert (packets["b"].sequence, packets["b"].header.sender) == (17, "another")
    assert packets["b"].header.hops == 1


def test_each_frame_goes_to_one_worker(worker: "MakeWorker", chart: "Chart") -> None:
    with Sender(TCP, topic="cam") as out:
        workers = [worker(out.endpoints[0]) for _ in range(2)]
        got: list[list[int]] = [[], []]

        def one_more() -> bool:
            out.send(chart(out.stats.captured))
            for hand, numbers in zip(workers, got, strict=True):
                take_all(hand, numbers)
            return all(got)

        until(one_more, "both have worked")
        count = out.stats.captured

        def all_came() -> bool:
            for hand, numbers in zip(workers, got, strict=True):
                take_all(hand, numbers)
            return sum(map(len, got)) == count

        until(all_came)
    assert sorted(got[0] + got[1]) == list(range(count))


def test_a_worker_may_be_bound(worker: "MakeWorker", chart: "Chart") -> None:
    hands = [worker(TCP, bind=True) for _ in range(2)]
    with Sender(connect=[hand.endpoint for hand in hands], topic="cam") as out:
        assert out.endpoints == tuple(hand.endpoint for hand in hands)
        got: list[int] = []
        feed(out.send, map(chart, range(6)))
        until(lambda: all(take_all(hand, got) for hand in hands) and len(got) == 6)
    assert sorted(got) == list(range(6))


def test_statuses_are_not_sent(out: Sender, worker: "MakeWorker", chart: "Chart") -> None:
    hand = worker(ADDRESS)
    out.announce("no-signal", "unplugged")
    out.send(chart(0))
    assert hand.packet().sequence == 0
    out.announce("live")
    out.close()
    assert hand.take() is None


# -- workers that are busy ----------------------------------------------------------------------


def test_block_slows_the_source_and_loses_nothing(
    out: Sender, worker: "MakeWorker", chart: "Chart", threads: ThreadPoolExecutor
) -> None:
    hand = worker(ADDRESS)
    waits = threads.submit(feed, out.send, map(chart, range(30)))
    until(lambda: out.stats.sent == QUEUE)
    # One is held, one waits behind it, one at each encoder, one before them, one in `send`.
    until(lambda: out.stats.captured == QUEUE + 4 + cores())
    assert not waits.done()
    got = []
    for _ in range(30):
        got.append(hand.packet())
    waits.result(DEADLINE_S)
    assert [p.sequence for p in got] == list(range(30))
    assert (out.stats.captured, out.stats.sent, out.stats.dropped) == (30, 30, 0)
    assert out.stats.sent_bytes == sum(len(p.payload) for p in got)


def test_newest_drops_the_oldest_that_waits_and_counts_it(
    live: Sender, worker: "MakeWorker", chart: "Chart"
) -> None:
    hand = worker(ADDRESS)
    assert live.wait_for_receivers(1, DEADLINE_S)
    for number in range(QUEUE + 4):
        live.send(chart(number))
        encoded, sent = number + 1, min(number + 1, QUEUE)
        until(partial(has, live, encoded, sent))
    # One is held for the next who has room; of those behind it the last one stays.
    until(lambda: live.stats.dropped == 2)
    got = [hand.packet() for _ in range(QUEUE + 2)]
    assert [p.sequence for p in got] == [*range(QUEUE + 1), QUEUE + 3]
    live.send(chart(0))
    last = hand.packet().header
    assert (last.sequence, last.dropped) == (QUEUE + 4, 2)
    stats = live.stats
    assert (stats.captured, stats.sent, stats.dropped) == (QUEUE + 5, QUEUE + 3, 2)


# -- workers that are not there -----------------------------------------------------------------


def test_a_camera_encodes_nothing_while_no_worker_is_there(
    live: Sender, worker: "MakeWorker", chart: "Chart"
) -> None:
    assert (live.receivers, live.demand) == (0, frozenset())
    for number in range(5):
        live.send(chart(number))
    hand = worker(ADDRESS)
    assert live.wait_for_receivers(1, DEADLINE_S)
    assert live.demand == {b""}
    live.send(chart(5))
    assert hand.packet().sequence == 5  # nothing had queued for it
    assert (live.stats.captured, live.stats.unwatched, live.stats.encoded) == (6, 5, 1)


def test_a_file_waits_for_its_first_worker(
    worker: "MakeWorker", chart: "Chart", threads: ThreadPoolExecutor
) -> None:
    with Sender(TCP, topic="cam") as out:
        assert out.demand == {b""}
        waits = threads.submit(feed, out.send, map(chart, range(20)))
        until(lambda: out.stats.captured == 4 + cores())
        assert (out.stats.sent, out.receivers) == (0, 0)
        hand = worker(out.endpoints[0])
        assert [hand.packet().sequence for _ in range(20)] == list(range(20))
        waits.result(DEADLINE_S)


def test_nothing_queues_for_an_address_where_nobody_is(
    worker: "MakeWorker", chart: "Chart"
) -> None:
    here = worker(TCP, bind=True)
    nowhere = f"push-pull+tcp://127.0.0.1:{free_port()}"
    with Sender(connect=[nowhere, here.endpoint], topic="cam") as out:
        got: list[int] = []
        feed(out.send, map(chart, range(8)))
        until(lambda: take_all(here, got) and len(got) == 8)


def test_a_worker_that_dies_takes_no_more_than_its_queue_along(
    out: Sender, worker: "MakeWorker", chart: "Chart", threads: ThreadPoolExecutor
) -> None:
    dying, count = worker(ADDRESS), 30
    waits = threads.submit(feed, out.send, map(chart, range(count)))
    got = [dying.packet().sequence for _ in range(3)]
    dying.close()
    heir = worker(ADDRESS)
    until(lambda: take_all(heir, got) and out.stats.sent == count)
    waits.result(DEADLINE_S)
    take_all(heir, got)
    assert got == sorted(set(got))
    assert count - QUEUE <= len(got) <= count
    assert out.stats.dropped == 0  # it cannot know


def test_workers_without_room_for_five_seconds_count_as_gone(
    clock: Clock, passes: Passes, worker: "MakeWorker", chart: "Chart"
) -> None:
    with Sender(ADDRESS, topic="cam", when_full="newest") as out:
        hand = worker(ADDRESS)
        assert out.wait_for_receivers(1, DEADLINE_S)
        hand.close()
        passes.two_more()
        clock.forward(4.9)
        passes.two_more()
        assert out.receivers == 1  # it may be busy
        clock.forward(0.1)
        assert out.receivers == out.stats.receivers == 0
        out.send(chart(0))
        assert out.stats.unwatched == 1


def test_what_a_camera_saw_is_not_for_those_who_come_when_it_is_old(
    live: Sender, clock: Clock, passes: Passes, worker: "MakeWorker", chart: "Chart"
) -> None:
    busy = worker(ADDRESS)
    assert live.wait_for_receivers(1, DEADLINE_S)
    for number in range(QUEUE + 2):
        live.send(chart(number))
        until(partial(has, live, number + 1, min(number + 1, QUEUE)))
    busy.close()
    clock.forward(5.1)
    until(lambda: live.stats.dropped == 2)
    fresh = worker(ADDRESS)
    passes.two_more()
    until(lambda: live.receivers == 1)
    live.send(chart(0))
    assert fresh.packet().sequence == QUEUE + 2


# -- the end ------------------------------------------------------------------------------------


def test_close_gives_busy_workers_the_time_that_it_is_given(
    out: Sender, worker: "MakeWorker", chart: "Chart", threads: ThreadPoolExecutor
) -> None:
    hand = worker(ADDRESS)
    feed(out.send, map(chart, range(QUEUE + 2)))
    closing = threads.submit(out.close, DEADLINE_S)
    got = [hand.packet().sequence for _ in range(QUEUE + 2)]
    closing.result(DEADLINE_S)
    assert got == list(range(QUEUE + 2))
    assert out.stats.dropped == 0


def test_what_waits_at_the_end_is_dropped_and_counted(out: Sender, chart: "Chart") -> None:
    feed(out.send, map(chart, range(2)))
    until(lambda: out.stats.encoded == 2)
    out.close(0)
    assert (out.stats.captured, out.stats.sent, out.stats.dropped) == (2, 0, 2)


def test_all_that_waits_at_the_end_is_dropped_and_counted(out: Sender, chart: "Chart") -> None:
    feed(out.send, map(chart, range(4)))
    until(lambda: out.stats.encoded == min(4, 2 + cores()))
    out.close(0)
    assert (out.stats.captured, out.stats.sent, out.stats.dropped) == (4, 0, 4)
