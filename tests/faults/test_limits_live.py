"""Limits of what runs: at each limit all is well, one past it is refused, and memory stays flat.

Those of single messages are tested where they are checked (common/test_wire.py, common/test_request.py).
"""

import signal
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from faults.bombs import SIDE, good
from faults.hostile import honest, is_honest
from faults.memory import resident_bytes, settled_bytes
from faults.test_hostile_senders import attacker, taking
from framewire.app.main import run
from framewire.app.metrics import RelayFigures
from framewire.app.relay import Relay
from framewire.app.web import hub
from framewire.app.web.access import Access
from framewire.app.web.entrance import listen_for_viewers
from framewire.app.web.running import Running
from framewire.common import wire
from framewire.common.config import DEFAULT_LIMITS, Limits
from framewire.common.errors import RecordingError
from framewire.common.frame import Frame, Packet
from framewire.common.listening import Address
from framewire.common.newest import Newest
from framewire.common.opencv import cv2
from framewire.receiver import Receiver, Recorder
from framewire.receiver import receiver as receiving
from framewire.receiver.sinks import files, window
from framewire.receiver.table import table
from framewire.receiver.watching import describe
from processes import commands
from receiver.publishing import packet, parts_of, status, until

MEGABYTE = 1 << 20


def _frames(count: int, **facts: Any) -> list[Packet]:
    return [honest(0, topic=f"t{number}", **facts) for number in range(count)]


# -- by command -----------------------------------------------------------------------------------


def test_max_topics_and_max_pixels_of_the_commands() -> None:
    """Two topics are taken and the third is not; 48 x 48 pixels are, where the limit is one less they are not."""
    limits = {
        ("--max-topics", "2"): (3, 1),
        ("--max-topics", "3"): (4, 0),
        ("--max-pixels", str(SIDE * SIDE)): (4, 0),
        ("--max-pixels", str(SIDE * SIDE - 1)): (0, 4),
    }
    with attacker() as it, commands() as start:
        views = [start("view", it.url, "--headless", "--json", *limit) for limit in limits]
        for _ in views:
            it.socket.recv()
        it.send(*_frames(3), honest(1, topic="t0"))
        for view in views[:3]:  # the fourth tells of nothing, but gets the same
            while (figures := view.event("figures"))["topic"] != "t0" or figures["received"] != 2:
                pass
        for view in views:
            view.signal(signal.SIGINT)
        found = [view.event("summary") for view in views]
    told = [(each["received"], each["malformed"]) for each in found]
    assert told == list(limits.values())


@pytest.mark.parametrize("limit", ["--max-topics", "--max-pixels"])
@pytest.mark.parametrize("command", ["view", "record", "stats", "relay", "web"])
def test_a_limit_of_nothing_is_refused(limit: str, command: str, capsys: Any) -> None:
    more = {"record": ["--out", "x"], "relay": ["--from", "inproc://x"]}.get(command, [])
    assert run([command, *more, limit, "0"]) == 2
    assert "Must be >= 1" in capsys.readouterr().err


# -- topics ---------------------------------------------------------------------------------------


def test_a_flood_of_topics_grows_nothing_behind_a_receiver() -> None:
    """Receiver, relay, its sender's books, figures for Prometheus, the table, the line: 1,024 topics."""
    with (
        attacker() as it,
        Relay([it.url], ["tcp://127.0.0.1:*"], queue=1024) as relay,
        Receiver(relay.endpoints[0], keep="all") as receiver,
        taking(receiver) as taker,
    ):
        it.socket.recv()
        it.send(*(honest(0, topic=f"flood/{number}") for number in range(1024)))
        while len(relay.stats[1].topics) < 1024:
            time.sleep(
                0.3
            )  # a snapshot of so many takes a tenth of a second: leave time for the rest
        before = settled_bytes()
        for sequence in range(4):
            it.send(*(honest(sequence, topic=f"more/{number}") for number in range(1000)))
            it.send(*(status(0, topic=f"more/{number}") for number in range(500)))
        for sequence in range(1, 1000):  # a relay under load drops some; the stream goes on
            it.send(honest(sequence, topic="flood/7"))
            if any(each.topic == "flood/7" and each.sequence > 0 for each in taker.packets):
                break
            time.sleep(0.02)
        else:
            pytest.fail("nothing comes through any more")
        upstream, downstream = relay.stats
        assert (len(upstream.topics), len(downstream.topics)) == (1024, 1024)
        assert upstream.malformed == 6000
        assert len(receiver.stats.topics) <= 1024
        assert table(upstream).row_count == 1024
        assert len(describe(upstream)) < 500
        labels = {labels for family in RelayFigures(relay)() for labels, _ in family.samples}
        assert len({each[0] for each in labels if each}) <= 1024 + 10
        assert resident_bytes() - before < 24 * MEGABYTE


def test_a_sender_that_says_it_is_in_trouble_a_thousand_times_is_one_line() -> None:
    with attacker() as it, Receiver(it.url, keep="all") as receiver:
        it.socket.recv()
        it.send(*(status(0, "no-signal", "x" * 1024, topic=f"t{number}") for number in range(20)))
        until(lambda: len(receiver.stats.topics) == 20)
        line = describe(receiver.stats)
        assert line.endswith("; and 15 more")
        assert len(line) < 1000


def test_a_window_has_so_many_tiles(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(window, "check_display", lambda: None)
    for name in ("namedWindow", "imshow", "resizeWindow", "destroyAllWindows"):
        monkeypatch.setattr(cv2, name, lambda *arguments: None)
    monkeypatch.setattr(cv2, "waitKey", lambda ms: -1)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda title, which: 1.0)
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    frames = [Frame(image, each.header) for each in _frames(window.MOST_TILES + 1)]
    with window.Window() as shown:
        for frame in frames[:-1]:
            assert shown.takes(frame.topic)
            shown.write(frame)
        assert not caplog.messages
        assert not shown.takes(frames[-1].topic)
        shown.write(frames[-1])
        assert len(shown._tiles) == len(shown._frames) == window.MOST_TILES
        assert shown.takes(frames[0].topic)
    assert len(caplog.messages) == 1


def test_a_recorder_writes_so_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_OPEN", 5)
    recorder = Recorder(tmp_path)
    for each in _frames(6):
        recorder.write(each)
    recorder.write(honest(1, topic="t0"))
    until(lambda: recorder.frames + recorder.unwritten == 7)
    assert recorder.stats.unwritten == {"t5": 1}
    with pytest.raises(RecordingError, match="5 topics are recorded already"):
        recorder.close()
    assert len(list(tmp_path.rglob("*.mkv"))) == 5


def test_the_web_viewer_keeps_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = _frames(50)
    monkeypatch.setattr(hub, "Newest", lambda: Newest(5 * frames[-1].weight))
    address = Address("127.0.0.1", 0)
    with (
        attacker() as it,
        listen_for_viewers(address) as listener,
        Receiver(it.url, topics=None) as receiver,
        Running(receiver, listener, Access.at(address, None, ()), warm=True) as running,
    ):
        it.socket.recv()
        it.send(*frames)
        until(lambda: len(receiver.stats.topics) == 50)
        it.send(honest(1, topic="t0"))
        until(lambda: running.hub.newest("t0") is not None)
        assert len(running.hub._newest) <= 5


# -- what waits -----------------------------------------------------------------------------------


def _heavy(sequence: int) -> list[bytes]:
    """A small picture with metadata that takes seventy times its bytes in memory."""
    facts: dict[str, Any] = {"a": [{}] * 65_000}
    return list(parts_of(packet(sequence, payload=good(), width=SIDE, height=SIDE, metadata=facts)))


@pytest.mark.parametrize("keep", ["all", "newest"])
def test_metadata_that_grows_in_memory_is_weighed(
    keep: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measured by their payload alone, sixty thousand of these would have had room: 280 GB."""
    monkeypatch.setattr(receiving, "_QUEUE_BYTES", 32 * MEGABYTE)
    with attacker() as it, Receiver(it.url, keep=keep) as receiver:
        it.socket.recv()
        before = settled_bytes()
        it.socket.setsockopt(zmq.XPUB_NODROP, 0)
        for number in range(60):
            for topic in ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j"):
                it.send([f"{topic}/".encode(), *_heavy(number)[1:]])
        until(lambda: receiver._packets.weight > 20 * MEGABYTE)
        assert receiver._packets.weight <= 32 * MEGABYTE
        assert resident_bytes() - before < 150 * MEGABYTE


def test_what_a_packet_weighs_is_at_least_what_it_takes() -> None:
    facts: dict[str, Any]
    for facts in ({}, {"a": [{}] * 60_000}, {"a": [[]] * 60_000}, {"a": ["xy"] * 20_000},
                  {f"{number}": 300 + number for number in range(6000)}):  # fmt: skip
        parts = parts_of(packet(0, payload=good(), width=SIDE, height=SIDE, metadata=facts))
        tracemalloc.start()
        try:
            taken = wire.decode(parts)
            size = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert isinstance(taken, Packet)
        assert size <= taken.weight


def test_no_frame_is_left_out_while_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue of the newest, at its limit and one past it; a frame alone always goes in."""
    weight = honest(0).weight
    for room, kept in ((4 * weight, 4), (4 * weight - 1, 3), (1, 1)):
        monkeypatch.setattr(receiving, "_QUEUE_BYTES", room)
        with attacker() as it, Receiver(it.url) as receiver:
            it.socket.recv()
            it.send(*_frames(4))
            until(lambda: receiver.stats.received == 4)
            assert len(receiver._packets) == kept
            assert receiver.stats.skipped == 4 - kept
            assert is_honest(receiver.read_packet(1))


def test_limits_are_whole_numbers() -> None:
    assert Limits() == DEFAULT_LIMITS
    for value in (0, -1, 0.5, True, "5", None):
        with pytest.raises(ValueError, match="must be a whole number above 0"):
            Limits(topics=value)  # type: ignore[arg-type]
