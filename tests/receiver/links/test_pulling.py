"""A link that takes a share of the work: one frame at a time, and none for nothing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import pytest

from framewire.common.clock import NS, monotonic_ns
from framewire.common.endpoint import parse_endpoint
from framewire.common.transport import Pusher
from framewire.common.transport.work import WORK_MARK
from framewire.receiver.links.link import Want
from framewire.receiver.links.pulling import Pulling
from receiver.publishing import packet, parts_of, until

WANT = Want(everything=False, max_message_bytes=1 << 20)
PLACE = "push-pull+inproc://jobs"
SILENCE_NS = 10 * NS


@pytest.fixture
def pusher(nothing_is_left: None) -> Iterator[Pusher]:
    with closing(Pusher([parse_endpoint(PLACE, bind=True)], [])) as pusher:
        yield pusher


@pytest.fixture
def link(pusher: Pusher) -> Iterator[Pulling]:
    with closing(Pulling(parse_endpoint(PLACE, bind=False), WANT, bind=False)) as link:
        link.select(frozenset({b""}))
        until(lambda: pusher.has_room)
        yield link


def _job(number: int) -> Sequence[bytes]:
    return parts_of(packet(number, payload=packet(0).payload))


def _take(link: Pulling) -> Sequence[bytes]:
    """What the link gives next; over inproc it is there."""
    parts = link.receive()
    assert parts is not None
    link.took(packet(0), monotonic_ns())
    return parts


def test_it_takes_one_frame_and_the_next_when_there_is_room_again(
    pusher: Pusher, link: Pulling
) -> None:
    for number in range(3):
        assert pusher.send(_job(number))
    for number in range(3):
        assert link.step(monotonic_ns(), room=True) is None
        assert _take(link) == list(_job(number))
        assert link.receive() is None  # one at a time
        link.step(monotonic_ns(), room=False)
        assert link.receive() is None
        assert not link.sockets[0].awaits_message  # what waits there wakes nobody


def test_what_comes_without_room_stays_where_another_worker_can_have_it(pusher: Pusher) -> None:
    places = [Pulling(parse_endpoint(PLACE, bind=False), WANT, bind=False) for _ in range(2)]
    busy, idle = places
    with closing(busy), closing(idle):
        for each in places:
            each.select(frozenset({b""}))
        busy.step(monotonic_ns(), room=False)
        idle.step(monotonic_ns(), room=True)
        done = 0
        for number in range(40):
            until(lambda: pusher.has_room)
            assert pusher.send(_job(number))
            while idle.receive() is not None:
                done += 1
                idle.step(monotonic_ns(), room=True)
            assert busy.receive() is None
        assert done >= 40 - 2 * WORK_MARK - 1  # what waits for the busy one is what the queues hold


def test_with_nothing_chosen_it_takes_nothing(pusher: Pusher, link: Pulling) -> None:
    pusher.send(_job(0))
    link.select(frozenset())
    link.step(monotonic_ns(), room=True)
    assert link.receive() is None
    link.select(frozenset({b"lab/"}))  # work is taken whatever its topic
    link.step(monotonic_ns(), room=True)
    assert _take(link) == list(_job(0))


def test_before_its_first_step_it_takes_what_is_there(pusher: Pusher, link: Pulling) -> None:
    pusher.send(_job(0))
    assert _take(link) == list(_job(0))


def test_its_frames_are_for_one_and_its_gaps_for_others(link: Pulling) -> None:
    assert (link.is_work, link.partial) == (True, True)


# -- silence ------------------------------------------------------------------------------------


def test_a_socket_that_was_silent_for_long_is_replaced(pusher: Pusher, link: Pulling) -> None:
    began_ns, first = monotonic_ns(), link.sockets[0]
    link.step(began_ns, room=True)
    link.step(began_ns + SILENCE_NS // 2, room=True)
    assert link.sockets[0] is first
    link.step(began_ns + 2 * SILENCE_NS, room=True)
    assert link.sockets[0] is not first
    assert first.socket.closed

    def comes() -> bool:  # not the first, perhaps: the pusher may not know yet that a queue is gone
        pusher.send(_job(0))
        return link.receive() is not None

    until(comes)


def _chosen_nothing(link: Pulling) -> None:
    link.select(frozenset())


def _nothing(link: Pulling) -> None:
    pass


@pytest.mark.parametrize(("room", "prepare"), [(False, _nothing), (True, _chosen_nothing)])
def test_silence_is_no_fault_where_nothing_is_taken(
    link: Pulling, room: bool, prepare: Callable[[Pulling], None]
) -> None:
    prepare(link)
    began_ns, first = monotonic_ns(), link.sockets[0]
    link.step(began_ns + 100 * SILENCE_NS, room=room)
    assert link.sockets[0] is first
    link.select(frozenset({b""}))
    link.step(began_ns + 101 * SILENCE_NS, room=True)
    assert link.sockets[0] is first  # the time begins only now


def test_time_in_which_nobody_looked_is_no_silence(link: Pulling) -> None:
    began_ns, first = monotonic_ns(), link.sockets[0]
    link.excuse(100 * SILENCE_NS)
    link.step(began_ns + 100 * SILENCE_NS, room=True)
    assert link.sockets[0] is first


def test_a_bound_socket_is_never_replaced() -> None:
    with closing(Pulling(parse_endpoint(PLACE, bind=True), WANT, bind=True)) as link:
        link.select(frozenset({b""}))
        first = link.sockets[0]
        link.step(monotonic_ns() + 100 * SILENCE_NS, room=True)
        assert link.sockets[0] is first


def test_a_frame_that_comes_at_the_last_moment_is_not_thrown_away(
    pusher: Pusher, link: Pulling
) -> None:
    began_ns = monotonic_ns()
    link.step(began_ns, room=True)
    assert link.receive() is None
    assert pusher.send(_job(0))
    link.step(began_ns + 2 * SILENCE_NS, room=True)
    until(lambda: pusher.has_room)
    assert link.receive() == list(_job(0))
