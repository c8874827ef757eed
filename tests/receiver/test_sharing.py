"""Receivers as workers: every frame goes to one of them, and none is passed over."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import chain

import pytest

from framewire.common.endpoint import parse_endpoint
from framewire.common.errors import ReceiveTimeout
from framewire.common.transport import Pusher
from framewire.common.transport.work import WORK_MARK
from framewire.receiver import Receiver
from framewire.receiver.receiver import Keep
from receiver.publishing import DEADLINE_S, Message, packet, parts_of, picture, until
from receiver.reading import books_of

QUEUES = 2 * WORK_MARK
"""Frames that wait in the queues of a worker's connection, over inproc."""


@pytest.fixture
def pusher(nothing_is_left: None) -> Iterator[Pusher]:
    place = parse_endpoint("push-pull+inproc://jobs", bind=True)
    with closing(Pusher([place], [])) as pusher:
        yield pusher


def _push(pusher: Pusher, *messages: Message) -> None:
    for message in messages:
        until(lambda: pusher.send(parts_of(message)))  # noqa: B023


@pytest.mark.parametrize("keep", ["newest", "all"])
def test_a_worker_gets_every_frame_that_is_pushed_to_it(pusher: Pusher, keep: Keep) -> None:
    """Also with keep="newest": what was pushed to this worker comes to no other."""
    with Receiver(pusher.endpoints[0], keep=keep, timeout=DEADLINE_S) as worker:
        with ThreadPoolExecutor(1) as threads:
            pushing = threads.submit(_push, pusher, *(packet(number) for number in range(30)))
            numbers = [worker.read_packet().sequence for _ in range(30)]
            pushing.result(DEADLINE_S)
        assert numbers == list(range(30))
        books = books_of(worker)
        assert (books.received, books.delivered, books.skipped) == (30, 30, 0)
        assert (books.lost, books.passed_by) == (0, 0)


@pytest.mark.parametrize("keep", ["newest", "all"])
def test_a_worker_that_does_not_read_holds_one_frame(pusher: Pusher, keep: Keep) -> None:
    with Receiver(pusher.endpoints[0], keep=keep, timeout=DEADLINE_S) as worker:
        _push(pusher, packet(0))
        until(lambda: worker.stats.received == 1)
        pushed = 1
        while pusher.send(parts_of(packet(pushed))):
            pushed += 1
            assert pushed <= 1 + QUEUES
        assert worker.stats.received == 1
        assert [worker.read_packet().sequence for _ in range(pushed)] == list(range(pushed))
        with pytest.raises(ReceiveTimeout):
            worker.read(timeout=0)
        assert worker.stats.skipped == 0


def _work(worker: Receiver) -> list[int]:
    return [each.sequence for each in worker.packets()]


def test_several_workers_share_the_frames(pusher: Pusher) -> None:
    with ExitStack() as stack:
        (url,) = pusher.endpoints
        workers = [stack.enter_context(Receiver(url)) for _ in range(3)]
        threads = stack.enter_context(ThreadPoolExecutor(3))
        shares = [threads.submit(_work, each) for each in workers]
        _push(pusher, *(packet(number, payload=picture(number % 9)) for number in range(100)))
        until(lambda: sum(worker.stats.delivered for worker in workers) == 100)
        for worker in workers:
            worker.close()
        numbers = [share.result(DEADLINE_S) for share in shares]
        assert sorted(chain(*numbers)) == list(range(100))
        assert all(share == sorted(share) for share in numbers)
        for worker in workers:  # what the others took is no loss of this one
            books = books_of(worker)
            assert books.lost == worker.stats.lost == 0
            assert books.passed_by == worker.stats.passed_by


def test_what_others_took_passed_by(pusher: Pusher, caplog: pytest.LogCaptureFixture) -> None:
    with Receiver(pusher.endpoints[0], keep="all", timeout=DEADLINE_S) as worker:
        _push(pusher, packet(0), packet(4))
        assert [worker.read_packet().sequence for _ in range(2)] == [0, 4]
        books = books_of(worker)
        assert (books.received, books.lost, books.passed_by) == (2, 0, 3)
        assert caplog.messages == []  # no loss is told


def test_several_topics_wait_for_each_other(pusher: Pusher) -> None:
    with Receiver(pusher.endpoints[0], timeout=DEADLINE_S) as worker:
        sent = [packet(number, topic) for number in range(3) for topic in ("one", "two")]
        with ThreadPoolExecutor(1) as threads:
            pushing = threads.submit(_push, pusher, *sent)
            taken = [worker.read_packet() for _ in sent]
            pushing.result(DEADLINE_S)
        assert [(each.topic, each.sequence) for each in taken] == [
            (each.topic, each.sequence) for each in sent
        ]


def test_pushers_may_connect_to_a_worker() -> None:
    """A collector: the frames come back together out of order, and are all there."""
    bind = "push-pull+tcp://127.0.0.1:*"
    with Receiver(bind=bind, keep="all", timeout=DEADLINE_S) as collector, ExitStack() as stack:
        place = parse_endpoint(collector.endpoints[0], bind=False)
        pushers = [stack.enter_context(closing(Pusher([], [place]))) for _ in range(2)]
        for number in (1, 0, 3, 2, 5, 4):
            _push(pushers[number % 2], packet(number))
            assert collector.read_packet().sequence == number
        books = books_of(collector)
        assert (books.received, books.lost, books.passed_by, books.repeated) == (6, 0, 0, 0)


def test_what_is_no_message_costs_a_worker_nothing_else(pusher: Pusher) -> None:
    with Receiver(pusher.endpoints[0], timeout=DEADLINE_S) as worker:
        _push(pusher, packet(0), [b"rubbish"], packet(1))
        assert [worker.read_packet().sequence for _ in range(2)] == [0, 1]
        assert worker.stats.malformed == 1


def test_what_was_pushed_again_is_dropped(pusher: Pusher) -> None:
    with Receiver(pusher.endpoints[0], timeout=DEADLINE_S) as worker:
        _push(pusher, packet(0), packet(0), packet(1))
        assert [worker.read_packet().sequence for _ in range(2)] == [0, 1]
        assert books_of(worker).repeated == 1
