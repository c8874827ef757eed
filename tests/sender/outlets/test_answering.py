"""`req-rep`, newest: who asks gets the newest picture that it has not had, as it asks for it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
import pytest
import zmq

from framewire.common import jpeg, wire
from framewire.common.frame import Image, Packet
from framewire.common.jpeg import decode
from framewire.common.request import Request
from framewire.common.testchart import read_number
from framewire.sender import Sender, encoder
from sender.controls import Clock, Gate
from sender.peers import Asker, plain, until

if TYPE_CHECKING:
    from sender.conftest import Chart, MakeAsker, MakePacket

ADDRESS = "req-rep+tcp://127.0.0.1:*"


@pytest.fixture
def out() -> Iterator[Sender]:
    with Sender(ADDRESS, topic="cam", quality=80) as sender:
        yield sender


@pytest.fixture
def client(asker: "MakeAsker", out: Sender) -> Asker:
    return asker(out.endpoints[0])


# -- the protocol -------------------------------------------------------------------------------


def test_a_plain_req_socket_that_sends_nothing_gets_three_parts(
    out: Sender, chart: "Chart"
) -> None:
    with plain(zmq.REQ, out.endpoints[0]) as socket:
        for number in range(3):
            out.send(chart(number), metadata={"n": number})
            socket.send(b"")
            topic, header, payload = socket.recv_multipart()
            facts = msgspec.msgpack.decode(header)
            assert (topic, facts["kind"], facts["sequence"]) == (b"cam/", "frame", number)
            assert facts["metadata"] == {"n": number}
            assert read_number(decode(payload)) == number
            assert "request" not in facts


def test_an_answer_is_a_message_of_the_protocol(out: Sender, client: Asker, chart: "Chart") -> None:
    out.send(chart(4))
    header = client.gets().header
    assert (header.topic, header.sequence, header.dropped) == ("cam", 0, 0)
    assert (header.width, header.height, header.channels) == (160, 96, 3)
    assert (header.codec, header.quality) == ("jpeg", 80)
    assert 0 < header.captured_ns <= header.sent_ns


def test_an_answer_says_which_request_it_is_for_and_how_long_that_waited(
    clock: Clock, asker: "MakeAsker", chart: "Chart"
) -> None:
    with Sender(ADDRESS, topic="cam") as out:
        client = asker(out.endpoints[0])
        client.ask(Request(id=7))
        client.ping()
        clock.forward(0.25)
        out.send(chart(0))
        _, answer = client.answer()
        assert (answer.request, answer.waited_us) == (7, 250_000)


# -- which picture ------------------------------------------------------------------------------


def test_the_newest_is_given_and_what_it_replaced_is_not(
    out: Sender, client: Asker, chart: "Chart"
) -> None:
    for number in range(5):
        out.send(chart(number))
    assert client.gets().sequence == 4


def test_nothing_is_given_twice_on_one_connection(
    out: Sender, client: Asker, asker: "MakeAsker", chart: "Chart"
) -> None:
    out.send(chart(0))
    assert client.gets().sequence == 0
    client.ask()
    client.ping()  # alone: the request waits
    out.send(chart(1))
    assert client.packet().sequence == 1
    assert asker(out.endpoints[0]).gets().sequence == 1  # another connection has not had it


def test_a_request_waits_for_the_first_frame_of_all(
    client: Asker, out: Sender, chart: "Chart"
) -> None:
    client.ask()
    client.ping()
    out.send(chart(0))
    assert client.packet().sequence == 0


def test_two_requests_under_way_get_two_frames_in_their_order(
    out: Sender, client: Asker, chart: "Chart"
) -> None:
    client.ask(Request(id=1))
    client.ask(Request(id=2))
    client.ping()
    for number in (0, 1):
        out.send(chart(number))
        message, answer = client.answer()
        assert isinstance(message, Packet)
        assert (message.sequence, answer.request) == (number, number + 1)


def test_a_ninth_request_replaces_the_oldest(out: Sender, client: Asker, chart: "Chart") -> None:
    for number in range(9):
        client.ask(Request(id=number))
    client.ping()  # takes a place as well
    answered = []
    for number in range(7):
        out.send(chart(number))
        answered.append(client.answer()[1].request)
    assert answered == [2, 3, 4, 5, 6, 7, 8]


def test_without_a_history_a_position_only_says_what_is_not_new(
    out: Sender, client: Asker, asker: "MakeAsker", chart: "Chart"
) -> None:
    for number in range(3):
        out.send(chart(number))
    run = client.gets().header.sender
    late = asker(out.endpoints[0])
    assert late.gets(Request(after=(run, 0))).sequence == 2
    reconnected = asker(out.endpoints[0])
    reconnected.ask(Request(after={"cam": (run, 2)}))
    reconnected.ping()
    out.send(chart(3))
    assert reconnected.packet().sequence == 3


def test_resume_forgets_what_the_connection_carried(
    out: Sender, client: Asker, chart: "Chart"
) -> None:
    out.send(chart(0))
    assert client.gets().sequence == 0
    assert client.gets(Request(resume=True)).sequence == 0


# -- which topic --------------------------------------------------------------------------------


def test_topics_take_turns(out: Sender, client: Asker, chart: "Chart") -> None:
    for topic in ("a", "b", "c"):
        out.send(chart(0), topic=topic)
    assert [client.gets().topic for _ in range(3)] == ["a", "b", "c"]
    for topic in ("c", "b", "c", "a"):
        out.send(chart(1), topic=topic)
    # The one that was served longest ago comes first, however busy another is.
    assert [client.gets().topic for _ in range(3)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("lab", ["lab", "lab/cam1", "lab/cam1/left"]),
        ("lab/cam1", ["lab/cam1", "lab/cam1/left"]),
        (("lab/cam1/left", "lab/cam10"), ["lab/cam1/left", "lab/cam10"]),
    ],
)
def test_a_topic_is_itself_and_all_below_it(
    out: Sender, client: Asker, chart: "Chart", asked: str | tuple[str, ...], given: list[str]
) -> None:
    topics = ("labor", "lab", "lab/cam1", "lab/cam1/left", "lab/cam10")
    for topic in topics:
        out.send(chart(0), topic=topic)
    if asked == "lab":
        given = [*given, "lab/cam10"]
    request = Request(topic=asked)
    assert [client.gets(request).topic for _ in given] == given
    client.ask(request)
    client.ping()  # there are no more of them


# -- quality and scale --------------------------------------------------------------------------


def test_quality_and_scale_are_those_that_are_asked_for(
    out: Sender, asker: "MakeAsker", chart: "Chart"
) -> None:
    out.send(chart(9))
    requests = (Request(quality=30), Request(scale=0.5), Request(quality=90, scale=0.75), Request())
    headers = []
    for request in requests:
        packet = asker(out.endpoints[0]).gets(request)
        assert read_number(decode(packet.payload)) == 9
        headers.append(packet.header)
    facts = [(header.quality, header.width, header.height) for header in headers]
    assert facts == [(30, 160, 96), (80, 80, 48), (90, 120, 72), (80, 160, 96)]
    assert out.stats.encoded == 4


def test_a_frame_is_encoded_once_for_each_level_however_many_ask(
    out: Sender, asker: "MakeAsker", chart: "Chart", gate: Gate
) -> None:
    requests = [Request(quality=50), Request(), Request(quality=50, id=3), None]
    clients = [asker(out.endpoints[0]) for _ in requests]
    for client, request in zip(clients, requests, strict=True):
        client.ask(request)
        client.ping()
    out.send(chart(0))
    assert [client.packet().header.quality for client in clients] == [50, 80, 50, 80]
    until(lambda: out.stats.sent == 4)
    assert (out.stats.encoded, sorted(gate.qualities)) == (2, [50, 80])
    assert out.stats.captured == 1


def test_nothing_is_encoded_that_nobody_asked_for(
    out: Sender, client: Asker, chart: "Chart", gate: Gate
) -> None:
    for number in range(4):
        out.send(chart(number))
    assert client.gets().sequence == 3
    out.send(chart(4))
    assert gate.qualities == [80]
    assert (out.stats.captured, out.stats.encoded, out.stats.unwatched) == (5, 1, 3)
    assert out.stats.dropped == 0


def test_the_array_may_be_overwritten_before_anybody_asks(
    out: Sender, client: Asker, chart: "Chart"
) -> None:
    image = chart(11)
    out.send(image)
    image[:] = 0
    assert read_number(decode(client.gets().payload)) == 11


def test_a_request_for_a_frame_that_cannot_be_encoded_gets_the_next(
    out: Sender, client: Asker, chart: "Chart", monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(image: Image, quality: int) -> bytes:
        if read_number(image) == 0:
            raise RuntimeError("the codec stumbled")
        return jpeg.encode(image, quality)

    monkeypatch.setattr(encoder, "encode", encode)
    out.send(chart(0))
    client.ask()
    client.ping()
    out.send(chart(1))
    assert client.packet().sequence == 1


def test_a_frame_that_comes_while_another_is_encoded_is_not_waited_for(
    out: Sender, client: Asker, chart: "Chart", gate: Gate
) -> None:
    gate.shut()
    client.ask()
    out.send(chart(0))
    gate.until_busy()
    out.send(chart(1))
    client.ping()
    gate.open()
    assert [client.packet().sequence, client.gets().sequence] == [0, 1]


# -- what is passed on --------------------------------------------------------------------------


def test_what_is_passed_on_is_answered_as_it_is(
    out: Sender, client: Asker, packet: "MakePacket", gate: Gate
) -> None:
    given = packet(17, hops=2)
    out.forward(given, topic="lab/cam1")
    got = client.gets(Request(quality=95))
    assert got.payload == given.payload
    assert (got.header.sender, got.sequence, got.header.hops) == ("another", 17, 2)
    assert (gate.images, out.stats.encoded) == ([], 0)


def test_less_of_what_is_passed_on(out: Sender, client: Asker, packet: "MakePacket") -> None:
    out.forward(packet(17), topic="lab/cam1")
    got = client.gets(Request(quality=20, scale=0.5))
    assert (got.header.width, got.header.quality, got.sequence) == (80, 20, 17)
    wire.check_payload(got.header, got.payload)
    assert out.stats.encoded == 1
