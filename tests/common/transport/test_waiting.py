"""Waiting for sockets, and waking who waits."""

import select
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from common.transport.meeting import DEADLINE_S, FRAME, MAX_BYTES, bindable, connectable, pair_at
from framewire.common.transport import Dialogue, Puller, Pusher, Waker, wait


def _readable(waker: Waker) -> bool:
    return bool(select.select([waker.fileno()], [], [], 0)[0])


def test_a_waker_ends_a_wait_of_another_thread(waker: Waker) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(wait, [], waker, timeout_ms=-1)
        waker.wake()
        waiting.result(DEADLINE_S)
    assert not _readable(waker)  # taken back: the next wait waits again


def test_a_wake_up_before_the_wait_is_not_lost(waker: Waker) -> None:
    waker.wake()
    waker.wake()
    with ThreadPoolExecutor(1) as threads:
        threads.submit(wait, [], waker, timeout_ms=-1).result(DEADLINE_S)
    assert not _readable(waker)


def test_a_message_ends_a_wait_and_leaves_the_waker_alone(waker: Waker) -> None:
    with pair_at(bindable("inproc://s")) as pair:
        pair.pub.send(FRAME)
        wait([pair.sub], waker, timeout_ms=-1)
        assert pair.sub.receive() == FRAME


def test_a_wait_ends_by_itself(waker: Waker) -> None:
    wait([], waker, timeout_ms=1)


def test_wake_ups_never_block_or_pile_up(waker: Waker) -> None:
    for _ in range(100_000):  # far more than a socket pair holds
        waker.wake()
    waker.clear()
    assert not _readable(waker)
    waker.clear()


def test_waking_after_the_end_is_no_error() -> None:
    waker = Waker()
    waker.close()
    waker.wake()


def test_a_socket_that_awaits_no_message_ends_no_wait(waker: Waker) -> None:
    with pair_at(bindable("inproc://s")) as pair, ThreadPoolExecutor(1) as threads:
        pair.pub.send(FRAME)
        pair.sub.awaits_message = False
        waiting = threads.submit(wait, [pair.sub], waker, timeout_ms=-1)
        waker.wake()
        waiting.result(DEADLINE_S)
        assert not _readable(waker)  # it was this that ended the wait
        pair.sub.awaits_message = True
        wait([pair.sub], waker, timeout_ms=-1)
        assert pair.sub.receive() == FRAME


def test_room_ends_a_wait_that_is_for_room(waker: Waker) -> None:
    with (
        closing(Pusher([bindable("inproc://s")], [])) as pusher,
        ThreadPoolExecutor(1) as threads,
    ):
        pusher.awaits_room = True
        waiting = threads.submit(wait, [pusher], waker, timeout_ms=DEADLINE_S * 1000)
        with closing(Puller([], [connectable("inproc://s")], MAX_BYTES)):
            waiting.result(DEADLINE_S)
            assert pusher.has_room
        assert not _readable(waker)


def test_both_can_be_waited_for(waker: Waker) -> None:
    with (
        closing(Dialogue([bindable("inproc://s")], [], MAX_BYTES)) as bound,
        closing(Dialogue([], [connectable("inproc://s")], MAX_BYTES)) as connected,
    ):
        connected.awaits_room = True
        wait([connected], waker, timeout_ms=-1)  # there is room, but no message
        connected.awaits_room = False
        assert connected.send(b"", FRAME) == "sent"
        bound.awaits_room = True
        wait([bound], waker, timeout_ms=-1)
        assert bound.receive() is not None
