"""What is said about a receiver, and the loops that watch one."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framewire.common import jpeg
from framewire.common.clock import NS
from framewire.common.frame import Frame, Packet
from framewire.common.jpeg_syntax import split_header
from framewire.common.opencv import cv2
from framewire.common.wire import decode_header
from framewire.receiver import Receiver, ReceiverStats, TopicReceived
from framewire.receiver import watching as module
from framewire.receiver.sinks import window as window_module
from framewire.receiver.watching import describe, print_summary, show, trouble, watch
from receiver.publishing import HEIGHT, WIDTH, Station, packet, status, undecodable, until


def _topic(**changes: Any) -> TopicReceived:
    fields: dict[str, Any] = {
        "received": 100,
        "received_bytes": 2_500_000,
        "delivered": 90,
        "skipped": 10,
        "lost": 3,
        "passed_by": 0,
        "missing": (),
        "repeated": 0,
        "restarts": 1,
        "state": "live",
        "reason": "",
        "silent_s": 0.1,
        "quality": 85,
        "fps": 25.0,
        "bits_per_s": 5e6,
        "age_ms": (12.4, 31.6),
    }
    return TopicReceived(**{**fields, **changes})


def _stats(**topics: TopicReceived) -> ReceiverStats:
    return ReceiverStats(topics, 2, (12.4, 31.6) if topics else (math.nan, math.nan))


# -- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"silent_s": 2.2}, ""),
        ({"silent_s": 3.6}, "no signal for 4 s"),
        ({"state": "no-signal"}, "no signal"),
        ({"state": "no-signal", "reason": "unplugged"}, "no signal: unplugged"),
        ({"state": "ended"}, "ended"),
        (
            {"state": "ended", "reason": "the clip is over", "silent_s": 2},
            "ended: the clip is over",
        ),
    ],
)
def test_trouble(changes: dict[str, Any], words: str) -> None:
    assert trouble(_topic(**changes)) == words


def test_a_line_about_nothing() -> None:
    assert describe(_stats()) == "waiting for frames"


def test_a_line_about_a_topic() -> None:
    assert describe(_stats(yard=_topic())) == (
        "1 topic(s), 100 frames, 25.0 fps, 5.0 Mbit/s, age 12 ms (p95 32), lost 3"
    )


def test_a_line_about_several_topics_adds_them_up_and_names_the_troubled() -> None:
    ended = _topic(state="ended", fps=0.0, bits_per_s=0.0)
    assert describe(_stats(yard=_topic(), gate=ended, lab=_topic(silent_s=9))) == (
        "3 topic(s), 300 frames, 50.0 fps, 10.0 Mbit/s, age 12 ms (p95 32), lost 9; "
        "gate: ended; lab: no signal for 9 s"
    )


def test_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(_stats(yard=_topic()), json=False)
    assert capsys.readouterr().out == (
        "100 frames received (2.5 MB), 3 lost, 10 skipped, 1 sender restart(s), 2 malformed; "
        "age p50 12.4 ms, p95 31.6 ms\n"
    )
    print_summary(_stats(yard=_topic()), json=False, recorded=90, out="a.mkv")
    assert capsys.readouterr().out.startswith("90 frames recorded to a.mkv; 100 frames received")


def test_what_passed_by_is_told_where_there_is_some(capsys: pytest.CaptureFixture[str]) -> None:
    stats = _stats(yard=_topic(lost=0, passed_by=7))
    assert describe(stats).endswith(", lost 0, passed by 7")
    print_summary(stats, json=False)
    assert "0 lost, 10 skipped, 7 passed by, 1 sender restart(s)" in capsys.readouterr().out


def test_a_summary_of_nothing_has_no_ages(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(_stats(), json=False)
    assert capsys.readouterr().out == (
        "0 frames received (0.0 MB), 0 lost, 0 skipped, 0 sender restart(s), 2 malformed\n"
    )


def test_a_summary_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(_stats(yard=_topic()), json=True, recorded=90, out="a.mkv")
    print_summary(_stats(), json=True)
    full, empty = map(json.loads, capsys.readouterr().out.splitlines())
    assert full == {
        "event": "summary",
        "received": 100,
        "received_bytes": 2_500_000,
        "delivered": 90,
        "skipped": 10,
        "lost": 3,
        "passed_by": 0,
        "restarts": 1,
        "malformed": 2,
        "age_p50_ms": 12.4,
        "age_p95_ms": 31.6,
        "recorded": 90,
        "out": "a.mkv",
    }
    assert (empty["received"], empty["age_p50_ms"]) == (0, None)


# -- watching -------------------------------------------------------------------------------------


@contextmanager
def _receiving(station: Station, *messages: Packet) -> Iterator[Receiver]:
    """A receiver in which these packets wait."""
    with Receiver(station.url, keep="all") as receiver:
        station.wait_for_subscriptions()
        station.send(*messages)
        until(lambda: receiver.stats.received == len(messages))
        yield receiver


def test_watching_ends_with_the_count(station: Station) -> None:
    taken: list[int] = []
    with _receiving(station, *(packet(number) for number in range(6))) as receiver:
        watch(receiver, count=0)
        assert receiver.stats.delivered == 0
        watch(receiver, count=4, take=lambda packet: taken.append(packet.sequence))
        assert taken == [0, 1, 2, 3]
        watch(receiver, count=1)
        assert receiver.stats.delivered == 5


def test_watching_says_how_it_goes(station: Station, capsys: pytest.CaptureFixture[str]) -> None:
    with _receiving(station, packet(0)) as receiver:
        watch(receiver, count=1)
    assert capsys.readouterr().err.startswith("1 topic(s), 1 frames, ")


def test_watching_ends_with_the_time(station: Station) -> None:
    with _receiving(station) as receiver:
        watch(receiver, duration=0.15)
        assert receiver.stats.topics == {}


def test_watching_ends_with_the_receiver(station: Station) -> None:
    with _receiving(station, packet(0)) as receiver:
        watch(receiver, take=lambda packet: receiver.close())


def test_an_error_while_taking_ends_it_and_is_passed_on(station: Station) -> None:
    def fail(packet: Packet) -> None:
        raise OSError("full")

    with _receiving(station, packet(0)) as receiver, pytest.raises(OSError, match="full"):
        watch(receiver, take=fail)


def test_figures_for_machines_come_once_a_second(
    station: Station, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_ns = 1000 * NS
    monkeypatch.setattr(module, "monotonic_ns", lambda: now_ns)

    def take(packet: Packet) -> None:
        nonlocal now_ns
        now_ns += NS if packet.sequence == 2 else 0

    sent = [*(packet(number) for number in range(4)), packet(0, "yard")]
    with _receiving(station, *sent) as receiver:
        watch(receiver, count=5, json=True, take=take)
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = [json.loads(line) for line in printed.out.splitlines()]
    assert [(line["event"], line["topic"], line["delivered"]) for line in lines] == [
        ("figures", "lab/cam1", 1),
        ("figures", "yard", 0),
        ("figures", "lab/cam1", 3),
        ("figures", "yard", 0),
    ]
    assert lines[0].keys() == {
        *("event", "topic", "received", "delivered", "skipped", "lost", "passed_by"),
        *("restarts", "state", "reason", "stale", "silent_s", "quality", "fps", "bits_per_s"),
        *("age_p50_ms", "age_p95_ms"),
    }
    assert lines[1]["age_p50_ms"] is None


# -- showing --------------------------------------------------------------------------------------


class Screen:
    """OpenCV's windows, pretended; `keys` are pressed at the given looks at the keyboard."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.keys: dict[int, str] = {}
        self.looks = 0
        self.shown = 0
        self.at_look: Callable[[int], None] = lambda look: None
        monkeypatch.setattr(window_module, "check_display", lambda: None)
        monkeypatch.setattr(window_module, "_SHOW_NS", -1)  # every frame is shown
        for name, function in {
            "namedWindow": lambda title, flags: None,
            "imshow": self._show,
            "waitKey": self._key,
            "resizeWindow": lambda title, width, height: None,
            "getWindowProperty": lambda title, which: 1.0,
            "destroyAllWindows": lambda: None,
        }.items():
            monkeypatch.setattr(cv2, name, function)

    def _show(self, title: str, canvas: object) -> None:
        self.shown += 1

    def _key(self, ms: int) -> int:
        self.looks += 1
        self.at_look(self.looks)
        return ord(self.keys.get(self.looks, "\xff"))


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Screen:
    monkeypatch.chdir(tmp_path)
    return Screen(monkeypatch)


def _saved(folder: Path) -> dict[str, int]:
    """Sequence numbers of the snapshots in a folder."""
    numbers = {}
    for path in folder.glob("*.jpg"):
        header, _ = split_header(path.read_bytes())
        assert header is not None
        numbers[path.name] = decode_header(header).sequence
    return numbers


def test_showing_ends_with_the_count(station: Station, screen: Screen) -> None:
    with _receiving(station, *(packet(number) for number in range(5))) as receiver:
        show(receiver, count=3)
        assert receiver.stats.delivered == 3
        assert screen.shown >= 3


def test_showing_ends_with_q(station: Station, screen: Screen) -> None:
    screen.keys = {3: "q"}
    with _receiving(station, *(packet(number) for number in range(5))) as receiver:
        show(receiver)
        assert receiver.stats.delivered == 3


def test_showing_ends_with_the_time(station: Station, screen: Screen) -> None:
    with _receiving(station) as receiver:
        show(receiver, duration=0.15)


def test_keys_work_while_nothing_comes(station: Station, screen: Screen) -> None:
    screen.keys = {2: "q"}
    with _receiving(station) as receiver:
        show(receiver)
    assert screen.shown == 0


def test_showing_ends_with_the_receiver(station: Station, screen: Screen) -> None:
    with _receiving(station, packet(0)) as receiver:
        screen.at_look = lambda look: receiver.close()
        show(receiver)


def test_what_does_not_decode_is_not_shown(station: Station, screen: Screen) -> None:
    sent = [packet(0), packet(1, payload=undecodable()), packet(2)]
    with _receiving(station, *sent) as receiver:
        show(receiver, count=3)  # counted as `watch` counts: what arrived
        assert receiver.stats.delivered == 3


def _shapes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[int, ...]]]:
    """Topic and shape of every frame that comes before the window."""
    written: list[tuple[str, tuple[int, ...]]] = []
    write = window_module.Window.write

    def note(window: window_module.Window, frame: Frame, /) -> None:
        written.append((frame.topic, frame.image.shape))
        write(window, frame)

    monkeypatch.setattr(window_module.Window, "write", note)
    return written


def test_tiles_are_decoded_no_larger_than_they_are(
    station: Station, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = np.full((1080, 1920, 3), 90, np.uint8)
    large: dict[str, Any] = {"payload": jpeg.encode(full, 50), "width": 1920, "height": 1080}
    written = _shapes(monkeypatch)
    alone = [packet(number, "a", **large) for number in range(2)]
    shared = [packet(number, topic, **large) for number in range(2, 5) for topic in "ab"]
    with _receiving(station, *alone, *shared) as receiver:
        show(receiver, count=8)
    whole, half = (1080, 1920, 3), (540, 960, 3)
    assert written == [
        ("a", whole),
        ("a", whole),
        ("a", whole),  # still alone
        ("b", whole),  # its first
        *(("a", half), ("b", half), ("a", half), ("b", half)),
    ]


def test_a_window_shows_the_receivers_scale(
    station: Station, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = _shapes(monkeypatch)
    with Receiver(station.url, keep="all", scale=1 / 4) as receiver:
        station.wait_for_subscriptions()
        station.send(packet(0), packet(0, "yard"), packet(1))
        until(lambda: receiver.stats.received == 3)
        show(receiver, count=3)
    assert {shape for _, shape in written} == {(HEIGHT // 4, WIDTH // 4, 3)}


def test_s_saves_what_is_shown(
    station: Station, screen: Screen, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    screen.keys = {4: "s", 5: "q"}
    sent = [packet(0), packet(0, "yard"), packet(1), packet(2), packet(3)]
    with _receiving(station, *sent) as receiver:
        show(receiver)
    saved = _saved(tmp_path)
    assert saved["yard-0.jpg"] == 0
    (lab,) = saved.keys() - {"yard-0.jpg"}
    assert lab.startswith("lab-cam1-")
    printed = capsys.readouterr().out
    assert all(f"saved {name}\n" in printed for name in saved)


def test_s_at_the_first_frame(station: Station, screen: Screen, tmp_path: Path) -> None:
    screen.keys = {1: "s", 2: "q"}
    with _receiving(station, packet(0), packet(1)) as receiver:
        show(receiver)
    assert _saved(tmp_path) == {"lab-cam1-0.jpg": 0}


def test_a_snapshot_that_cannot_be_saved_ends_no_view(
    station: Station, screen: Screen, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "lab-cam1-0.jpg").mkdir()
    screen.keys = {1: "s", 2: "s", 3: "q"}
    with _receiving(station, packet(0), packet(1), packet(2)) as receiver:
        show(receiver)
    assert {path.name for path in tmp_path.iterdir()} == {"lab-cam1-0.jpg", "lab-cam1-1.jpg"}
    (line,) = caplog.messages
    assert line == "cannot write lab-cam1-0.jpg: Is a directory"


@pytest.mark.parametrize(("keys", "number"), [({3: "s", 4: "q"}, 2), ({2: " ", 5: "s", 6: "q"}, 1)])
def test_s_saves_the_frame_on_the_screen(
    station: Station, screen: Screen, tmp_path: Path, keys: dict[int, str], number: int
) -> None:
    screen.keys = keys
    with _receiving(station, *(packet(number) for number in range(9))) as receiver:
        show(receiver)
    assert set(_saved(tmp_path).values()) == {number}


def test_a_snapshot_for_machines(
    station: Station, screen: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    screen.keys = {2: "s", 3: "q"}
    with _receiving(station, *(packet(number) for number in range(4))) as receiver:
        show(receiver, json=True)
    for line in capsys.readouterr().out.splitlines():
        json.loads(line)


def test_the_window_asks_for_figures_and_alarms(
    station: Station, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: list[str] = []
    monkeypatch.setattr(
        window_module, "_write", lambda canvas, text, x, y, colour: texts.append(text)
    )
    screen.keys = {1: "i"}
    with _receiving(station, packet(0), packet(2)) as receiver:
        station.send(status(3, "no-signal", "unplugged"))
        until(lambda: receiver.stats.topics["lab/cam1"].state == "no-signal")
        show(receiver, count=2)
    assert "no signal: unplugged" in texts
    figures = [text for text in texts if text.startswith("lab/cam1  ")]
    assert figures
    assert figures[0].endswith(" Mbit/s")
    assert any(text.startswith("age ") and "lost 1  skipped 0" in text for text in texts)
