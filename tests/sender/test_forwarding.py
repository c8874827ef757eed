"""Packets and statuses that are passed on as they are."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from framewire.common.clock import wall_ns
from framewire.common.errors import MetadataError
from framewire.common.frame import Header, Status
from framewire.common.transport import Publisher
from framewire.sender import Sender
from framewire.sender.outlets import publishing
from sender.controls import Gate, feed
from sender.peers import ADDRESS, DEADLINE_S, Listener, lost

if TYPE_CHECKING:
    from sender.conftest import Chart, Eventually, MakePacket


def test_what_is_forwarded_stays_as_it_is(
    listener: Listener, packet: "MakePacket", gate: Gate, eventually: "Eventually"
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
    assert lost(listener.messages) == 2


def test_the_topic_of_what_is_forwarded(listener: Listener, packet: "MakePacket") -> None:
    with Sender(ADDRESS, topic="site/gate") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.forward(packet(0))
        out.forward(packet(0), topic="other/")
        assert [p.topic for p in listener.until_packets(2)] == ["site/gate", "other"]


def test_a_device_that_has_no_run_of_its_own_gets_the_senders(
    listener: Listener, packet: "MakePacket", chart: "Chart"
) -> None:
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.forward(packet(3, sender=""))
        out.send(chart(0))
        first, second = listener.until_packets(2)
    assert first.header.sender == second.header.sender == listener.until_ended().sender != ""
    assert (first.sequence, second.sequence) == (3, 4)


def test_forwarding_waits_while_the_socket_is_behind(
    listener: Listener,
    packet: "MakePacket",
    threads: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
    eventually: "Eventually",
) -> None:
    monkeypatch.setattr(publishing, "_OUTBOX_BYTES", 1)
    may_go = threading.Event()
    send = Publisher.send

    def slow(publisher: Publisher, parts: tuple[bytes, bytes, bytes]) -> None:
        assert may_go.wait(DEADLINE_S)
        send(publisher, parts)

    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        monkeypatch.setattr(Publisher, "send", slow)
        waits = threads.submit(feed, out.forward, map(packet, range(10)))
        eventually(lambda: out.stats.captured >= 2)
        assert not waits.done()
        may_go.set()
        waits.result(DEADLINE_S)
        listener.until_packets(10)
    assert listener.sequences() == list(range(10))


def test_sending_after_forwarding_is_told_as_a_run_of_its_own(
    listener: Listener, packet: "MakePacket", chart: "Chart"
) -> None:
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.forward(packet(0))
        out.send(chart(1))
        listener.until_packets(2)
    listener.until_ended()
    assert lost(listener.messages) == 0


def test_metadata_of_what_is_forwarded_is_checked_too(
    listener: Listener, packet: "MakePacket", chart: "Chart"
) -> None:
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        with pytest.raises(MetadataError):
            out.forward(packet(0, metadata={"score": np.float32(0.5)}))
        out.send(chart(1))
        listener.until_packets(1)


def test_metadata_can_be_added_to_what_is_forwarded(
    listener: Listener, packet: "MakePacket"
) -> None:
    given = packet(0, metadata={"gain": 4, "site": "yard"})
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.forward(given, metadata={"gain": 5})
        with pytest.raises(MetadataError):
            out.forward(given, metadata={"score": np.float32(0.5)})
        got = listener.until_packets(1)[0]
    assert got.metadata == {"gain": 5, "site": "yard"}
    assert got.payload == given.payload
    assert given.metadata == {"gain": 4, "site": "yard"}
    assert listener.until_ended().sequence == 1


def test_a_status_that_is_forwarded_gets_the_senders_topic_and_run(listener: Listener) -> None:
    said = Status(topic="theirs", sender="", sequence=3, sent_ns=1, state="no-signal")
    with Sender(ADDRESS, topic="ours") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.forward(said)
        listener.until(lambda: any(s.state == "no-signal" for s in listener.statuses))
        status = next(s for s in listener.statuses if s.state == "no-signal")
    assert (status.topic, status.sequence) == ("ours", 3)
    assert len(status.sender) == 16
