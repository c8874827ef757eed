"""Publishers and subscribers over tcp, ipc and inproc; what is done where a queue is full."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import zmq

from common.transport.meeting import (
    DEADLINE_S,
    FRAME,
    MAX_BYTES,
    Pair,
    bindable,
    pair_at,
    patient_pair,
)
from framewire.common.clock import NS, pause
from framewire.common.endpoint import Endpoint
from framewire.common.stats import Patience
from framewire.common.transport import Publisher, Subscriber, pubsub, sockets

# -- messages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("bind", ["pub", "sub"])
def test_a_message_arrives(address: Endpoint, bind: str) -> None:
    with pair_at(address, bind=bind) as pair:
        assert pair.sub.receive() is None
        pair.pub.send(FRAME)
        assert pair.next_messages() == [FRAME]
        assert pair.sub.receive() is None


def test_subscriptions_are_seen_when_they_begin_and_end(address: Endpoint) -> None:
    with pair_at(address, b"lab/", b"yard/") as pair:  # which sees them begin
        assert list(pair.pub.subscriptions()) == []
        pair.sub.close()
        assert sorted(pair.next_changes(2)) == [(False, b"lab/"), (False, b"yard/")]


def test_every_subscriber_of_a_topic_is_counted(address: Endpoint) -> None:
    with pair_at(address, b"lab/") as pair:
        second = pair.another((b"lab/",))
        assert pair.next_changes(1) == [(True, b"lab/")]
        second.close()
        assert pair.next_changes(1) == [(False, b"lab/")]


def test_what_is_no_subscription_is_passed_over(address: Endpoint) -> None:
    with pair_at(address) as pair:
        context = sockets._contexts.acquire()
        stranger = context.socket(zmq.XSUB)  # it may send upstream what it likes
        stranger.connect(pair.pub.endpoints[0])
        for message in (b"rubbish", b"", b"\2x", b"\1good"):
            stranger.send(message)
        assert pair.next_changes(1) == [(True, b"good")]
        stranger.close(0)
        sockets._contexts.release()


def test_a_prefix_never_takes_a_longer_number(address: Endpoint) -> None:
    with pair_at(address, b"lab/cam1/") as pair:
        for topic in (b"lab/cam10/", b"lab/cam1/", b"lab/", b"lab/cam1", b"lab/cam1/left/"):
            pair.pub.send([topic, b"", b""])
        topics = [parts[0] for parts in pair.next_messages(2)]
        assert topics == [b"lab/cam1/", b"lab/cam1/left/"]
        assert pair.sub.receive() is None


def test_without_a_prefix_nothing_comes() -> None:
    with pair_at(bindable("inproc://s")) as pair, closing(pair.another(())) as silent:
        assert list(pair.pub.subscriptions()) == []
        pair.pub.send(FRAME)
        assert pair.next_messages() == [FRAME]
        assert silent.receive() is None  # inproc: it is there at once or never


def test_a_message_above_the_limit_ends_the_connection(tmp_path: Path) -> None:
    with pair_at(bindable(f"ipc://{tmp_path}/s")) as pair:
        pair.pub.send([b"lab/", b"", bytes(MAX_BYTES)])
        pair.pub.send([b"lab/", b"", bytes(MAX_BYTES + 1)])
        assert pair.next_changes(1) == [(False, b"")]
        assert [len(parts[2]) for parts in pair.next_messages(1)] == [MAX_BYTES]
        assert pair.sub.receive() is None


# -- other topics at run time -------------------------------------------------------------------


def test_other_topics_can_be_chosen_while_it_runs(address: Endpoint) -> None:
    with pair_at(address, b"lab/", b"yard/") as pair:
        pair.sub.select([b"yard/", b"gate/"])
        assert sorted(pair.next_changes(2)) == [(False, b"lab/"), (True, b"gate/")]
        for topic in (b"lab/", b"yard/", b"gate/"):
            pair.pub.send([topic, b"", b""])
        assert [parts[0] for parts in pair.next_messages(2)] == [b"yard/", b"gate/"]


def test_what_is_chosen_already_is_not_subscribed_to_again() -> None:
    with pair_at(bindable("inproc://s"), b"lab/") as pair:
        pair.sub.select([b"lab/", b"lab/"])
        pair.sub.select({b"lab/"})
        pair.sub.select([])
        assert pair.next_changes(1) == [(False, b"lab/")]
        assert list(pair.pub.subscriptions()) == []
        pair.sub.select([b"lab/"])
        assert pair.next_changes(1) == [(True, b"lab/")]


def test_what_is_chosen_before_anybody_is_there_counts_when_somebody_is() -> None:
    place = bindable("inproc://s")
    with closing(Subscriber([place], [], [b"lab/"], MAX_BYTES)) as sub:
        sub.select([b"yard/"])
        with closing(Publisher([], [place])) as pub:
            assert Pair(pub, sub).next_changes(1) == [(True, b"yard/")]
            assert list(pub.subscriptions()) == []


# -- coming and going ---------------------------------------------------------------------------

COMING_AND_GOING = """
import time
from contextlib import closing
from common.transport.meeting import bindable, connectable
from framewire.common.transport import Publisher, Subscriber

with closing(Publisher([bindable("tcp://127.0.0.1:*")], [], topics=4)) as pub:
    place = connectable(pub.endpoints[0])
    for count in range(200):
        with closing(Subscriber([], [place], [b""], 1000)):
            time.sleep(0.004)  # it comes, or not: both happen, and nobody looks meanwhile
        time.sleep(0.002)
        for _ in pub.subscriptions():
            pass
        pub.send([b"cam/", b"", b""])
"""


def test_receivers_that_come_and_go_do_not_end_the_process() -> None:
    """In a process of its own: one that changed the marks meanwhile died of a segmentation fault."""
    done = subprocess.run(
        [sys.executable, "-c", COMING_AND_GOING],
        check=False,
        timeout=DEADLINE_S,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.returncode, done.stderr) == (0, "")


# -- full queues: over inproc they are exactly the two marks, no kernel has buffers --------------

MARKS = pubsub.SEND_MARK_PER_TOPIC + pubsub.RECEIVE_MARK


def _fill(pair: Pair) -> None:
    for number in range(MARKS):
        pair.pub.send([b"lab/", b"", b"%d" % number])


def test_send_never_waits_and_a_full_queue_keeps_the_order() -> None:
    with pair_at(bindable("inproc://s")) as pair:
        _fill(pair)
        for _ in range(20):
            pair.pub.send(FRAME)
        numbers = [parts[2] for parts in pair.next_messages(MARKS)]
        assert numbers == [b"%d" % number for number in range(MARKS)]
        assert pair.sub.receive() is None


def _notice_room(pub: Publisher) -> None:
    """ZeroMQ looks for room only now and then between sends, but always before a vain receive."""
    assert list(pub.subscriptions()) == []


def test_a_slow_receiver_costs_the_others_nothing() -> None:
    with pair_at(bindable("inproc://s")) as pair, closing(pair.another((b"",))) as quick:
        pair.next_changes(1)
        for number in range(MARKS * 3):
            message = [b"lab/", b"", b"%d" % number]
            pair.pub.send(message)
            assert quick.receive() == message
            _notice_room(pair.pub)


def _last_word_arrives(pair: Pair, monkeypatch: pytest.MonkeyPatch, timeout_ms: int) -> bool:
    """Whether it comes to a receiver that reads only after the first attempt was refused."""
    refused = threading.Event()
    taken: list[list[bytes] | None] = []

    def pause_and_tell(seconds: float) -> None:
        refused.set()
        pause(seconds)

    monkeypatch.setattr(pubsub, "pause", pause_and_tell)
    with ThreadPoolExecutor(1) as threads:
        last = threads.submit(pair.pub.send_to_all, FRAME, timeout_ms)
        assert refused.wait(DEADLINE_S)
        while not last.done():
            taken.append(pair.sub.receive())
        last.result(DEADLINE_S)
    return FRAME in [*taken, *iter(pair.sub.receive, None)]


def test_a_last_word_waits_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    with pair_at(bindable("inproc://s")) as pair:
        _fill(pair)
        assert _last_word_arrives(pair, monkeypatch, DEADLINE_S * 1000)


def test_a_last_word_waits_for_a_receiver_that_missed_something_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pair_at(bindable("inproc://s")) as pair:
        _fill(pair)
        pair.pub.send([b"lab/", b"", b"dropped"])
        # Nobody can tell when it came, so it is said again until the time is over.
        assert _last_word_arrives(pair, monkeypatch, 3000)


def test_a_burst_reaches_a_receiver_that_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Far more at once than all queues hold; without patience most of it would be dropped."""
    monkeypatch.setattr(pubsub, "_PATIENT", (DEADLINE_S * NS, 0.05))
    burst = [[b"lab/", b"", bytes([number]) * MAX_BYTES] for number in range(50)]
    with ThreadPoolExecutor(1) as threads, patient_pair() as pair:
        reader = threads.submit(pair.next_messages, len(burst))
        for message in burst:
            pair.pub.send(message)
        assert reader.result(DEADLINE_S) == burst


def test_each_topic_has_its_room_in_a_queue() -> None:
    """Frames of many topics at once, before the receiver reads any."""
    place = bindable("inproc://s")
    with (
        closing(Publisher([place], [], topics=64)) as pub,
        closing(Subscriber([], [place], [b""], MAX_BYTES)) as sub,
    ):
        pair = Pair(pub, sub)
        pair.next_changes(1)
        pub._patience = Patience(0, 0.0)
        messages = [[b"cam%d/" % topic, b"", b"x"] for topic in range(64)]
        for message in messages:
            pub.send(message)
        assert pair.next_messages(64) == messages


def test_patience_with_a_receiver_that_does_not_read_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(pubsub, "pause", pauses.append)
    with pair_at(bindable("inproc://s")) as pair:
        _fill(pair)
        pair.pub._patience = Patience(0, 0.0)
        for _ in range(100):
            pair.pub.send(FRAME)
    assert pauses == []


def test_a_last_word_does_not_wait_for_ever() -> None:
    with pair_at(bindable("inproc://s")) as pair:
        _fill(pair)
        pair.pub.send_to_all(FRAME, 1)
        pair.pub.send(FRAME)  # dropped as ever
        assert FRAME not in pair.next_messages(MARKS)
        _notice_room(pair.pub)
        pair.pub.send(FRAME)
        assert pair.next_messages() == [FRAME]


def test_after_a_last_word_send_drops_again() -> None:
    with pair_at(bindable("inproc://s")) as pair:
        pair.pub.send_to_all(FRAME, 1000)
        _fill(pair)
        pair.pub.send(FRAME)


def test_what_keeps_queues_short_is_set() -> None:
    with pair_at(bindable("inproc://s")) as pair:
        pub, sub = pair.pub.socket, pair.sub.socket
        assert [each.get(zmq.LINGER) for each in (pub, sub)] == [0, 0]
        assert [each.get(zmq.HEARTBEAT_IVL) for each in (pub, sub)] == [0, 0]
        assert [each.get(zmq.TCP_KEEPALIVE) for each in (pub, sub)] == [1, 1]
        assert pub.get(zmq.SNDHWM) == pubsub.SEND_MARK_PER_TOPIC <= 2
        assert sub.get(zmq.RCVHWM) == pubsub.RECEIVE_MARK <= 4
        assert pub.get(zmq.SNDBUF) == sub.get(zmq.RCVBUF) == pubsub.BUFFER_BYTES <= 256 * 1024
