"""`req-rep`, all: who says how far it has come gets the next frame out of a ring of recent ones."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from framewire.common.errors import UsageError
from framewire.common.request import Request
from framewire.sender import Sender
from sender.controls import Clock, Gate, Passes
from sender.peers import DEADLINE_S, Asker, until

if TYPE_CHECKING:
    from sender.conftest import Chart, MakeAsker, MakePacket

ADDRESS = "req-rep+tcp://127.0.0.1:*"
BEGIN = Request(after={})
"""A recorder that has nothing yet."""


@pytest.fixture
def out() -> Iterator[Sender]:
    with Sender(ADDRESS, topic="cam", quality=80, history=1 << 20) as sender:
        yield sender


@pytest.fixture
def client(asker: "MakeAsker", out: Sender) -> Asker:
    return asker(out.endpoints[0])


# -- what is given ------------------------------------------------------------------------------


def test_who_has_nothing_yet_begins_with_the_newest_and_then_misses_none(
    out: Sender, client: Asker, chart: "Chart"
) -> None:
    for number in range(4):
        out.send(chart(number))
    begun = client.gets(BEGIN).sequence
    for number in range(4, 9):
        out.send(chart(number))
    assert [client.gets(BEGIN).sequence for _ in range(8 - begun)] == list(range(begun + 1, 9))


@pytest.mark.parametrize("by_topic", [False, True])
def test_the_next_after_a_position(
    out: Sender, client: Asker, chart: "Chart", by_topic: bool
) -> None:
    for number in range(5):
        out.send(chart(number))
    run = client.gets(Request()).header.sender
    position = (run, 1)
    request = Request(after={"cam": position} if by_topic else position, resume=True)
    assert client.gets(request).sequence == 2
    # The position moves with what the connection carried, though the request says the same.
    for number in (3, 4):
        after = Request(after=request.after)
        assert client.gets(after).sequence == number


def test_a_request_waits_for_the_next_frame(out: Sender, client: Asker, chart: "Chart") -> None:
    client.ask(BEGIN)
    client.ping()
    for number in range(3):
        out.send(chart(number))
        packet = client.packet()
        assert packet.sequence == number
        client.ask(Request(after=(packet.header.sender, number)))
        client.ping()


def test_two_requests_with_one_position_bring_two_frames(
    out: Sender, client: Asker, chart: "Chart"
) -> None:
    out.send(chart(0))
    run = client.gets(BEGIN).header.sender
    for number in (1, 2):
        client.ask(Request(after=(run, 0), id=number))
    for number in (1, 2):
        out.send(chart(number))
    answers = [client.answer() for _ in range(2)]
    assert [(message.sequence, answer.request) for message, answer in answers] == [(1, 1), (2, 2)]


def test_a_new_connection_goes_on_where_the_old_one_was(
    out: Sender, client: Asker, asker: "MakeAsker", chart: "Chart"
) -> None:
    out.send(chart(0))
    run = client.gets(BEGIN).header.sender
    client.close()
    for number in range(1, 6):  # while nobody is connected
        out.send(chart(number))
    again = asker(out.endpoints[0])
    request = Request(after={"cam": (run, 0)})
    assert [again.gets(request).sequence for _ in range(5)] == [1, 2, 3, 4, 5]


def test_resume_gives_again_what_did_not_come(out: Sender, client: Asker, chart: "Chart") -> None:
    for number in range(4):
        out.send(chart(number))
    run = client.gets(Request()).header.sender
    ask = Request(after=(run, 0), resume=True)
    assert [client.gets(ask).sequence, client.gets(ask).sequence] == [1, 1]
    assert client.gets(Request(after=(run, 1))).sequence == 2


def test_what_has_left_the_ring_is_a_gap(asker: "MakeAsker", packet: "MakePacket") -> None:
    room = 3 * (len(packet(0).payload) + 600)
    with Sender(ADDRESS, history=room) as out:
        client = asker(out.endpoints[0])
        for number in range(10):
            out.forward(packet(number))
        first = client.gets(Request(after=("another", 0)))
        assert first.sequence == 7
        rest = [client.gets(Request(after=("another", 0))).sequence for _ in range(2)]
        assert rest == [8, 9]


def test_a_run_that_the_ring_does_not_hold_gets_the_oldest(
    out: Sender, client: Asker, packet: "MakePacket"
) -> None:
    for number in (5, 6, 7):
        out.forward(packet(number))
    request = Request(after=("before the restart", 900))
    assert [client.gets(request).sequence for _ in range(3)] == [5, 6, 7]


def test_behind_the_last_of_a_run_the_next_begins(
    out: Sender, client: Asker, packet: "MakePacket"
) -> None:
    for run, numbers in (("first", (98, 99)), ("second", (0, 1))):
        for number in numbers:
            out.forward(packet(number, sender=run))
    request = Request(after=("first", 97))
    got = [client.gets(request) for _ in range(4)]
    assert [(each.header.sender, each.sequence) for each in got] == [
        ("first", 98),
        ("first", 99),
        ("second", 0),
        ("second", 1),
    ]


def test_topics_take_turns(out: Sender, client: Asker, packet: "MakePacket") -> None:
    for topic, numbers in (("a", range(4)), ("b", range(2))):
        for number in numbers:
            out.forward(packet(number), topic=topic)
    request = Request(after=("another", 0), topic=("a", "b"))
    got = [client.gets(request) for _ in range(4)]
    assert [(each.topic, each.sequence) for each in got] == [("a", 1), ("b", 1), ("a", 2), ("a", 3)]


# -- what it costs ------------------------------------------------------------------------------


def test_frames_are_encoded_once_for_all_while_nobody_is_connected(
    out: Sender, asker: "MakeAsker", chart: "Chart", gate: Gate
) -> None:
    assert out.demand == {b""}
    assert out.receivers == 0
    for number in range(4):
        out.send(chart(number))
    until(lambda: out.stats.encoded == 4)
    clients = [asker(out.endpoints[0]) for _ in range(2)]
    for client in clients:
        run = client.gets(Request()).header.sender
        again = Request(after=(run, 0), resume=True)
        assert client.gets(again).sequence == 1
    assert gate.qualities == [80] * 4
    assert out.stats.encoded == 4


def test_quality_and_scale_are_ignored(out: Sender, client: Asker, chart: "Chart") -> None:
    out.send(chart(0))
    header = client.gets(Request(after={}, quality=10, scale=0.5)).header
    assert (header.quality, header.width) == (80, 160)
    assert out.stats.encoded == 1


def test_without_a_position_the_newest_is_given_at_any_level(
    out: Sender, client: Asker, chart: "Chart"
) -> None:
    for number in range(3):
        out.send(chart(number))
    packet = client.gets(Request(quality=10))
    assert (packet.sequence, packet.header.quality) == (2, 10)


def test_every_frame_is_encoded_or_dropped_or_unwatched(chart: "Chart", gate: Gate) -> None:
    gate.shut()
    with Sender(ADDRESS, topic="cam", history=1 << 20, when_full="newest") as out:
        out.send(chart(0))
        gate.until_busy()
        out.send(chart(1))  # waits for the encoder
        out.send(chart(2))  # replaces it
        gate.open()
        until(lambda: out.stats.encoded == 2)
        assert (out.stats.captured, out.stats.dropped, out.stats.unwatched) == (3, 1, 0)


@pytest.mark.parametrize(
    ("endpoint", "history"), [(ADDRESS, -1), ("inproc://x", 1), ("push-pull+inproc://x", 1)]
)
def test_a_history_is_for_those_who_ask(endpoint: str, history: int) -> None:
    with pytest.raises(UsageError, match="history"):
        Sender(endpoint, history=history)


# -- statuses -----------------------------------------------------------------------------------


def test_a_status_answers_after_a_second_and_does_not_run_ahead_of_this_connection(
    clock: Clock, asker: "MakeAsker", chart: "Chart"
) -> None:
    with Sender(ADDRESS, topic="cam", history=1 << 20) as out:
        client = asker(out.endpoints[0])
        for number in range(3):
            out.send(chart(number))
        run = client.gets(Request()).header.sender
        ping = Request(after=(run, 0), status=True, resume=True)
        client.ask(ping)
        assert client.status().sequence == 1  # what it gets next
        assert client.gets(Request(after=(run, 1))).sequence == 2
        client.ask(Request(after=(run, 1)))
        client.ping()
        clock.forward(1)
        assert client.status().sequence == 3


def test_a_status_before_the_first_frame_does_not_run_ahead_of_it(
    out: Sender, client: Asker, packet: "MakePacket"
) -> None:
    for number in range(3):
        out.forward(packet(number))
    told = client.ping("cam").sequence
    assert client.gets(BEGIN).sequence >= told


# -- the end ------------------------------------------------------------------------------------


def reads_to_the_end(
    out: Sender, client: Asker, request: Request, passes: Passes, threads: ThreadPoolExecutor
) -> list[int]:
    """What a client that is behind gets of a sender that closes."""
    seen = passes.count
    closing = threads.submit(out.close, DEADLINE_S)
    until(lambda: closing.done() or passes.count > seen + 3)
    assert not closing.done()
    got = [client.gets(request).sequence for _ in range(4)]
    closing.result(DEADLINE_S)
    return got


def test_who_is_behind_gets_the_rest_before_it_closes(
    out: Sender, client: Asker, chart: "Chart", passes: Passes, threads: ThreadPoolExecutor
) -> None:
    out.send(chart(0))
    run = client.gets(BEGIN).header.sender
    for number in range(1, 6):
        out.send(chart(number))
    request = Request(after=(run, 0))
    assert client.gets(request).sequence == 1
    assert reads_to_the_end(out, client, request, passes, threads) == [2, 3, 4, 5]


def test_who_has_just_begun_gets_the_rest_before_it_closes(
    out: Sender, client: Asker, chart: "Chart", passes: Passes, threads: ThreadPoolExecutor
) -> None:
    out.send(chart(0))
    run = client.gets(BEGIN).header.sender
    for number in range(1, 5):
        out.send(chart(number))
    request = Request(after=(run, 0))
    assert reads_to_the_end(out, client, request, passes, threads) == [1, 2, 3, 4]
