"""Dialogues: who is who, what the delimiter does, and what became of a message."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import zmq

from common.transport.meeting import FRAME, MAX_BYTES, bindable, connectable, take, until
from framewire.common.endpoint import Endpoint
from framewire.common.transport import Dialogue, dialogue, sockets

REQUEST = [b"the next, please"]


def _bound(address: Endpoint, max_bytes: int = MAX_BYTES) -> Dialogue:
    return Dialogue([address], [], max_bytes)


def _connected(bound: Dialogue, max_bytes: int = MAX_BYTES) -> Dialogue:
    return Dialogue([], [connectable(bound.endpoints[0])], max_bytes)


@contextmanager
def _two(address: Endpoint) -> Iterator[tuple[Dialogue, Dialogue]]:
    """One that is bound and one that is connected to it."""
    with closing(_bound(address)) as bound, closing(_connected(bound)) as connected:
        until(lambda: connected.connected, bound, connected)
        yield bound, connected


def _next(receiver: Dialogue, *others: Dialogue) -> tuple[bytes, list[bytes]]:
    return take(1, receiver.receive, receiver, *others)[0]


@contextmanager
def _stranger(kind: int, endpoint: str) -> Iterator["zmq.Socket[bytes]"]:
    """A socket that is none of ours."""
    context = sockets._contexts.acquire()
    stranger: zmq.Socket[bytes] = context.socket(kind)
    stranger.connect(endpoint)
    try:
        yield stranger
    finally:
        stranger.close(0)
        sockets._contexts.release()


# -- who is who ---------------------------------------------------------------------------------


def test_a_request_and_its_answer(address: Endpoint) -> None:
    with _two(address) as (bound, connected):
        assert bound.receive() is None
        assert connected.receive() is None
        assert connected.send(b"", REQUEST) == "sent"
        peer, parts = _next(bound, connected)
        assert parts == REQUEST
        assert peer != b""
        assert bound.send(peer, FRAME) == "sent"
        assert _next(connected, bound) == (b"", FRAME)
        assert connected.receive() is None


def test_who_is_bound_may_ask_whom_it_heard(address: Endpoint) -> None:
    """A sender that connects says that it is there; then the receiver asks it."""
    with _two(address) as (bound, connected):
        connected.send(b"", [b""])
        peer, parts = _next(bound, connected)
        assert parts == [b""]
        bound.send(peer, REQUEST)
        assert _next(connected, bound) == (b"", REQUEST)
        connected.send(b"", FRAME)
        assert _next(bound, connected) == (peer, FRAME)


def test_each_peer_gets_its_own_answers(address: Endpoint) -> None:
    with _two(address) as (bound, one), closing(_connected(bound)) as other:
        until(lambda: other.connected, bound, other)
        one.send(b"", [b"one"])
        other.send(b"", [b"other"])
        asked = take(2, bound.receive, bound, one, other)
        assert sorted(parts for _, parts in asked) == [[b"one"], [b"other"]]
        for peer, parts in asked:
            bound.send(peer, [b"for", *parts])
        assert _next(one, bound) == (b"", [b"for", b"one"])
        assert _next(other, bound) == (b"", [b"for", b"other"])


def test_a_plain_req_socket_is_understood(address: Endpoint) -> None:
    with (
        closing(_bound(address)) as bound,
        _stranger(zmq.REQ, bound.endpoints[0]) as client,
    ):
        for _ in range(2):  # a REQ socket asks again only after an answer that it understood
            client.send(b"")
            peer, parts = _next(bound)
            assert parts == [b""]
            bound.send(peer, FRAME)
            assert client.poll(20_000)
            assert client.recv_multipart() == FRAME


# -- parts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ([b"", b"a"], [b"a"]),
        ([b"", b""], [b""]),
        ([b"a"], [b"a"]),  # without a delimiter
        ([b"a", b"b", b"c"], [b"a", b"b", b"c"]),
        ([b""], [b""]),  # nothing behind it: it was no delimiter
        ([b"", b"", b"a"], [b"", b"a"]),  # only the first is one
        ([b"", *FRAME], FRAME),
        ([b"", *FRAME, b"more"], [*FRAME, b"more"]),
    ],
)
def test_the_delimiter_is_taken_off(sent: list[bytes], received: list[bytes]) -> None:
    with (
        closing(_bound(bindable("inproc://s"))) as bound,
        _stranger(zmq.DEALER, bound.endpoints[0]) as client,
    ):
        client.send_multipart(sent)
        peer, parts = _next(bound)
        assert parts == received
        assert bound.send(peer, FRAME) == "sent"
        assert client.recv_multipart() == [b"", *FRAME]


@pytest.mark.parametrize(
    "count",
    [
        6,
        7,
        100,
        2500,
        1025,
    ],
)
@pytest.mark.parametrize("asker", ["bound", "connected"])
def test_an_endless_message_shows_and_what_follows_is_whole(count: int, asker: str) -> None:
    with _two(bindable("inproc://s")) as (bound, connected):
        connected.send(b"", REQUEST)
        peer, _ = _next(bound)
        sender, receiver, to = (
            (bound, connected, peer) if asker == "bound" else (connected, bound, b"")
        )
        sender.send(to, [b"x"] * count)
        sender.send(to, FRAME)
        (_, endless), (_, frame) = take(2, receiver.receive, receiver)
        assert len(endless) == 4  # one more than any message has
        assert frame == FRAME


def test_a_message_above_the_limit_ends_the_connection_of_who_sent_it(tmp_path: Path) -> None:
    with (
        closing(_bound(bindable(f"ipc://{tmp_path}/s"), max_bytes=100)) as bound,
        closing(_connected(bound)) as rude,
        closing(_connected(bound)) as polite,
    ):
        until(lambda: rude.connected and polite.connected, bound, rude, polite)
        rude.send(b"", [b"hello"])
        peer, _ = _next(bound, rude)
        rude.send(b"", [bytes(101)])
        # Who is bound learns of it when it speaks; the other ones are served all the while.
        until(lambda: bound.send(peer, FRAME) == "gone", bound, rude)
        polite.send(b"", [bytes(100)])
        assert _next(bound, polite)[1] == [bytes(100)]


# -- what became of a message -------------------------------------------------------------------


def test_nobody_is_there() -> None:
    with closing(_bound(bindable("tcp://127.0.0.1:*"))) as bound:
        assert bound.connected  # it needs nobody in particular
        assert bound.send(b"nobody", FRAME) == "gone"
        place = bound.endpoints[0]
    with closing(Dialogue([], [connectable(place)], MAX_BYTES)) as connected:
        assert not connected.connected
        assert connected.send(b"", REQUEST) == "full"  # nothing is queued for who is not there


def test_a_peer_that_closed_is_gone(address: Endpoint) -> None:
    with closing(_bound(address)) as bound:
        with closing(_connected(bound)) as connected:
            until(lambda: connected.connected, bound, connected)
            connected.send(b"", REQUEST)
            peer, _ = _next(bound, connected)
        until(lambda: bound.send(peer, FRAME) == "gone", bound)


def test_whoever_is_connected_notices_that_the_other_is_gone(tmp_path: Path) -> None:
    with closing(_bound(bindable(f"ipc://{tmp_path}/s"))) as bound:
        connected = _connected(bound)
        until(lambda: connected.connected, bound, connected)
    with closing(connected):
        until(lambda: not connected.connected, connected)
        assert connected.send(b"", REQUEST) == "full"
        with closing(_bound(bindable(f"ipc://{tmp_path}/s"))) as again:
            until(lambda: connected.connected, again, connected)
            assert connected.send(b"", REQUEST) == "sent"
            assert _next(again, connected)[1] == REQUEST


SEND_MARK, RECEIVE_MARK = dialogue._OPTIONS[zmq.SNDHWM], dialogue._OPTIONS[zmq.RCVHWM]


def _until_full(sender: Dialogue, peer: bytes) -> int:
    """How many messages go into a queue that nobody reads."""
    for count in range(1000):
        if sender.send(peer, [b"%d" % count]) == "full":
            return count
    raise AssertionError("it never was full")


@pytest.mark.parametrize("asker", ["bound", "connected"])
def test_a_peer_that_does_not_read_has_a_full_queue_and_loses_nothing_of_it(asker: str) -> None:
    """Over inproc the queue is exactly the two marks: no kernel has buffers."""
    with _two(bindable("inproc://s")) as (bound, connected):
        connected.send(b"", REQUEST)
        peer, _ = _next(bound)
        sender, receiver, to = (
            (bound, connected, peer) if asker == "bound" else (connected, bound, b"")
        )
        count = _until_full(sender, to)
        # One less where the first message still counts: reads are told to the sender in batches.
        assert SEND_MARK + RECEIVE_MARK - 1 <= count <= SEND_MARK + RECEIVE_MARK
        numbers = [parts for _, parts in take(count, receiver.receive)]
        assert numbers == [[b"%d" % number] for number in range(count)]
        until(lambda: sender.send(to, FRAME) == "sent", sender)


def test_a_full_peer_costs_the_others_nothing() -> None:
    with _two(bindable("inproc://s")) as (bound, slow), closing(_connected(bound)) as quick:
        slow.send(b"", [b"slow"])
        quick.send(b"", [b"quick"])
        peers = {parts[0]: peer for peer, parts in take(2, bound.receive, bound)}
        _until_full(bound, peers[b"slow"])
        for number in range(100):
            assert bound.receive() is None  # ZeroMQ always looks for room before a vain receive
            assert bound.send(peers[b"quick"], [b"%d" % number]) == "sent"
            assert _next(quick) == (b"", [b"%d" % number])


def test_a_connection_counts_as_one_while_its_queue_has_room() -> None:
    with _two(bindable("inproc://s")) as (bound, connected):
        _until_full(connected, b"")
        assert not connected.connected  # by design: there is no use in asking then
        take(SEND_MARK + RECEIVE_MARK, bound.receive)
        until(lambda: connected.connected, bound, connected)


# -- addresses ----------------------------------------------------------------------------------


def test_endpoints_say_which_pattern_they_are_of(tmp_path: Path) -> None:
    bind = [bindable("req-rep+tcp://127.0.0.1:*"), bindable(f"req-rep+ipc://{tmp_path}/s")]
    with closing(Dialogue(bind, [], MAX_BYTES)) as bound:
        tcp, ipc = bound.endpoints
        assert tcp.startswith("req-rep+tcp://127.0.0.1:")
        assert ipc == f"req-rep+ipc://{tmp_path}/s"
        for url in bound.endpoints:
            with closing(Dialogue([], [connectable(url)], MAX_BYTES)) as connected:
                assert connected.endpoints == (url,)
                until(lambda: connected.send(b"", REQUEST) == "sent", connected)
                assert _next(bound, connected)[1] == REQUEST
