"""`req-rep`: whatever somebody sends, and however it leaves, the next one is served."""

import logging
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from framewire.common import wire
from framewire.common.frame import Status
from framewire.common.request import MAX_REQUEST_BYTES, Request, encode_request
from framewire.common.transport import Dialogue
from framewire.sender import Sender
from sender.controls import Gate, Passes
from sender.peers import Asker, until

if TYPE_CHECKING:
    from sender.conftest import Chart, MakeAsker

ADDRESS = "req-rep+tcp://127.0.0.1:*"


@pytest.fixture
def out() -> Iterator[Sender]:
    with Sender(ADDRESS, topic="cam") as sender:
        yield sender


@pytest.fixture
def client(asker: "MakeAsker", out: Sender) -> Asker:
    return asker(out.endpoints[0])


def is_served(client: Asker, out: Sender, chart: "Chart") -> None:
    """Whether a well-behaved client gets what it should."""
    out.send(chart(0))
    number = out.stats.captured - 1
    assert client.gets(Request(resume=True)).sequence == number
    client.ask()
    client.ping()
    out.send(chart(1))
    assert client.packet().sequence == number + 1


BAD = [
    b"\xc1",
    b"\x80\x80",
    b"\x90",
    b"nonsense",
    b"\xff" * 1000,
    b"\xdf\xff\xff\xff\xff",
    b"\x81" * 60_000,
    msgspec.msgpack.encode({"topic": "a//b"}),
    msgspec.msgpack.encode({"topic": []}),
    msgspec.msgpack.encode({"topic": ["a"] * 1025}),
    msgspec.msgpack.encode({"quality": 0}),
    msgspec.msgpack.encode({"quality": True}),
    msgspec.msgpack.encode({"scale": 0.01}),
    msgspec.msgpack.encode({"scale": float("nan")}),
    msgspec.msgpack.encode({"after": ["run"]}),
    msgspec.msgpack.encode({"after": {"cam": ["run", -1]}}),
    msgspec.msgpack.encode({"id": -1}),
]


@pytest.mark.parametrize("body", BAD, ids=range(len(BAD)))
def test_what_cannot_be_read_is_answered_with_what_is_wrong(
    out: Sender, client: Asker, chart: "Chart", body: bytes
) -> None:
    client.say(body)
    status, answer = client.answer()
    assert isinstance(status, Status)
    assert status.topic == "cam"
    assert status.reason.startswith("a bad request: ")
    assert answer.request is None
    is_served(client, out, chart)


@pytest.mark.parametrize("count", [2, 4, 5, 500])
def test_a_wrong_number_of_parts(out: Sender, client: Asker, chart: "Chart", count: int) -> None:
    client.say(*[b"part"] * count)
    assert "parts instead of 1" in client.status().reason
    is_served(client, out, chart)


def test_a_request_of_a_later_version(out: Sender, client: Asker, chart: "Chart") -> None:
    client.say(msgspec.msgpack.encode({"version": 2, "topic": {"new": "kind"}}))
    assert "version 2" in client.status().reason
    is_served(client, out, chart)


def test_a_request_above_the_limit_ends_that_connection_only(
    out: Sender, client: Asker, asker: "MakeAsker", chart: "Chart"
) -> None:
    client.say(b"\xc0" * (MAX_REQUEST_BYTES + 1))
    is_served(asker(out.endpoints[0]), out, chart)


@given(st.binary(max_size=300) | st.lists(st.binary(max_size=30), max_size=6))
def check_any_bytes(client: Asker, body: bytes | list[bytes]) -> None:
    client.say(*([body] if isinstance(body, bytes) else body))
    client.ask(Request(status=True, id=77))
    while client.answer()[1].request != 77:
        continue


def test_any_bytes(out: Sender, client: Asker, asker: "MakeAsker", chart: "Chart") -> None:
    check_any_bytes(client)
    is_served(asker(out.endpoints[0]), out, chart)


def test_bad_requests_are_logged_once_a_second(
    out: Sender, client: Asker, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "framewire.sender"):
        for _ in range(20):
            client.say(b"\xc1")
            client.status()
    assert 1 <= len(caplog.records) < 20
    assert caplog.records[0].getMessage().startswith("refused 1 request(s): ")


def test_a_bad_request_before_there_is_any_topic(asker: "MakeAsker", chart: "Chart") -> None:
    with Sender(ADDRESS) as out:
        client = asker(out.endpoints[0])
        client.say(b"\xc1")
        client.ask(Request(topic="cam"))
        client.ping("cam")
        out.send(chart(0), topic="cam")
        assert client.packet().sequence == 0


# -- clients that vanish ------------------------------------------------------------------------


def test_a_client_that_vanishes_between_request_and_answer(
    out: Sender, client: Asker, asker: "MakeAsker", chart: "Chart", gate: Gate
) -> None:
    gate.shut()
    client.ask()
    out.send(chart(0))
    gate.until_busy()  # its picture is being encoded
    client.close()
    gate.open()
    is_served(asker(out.endpoints[0]), out, chart)


def test_many_clients_that_ask_and_vanish(out: Sender, asker: "MakeAsker", chart: "Chart") -> None:
    for _ in range(20):
        vanishing = asker(out.endpoints[0])
        for number in range(9):
            vanishing.ask(Request(id=number))
        vanishing.close()
    is_served(asker(out.endpoints[0]), out, chart)


def test_a_client_that_never_reads_holds_nobody_up(
    out: Sender, client: Asker, asker: "MakeAsker", chart: "Chart"
) -> None:
    out.send(chart(0))
    for number in range(300):
        client.ask(Request(status=True, id=number))
    is_served(asker(out.endpoints[0]), out, chart)


def test_a_connection_that_is_no_zeromq(out: Sender, client: Asker, chart: "Chart") -> None:
    host, _, port = out.endpoints[0].removeprefix("req-rep+tcp://").partition(":")
    with socket.create_connection((host, int(port))) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
        is_served(client, out, chart)


def test_a_socket_of_another_kind(out: Sender, client: Asker, chart: "Chart") -> None:
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.subscribe(b"")
        socket.connect(out.endpoints[0].removeprefix("req-rep+"))
        is_served(client, out, chart)


def test_a_flood_does_not_keep_the_sender_from_the_others(
    out: Sender, client: Asker, monkeypatch: pytest.MonkeyPatch, passes: Passes
) -> None:
    flood = [(b"flood", [encode_request(Request(status=True))])] * 100_000
    seen: list[int] = []

    def receive(dialogue: Dialogue) -> tuple[bytes, list[bytes]] | None:
        if not flood:
            return None
        seen.append(passes.count)
        return flood.pop()

    with monkeypatch.context() as patched:
        patched.setattr(Dialogue, "receive", receive)
        client.ask()
        until(lambda: not flood)
    assert len(set(seen)) > 100  # the rounds in which it was read


def test_what_another_sender_says_is_not_answered(
    out: Sender, client: Asker, chart: "Chart", caplog: pytest.LogCaptureFixture
) -> None:
    """Two that meet would refuse each other's refusals for ever, as fast as they can."""
    theirs = Status(topic="other", sender="another", sequence=0, sent_ns=1, state="live")
    client.say(*wire.encode_answer(theirs, None, 0))
    client.ping()  # the only answer
    assert "3 parts instead of 1" in caplog.text
    is_served(client, out, chart)
