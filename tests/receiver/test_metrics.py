"""A receiver's figures as Prometheus reads them."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from framewire.common.clock import NS
from framewire.common.frame import State
from framewire.receiver import Receiver, ReceiverStats, TopicReceived
from framewire.receiver.account import TopicAccount
from framewire.receiver.metrics import (
    METRICS,
    RECORDING,
    STATES,
    ReceiverFigures,
    RecorderFigures,
)
from framewire.receiver.sinks import open_sink
from receiver.publishing import DEADLINE_S, Station, packet, until
from scraping import told


def topic(**changes: Any) -> TopicReceived:
    return replace(TopicAccount(heard_ns=NS).snapshot(NS), **changes)


def stats(malformed: int = 0, **topics: TopicReceived) -> ReceiverStats:
    return ReceiverStats(topics, malformed, (0.0, 0.0))


def test_each_figure_stands_where_it_belongs() -> None:
    books = topic(
        received=1,
        received_bytes=2,
        delivered=3,
        skipped=4,
        lost=5,
        passed_by=6,
        repeated=7,
        restarts=8,
        quality=9,
        silent_s=0.5,
    )
    seen = told(ReceiverFigures()(stats(10, yard=books)))
    names = (
        "frames",
        "bytes",
        "delivered_frames",
        "skipped_frames",
        "lost_frames",
        "passed_by_frames",
        "repeated_frames",
        "sender_restarts",
    )
    found = [seen(f"framewire_{name}_total", topic="yard") for name in names]
    assert found == [*range(1, 9)]
    assert seen("framewire_jpeg_quality", topic="yard") == 9
    assert seen("framewire_silence_seconds", topic="yard") == 0.5
    assert seen("framewire_malformed_total") == 10


def test_ages_are_counted_as_frames_are_handed_over() -> None:
    account = TopicAccount()
    for age_ms in (-5.0, 4.0, 5.0, 90.0, 60_000.0):
        account.deliver(age_ms)
    books = account.snapshot(0)
    assert (books.delivered, books.age_ms[0]) == (5, 5.0)
    seen = told(ReceiverFigures()(stats(yard=books)))
    name = "framewire_frame_age_seconds"
    assert seen(f"{name}_bucket", topic="yard", le="0.005") == 3
    assert seen(f"{name}_bucket", topic="yard", le="0.1") == 4
    assert seen(f"{name}_bucket", topic="yard", le="10.0") == 4
    assert seen(f"{name}_bucket", topic="yard", le="+Inf") == 5
    assert seen(f"{name}_count", topic="yard") == 5
    assert seen(f"{name}_sum", topic="yard") == pytest.approx(60.099)


@pytest.mark.parametrize(
    ("state", "silent_s", "told_as"),
    [
        ("live", 0.1, "live"),
        ("live", 2.2, "live"),
        ("live", 3.1, "stale"),
        ("no-signal", 0.1, "no-signal"),
        ("no-signal", 3.1, "stale"),
        ("ended", 1000.0, "ended"),
    ],
)
def test_one_state_is_true(state: State, silent_s: float, told_as: str) -> None:
    seen = told(ReceiverFigures()(stats(yard=topic(state=state, silent_s=silent_s))))
    states = {each: seen("framewire_topic_state", topic="yard", state=each) for each in STATES}
    assert states == {each: float(each == told_as) for each in STATES}


def test_who_knows_better_says_so() -> None:
    books = stats(yard=topic(silent_s=60.0), lab=topic(silent_s=60.0))
    seen = told(ReceiverFigures()(books, {"yard": "live"}))
    assert seen("framewire_topic_state", topic="yard", state="live") == 1
    assert seen("framewire_topic_state", topic="lab", state="stale") == 1


def test_what_comes_late_makes_no_counter_fall() -> None:
    figures = ReceiverFigures()
    for lost, counted in ((5, 5), (3, 5), (5, 5), (6, 6)):
        seen = told(figures(stats(yard=topic(lost=lost, passed_by=2 * lost))))
        assert seen("framewire_lost_frames_total", topic="yard") == counted
        assert seen("framewire_passed_by_frames_total", topic="yard") == 2 * counted


def test_nothing_is_told_that_is_not_listed() -> None:
    assert {each.metric for each in ReceiverFigures()(stats())} == set(METRICS)


@pytest.mark.parametrize(("kind", "name"), [("mkv", "a.mkv"), ("images", "images")])
def test_a_recording(kind: str, name: str, station: Station, tmp_path: Path) -> None:
    out = tmp_path / name
    sent = [packet(number) for number in range(3)]
    with Receiver(station.url, keep="all") as receiver:
        sink = open_sink(kind, out)
        try:
            figures = RecorderFigures(receiver, sink, out)
            station.wait_for_subscriptions()
            station.send(*sent)
            for _ in sent:
                sink.write(receiver.read_packet(DEADLINE_S))
            until(lambda: sink.frames == 3)
            families = list(figures())
        finally:
            sink.close()
    seen = told(families)
    assert seen("framewire_frames_total", topic="lab/cam1") == 3
    assert seen("framewire_recorded_frames_total") == 3
    assert seen("framewire_recorded_bytes_total") == sum(len(each.payload) for each in sent)
    assert seen("framewire_unwritten_frames_total") == 0
    assert seen("framewire_disk_free_bytes") > 0
    assert {each.metric for each in families} == {*METRICS, *RECORDING}


def test_a_folder_that_is_gone_tells_nothing(tmp_path: Path) -> None:
    class Nothing:
        frames = written_bytes = unwritten = 0
        stats = ReceiverStats({}, 0, (0.0, 0.0))

    out = tmp_path / "gone" / "a.mkv"
    seen = told(RecorderFigures(cast(Any, Nothing()), cast(Any, Nothing()), out)())
    assert not seen.has("framewire_disk_free_bytes")
    assert seen("framewire_recorded_frames_total") == 0
