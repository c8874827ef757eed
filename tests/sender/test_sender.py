"""What a sender is given: addresses, images, topics, metadata; and who owns them then."""

import socket
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import framewire.sender
from framewire.common.clock import monotonic_ns, wall_ns
from framewire.common.errors import (
    EndpointError,
    MetadataError,
    TopicError,
    TransportError,
    UsageError,
)
from framewire.common.jpeg import decode
from framewire.common.testchart import read_number
from framewire.common.transport import open_sockets
from framewire.sender import Sender, encoder
from sender.controls import Gate
from sender.peers import ADDRESS, DEADLINE_S, Listener

if TYPE_CHECKING:
    from sender.conftest import Chart, Eventually, Listen, MakeFrame, MakePacket


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
        ({"history": 1}, UsageError),
        ({"history": -1}, UsageError),
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


def test_where_one_address_fails_none_stays_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(TransportError, match="another program"):
            Sender(ADDRESS, f"req-rep+{taken}", connect="req-rep+inproc://x")
        assert open_sockets() == 0
        with pytest.raises(TransportError, match="another program"):
            Sender(ADDRESS, "req-rep+inproc://x", f"push-pull+{taken}")
        assert open_sockets() == 0


# -- sending ------------------------------------------------------------------------------------


def test_a_plain_image(listener: Listener, chart: "Chart") -> None:
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


def test_a_frame_of_a_source_keeps_its_facts(listener: Listener, frame: "MakeFrame") -> None:
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


def test_the_quality_is_85_unless_it_is_said(listener: Listener, chart: "Chart") -> None:
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(chart(0))
        assert listener.until_packets(1)[0].header.quality == 85


def test_the_encoding_time_is_in_milliseconds(
    listener: Listener, chart: "Chart", monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter((0, 4_000_000, 10_000_000, 16_000_000))
    monkeypatch.setattr(encoder, "monotonic_ns", lambda: next(ticks))
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        assert np.isnan(out.stats.encode_ms).all()
        out.send(chart(0))
        listener.until_packets(1)  # two that wait are encoded side by side
        out.send(chart(1))
        packets = listener.until_packets(2)
        assert [p.header.encode_us for p in packets] == [4000, 6000]
        assert out.stats.encode_ms[1] == 6.0


def test_a_gray_image(listener: Listener, chart: "Chart") -> None:
    with Sender(ADDRESS, topic="gray") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(np.ascontiguousarray(chart(6)[:, :, 0]))
        out.send(chart(7)[:, :, :1])
        packets = listener.until_packets(2)
    assert [p.header.channels for p in packets] == [1, 1]
    assert [read_number(decode(p.payload)) for p in packets] == [6, 7]


def test_scaling_and_gray(listener: Listener, chart: "Chart") -> None:
    with Sender(ADDRESS, topic="small", size=(120, 100), gray=True) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(chart(9))
        header = listener.until_packets(1)[0].header
    assert (header.width, header.height, header.channels) == (120, 100, 1)


def test_which_topic_a_frame_gets(listener: Listener, frame: "MakeFrame", chart: "Chart") -> None:
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
    listener: Listener, chart: "Chart", eventually: "Eventually"
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
def test_what_is_no_image_is_refused(listener: Listener, chart: "Chart", image: Any) -> None:
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        with pytest.raises(UsageError, match="cannot send"):
            out.send(image)
        out.send(chart(1))
        assert listener.until_packets(1)[0].sequence == 0


@pytest.mark.parametrize("topic", ["", "a b", "/a", "a//b", "x" * 255, "line\n"])
def test_a_bad_topic_is_refused(
    listener: Listener, chart: "Chart", packet: "MakePacket", topic: str
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
    listener: Listener, chart: "Chart", metadata: dict[Any, Any]
) -> None:
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        with pytest.raises(MetadataError):
            out.send(chart(0), metadata=metadata)
        out.send(chart(1), metadata={"fine": True})
        assert listener.until_packets(1)[0].sequence == 0


def test_metadata_of_frame_and_call_together_are_checked(
    listener: Listener, frame: "MakeFrame"
) -> None:
    half = "y" * 40_000
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        with pytest.raises(MetadataError, match="too large"):
            out.send(frame(0, metadata={"a": half}), metadata={"b": half})


# -- who owns the array -------------------------------------------------------------------------


def test_the_array_may_be_overwritten_at_once(
    listener: Listener, chart: "Chart", gate: Gate
) -> None:
    gate.shut()
    image = chart(11)
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(image)
        image[:] = 0
        gate.open()
        assert read_number(decode(listener.until_packets(1)[0].payload)) == 11


def test_an_array_may_be_given_away(listener: Listener, chart: "Chart", gate: Gate) -> None:
    image = chart(12)
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(image, copy=False)
        out.send(image, copy=True)
        listener.until_packets(2)
    assert [np.shares_memory(seen, image) for seen in gate.images] == [True, False]


def test_metadata_that_a_program_put_into_a_frame_is_checked_too(
    listener: Listener, frame: "MakeFrame", chart: "Chart"
) -> None:
    drawn_on = frame(0)
    drawn_on.metadata["score"] = np.float32(0.5)
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        with pytest.raises(MetadataError):
            out.send(drawn_on)
        out.send(chart(1))
        listener.until_packets(1)


def test_metadata_may_be_changed_at_once(listener: Listener, chart: "Chart", gate: Gate) -> None:
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
