"""The sender, with a plain SUB socket at the other end whose queues have no marks: so a frame that
does not arrive was dropped by the sender itself.

Where the order of threads matters, the encoder waits at a gate that the test opens.
"""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import framewire.sender
from framewire.common import jpeg, transport
from framewire.common.clock import NS, monotonic_ns, wall_ns
from framewire.common.errors import (
    Closed,
    EndpointError,
    MetadataError,
    TopicError,
    TransportError,
    UsageError,
)
from framewire.common.frame import Frame, Header, Image, Packet, Status
from framewire.common.gaps import GapCounter
from framewire.common.jpeg import decode
from framewire.common.testchart import read_number
from framewire.common.transport import Publisher, open_sockets
from framewire.sender import Sender, encoder, sender

if TYPE_CHECKING:
    from sender.conftest import Chart, Eventually, Listen, Listener, MakeFrame, MakePacket

DEADLINE_S = 20
ADDRESS = "inproc://sender-test"


@pytest.fixture
def listener(listen: "Listen") -> "Listener":
    """Subscribed to everything, waiting for a sender at ADDRESS."""
    return listen(ADDRESS)


class Gate:
    """Stands before the JPEG encoder."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        self.images: list[Image] = []
        self._open = threading.Event()
        self._open.set()

    def __call__(self, image: Image, quality: int) -> bytes:
        self.images.append(image)
        self.arrived.release()
        assert self._open.wait(DEADLINE_S)
        return self._encode(image, quality)

    _encode = staticmethod(jpeg.encode)

    def shut(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    def until_busy(self) -> None:
        """Until the encoder stands at the gate with one more frame."""
        assert self.arrived.acquire(timeout=DEADLINE_S)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(encoder, "encode", gate)
    yield gate
    gate.open()


class Passes:
    """Counts the rounds of the sender's socket thread."""

    def __init__(self) -> None:
        self.count = 0

    def wait(self, *args: Any) -> None:
        self.count += 1
        self._wait(*args)

    _wait = staticmethod(transport.wait)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Passes:
    passes = Passes()
    monkeypatch.setattr(sender, "wait", passes.wait)
    return passes


class Clock:
    """The monotonic clock of the sender, which the test turns."""

    def __init__(self) -> None:
        self.now_ns = 10 * NS

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(sender, "monotonic_ns", clock)
    return clock


def _all(call: Callable[[Any], None], items: Iterable[Any]) -> None:
    for item in items:
        call(item)


def _lost(listener: "Listener", topic: str | None = None) -> int:
    """What a receiver would count as lost."""
    counters: dict[str, GapCounter] = {}
    for message in list(listener.messages):
        counter = counters.setdefault(message.topic, GapCounter())
        if isinstance(message, Packet):
            counter.frame(message.header.sender, message.sequence, replay=message.header.replay)
        else:
            counter.status(message.sender, message.sequence)
    return sum(each.lost for name, each in counters.items() if topic in (None, name))


# -- beginning ----------------------------------------------------------------------------------


def test_the_public_names() -> None:
    assert set(framewire.sender.__all__) == {
        "Sender",
        "SenderStats",
        "Source",
        "TopicSent",
        "open_source",
    }
    for name in framewire.sender.__all__:
        assert getattr(framewire.sender, name).__doc__


def test_the_system_chooses_the_port(listen: "Listen", chart: "Chart") -> None:
    with Sender("tcp://127.0.0.1:*", topic="lab/cam1") as out:
        (address,) = out.endpoints
        assert int(address.removeprefix("tcp://127.0.0.1:")) > 0
        listener = listen(address)
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(chart(0))
        listener.until_packets(1)


def test_several_addresses_and_one_encoding(
    listen: "Listen", chart: "Chart", gate: Gate, eventually: "Eventually"
) -> None:
    bound = listen("tcp://127.0.0.1:*", bind=True)
    with Sender(ADDRESS, "tcp://127.0.0.1:*", connect=bound.endpoint, topic="cam") as out:
        assert len(out.endpoints) == 3
        others = [listen(address) for address in out.endpoints[:2]]
        assert out.wait_for_receivers(3, DEADLINE_S)
        assert out.receivers == out.stats.receivers == 3
        out.send(chart(5))
        for listener in (bound, *others):
            assert read_number(decode(listener.until_packets(1)[0].payload)) == 5
        assert len(gate.images) == 1
        others[0].close()
        eventually(lambda: out.receivers == 2, "the receiver that left is forgotten")


def test_connecting_binds_nothing_else(listen: "Listen") -> None:
    bound = listen("tcp://127.0.0.1:*", bind=True)
    with Sender(connect=[bound.endpoint]) as out:
        assert out.endpoints == (bound.endpoint,)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"quality": 0}, UsageError),
        ({"size": (0, 5)}, UsageError),
        ({"topic": "no good"}, TopicError),
        ({"topic": ""}, TopicError),
        ({"connect": "tcp://127.0.0.1:*"}, EndpointError),
        ({"connect": ["nonsense"]}, EndpointError),
    ],
)
def test_arguments_are_checked_before_anything_is_opened(
    arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        Sender(**{"connect": "tcp://127.0.0.1:9", **arguments})
    assert open_sockets() == 0


def test_where_strangers_could_connect_it_is_refused() -> None:
    with pytest.raises(EndpointError, match="--insecure"):
        Sender("tcp://0.0.0.0:*")
    with Sender("tcp://0.0.0.0:*", insecure=True) as out:
        assert out.endpoints[0].startswith("tcp://0.0.0.0:")


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(TransportError, match="another program"):
            Sender(address)
    # And nothing was left running: the fixture of every test sees to that.


# -- sending ------------------------------------------------------------------------------------


def test_a_plain_image(listener: "Listener", chart: "Chart") -> None:
    with Sender(ADDRESS, topic="lab/cam1", quality=90) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        before = wall_ns(), monotonic_ns()
        out.send(chart(3), metadata={"gain": 4})
        after = wall_ns(), monotonic_ns()
        packet = listener.until_packets(1)[0]
    header = packet.header
    assert (header.topic, header.sequence, header.dropped) == ("lab/cam1", 0, 0)
    assert (header.width, header.height, header.channels) == (160, 96, 3)
    assert (header.codec, header.quality, header.metadata) == ("jpeg", 90, {"gain": 4})
    assert before[0] <= header.captured_ns <= after[0]
    assert before[1] <= header.monotonic_ns <= after[1]
    assert header.captured_ns <= header.sent_ns <= wall_ns()
    assert not header.replay
    assert len(bytes.fromhex(header.sender)) == 8
    assert read_number(decode(packet.payload)) == 3


def test_a_frame_of_a_source_keeps_its_facts(listener: "Listener", frame: "MakeFrame") -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(frame(40, metadata={"gain": 4, "site": "yard"}))
        out.send(frame(41, metadata={"gain": 4, "site": "yard"}), metadata={"gain": 5, "boxes": []})
        first, second = listener.until_packets(2)
    source = frame(40).header
    assert (first.topic, first.sequence) == ("source", 0)  # numbered by the sender
    assert first.header.captured_ns == source.captured_ns
    assert first.header.monotonic_ns == source.monotonic_ns
    assert first.metadata == {"gain": 4, "site": "yard"}
    assert second.metadata == {"gain": 5, "site": "yard", "boxes": []}


def test_the_quality_is_85_unless_it_is_said(listener: "Listener", chart: "Chart") -> None:
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(chart(0))
        assert listener.until_packets(1)[0].header.quality == 85


def test_the_encoding_time_is_in_milliseconds(
    listener: "Listener", chart: "Chart", monkeypatch: pytest.MonkeyPatch, eventually: "Eventually"
) -> None:
    ticks = iter((0, 4_000_000, 10_000_000, 16_000_000))
    monkeypatch.setattr(encoder, "monotonic_ns", lambda: next(ticks))
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        assert np.isnan(out.stats.encode_ms).all()
        out.send(chart(0))
        out.send(chart(1))
        packets = listener.until_packets(2)
        assert [p.header.encode_us for p in packets] == [4000, 6000]
        assert out.stats.encode_ms[1] == 6.0


def test_a_gray_image(listener: "Listener", chart: "Chart") -> None:
    with Sender(ADDRESS, topic="gray") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(np.ascontiguousarray(chart(6)[:, :, 0]))
        out.send(chart(7)[:, :, :1])
        packets = listener.until_packets(2)
    assert [p.header.channels for p in packets] == [1, 1]
    assert [read_number(decode(p.payload)) for p in packets] == [6, 7]


def test_scaling_and_gray(listener: "Listener", chart: "Chart") -> None:
    with Sender(ADDRESS, topic="small", size=(120, 100), gray=True) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(chart(9))
        header = listener.until_packets(1)[0].header
    assert (header.width, header.height, header.channels) == (120, 100, 1)


def test_which_topic_a_frame_gets(listener: "Listener", frame: "MakeFrame", chart: "Chart") -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        with pytest.raises(UsageError, match="no topic"):
            out.send(chart(0))
        out.send(chart(0), topic="given/")
        out.send(frame(0))
        out.send(frame(0), topic="rather")
        assert [p.topic for p in listener.until_packets(3)] == ["given", "source", "rather"]
    with Sender("inproc://second", topic="own") as out:
        out.send(frame(0))
        out.send(chart(0))
        out.send(chart(0), topic="other")
        assert {name: t.captured for name, t in out.stats.topics.items()} == {"own": 2, "other": 1}


def test_several_topics_are_numbered_apart(
    listener: "Listener", chart: "Chart", eventually: "Eventually"
) -> None:
    topics = ("lab/a", "lab/b", "lab/c")
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        for number in range(4):
            for topic in topics[: 1 + number % 3]:
                out.send(chart(number), topic=topic)
        listener.until_packets(7)
        eventually(lambda: out.stats.sent == 7)
        stats = out.stats
    assert [listener.sequences(topic) for topic in topics] == [[0, 1, 2, 3], [0, 1], [0]]
    assert [stats.topics[topic].sent for topic in topics] == [4, 2, 1]
    assert (stats.captured, stats.sent, stats.dropped, stats.unwatched) == (7, 7, 0, 0)
    assert stats.sent_bytes == sum(len(p.payload) for p in listener.packets)
    assert len({p.header.sender for p in listener.packets}) == 1
    assert 0 <= stats.encode_ms[0] <= stats.encode_ms[1]


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros(8, np.uint8),
        [[0]],
        None,
    ],
)
def test_what_is_no_image_is_refused(listener: "Listener", chart: "Chart", image: Any) -> None:
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        with pytest.raises(UsageError, match="cannot send"):
            out.send(image)
        out.send(chart(1))
        assert listener.until_packets(1)[0].sequence == 0


@pytest.mark.parametrize("topic", ["", "a b", "/a", "a//b", "x" * 255, "line\n"])
def test_a_bad_topic_is_refused(
    listener: "Listener", chart: "Chart", packet: "MakePacket", topic: str
) -> None:
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        with pytest.raises(TopicError):
            out.send(chart(0), topic=topic)
        with pytest.raises(TopicError):
            out.forward(packet(0), topic=topic)
        with pytest.raises(TopicError):
            out.announce("live", topic=topic)
        out.send(chart(1))
        assert listener.until_packets(1)[0].sequence == 0


@pytest.mark.parametrize(
    "metadata",
    [{"x": np.float32(1)}, {1: "x"}, {"x": object()}, {"x": "y" * 70_000}, {"x": 1 << 70}],
)
def test_metadata_that_the_wire_cannot_carry_is_refused(
    listener: "Listener", chart: "Chart", metadata: dict[Any, Any]
) -> None:
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        with pytest.raises(MetadataError):
            out.send(chart(0), metadata=metadata)
        out.send(chart(1), metadata={"fine": True})
        assert listener.until_packets(1)[0].sequence == 0


def test_metadata_of_frame_and_call_together_are_checked(
    listener: "Listener", frame: "MakeFrame"
) -> None:
    half = "y" * 40_000
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        with pytest.raises(MetadataError, match="too large"):
            out.send(frame(0, metadata={"a": half}), metadata={"b": half})


# -- who owns the array -------------------------------------------------------------------------


def test_the_array_may_be_overwritten_at_once(
    listener: "Listener", chart: "Chart", gate: Gate
) -> None:
    gate.shut()
    image = chart(11)
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(image)
        image[:] = 0
        gate.open()
        assert read_number(decode(listener.until_packets(1)[0].payload)) == 11


def test_an_array_may_be_given_away(listener: "Listener", chart: "Chart", gate: Gate) -> None:
    image = chart(12)
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(image, copy=False)
        out.send(image, copy=True)
        listener.until_packets(2)
    assert [np.shares_memory(seen, image) for seen in gate.images] == [True, False]


# -- nobody listens -----------------------------------------------------------------------------


def test_nothing_is_encoded_while_nobody_subscribes(
    listen: "Listen", chart: "Chart", gate: Gate
) -> None:
    with Sender(ADDRESS, topic="lab/cam1") as out:
        other = listen(ADDRESS, prefixes=(b"lab/cam10/", b"yard/"))
        assert out.wait_for_receivers(2, DEADLINE_S)
        for number in range(5):
            out.send(chart(number))
        assert (out.stats.captured, out.stats.unwatched) == (5, 5)
        listener = listen(ADDRESS, prefixes=(b"lab/cam1/",))
        assert out.wait_for_receivers(3, DEADLINE_S)
        out.send(chart(5))
        packet = listener.until_packets(1)[0]
        assert (packet.sequence, packet.header.dropped) == (5, 0)
        assert len(gate.images) == 1
        assert (out.stats.captured, out.stats.unwatched, out.stats.dropped) == (6, 5, 0)
    listener.until_ended()
    assert _lost(listener) == 0  # it came late; that is no loss
    assert other.messages == []


def test_nothing_is_forwarded_while_nobody_subscribes(
    listen: "Listen", packet: "MakePacket"
) -> None:
    with Sender(ADDRESS) as out:
        out.forward(packet(7))
        listener = listen(ADDRESS)
        assert out.wait_for_receivers(1, DEADLINE_S)
        out.forward(packet(8))
        assert listener.until_packets(1)[0].sequence == 8
        stats = out.stats.topics["lab/cam1"]
        assert (stats.captured, stats.unwatched) == (2, 1)
    listener.until_ended()
    assert _lost(listener) == 0


def test_when_the_last_receiver_leaves_nothing_is_encoded(
    listener: "Listener", chart: "Chart", gate: Gate, eventually: "Eventually"
) -> None:
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(chart(0))
        listener.until_packets(1)
        listener.close()
        eventually(lambda: out.receivers == 0)
        out.send(chart(1))
        assert (out.stats.captured, out.stats.unwatched) == (2, 1)
        assert len(gate.images) == 1


def test_waiting_for_receivers(listen: "Listen", threads: ThreadPoolExecutor) -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(0)
        assert not out.wait_for_receivers(1, 0)
        assert not out.wait_for_receivers(1, 0.001)
        both = threads.submit(out.wait_for_receivers, 2)
        listen(ADDRESS)
        assert out.wait_for_receivers(1, DEADLINE_S)
        assert not both.done()
        listen(ADDRESS)
        assert both.result(DEADLINE_S)
        never = threads.submit(out.wait_for_receivers, 3)
        out.close()
        assert not never.result(DEADLINE_S)


# -- a busy encoder -----------------------------------------------------------------------------


def test_newest_replaces_the_frame_that_waits(
    listener: "Listener", chart: "Chart", gate: Gate
) -> None:
    gate.shut()
    with Sender(ADDRESS, topic="cam", when_full="newest") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(chart(0))
        gate.until_busy()
        for number in range(1, 6):  # 1 to 4 are replaced
            out.send(chart(number))
        assert (out.stats.captured, out.stats.dropped) == (6, 4)
        gate.open()
        listener.until_packets(2)
        gate.until_busy()
        out.send(chart(6))
        first, second, third = listener.until_packets(3)
    assert [p.sequence for p in (first, second, third)] == [0, 5, 6]
    assert [read_number(decode(p.payload)) for p in (first, second, third)] == [0, 5, 6]
    assert third.header.dropped == 4
    assert listener.until_ended().dropped == 4
    assert _lost(listener) == 4


def test_newest_of_one_topic_replaces_no_other(
    listener: "Listener", chart: "Chart", gate: Gate
) -> None:
    gate.shut()
    with Sender(ADDRESS, when_full="newest") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(chart(0), topic="a")
        gate.until_busy()
        out.send(chart(1), topic="a")
        out.send(chart(2), topic="b")
        out.send(chart(3), topic="a")
        gate.open()
        listener.until_packets(3)
        assert [out.stats.topics[name].dropped for name in "ab"] == [1, 0]
    assert (listener.sequences("a"), listener.sequences("b")) == ([0, 2], [0])


def test_block_makes_the_caller_wait_and_loses_nothing(
    listener: "Listener",
    chart: "Chart",
    gate: Gate,
    threads: ThreadPoolExecutor,
    eventually: "Eventually",
) -> None:
    gate.shut()
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(chart(0))
        gate.until_busy()
        out.send(chart(1))
        waits = threads.submit(_all, out.send, map(chart, range(2, 30)))
        eventually(lambda: out.stats.captured == 3, "the third frame numbered")
        assert not waits.done()
        gate.open()
        waits.result(DEADLINE_S)
        packets = listener.until_packets(30)
        assert out.stats.dropped == 0
    assert [read_number(decode(p.payload)) for p in packets] == list(range(30))
    assert [p.sequence for p in packets] == list(range(30))
    listener.until_ended()
    assert _lost(listener) == 0


def test_what_the_source_dropped_leaves_holes(listener: "Listener", frame: "MakeFrame") -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        for sequence, dropped in ((0, 0), (3, 2), (4, 2)):
            out.send(frame(sequence, dropped=dropped))
        packets = listener.until_packets(3)
        assert out.stats.dropped == 2
    assert [(p.sequence, p.header.dropped) for p in packets] == [(0, 0), (3, 2), (4, 2)]
    listener.until_ended()
    assert _lost(listener) == 2


def test_a_frame_that_cannot_be_encoded_is_one_frame_lost(
    listener: "Listener",
    chart: "Chart",
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    eventually: "Eventually",
) -> None:
    def encode(image: Image, quality: int) -> bytes:
        if read_number(image) in (1, 2):
            raise RuntimeError("the codec stumbled")
        return jpeg.encode(image, quality)

    monkeypatch.setattr(encoder, "encode", encode)
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        for number in range(4):
            out.send(chart(number))
        listener.until_packets(2)
        eventually(lambda: out.stats.dropped == 2)
    assert listener.sequences() == [0, 3]
    last = listener.until_ended()
    assert (last.sequence, last.dropped) == (4, 2)
    assert _lost(listener) == 2
    logged = [r.getMessage() for r in caplog.records if r.name == "framewire.sender"]
    assert logged == ["a frame of cam was not encoded: the codec stumbled"]  # once a second at most


# -- forwarding ---------------------------------------------------------------------------------


def test_what_is_forwarded_stays_as_it_is(
    listener: "Listener", packet: "MakePacket", gate: Gate, eventually: "Eventually"
) -> None:
    given = [packet(number, metadata={"n": number}, dropped=1) for number in (5, 6, 9)]
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        before_ns = wall_ns()
        for each in given:
            out.forward(each)
        packets = listener.until_packets(3)
        eventually(lambda: out.stats.sent == 3)
        stats = out.stats
    for was, now in zip(given, packets, strict=True):
        assert now.payload == was.payload
        assert now.header.sent_ns >= before_ns
        different = {
            name
            for name in Header.__struct_fields__
            if getattr(was.header, name) != getattr(now.header, name)
        }
        assert different == {"sent_ns"}
    assert gate.images == []
    assert (stats.captured, stats.sent, stats.dropped) == (3, 3, 0)  # its holes are history
    assert stats.sent_bytes == sum(len(each.payload) for each in given)
    assert np.isnan(stats.encode_ms[0])
    last = listener.until_ended()
    assert (last.sender, last.sequence, last.dropped) == ("another", 10, 1)
    assert _lost(listener) == 2


def test_the_topic_of_what_is_forwarded(listener: "Listener", packet: "MakePacket") -> None:
    with Sender(ADDRESS, topic="site/gate") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.forward(packet(0))
        out.forward(packet(0), topic="other/")
        assert [p.topic for p in listener.until_packets(2)] == ["site/gate", "other"]


def test_a_device_that_has_no_run_of_its_own_gets_the_senders(
    listener: "Listener", packet: "MakePacket", chart: "Chart"
) -> None:
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.forward(packet(3, sender=""))
        out.send(chart(0))
        first, second = listener.until_packets(2)
    assert first.header.sender == second.header.sender == listener.until_ended().sender != ""
    assert (first.sequence, second.sequence) == (3, 4)


def test_forwarding_waits_while_the_socket_is_behind(
    listener: "Listener",
    packet: "MakePacket",
    threads: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
    eventually: "Eventually",
) -> None:
    monkeypatch.setattr(sender, "_OUTBOX_BYTES", 1)
    may_go = threading.Event()
    send = Publisher.send

    def slow(publisher: Publisher, parts: tuple[bytes, bytes, bytes]) -> None:
        assert may_go.wait(DEADLINE_S)
        send(publisher, parts)

    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        monkeypatch.setattr(Publisher, "send", slow)
        waits = threads.submit(_all, out.forward, map(packet, range(10)))
        eventually(lambda: out.stats.captured >= 2)
        assert not waits.done()
        may_go.set()
        waits.result(DEADLINE_S)
        listener.until_packets(10)
    assert listener.sequences() == list(range(10))


# -- statuses -----------------------------------------------------------------------------------


def test_a_new_receiver_hears_the_state_at_once_and_then_every_second(
    listen: "Listen",
    chart: "Chart",
    clock: Clock,
    passes: Passes,
    eventually: "Eventually",
) -> None:
    def two_rounds() -> None:
        seen = passes.count
        eventually(lambda: passes.count > seen + 1)

    def quiet(listener: "Listener", count: int) -> None:
        """Two more rounds and a frame that overtakes nothing: no status came."""
        two_rounds()
        had = len(listener.packets)
        out.send(chart(0))
        listener.until_packets(had + 1)
        assert len(listener.statuses) == count

    with Sender(ADDRESS, topic="cam") as out:
        out.send(chart(0))
        two_rounds()  # the first status was sent to nobody
        first = listen(ADDRESS)
        first.until(lambda: first.statuses)
        assert first.statuses[0].state == "live"
        quiet(first, 1)
        clock.now_ns += NS - 1
        quiet(first, 1)
        clock.now_ns += 1
        first.until(lambda: len(first.statuses) == 2)
        quiet(first, 2)
        second = listen(ADDRESS)
        second.until(lambda: second.statuses)  # the clock stands
        status = second.statuses[0]
        assert (status.topic, status.sequence) == ("cam", out.stats.captured)
    assert second.until_ended().sequence == out.stats.captured


def test_statuses_come_once_a_second_on_the_real_clock(listener: "Listener") -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.announce("live", topic="cam")
        listener.until(lambda: len(listener.statuses) >= 3)
        sent = [status.sent_ns for status in listener.statuses]
    # The first two may be one change each; a slow machine can only make the rest later.
    assert sent[2] - sent[0] >= 0.9 * NS


def test_a_change_is_told_at_once(listener: "Listener", chart: "Chart", clock: Clock) -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(chart(0), topic="a")
        out.send(chart(0), topic="b")
        listener.until(lambda: {s.topic for s in listener.statuses} == {"a", "b"})
        had = len(listener.statuses)
        out.announce("no-signal", "unplugged " + "x" * 2000, topic="a")
        listener.until(lambda: len(listener.statuses) > had)
        status = listener.statuses[-1]
        assert (status.topic, status.state, len(status.reason)) == ("a", "no-signal", 1024)
        had = len(listener.statuses)
        out.announce("live")
        listener.until(lambda: len(listener.statuses) == had + 2)
        states = {s.topic: (s.state, s.reason) for s in listener.statuses[had:]}
        assert states == {"a": ("live", ""), "b": ("live", "")}


def test_a_topic_can_be_announced_before_its_first_frame(listener: "Listener") -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.announce("no-signal", "not plugged in", topic="lab/cam9")
        listener.until(lambda: listener.statuses)
        status = listener.statuses[0]
    assert (status.topic, status.state, status.sequence) == ("lab/cam9", "no-signal", 0)
    assert status.reason == "not plugged in"


def test_a_topic_may_be_announced_with_its_closing_slash(listener: "Listener") -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.announce("no-signal", topic="lab/cam9/")
        listener.until(lambda: listener.statuses)
        assert listener.statuses[0].state == "no-signal"


def test_the_last_word_is_the_final_number(listener: "Listener", chart: "Chart") -> None:
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        for number in range(7):
            out.send(chart(number))
    last = listener.until_ended()  # everything that was accepted came before it
    assert listener.sequences() == list(range(7))
    assert (last.state, last.reason, last.sequence) == ("ended", "", 7)
    assert last.sender == listener.packets[0].header.sender


def test_the_last_word_keeps_a_reason_that_was_given(listener: "Listener") -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.announce("ended", "the file is over", topic="clip")
    assert listener.until_ended().reason == "the file is over"


def test_every_topic_has_a_last_word(listener: "Listener", chart: "Chart") -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        for number, topic in enumerate("aab"):
            out.send(chart(number), topic=topic)
    listener.until(lambda: sum(s.state == "ended" for s in listener.statuses) == 2)
    ended = {s.topic: s.sequence for s in listener.statuses if s.state == "ended"}
    assert ended == {"a": 2, "b": 1}


def test_a_status_never_runs_ahead_of_frames_on_their_way(
    listener: "Listener", chart: "Chart", gate: Gate
) -> None:
    gate.shut()
    with Sender(ADDRESS, topic="cam", when_full="newest") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)

        def told() -> int:
            had = len(listener.statuses)
            out.announce("live")
            listener.until(lambda: len(listener.statuses) > had)
            return listener.statuses[-1].sequence

        out.send(chart(0))
        gate.until_busy()
        assert told() == 0
        for number in range(1, 4):
            out.send(chart(number))
            assert told() == 0
        gate.open()
        listener.until_packets(2)
        listener.until(lambda: told() == 4)
    listener.until_ended()
    assert _lost(listener) == 2  # 1 and 2, which 3 replaced


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


def _status(out: Sender, topic: str) -> Status:
    """What the sender would say of a topic now."""
    with out._lock:
        return out._topics[topic].status(topic, 0)


def test_a_status_never_runs_ahead_of_what_is_forwarded(
    listener: "Listener", packet: "MakePacket", steps: Steps
) -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        told = []
        for number in (5, 7, 8):
            out.forward(packet(number))
            told.append(_status(out, "lab/cam1").sequence)
        for _ in range(3):
            steps.until_one_stands_there()
            told.append(_status(out, "lab/cam1").sequence)
            steps.let_pass(1)
        listener.until_packets(3)
    assert told == [5, 5, 5, 5, 6, 8]
    assert listener.until_ended().sequence == 9


def test_a_status_never_mixes_two_runs(
    listener: "Listener", packet: "MakePacket", steps: Steps
) -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        for run, numbers in (("first", (98, 99)), ("second", (0, 1))):
            for number in numbers:
                out.forward(packet(number, sender=run))
        told = []
        for _ in range(4):
            steps.until_one_stands_there()
            status = _status(out, "lab/cam1")
            told.append((status.sender, status.sequence))
            steps.let_pass(1)
        listener.until_packets(4)
    # Whichever run is named, its number is not above what is still on its way.
    assert told[:2] == [("first", 98), ("first", 99)]
    assert told[2] in (("first", 100), ("second", 0))
    assert told[3] == ("second", 1)
    last = listener.until_ended()
    assert (last.sender, last.sequence) == ("second", 2)
    assert _lost(listener) == 0


def test_sending_after_forwarding_is_told_as_a_run_of_its_own(
    listener: "Listener", packet: "MakePacket", chart: "Chart"
) -> None:
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.forward(packet(0))
        out.send(chart(1))
        listener.until_packets(2)
    listener.until_ended()
    assert _lost(listener) == 0


def test_metadata_that_a_program_put_into_a_frame_is_checked_too(
    listener: "Listener", frame: "MakeFrame", chart: "Chart"
) -> None:
    drawn_on = frame(0)
    drawn_on.metadata["score"] = np.float32(0.5)
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        with pytest.raises(MetadataError):
            out.send(drawn_on)
        out.send(chart(1))
        listener.until_packets(1)


def test_metadata_of_what_is_forwarded_is_checked_too(
    listener: "Listener", packet: "MakePacket", chart: "Chart"
) -> None:
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        with pytest.raises(MetadataError):
            out.forward(packet(0, metadata={"score": np.float32(0.5)}))
        out.send(chart(1))
        listener.until_packets(1)


def test_metadata_may_be_changed_at_once(listener: "Listener", chart: "Chart", gate: Gate) -> None:
    gate.shut()
    boxes = [[1, 2, 3, 4]]
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(chart(0), metadata={"boxes": boxes})
        boxes.clear()
        gate.open()
        assert listener.until_packets(1)[0].metadata == {"boxes": [[1, 2, 3, 4]]}


def test_a_picture_above_the_limit_is_refused() -> None:
    image = np.broadcast_to(np.uint8(0), (8193, 8192))
    with Sender(ADDRESS, topic="cam") as out, pytest.raises(UsageError):
        out.send(image, copy=False)


# -- ending -------------------------------------------------------------------------------------


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
    listener: "Listener",
    chart: "Chart",
    gate: Gate,
    threads: ThreadPoolExecutor,
    eventually: "Eventually",
) -> None:
    gate.shut()
    out = Sender(ADDRESS, topic="cam")
    assert out.wait_for_receivers(timeout=DEADLINE_S)
    out.send(chart(0))
    gate.until_busy()
    out.send(chart(1))
    waits = threads.submit(out.send, chart(2))
    eventually(lambda: out.stats.captured == 3)
    closing = threads.submit(out.close)
    with pytest.raises(Closed):
        waits.result(DEADLINE_S)
    gate.open()
    closing.result(DEADLINE_S)
    out.close()
    listener.until_ended()
    assert listener.sequences() == [0, 1]  # what was accepted was sent


def test_close_wakes_a_forward_that_waits(
    listener: "Listener",
    packet: "MakePacket",
    threads: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
    eventually: "Eventually",
) -> None:
    monkeypatch.setattr(sender, "_OUTBOX_BYTES", 1)
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
    waits = threads.submit(_all, out.forward, map(packet, (1, 2, 3)))
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
    listener: "Listener", chart: "Chart", monkeypatch: pytest.MonkeyPatch
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
    listener: "Listener", chart: "Chart", gate: Gate, monkeypatch: pytest.MonkeyPatch
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
        with pytest.raises(Closed):
            out.send(chart(0))
        assert not out.wait_for_receivers(1, DEADLINE_S)
    assert "the sender stopped: the network went away" in caplog.text


def test_a_frame_is_what_the_source_made(frame: "MakeFrame") -> None:
    assert isinstance(frame(0), Frame)
