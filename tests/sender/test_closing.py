"""How a sender ends: in time, whatever happens, and with a last word."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from framewire.common.errors import Closed, FramewireError, TransportError
from framewire.common.frame import Image, Status
from framewire.common.request import Request
from framewire.common.transport import Publisher, open_sockets
from framewire.common.workers import cores
from framewire.sender import Sender, encoder, sender
from framewire.sender.outlets import publishing
from sender.controls import Gate, feed
from sender.peers import ADDRESS, DEADLINE_S, Listener, lost, until

if TYPE_CHECKING:
    from sender.conftest import Chart, Eventually, MakeAsker, MakePacket

ANSWER = "req-rep+inproc://closing-test"


class Steps:
    """Lets packets through to the socket one by one, when the test says so."""

    def __init__(self) -> None:
        self._steps, self._arrived = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, publisher: Publisher, parts: tuple[bytes, bytes, bytes]) -> None:
        if parts[2]:
            self._arrived.release()
            assert self._steps.acquire(timeout=DEADLINE_S)
        self._send(publisher, parts)

    _send = staticmethod(Publisher.send)

    def until_one_stands_there(self) -> None:
        assert self._arrived.acquire(timeout=DEADLINE_S)

    def let_pass(self, count: int) -> None:
        self._steps.release(count)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    steps = Steps()

    def send(publisher: Publisher, parts: tuple[bytes, bytes, bytes]) -> None:
        steps(publisher, parts)

    monkeypatch.setattr(Publisher, "send", send)
    yield steps
    steps.let_pass(100)


def is_closed(out: Sender) -> bool:
    """Whether it takes nothing more; a close may still be under way."""
    try:
        out.forward(Status(topic="x", sender="x", sequence=0, sent_ns=1, state="live"))
    except Closed:
        return True
    return False


def test_close_ends_all_and_may_be_called_again(chart: "Chart", packet: "MakePacket") -> None:
    out = Sender(ADDRESS, topic="cam")
    out.close()
    out.close()
    assert open_sockets() == 0
    assert not [t for t in threading.enumerate() if t.name.startswith("framewire-")]
    with pytest.raises(Closed):
        out.send(chart(0))
    with pytest.raises(Closed):
        out.forward(packet(0))
    out.announce("live")  # nobody is there to hear it
    assert not out.wait_for_receivers(1)
    assert out.stats.captured == 0


def test_the_with_block_closes_after_an_error() -> None:
    with pytest.raises(KeyError), Sender(ADDRESS):
        raise KeyError
    assert open_sockets() == 0


def test_the_address_is_free_again() -> None:
    with Sender("tcp://127.0.0.1:*") as out:
        address = out.endpoints[0]
    with Sender(address) as out:
        assert out.endpoints == (address,)


def test_close_wakes_a_send_that_waits(
    listener: Listener,
    chart: "Chart",
    gate: Gate,
    threads: ThreadPoolExecutor,
    eventually: "Eventually",
) -> None:
    gate.shut()
    out = Sender(ADDRESS, topic="cam")
    assert out.wait_for_receivers(timeout=DEADLINE_S)
    busy = cores()
    for number in range(busy):
        out.send(chart(number))
        gate.until_busy()
    out.send(chart(busy))
    waits = threads.submit(out.send, chart(busy + 1))
    eventually(lambda: out.stats.captured == busy + 2)
    closing = threads.submit(out.close)
    with pytest.raises(Closed):
        waits.result(DEADLINE_S)
    gate.open()
    closing.result(DEADLINE_S)
    out.close()
    listener.until_ended()
    assert listener.sequences() == list(range(busy + 1))  # what was accepted was sent


def test_close_wakes_a_forward_that_waits(
    listener: Listener,
    packet: "MakePacket",
    threads: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
    eventually: "Eventually",
) -> None:
    monkeypatch.setattr(publishing, "_OUTBOX_BYTES", 1)
    may_go, busy = threading.Event(), threading.Event()
    send = Publisher.send

    def slow(publisher: Publisher, parts: tuple[bytes, bytes, bytes]) -> None:
        busy.set()
        assert may_go.wait(DEADLINE_S)
        send(publisher, parts)

    out = Sender(ADDRESS)
    assert out.wait_for_receivers(timeout=DEADLINE_S)
    monkeypatch.setattr(Publisher, "send", slow)
    out.forward(packet(0))
    assert busy.wait(DEADLINE_S)
    waits = threads.submit(feed, out.forward, map(packet, (1, 2, 3)))
    eventually(lambda: out.stats.captured >= 3)
    closing = threads.submit(out.close)
    with pytest.raises(Closed):
        waits.result(DEADLINE_S)
    may_go.set()
    closing.result(DEADLINE_S)
    listener.until_ended()
    assert listener.sequences() == [0, 1]


def test_many_threads_may_close(threads: ThreadPoolExecutor) -> None:
    out = Sender(ADDRESS)
    for future in [threads.submit(out.close) for _ in range(4)]:
        future.result(DEADLINE_S)
    assert open_sockets() == 0


def test_its_own_thread_may_close_it(
    listener: Listener, chart: "Chart", monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(image: Image, quality: int) -> bytes:
        out.close()
        raise RuntimeError("closed from within")

    monkeypatch.setattr(encoder, "encode", encode)
    monkeypatch.setattr(sender, "_JOIN_S", 0.01)
    out = Sender(ADDRESS, topic="cam")
    assert out.wait_for_receivers(timeout=DEADLINE_S)
    out.send(chart(0))
    last = listener.until_ended()
    out.close()
    assert last.sequence in (0, 1)


def test_an_encoder_that_never_returns_does_not_hold_close(
    listener: Listener, chart: "Chart", gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "_JOIN_S", 0.01)
    gate.shut()
    out = Sender(ADDRESS, topic="cam")
    assert out.wait_for_receivers(timeout=DEADLINE_S)
    out.send(chart(0))
    gate.until_busy()
    out.close()  # returns
    gate.open()
    listener.until_ended()


def test_a_socket_that_fails_is_told_and_ends_the_sender(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    chart: "Chart",
    eventually: "Eventually",
) -> None:
    def subscriptions(self: Publisher) -> Iterator[tuple[bool, bytes]]:
        raise TransportError("the network went away")

    monkeypatch.setattr(Publisher, "subscriptions", subscriptions)
    with Sender(ADDRESS, topic="cam") as out:
        eventually(lambda: open_sockets() == 0)
        with pytest.raises(FramewireError, match="the network went away"):
            out.send(chart(0))
        assert not out.wait_for_receivers(1, DEADLINE_S)
    assert "the network went away" in caplog.text


def test_close_returns_though_both_encoders_hang(
    asker: "MakeAsker",
    listener: Listener,
    chart: "Chart",
    gate: Gate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sender, "_JOIN_S", 0.01)
    gate.shut()
    with Sender(ADDRESS, ANSWER, topic="cam") as out:
        assert out.wait_for_receivers(1, DEADLINE_S)
        out.send(chart(0), topic="other")
        gate.until_busy()  # that of what is published ...
        listener.close()
        until(lambda: out.receivers == 0)
        out.send(chart(0))
        asker(ANSWER).ask(Request(topic="cam"))
        gate.until_busy()  # ... and that of what is asked for
        out.close()
        gate.open()


def test_close_returns_though_a_socket_takes_nothing(
    listener: Listener, packet: "MakePacket", steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "_JOIN_S", 0.01)
    out = Sender(ADDRESS)
    assert out.wait_for_receivers(timeout=DEADLINE_S)
    out.forward(packet(0))
    steps.until_one_stands_there()
    out.close()
    with pytest.raises(Closed):
        out.forward(packet(1))
    steps.let_pass(1)
    listener.until_ended()


def test_a_second_close_can_shorten_the_first(
    chart: "Chart", threads: ThreadPoolExecutor, eventually: "Eventually"
) -> None:
    out = Sender("push-pull+inproc://nobody", topic="cam")
    out.send(chart(0))  # waits for a worker
    closing = threads.submit(out.close, 10 * DEADLINE_S)
    eventually(lambda: is_closed(out))
    out.close(0)
    closing.result(DEADLINE_S)


# -- what has not left --------------------------------------------------------------------------


def full_outbox(
    out: Sender, packet: "MakePacket", steps: Steps, threads: ThreadPoolExecutor
) -> None:
    """Close while more waits for the socket than it takes before it looks at the time again."""
    for number in range(40):
        out.forward(packet(number))
    steps.until_one_stands_there()
    closing = threads.submit(out.close, 0)
    until(lambda: is_closed(out))
    steps.let_pass(100)
    closing.result(DEADLINE_S)


def test_what_is_left_in_the_outbox_is_dropped_and_counted(
    listener: Listener, packet: "MakePacket", steps: Steps, threads: ThreadPoolExecutor
) -> None:
    out = Sender(ADDRESS)
    assert out.wait_for_receivers(timeout=DEADLINE_S)
    full_outbox(out, packet, steps, threads)
    listener.until_ended()
    stats = out.stats
    assert stats.dropped > 0
    assert (stats.captured, stats.sent) == (40, 40 - stats.dropped)
    assert len(listener.packets) == stats.sent


def test_the_last_word_tells_of_what_was_dropped_at_the_end(
    listener: Listener, packet: "MakePacket", steps: Steps, threads: ThreadPoolExecutor
) -> None:
    out = Sender(ADDRESS)
    assert out.wait_for_receivers(timeout=DEADLINE_S)
    full_outbox(out, packet, steps, threads)
    last = listener.until_ended()
    assert last.sequence == 40
    assert last.dropped == lost(listener.messages) == out.stats.dropped


def test_what_an_encoder_that_hangs_has_not_done_is_dropped_and_counted(
    listener: Listener, chart: "Chart", gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "_JOIN_S", 0.01)
    gate.shut()
    out = Sender(ADDRESS, topic="cam")
    assert out.wait_for_receivers(timeout=DEADLINE_S)
    out.send(chart(0))
    gate.until_busy()
    out.send(chart(1))
    out.close()
    listener.until_ended()
    stats = out.stats
    gate.open()
    assert (stats.captured, stats.sent, stats.dropped) == (2, 0, 2)
