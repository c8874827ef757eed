"""Who asks and subscribes for ill: requests that are none, thousands of subscriptions, floods.

Honest receivers beside them get every frame, and the sender's memory stays flat.
"""

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import zmq

from faults.hostile import bad_requests, odd_requests
from faults.memory import resident_bytes, settled_bytes
from framewire.common.config import Limits
from framewire.common.frame import Packet, Status
from framewire.common.keys import make_keys, read_own
from framewire.common.request import Request
from framewire.receiver import Receiver
from framewire.sender import Sender
from receiver.publishing import until
from sender.peers import Asker

MEGABYTE = 1 << 20
DEADLINE_S = 20
BAD = bad_requests()
ODD = odd_requests()


def image(number: int = 0) -> Any:
    return np.full((48, 64, 3), number % 256, np.uint8)


@contextmanager
def raw(kind: int, url: str, **options: int) -> Iterator[Any]:
    """A socket of somebody else, connected to a sender."""
    context = zmq.Context()
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVTIMEO, DEADLINE_S * 1000)
    for name, value in options.items():
        socket.setsockopt(getattr(zmq, name), value)
    socket.connect(url.removeprefix("req-rep+").removeprefix("push-pull+"))
    try:
        yield socket
    finally:
        socket.close()
        context.term()


@contextmanager
def sending(sender: Sender, **options: Any) -> Iterator[None]:
    """Frames all the while."""
    stop = threading.Event()

    def run() -> None:
        number = 0
        while not stop.wait(0.01):
            sender.send(image(number), **options)
            number += 1

    thread = threading.Thread(target=run, name="sending")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(DEADLINE_S)


# -- requests -----------------------------------------------------------------------------------------


def test_requests_that_are_none_are_answered_with_the_reason_and_disturb_nobody() -> None:
    with (
        Sender("req-rep+tcp://127.0.0.1:*", topic="cam") as sender,
        closing(Asker(sender.endpoints[0])) as client,
        raw(zmq.DEALER, sender.endpoints[0]) as hostile,
    ):
        sender.send(image())
        for number, (name, parts) in enumerate(BAD.items()):
            hostile.send_multipart([b"", *parts])
            sender.send(image(number))
            client.ask(Request(id=number))
            answer = client.answer()[0]
            assert isinstance(answer, Packet), name
            said = _reason(hostile)
            assert said is None or said.isprintable(), name
        hostile.send_multipart([b"", b""])  # of those that were none, none waits
        assert len(hostile.recv_multipart()) == 4


def _reason(hostile: Any) -> str | None:
    """What it was told, if it was told anything yet."""
    with suppress(zmq.Again):
        parts = hostile.recv_multipart(zmq.DONTWAIT)
        reason = msgpack.unpackb(parts[2])["reason"]
        assert reason.startswith("a bad request")
        return str(reason)
    return None


@pytest.mark.parametrize("name", ODD)
def test_odd_requests_get_an_answer_and_hold_nobody_up(name: str) -> None:
    with (
        Sender("req-rep+tcp://127.0.0.1:*", topic="cam", history=MEGABYTE) as sender,
        closing(Asker(sender.endpoints[0])) as client,
        raw(zmq.DEALER, sender.endpoints[0]) as hostile,
    ):
        sender.send(image())
        for _ in range(20):  # more than may wait
            hostile.send_multipart([b"", ODD[name]])
        for number in range(20):
            sender.send(image(number))
            client.ask(Request(id=number))
            assert isinstance(client.answer()[0], Packet)
        assert len(hostile.recv_multipart()) == 4


def test_requests_above_the_limit_of_a_connection_replace_the_oldest() -> None:
    with (
        Sender("req-rep+tcp://127.0.0.1:*", topic="cam", limits=Limits(requests=3)) as sender,
        raw(zmq.DEALER, sender.endpoints[0]) as asks,
    ):
        for number in range(5):
            asks.send_multipart([b"", msgpack.packb({"id": number, "topic": "later"})])
        until(lambda: sender.receivers == 1)
        answered = [msgpack.unpackb(asks.recv_multipart()[2])["request"] for _ in range(3)]
        assert answered == [2, 3, 4]


def test_large_requests_that_wait_have_a_limit_and_small_ones_are_taken() -> None:
    """At the limit, and one past it."""
    large = {"topic": [f"t{number}" for number in range(1000)]}
    weight = Request(topic=tuple(large["topic"])).weight
    limits = Limits(waiting_bytes=4 * weight)  # what waits, and what each asked for last
    with (
        Sender("req-rep+tcp://127.0.0.1:*", topic="cam", limits=limits) as sender,
        raw(zmq.DEALER, sender.endpoints[0]) as one,
        raw(zmq.DEALER, sender.endpoints[0]) as two,
        raw(zmq.DEALER, sender.endpoints[0]) as three,
    ):
        for asks in (one, two):
            asks.send_multipart([b"", msgpack.packb({**large, "id": 1})])
        until(lambda: sender.receivers == 2)
        three.send_multipart([b"", msgpack.packb({**large, "id": 1})])
        assert three.recv_multipart()[3] == b""  # a status at once
        sender.send(image())
        three.send_multipart([b"", msgpack.packb({"id": 2})])
        header = msgpack.unpackb(three.recv_multipart()[2])
        assert (header["kind"], header["request"]) == ("frame", 2)


def test_a_flood_of_large_requests_takes_no_memory() -> None:
    body = msgpack.packb(
        {
            "topic": [f"lab/{number}" for number in range(1024)],
            "after": {f"lab/{number}": ["x" * 16, number] for number in range(1024)},
        }
    )
    with (
        Sender("req-rep+tcp://127.0.0.1:*", topic="cam", history=MEGABYTE) as sender,
        closing(Asker(sender.endpoints[0])) as client,
    ):
        sender.send(image())
        before = settled_bytes()
        context = zmq.Context()
        flood = [context.socket(zmq.DEALER) for _ in range(60)]
        try:
            for socket in flood:
                socket.setsockopt(zmq.LINGER, 0)
                socket.connect(sender.endpoints[0].removeprefix("req-rep+"))
                for _ in range(8):
                    socket.send_multipart([b"", body])
            for number in range(30):
                sender.send(image(number))
                client.ask(Request(id=number))
                assert isinstance(client.answer()[0], Packet)
            # 480 of them would be 200 MB; sixteen are for what waits, and ZeroMQ's own queues.
            assert resident_bytes() - before < 100 * MEGABYTE
        finally:
            for socket in flood:
                socket.close()
            context.term()


Options = dict[str, Any]


def _keys(folder: Path) -> tuple[Options, Options, tuple[str, str, str]]:
    """Those of a sender, of a receiver, and of somebody hostile who is let in, too."""
    made = {name: make_keys(folder / name) for name in ("sender", "receiver", "hostile")}
    allow = folder / "allowed"
    allow.mkdir()
    for name in ("receiver", "hostile"):
        shutil.copy(made[name].public, allow)
    server = made["sender"].public
    own = read_own(made["hostile"].secret)
    return (
        {"key": made["sender"].secret, "allow": allow},
        {"key": made["receiver"].secret, "server_key": server},
        (own.public, own.secret, read_own(made["sender"].secret).public),
    )


# -- subscriptions --------------------------------------------------------------------------------------

_SUBSCRIBER = """
import sys, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.setsockopt(zmq.SNDHWM, 0)
if sys.argv[3:]:
    socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = map(str.encode, sys.argv[3:])
socket.connect(sys.argv[1])
for number in range(int(sys.argv[2])):
    socket.setsockopt(zmq.SUBSCRIBE, b"flood/%d/" % number)
socket.setsockopt(zmq.SUBSCRIBE, b"cam/")
print("subscribed", flush=True)
sys.stdin.read()
"""


@contextmanager
def subscriber(url: str, count: int, *keys: str) -> Iterator[None]:
    """A process that subscribes to so many topics, and stays."""
    command = [sys.executable, "-c", _SUBSCRIBER, url, str(count), *keys]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"subscribed\n"
            yield
        finally:
            process.kill()


@pytest.mark.parametrize("keyed", [False, True], ids=["plain", "keyed"])
def test_two_hundred_thousand_subscriptions_of_one_peer(
    keyed: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also of one whose key is allowed."""
    at_sender, at_receiver, keys = _keys(tmp_path) if keyed else ({}, {}, ())
    with (
        Sender("tcp://127.0.0.1:*", topic="cam", **at_sender) as sender,
        Receiver(sender.endpoints[0], keep="all", timeout=DEADLINE_S, **at_receiver) as receiver,
        sending(sender),
    ):
        receiver.read_packet()
        before, lost = settled_bytes(), receiver.stats.lost
        with subscriber(sender.endpoints[0], 200_000, *keys):
            until(lambda: "subscriptions" in caplog.text)
            most = 0
            for _ in range(200):  # two seconds of frames
                receiver.read_packet()
                most = max(most, resident_bytes())
        assert most - before < 32 * MEGABYTE  # ZeroMQ alone would keep 85
        assert receiver.stats.lost - lost < 20
        until(lambda: sender.demand == {b""})


def test_subscriptions_of_one_connection_at_the_limit_and_one_past_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    limits = Limits(subscriptions=20)
    with Sender("tcp://127.0.0.1:*", topic="cam", limits=limits) as sender:
        with raw(zmq.SUB, sender.endpoints[0]) as socket:
            for number in range(20):
                socket.setsockopt(zmq.SUBSCRIBE, b"cam/%d/" % number)
            until(lambda: len(sender.demand) == 20)
            sender.send(image(), topic="cam/7")
            assert socket.recv_multipart()[0] == b"cam/7/"
        until(lambda: not sender.demand)
        assert "subscriptions" not in caplog.text
        with raw(zmq.SUB, sender.endpoints[0], RECONNECT_IVL=-1) as socket:
            for number in range(21):
                socket.setsockopt(zmq.SUBSCRIBE, b"cam/%d/" % number)
            until(lambda: "it has more than 20 subscriptions" in caplog.text)
            until(lambda: not sender.demand)  # it was cut


def test_while_many_peers_subscribe_to_too_much_everything_is_sent() -> None:
    limits = Limits(subscriptions=20)
    with (
        Sender("tcp://127.0.0.1:*", topic="cam", limits=limits) as sender,
        raw(zmq.SUB, sender.endpoints[0]) as one,
        raw(zmq.SUB, sender.endpoints[0]) as two,
    ):
        for number in range(15):
            one.setsockopt(zmq.SUBSCRIBE, b"one/%d/" % number)
        until(lambda: len(sender.demand) == 15)
        for number in range(15):
            two.setsockopt(zmq.SUBSCRIBE, b"two/%d/" % number)
        until(lambda: sender.demand == {b""})
        for _ in range(50):  # what is sent is that which somebody wants, all the same
            sender.send(image(), topic="two/14")
            if two.poll(20):
                break
        assert two.recv_multipart()[0] == b"two/14/"
        for number in range(15):
            one.setsockopt(zmq.UNSUBSCRIBE, b"one/%d/" % number)
        until(lambda: len(sender.demand) <= 15)


def test_prefixes_that_no_topic_begins_with_are_nothing() -> None:
    with (
        Sender("tcp://127.0.0.1:*", topic="cam") as sender,
        raw(zmq.SUB, sender.endpoints[0]) as socket,
    ):
        for prefix in (b"\0", b"\xff" * 9, b"a b", b"../\n", b"x" * 256, b"\x1b[31m", "ü".encode()):
            socket.setsockopt(zmq.SUBSCRIBE, prefix)
        socket.setsockopt(zmq.SUBSCRIBE, b"cam")
        until(lambda: sender.demand == {b"cam"})
        assert sender.receivers == 1


def test_who_subscribes_again_and_again_makes_nobody_hear_more_statuses() -> None:
    with (
        Sender("tcp://127.0.0.1:*", topic="cam") as sender,
        Receiver(sender.endpoints[0], keep="all", statuses=True) as receiver,
        raw(zmq.SUB, sender.endpoints[0]) as socket,
    ):
        until(lambda: sender.receivers >= 1)
        heard = 0
        stop = threading.Event()

        def churn() -> None:
            while not stop.wait(0.004):  # each comes by itself
                socket.setsockopt(zmq.SUBSCRIBE, b"cam/")
                socket.setsockopt(zmq.UNSUBSCRIBE, b"cam/")

        thread = threading.Thread(target=churn)
        thread.start()
        try:
            end = threading.Event()
            threading.Timer(2, end.set).start()
            for message in receiver.messages(DEADLINE_S):
                heard += isinstance(message, Status)
                if end.is_set():
                    break
        finally:
            stop.set()
            thread.join(DEADLINE_S)
        assert heard < 60  # ten a second, and not one for each


# -- topics -----------------------------------------------------------------------------------------------


def test_more_topics_than_a_request_may_name_are_refused_at_once() -> None:
    Receiver("tcp://127.0.0.1:9", topics=[f"t{n}" for n in range(1024)]).close()
    with pytest.raises(ValueError, match="1025 topics are too many"):
        Receiver("tcp://127.0.0.1:9", topics=[f"t{n}" for n in range(1025)])
