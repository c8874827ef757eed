"""What is known of a socket's connections, and what is done about them."""

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from common.transport.meeting import DEADLINE_S, MAX_BYTES
from faults.zmtp import MORE, frame, greeting, message, ready
from framewire.common.clock import NS, monotonic_ns, pause
from framewire.common.endpoint import Endpoint, parse_endpoint
from framewire.common.transport import (
    Dialogue,
    Publisher,
    Pusher,
    Socket,
    Subscriber,
    Waker,
    connections,
)
from framewire.common.transport import wait as wait_for

ANYWHERE = parse_endpoint("tcp://127.0.0.1:*", bind=True)


@pytest.fixture
def waker() -> Iterator[Waker]:
    with closing(Waker()) as waker:
        yield waker


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with closing(Publisher((ANYWHERE,), ())) as publisher:
        yield publisher


def until(condition: Callable[[], object], waker: Waker, *sockets: Socket) -> None:
    """Work `sockets` as their thread does, until it holds."""
    deadline_ns = monotonic_ns() + round(DEADLINE_S * NS)
    while not condition():
        assert monotonic_ns() < deadline_ns, "it does not come to that"
        wait_for(sockets, waker, 20)
        for each in sockets:
            if isinstance(each, Publisher):
                list(each.subscriptions())
            elif isinstance(each, Subscriber):
                each.receive()


def count(of: Socket) -> int:
    assert of.connections is not None
    return len(of.connections)


def port_of(bound: Publisher | Dialogue) -> int:
    return int(bound.endpoints[0].rpartition(":")[2])


def subscriber(publisher: Publisher) -> Subscriber:
    endpoint = parse_endpoint(publisher.endpoints[0], bind=False)
    return Subscriber((), (endpoint,), (b"lab/",), MAX_BYTES)


def call(publisher: Publisher) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port_of(publisher)))


def is_open(call: socket.socket) -> bool:
    call.setblocking(False)
    try:
        while call.recv(4096):  # its greeting
            pass
    except BlockingIOError:
        return True
    except ConnectionError:
        pass
    return False


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="only Linux tells")
def test_who_sends_a_message_without_an_end_is_cut(
    publisher: Publisher, waker: Waker, caplog: pytest.LogCaptureFixture
) -> None:
    with call(publisher) as endless, call(publisher) as other:
        endless.sendall(greeting() + ready(b"SUB"))
        until(lambda: count(publisher) == 2, waker, publisher)
        endless.settimeout(DEADLINE_S)
        endless.recv(64, socket.MSG_WAITALL)
        endless.recv(2)  # READY: before that, it would not be a message
        with suppress(OSError):
            for _ in range(400):
                endless.sendall(frame(b"x" * 4000, MORE))
        until(lambda: count(publisher) == 1, waker, publisher)
        assert is_open(other)
    assert "a message that does not end" in caplog.text


def test_whole_messages_that_wait_are_no_message_without_an_end(waker: Waker) -> None:
    """Of a receiver that has no room: as many of the largest size as its queue holds."""
    with closing(Subscriber((ANYWHERE,), (), (b"",), MAX_BYTES)) as taker:
        port = int(taker.endpoints[0].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as giver:
            giver.sendall(greeting() + ready(b"PUB"))
            giver.recv(64, socket.MSG_WAITALL)
            giver.recv(2)
            for _ in range(4):
                giver.sendall(message(b"lab/", b"", bytes(MAX_BYTES)))
            taker.awaits_message = False
            for _ in range(10):
                wait_for((taker,), waker, 50)
            assert count(taker) == 1
            came: list[bytes] = []
            while len(came) < 4:
                came += (taker.receive() or [])[2:]
            assert is_open(giver)


def test_connections_are_counted_while_they_last(publisher: Publisher, waker: Waker) -> None:
    first, second = call(publisher), call(publisher)
    until(lambda: count(publisher) == 2, waker, publisher)
    first.close()
    until(lambda: count(publisher) == 1, waker, publisher)
    second.close()
    until(lambda: count(publisher) == 0, waker, publisher)


def test_receivers_are_those_that_subscribed(publisher: Publisher, waker: Waker) -> None:
    with closing(call(publisher)), closing(subscriber(publisher)) as sub:
        sub.select((b"lab/", b"yard/"))
        until(lambda: publisher.peers == 1 and count(publisher) == 2, waker, publisher, sub)
    until(lambda: publisher.peers == 0, waker, publisher)


def test_in_one_process_nobody_can_be_told_apart() -> None:
    with closing(Publisher((Endpoint("pub-sub", "inproc", "apart"),), ())) as publisher:
        assert publisher.connections is None
        assert publisher.peers is None


def test_who_is_silent_gives_way(
    publisher: Publisher, waker: Waker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 3)
    with closing(subscriber(publisher)) as sub:
        until(lambda: publisher.peers == 1, waker, publisher, sub)
        silent = []
        for number in range(1, 7):
            silent.append(call(publisher))
            until(lambda n=number: count(publisher) == min(3, 1 + n), waker, publisher, sub)  # type: ignore[misc]
        until(lambda: not any(map(is_open, silent[:4])), waker, publisher, sub)
        assert all(map(is_open, silent[4:]))
        assert publisher.peers == 1
        for each in silent:
            each.close()


def test_all_sockets_share_half_of_the_descriptors(
    publisher: Publisher, waker: Waker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "most_descriptors", lambda: 12)
    with closing(Publisher((ANYWHERE,), ())) as flooded:
        one = call(publisher)
        until(lambda: count(publisher) == 1, waker, publisher, flooded)
        many = [call(flooded) for _ in range(20)]
        until(lambda: sum(map(is_open, many)) == 5, waker, publisher, flooded)
        until(lambda: count(flooded) == 5, waker, publisher, flooded)
        assert is_open(one)
        for each in (one, *many):
            each.close()


def test_a_connection_that_was_cut_is_made_again(publisher: Publisher, waker: Waker) -> None:
    with closing(subscriber(publisher)) as sub:
        until(lambda: publisher.peers == 1, waker, publisher, sub)
        assert publisher.connections is not None
        publisher.connections.cut_all()
        until(lambda: publisher.peers == 0, waker, publisher, sub)
        until(lambda: publisher.peers == 1, waker, publisher, sub)


def test_a_number_that_is_another_file_by_now_is_left_alone(
    publisher: Publisher, waker: Waker
) -> None:
    ours, theirs = socket.socketpair()
    with closing(call(publisher)), ours, theirs:
        until(lambda: count(publisher) == 1, waker, publisher)
        assert publisher.connections is not None
        (peer,) = publisher.connections._crowd.peers.values()
        publisher.connections._crowd.peers[ours.fileno()] = peer
        publisher.connections.cut(ours.fileno())
        theirs.send(b"still here")
        assert ours.recv(100) == b"still here"
        del publisher.connections._crowd.peers[ours.fileno()]
        reader, writer = os.pipe()
        publisher.connections._crowd.peers[reader] = peer
        publisher.connections.cut(reader)  # not even a socket
        publisher.connections.cut(10_000)  # nothing at all
        del publisher.connections._crowd.peers[reader]
        os.close(reader)
        os.close(writer)


def test_a_peer_that_speaks_something_else_is_named(
    publisher: Publisher, waker: Waker, caplog: pytest.LogCaptureFixture
) -> None:
    greeting = b"\xff" + bytes(8) + b"\x7f" + b"\3\0" + b"CURVE".ljust(20, b"\0") + bytes(32)
    with caplog.at_level(logging.WARNING), closing(call(publisher)) as stranger:
        until(lambda: count(publisher) == 1, waker, publisher)
        stranger.sendall(greeting)
        until(lambda: caplog.messages, waker, publisher)
        name = f"127.0.0.1:{stranger.getsockname()[1]}"
    assert caplog.messages == [
        f"{publisher.endpoints[0]}: refused {name}: it speaks with keys, and this address has none"
    ]


def test_a_flood_of_events_stalls_nothing(publisher: Publisher, waker: Waker) -> None:
    """More events than a monitor holds, while nobody looks; then the socket is closed."""
    for _ in range(45):
        calls = [call(publisher) for _ in range(20)]
        for each in calls:
            with suppress(OSError):
                each.sendall(
                    b"\xff" + bytes(8) + b"\x7f\3\0" + b"WRONG".ljust(20, b"\0") + bytes(32)
                )
            each.close()
    other = Publisher((ANYWHERE,), ())
    publisher.close()
    other.close()


def test_a_connecting_socket_knows_whether_it_is_connected(
    publisher: Publisher, waker: Waker
) -> None:
    with closing(subscriber(publisher)) as sub:
        assert sub.connections is not None
        until(lambda: sub.connections.ready, waker, publisher, sub)  # type: ignore[union-attr]
        publisher.close()
        until(lambda: not sub.connections.ready, waker, sub)  # type: ignore[union-attr]


def test_wrong_sockets_meet(waker: Waker, publisher: Publisher) -> None:
    """A DEALER at an XPUB: neither is served, and the publisher counts nobody."""
    endpoint = parse_endpoint(publisher.endpoints[0], bind=False)
    with closing(Dialogue((), (endpoint,), MAX_BYTES)) as dealer:
        began_ns = monotonic_ns()
        while monotonic_ns() - began_ns < NS // 2:
            wait_for((publisher, dealer), waker, 20)
            pause(0.01)
        assert publisher.peers == 0
        assert not dealer.connected


def test_a_worker_that_talks_is_cut_and_leaves_nothing(waker: Waker) -> None:
    """What it says is read by nobody: libzmq must not wait for that before it sees the end."""
    with closing(Pusher((parse_endpoint("push-pull+tcp://127.0.0.1:*", bind=True),), ())) as pusher:
        port = int(pusher.endpoints[0].rpartition(":")[2])
        before = len(os.listdir("/dev/fd"))
        for empties in (3, 20_000):
            with socket.create_connection(("127.0.0.1", port)) as talker:
                talker.sendall(greeting() + ready(b"PULL"))
                until(lambda: pusher.has_room, waker, pusher)
                talker.sendall(bytes(2 * empties))
                if empties > 10:
                    until(lambda: not is_open(talker), waker, pusher)
            until(lambda: count(pusher) == 0, waker, pusher)
        until(lambda: len(os.listdir("/dev/fd")) == before, waker, pusher)


def test_zmtp_1_is_refused_and_leaves_nothing(publisher: Publisher, waker: Waker) -> None:
    before = len(os.listdir("/dev/fd"))
    with call(publisher) as old:
        old.sendall(b"\1\0" * 2500)
        until(lambda: not is_open(old), waker, publisher)
    until(lambda: len(os.listdir("/dev/fd")) == before, waker, publisher)
