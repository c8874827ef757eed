"""Several patterns on one sender: one encoding for all, and each gets what its pattern promises."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from framewire.common.errors import Closed, UsageError
from framewire.common.frame import Status
from framewire.common.request import Request
from framewire.sender import Sender
from sender.controls import Gate
from sender.peers import ADDRESS, DEADLINE_S, Listener, lost, until

if TYPE_CHECKING:
    from sender.conftest import Chart, MakeAsker, MakePacket, MakeWorker

PUBLISH = ADDRESS
ANSWER = "req-rep+inproc://patterns-answer"
SHARE = "push-pull+inproc://patterns-share"


@pytest.fixture
def out() -> Iterator[Sender]:
    with Sender(SHARE, PUBLISH, ANSWER, topic="cam") as sender:
        yield sender


def test_one_encoding_for_all(
    out: Sender,
    listener: Listener,
    asker: "MakeAsker",
    worker: "MakeWorker",
    chart: "Chart",
    gate: Gate,
) -> None:
    client, hand = asker(ANSWER), worker(SHARE)
    client.ping()
    assert out.wait_for_receivers(3, DEADLINE_S)
    assert set(out.endpoints) == {PUBLISH, ANSWER, SHARE}
    for number in range(3):
        out.send(chart(number))
        payload = listener.until_packets(number + 1)[-1].payload
        assert payload == client.gets().payload == hand.packet().payload
    until(lambda: out.stats.sent == 9)
    assert (out.stats.encoded, len(gate.images)) == (3, 3)
    assert (out.stats.captured, out.stats.dropped, out.stats.unwatched) == (3, 0, 0)


def test_a_level_of_its_own_is_one_encoding_more(
    out: Sender, listener: Listener, asker: "MakeAsker", worker: "MakeWorker", chart: "Chart"
) -> None:
    client, hand = asker(ANSWER), worker(SHARE)
    assert out.wait_for_receivers(1, DEADLINE_S)
    out.send(chart(0))
    hand.packet()
    assert client.gets(Request(quality=20)).header.quality == 20
    assert listener.until_packets(1)[0].header.quality == 85
    assert out.stats.encoded == 2


def test_a_history_keeps_what_is_published(
    listener: Listener, asker: "MakeAsker", chart: "Chart"
) -> None:
    with Sender(PUBLISH, ANSWER, topic="cam", history=1 << 20) as out:
        assert out.wait_for_receivers(1, DEADLINE_S)
        for number in range(3):
            out.send(chart(number))
        published = listener.until_packets(3)
        client = asker(ANSWER)
        run = published[0].header.sender
        kept = [client.gets(Request(after=(run, 0))) for _ in range(2)]
        assert [each.payload for each in kept] == [each.payload for each in published[1:]]
        assert out.stats.encoded == 3


def test_a_history_needs_somebody_who_can_ask() -> None:
    with pytest.raises(UsageError, match="req-rep"):
        Sender(PUBLISH, SHARE, history=1 << 20)


def test_what_one_pattern_wants_the_others_need_not(
    listener: Listener, asker: "MakeAsker", chart: "Chart", gate: Gate
) -> None:
    with Sender(PUBLISH, ANSWER) as out:
        assert out.wait_for_receivers(1, DEADLINE_S)
        listener.close()
        until(lambda: out.receivers == 0)
        assert out.demand == frozenset()
        out.send(chart(0), topic="lab/cam1")
        client = asker(ANSWER)
        client.ping("lab")
        assert out.demand == {b"lab/"}
        assert gate.images == []
        assert client.gets(Request(topic="lab")).sequence == 0


# -- what is passed on --------------------------------------------------------------------------


def test_a_status_is_said_on_in_each_pattern(
    out: Sender, listener: Listener, asker: "MakeAsker"
) -> None:
    assert out.wait_for_receivers(1, DEADLINE_S)
    theirs = Status(
        topic="theirs", sender="another", sequence=40, dropped=3, sent_ns=1, state="no-signal",
        reason="unplugged", hops=2,
    )  # fmt: skip
    out.forward(theirs, topic="lab/cam1")
    listener.until(lambda: any(s.topic == "lab/cam1" for s in listener.statuses))
    heard = next(s for s in listener.statuses if s.topic == "lab/cam1")
    for status in (heard, asker(ANSWER).ping("lab/cam1")):
        assert (status.sender, status.sequence, status.dropped) == ("another", 40, 3)
        assert (status.state, status.reason, status.hops) == ("no-signal", "unplugged", 2)
    assert out.stats.captured == 0


def test_hops_are_kept_in_each_pattern(
    listener: Listener, asker: "MakeAsker", worker: "MakeWorker", packet: "MakePacket"
) -> None:
    with Sender(PUBLISH, ANSWER, SHARE) as out:
        hand = worker(SHARE)
        assert out.wait_for_receivers(1, DEADLINE_S)
        out.forward(packet(4, hops=3))
        packets = [listener.until_packets(1)[0], asker(ANSWER).gets(), hand.packet()]
        assert [each.header.hops for each in packets] == [3, 3, 3]
        assert asker(ANSWER).ping().hops == 3
    assert listener.until_ended().hops == 3


def test_what_a_sender_passes_on_makes_no_loss_of_its_own(
    listener: Listener, packet: "MakePacket"
) -> None:
    with Sender(PUBLISH, ANSWER) as out:
        assert out.wait_for_receivers(1, DEADLINE_S)
        for number in (0, 1, 5):
            out.forward(packet(number))
            out.forward(Status(
                topic="lab/cam1", sender="another", sequence=number + 1, sent_ns=1, state="live",
            ))  # fmt: skip
        listener.until_packets(3)
    assert listener.until_ended().sequence == 6
    assert lost(listener.messages) == 3
    assert out.stats.dropped == 0


# -- books --------------------------------------------------------------------------------------


def test_a_published_frame_is_not_unwatched_because_nobody_asked_for_it(
    listener: Listener, chart: "Chart", gate: Gate
) -> None:
    gate.shut()
    with Sender(PUBLISH, ANSWER, topic="cam", when_full="newest") as out:
        assert out.wait_for_receivers(1, DEADLINE_S)
        out.send(chart(0))
        gate.until_busy()
        for number in (1, 2, 3):
            out.send(chart(number))
        gate.open()
        listener.until_packets(2)
        until(lambda: out.stats.sent == 2)
        assert (out.stats.captured, out.stats.dropped, out.stats.unwatched) == (4, 2, 0)


def test_a_request_while_it_closes_does_not_end_it_early(
    listener: Listener,
    asker: "MakeAsker",
    chart: "Chart",
    gate: Gate,
    threads: ThreadPoolExecutor,
) -> None:
    gate.shut()
    with Sender(PUBLISH, ANSWER, topic="cam") as out:
        client = asker(ANSWER)
        assert out.wait_for_receivers(1, DEADLINE_S)
        out.send(chart(0))
        gate.until_busy()
        closing = threads.submit(out.close, DEADLINE_S)

        def closes() -> bool:
            try:
                out.forward(Status(topic="x", sender="x", sequence=0, sent_ns=1, state="live"))
            except Closed:
                return True
            return False

        until(closes)
        client.ask(Request(quality=20))
        client.ask(Request(status=True, id=1))
        until(lambda: client.poll() is not None or not is_served(), "read, or all is over")
        gate.open()
        closing.result(DEADLINE_S)
    assert (out.stats.sent, out.stats.dropped) == (1, 0)
    assert listener.until_ended().sequence == 1


def is_served() -> bool:
    """Whether the thread of the sockets still runs."""
    return any(thread.name == "framewire-sender" for thread in threading.enumerate())
