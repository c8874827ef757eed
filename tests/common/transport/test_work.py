"""Work: each message goes to one worker, and none to nobody."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import zmq

from common.transport.meeting import FRAME, MAX_BYTES, bindable, connectable, take, until
from framewire.common.endpoint import Endpoint
from framewire.common.transport import Puller, Pusher, work

MARKS = 2 * work.WORK_MARK
"""Over inproc exactly so many messages wait for a worker: no kernel has buffers."""


def _worker(pusher: Pusher) -> Puller:
    return Puller([], [connectable(pusher.endpoints[0])], MAX_BYTES)


@contextmanager
def _two(address: Endpoint, bind: str = "pusher") -> Iterator[tuple[Pusher, Puller]]:
    """A pusher and a worker that found each other."""
    if bind == "pusher":
        pusher = Pusher([address], [])
        puller = _worker(pusher)
    else:
        puller = Puller([address], [], MAX_BYTES)
        pusher = Pusher([], [connectable(puller.endpoints[0])])
    with closing(pusher), closing(puller):
        until(lambda: pusher.has_room, pusher, puller)
        yield pusher, puller


def _job(number: int) -> list[bytes]:
    return [b"lab/", b"", b"%d" % number]


@pytest.mark.parametrize("bind", ["pusher", "puller"])
def test_a_message_arrives(address: Endpoint, bind: str) -> None:
    with _two(address, bind) as (pusher, puller):
        assert puller.receive() is None
        assert pusher.send(FRAME)
        assert take(1, puller.receive, puller, pusher) == [FRAME]
        assert puller.receive() is None


def test_nothing_is_queued_for_nobody(address: Endpoint) -> None:
    with closing(Pusher([address], [])) as pusher:
        assert not pusher.has_room
        assert not pusher.send(_job(0))
        with closing(_worker(pusher)) as puller:
            until(lambda: pusher.has_room, pusher, puller)
            assert pusher.send(_job(1))
            assert take(1, puller.receive, puller, pusher) == [_job(1)]


def test_nothing_is_queued_for_an_address_where_nobody_is() -> None:
    with closing(Pusher([bindable("tcp://127.0.0.1:*")], [])) as closed:
        place = connectable(closed.endpoints[0])
    with closing(Pusher([], [place])) as pusher:
        assert not pusher.has_room
        assert not pusher.send(_job(0))


def test_a_worker_holds_no_more_than_the_marks() -> None:
    with _two(bindable("inproc://s")) as (pusher, puller):
        assert [pusher.send(_job(number)) for number in range(MARKS + 1)] == [True] * MARKS + [
            False
        ]
        assert not pusher.has_room
        assert take(MARKS, puller.receive) == [_job(number) for number in range(MARKS)]
        until(lambda: pusher.has_room, pusher)
        assert pusher.send(_job(MARKS))
        assert take(1, puller.receive) == [_job(MARKS)]


def test_each_message_goes_to_one_worker_that_has_room() -> None:
    with _two(bindable("inproc://s")) as (pusher, idle), closing(_worker(pusher)) as busy:
        done = []
        for number in range(50):
            until(lambda: pusher.has_room, pusher)
            assert pusher.send(_job(number))
            while (parts := busy.receive()) is not None:  # the other one reads nothing
                done.append(parts)
        left = [*iter(busy.receive, None), *iter(idle.receive, None)]
        assert sorted([*done, *left]) == sorted(_job(number) for number in range(50))
        assert len(left) <= MARKS + 1


def test_room_goes_with_the_worker(address: Endpoint) -> None:
    with _two(address) as (pusher, puller):
        puller.close()
        until(lambda: not pusher.has_room, pusher)
        assert not pusher.send(FRAME)


def test_a_pusher_awaits_no_messages() -> None:
    with _two(bindable("inproc://s")) as (pusher, puller):
        assert (pusher.awaits_message, puller.awaits_message) == (False, True)
        assert (pusher.awaits_room, puller.awaits_room) == (False, False)


@pytest.mark.parametrize("count", [1, 4, 5, 1025])
def test_a_wrong_number_of_parts_shows_and_the_next_is_whole(count: int) -> None:
    parts = [b"%d" % number for number in range(count)]
    with _two(bindable("inproc://s")) as (pusher, puller):
        pusher.send(parts)
        pusher.send(FRAME)
        assert take(2, puller.receive, puller) == [parts[:4], FRAME]


def test_a_message_above_the_limit_ends_the_connection(tmp_path: Path) -> None:
    with closing(Pusher([bindable(f"ipc://{tmp_path}/s")], [])) as pusher:
        puller = Puller([], [connectable(pusher.endpoints[0])], 100)
        with closing(puller):
            until(lambda: pusher.has_room, pusher, puller)
            pusher.send([bytes(101)])
            until(lambda: not pusher.has_room, pusher, puller)
            assert puller.receive() is None


def test_what_keeps_queues_short_is_set() -> None:
    with _two(bindable("inproc://s")) as (pusher, puller):
        marks = pusher.socket.get(zmq.SNDHWM), puller.socket.get(zmq.RCVHWM)
        assert marks == (work.WORK_MARK, work.WORK_MARK)
        assert work.WORK_MARK <= 2
        assert [each.socket.get(zmq.LINGER) for each in (pusher, puller)] == [0, 0]
        assert [each.socket.get(zmq.HEARTBEAT_IVL) for each in (pusher, puller)] == [0, 0]
        buffers = pusher.socket.get(zmq.SNDBUF), puller.socket.get(zmq.RCVBUF)
        assert buffers == (work._BUFFER_BYTES, work._BUFFER_BYTES)


def test_endpoints_say_which_pattern_they_are_of() -> None:
    with (
        closing(Pusher([bindable("push-pull+tcp://127.0.0.1:*")], [])) as pusher,
        closing(_worker(pusher)) as puller,
    ):
        assert pusher.endpoints == puller.endpoints
        assert pusher.endpoints[0].startswith("push-pull+tcp://127.0.0.1:")
