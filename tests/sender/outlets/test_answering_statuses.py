"""`req-rep`: what is said where there is no picture to give, to whom, and at the end."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
import pytest
import zmq

from framewire.common import wire
from framewire.common.config import Limits
from framewire.common.frame import Packet, Status
from framewire.common.request import Request, encode_request
from framewire.sender import Sender
from sender.controls import Clock, Passes
from sender.peers import DEADLINE_S, Asker, plain, until

if TYPE_CHECKING:
    from sender.conftest import Chart, MakeAsker

ADDRESS = "req-rep+tcp://127.0.0.1:*"


@pytest.fixture
def out() -> Iterator[Sender]:
    with Sender(ADDRESS, topic="cam", quality=80) as sender:
        yield sender


@pytest.fixture
def limited() -> Iterator[Sender]:
    with Sender(ADDRESS, topic="cam", limits=Limits(connections=2)) as sender:
        yield sender


@pytest.fixture
def client(asker: "MakeAsker", out: Sender) -> Asker:
    return asker(out.endpoints[0])


# -- statuses -----------------------------------------------------------------------------------


def test_a_status_answers_after_a_second(
    clock: Clock, passes: Passes, asker: "MakeAsker", chart: "Chart"
) -> None:
    with Sender(ADDRESS, topic="cam") as out:
        client = asker(out.endpoints[0])
        out.send(chart(0))
        client.gets()
        client.ask(Request(id=5))
        client.ping()
        clock.forward(0.999)
        passes.two_more()
        client.ping()  # it still waits
        clock.forward(0.001)
        status, answer = client.answer()
        assert (answer.request, answer.waited_us) == (5, 1_000_000)
        assert (status.topic, status.header if isinstance(status, Packet) else None) == (
            "cam",
            None,
        )
        assert client.ping().sequence == 1


def test_a_ping_is_answered_at_once(out: Sender, client: Asker) -> None:
    out.announce("no-signal", "unplugged")
    status = client.ping("cam")
    assert (status.topic, status.state, status.reason) == ("cam", "no-signal", "unplugged")
    assert client.ping().topic == "cam"


def test_pings_of_several_topics_take_turns(out: Sender, client: Asker) -> None:
    for topic in ("lab/a", "lab/b"):
        out.announce("live", topic=topic)
    assert {client.ping("lab").topic for _ in range(2)} == {"lab/a", "lab/b"}
    assert {client.ping().topic for _ in range(3)} == {"cam", "lab/a", "lab/b"}


def test_an_unknown_topic_has_no_signal(clock: Clock, asker: "MakeAsker", chart: "Chart") -> None:
    with Sender(ADDRESS, topic="cam") as out:
        client = asker(out.endpoints[0])
        out.send(chart(0))
        assert client.ping("cam2").state == "no-signal"
        client.ask(Request(topic="cam2"))
        assert client.ping("cam2").reason == "the sender has no such topic yet"
        clock.forward(1)
        status = client.status()
        assert (status.topic, status.state, status.sequence) == ("cam2", "no-signal", 0)


def test_several_unknown_topics_have_no_signal_either(
    clock: Clock, passes: Passes, asker: "MakeAsker"
) -> None:
    with Sender(ADDRESS, topic="cam") as out:
        client = asker(out.endpoints[0])
        client.ask(Request(topic=("a", "b")))
        client.ping("cam")
        clock.forward(1)
        passes.two_more()
        client.ask(Request(topic="cam", status=True))
        assert client.status().topic in ("a", "b")


# -- who is there -------------------------------------------------------------------------------


def test_who_asked_in_the_last_seconds_counts_as_a_receiver(
    clock: Clock, asker: "MakeAsker"
) -> None:
    with Sender(ADDRESS, topic="cam") as out:
        assert (out.receivers, out.demand) == (0, frozenset())
        first, second = asker(out.endpoints[0]), asker(out.endpoints[0])
        first.ping(("lab", "cam"))
        assert out.wait_for_receivers(1, DEADLINE_S)
        assert out.demand == {b"lab/", b"cam/"}
        clock.forward(2)
        second.ping()
        assert out.wait_for_receivers(2, DEADLINE_S)
        assert out.demand == {b"lab/", b"cam/", b""}
        assert out.stats.receivers == 2
        clock.forward(1)
        until(lambda: out.receivers == 1, "the first is forgotten")
        assert out.demand == {b""}


def test_clients_are_bounded(asker: "MakeAsker", chart: "Chart", limited: Sender) -> None:
    out = limited
    out.send(chart(0))
    clients = [asker(out.endpoints[0]) for _ in range(5)]
    assert [client.gets().sequence for client in clients] == [0] * 5
    given_again = 0
    for client in clients:
        client.ask()
        client.ask(Request(status=True))
        if isinstance(client.answer()[0], Packet):
            given_again += 1
            client.status()
    assert given_again >= 3  # of those it did not know any more what they had


# -- the end ------------------------------------------------------------------------------------

# Plain sockets hear it here: at a DEALER with IMMEDIATE 1 (`Dialogue`) libzmq can throw away what has
# come but was not read when the other side closes.


def test_a_req_socket_that_waits_hears_one_last_word(out: Sender) -> None:
    out.announce("live", topic="cam2")
    with plain(zmq.REQ, out.endpoints[0]) as socket:
        socket.send(b"")
        until(lambda: out.receivers == 1)
        out.close()
        topic, header, payload = socket.recv_multipart()
        facts = msgspec.msgpack.decode(header)
        assert (topic, facts["kind"], facts["state"]) == (b"cam/", "status", "ended")
        assert payload == b""
        assert not socket.poll(0)


def test_the_last_word_is_the_number_that_the_connection_expects(
    out: Sender, chart: "Chart"
) -> None:
    for number in range(3):
        out.send(chart(number))
    with plain(zmq.DEALER, out.endpoints[0]) as socket:
        socket.send_multipart([b"", b""])
        assert wire.decode(socket.recv_multipart()[1:]).sequence == 2
        socket.send_multipart([b"", b""])
        socket.send_multipart([b"", encode_request(Request(status=True))])
        socket.recv_multipart()
        out.close()
        last = wire.decode(socket.recv_multipart()[1:])
        assert isinstance(last, Status)
        assert (last.state, last.sequence) == ("ended", 3)


@pytest.mark.parametrize("waits", [False, True])
def test_whoever_can_tell_answers_apart_hears_the_last_word_of_each_topic_asked_or_not(
    out: Sender, waits: bool
) -> None:
    for topic in ("lab/a", "lab/b"):
        out.announce("live", topic=topic)
    with plain(zmq.DEALER, out.endpoints[0]) as socket:
        if waits:
            socket.send_multipart([b"", encode_request(Request(topic="lab", id=1))])
        socket.send_multipart([b"", encode_request(Request(topic="lab", id=2, status=True))])
        assert wire.decode_answer(socket.recv_multipart()[2]).request == 2
        out.close()
        words = [wire.decode(socket.recv_multipart()[1:]) for _ in range(2)]
        assert [word.topic for word in words] == ["lab/a", "lab/b"]
        assert {word.state for word in words if isinstance(word, Status)} == {"ended"}
        assert not socket.poll(0)


def test_a_plain_client_hears_no_more_last_words_than_it_asked_for(out: Sender) -> None:
    out.announce("live", topic="lab/a")
    with plain(zmq.DEALER, out.endpoints[0]) as socket:
        socket.send_multipart([b"", encode_request(Request(status=True))])
        socket.recv_multipart()
        out.close()
        assert not socket.poll(0)
