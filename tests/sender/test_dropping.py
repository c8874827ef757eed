"""A busy encoder, and frames that are lost at the sender."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from framewire.common import jpeg
from framewire.common.frame import Image
from framewire.common.jpeg import decode
from framewire.common.testchart import read_number
from framewire.common.workers import cores
from framewire.sender import Sender, encoder
from sender.controls import Gate, feed
from sender.peers import ADDRESS, DEADLINE_S, Listener, lost

if TYPE_CHECKING:
    from sender.conftest import Chart, Eventually, MakeFrame


def test_newest_replaces_the_frame_that_waits(
    listener: Listener, chart: "Chart", gate: Gate
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
    assert lost(listener.messages) == 4


def test_newest_of_one_topic_replaces_no_other(
    listener: Listener, chart: "Chart", gate: Gate
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
    listener: Listener,
    chart: "Chart",
    gate: Gate,
    threads: ThreadPoolExecutor,
    eventually: "Eventually",
) -> None:
    gate.shut()
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        busy = cores()
        for number in range(busy):
            out.send(chart(number))
            gate.until_busy()
        out.send(chart(busy))
        waits = threads.submit(feed, out.send, map(chart, range(busy + 1, 30)))
        eventually(lambda: out.stats.captured == busy + 2, "the one that must wait numbered")
        assert not waits.done()
        gate.open()
        waits.result(DEADLINE_S)
        packets = listener.until_packets(30)
        assert out.stats.dropped == 0
    assert [read_number(decode(p.payload)) for p in packets] == list(range(30))
    assert [p.sequence for p in packets] == list(range(30))
    listener.until_ended()
    assert lost(listener.messages) == 0


def test_what_the_source_dropped_leaves_holes(listener: Listener, frame: "MakeFrame") -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        for sequence, dropped in ((0, 0), (3, 2), (4, 2)):
            out.send(frame(sequence, dropped=dropped))
        packets = listener.until_packets(3)
        assert out.stats.dropped == 2
    assert [(p.sequence, p.header.dropped) for p in packets] == [(0, 0), (3, 2), (4, 2)]
    listener.until_ended()
    assert lost(listener.messages) == 2


def test_a_frame_that_cannot_be_encoded_is_one_frame_lost(
    listener: Listener,
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
    assert lost(listener.messages) == 2
    logged = [r.getMessage() for r in caplog.records if r.name == "framewire.sender"]
    assert logged == ["a frame of cam was not encoded: the codec stumbled"]  # once a second at most
