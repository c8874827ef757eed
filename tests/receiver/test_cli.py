"""The commands `view`, `record` and `snapshot`: exit codes, what they print, what they leave."""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from framewire.app.main import run
from framewire.common.container import RecordingReader
from framewire.common.frame import Packet
from framewire.common.jpeg_syntax import split_header
from framewire.common.wire import decode_header
from framewire.receiver import Receiver
from processes import Command, commands
from receiver.conftest import Display
from receiver.publishing import DEADLINE_S, Station, packet, picture, until


class Printed:
    """What a command left on stdout and stderr."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.out, self.err = capsys.readouterr()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def summary(self) -> dict[str, Any]:
        (event,) = [event for event in self.events if event["event"] == "summary"]
        assert self.events[-1] == event
        return event


def _read(path: Path) -> list[Packet]:
    with closing(RecordingReader(path)) as reader:
        packets = list(reader.packets())
        assert reader.damaged == 0
        return packets


@contextmanager
def _sending(station: Station, *messages: Packet) -> Iterator[None]:
    """Send these, and nothing else, once somebody has subscribed."""

    def send() -> None:
        station.wait_for_subscriptions()
        station.send(*messages)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


# -- view -----------------------------------------------------------------------------------------


def test_view_counts_without_a_window(station: Station, capsys: pytest.CaptureFixture[str]) -> None:
    with station.streaming():
        assert run(["view", station.url, "--headless", "--count", "5"]) == 0
    printed = Printed(capsys)
    assert printed.out.count("\n") == 1
    assert "frames received (" in printed.out
    assert " 0 lost, " in printed.out
    assert "age p50 " in printed.out
    assert "1 topic(s), " in printed.err


def test_view_prints_json(station: Station, capsys: pytest.CaptureFixture[str]) -> None:
    with station.streaming(["lab/cam1", "yard"]):
        arguments = ["view", station.url, "--headless", "--count", "7", "--json"]
        assert run([*arguments, "--topic", "yard"]) == 0
    printed = Printed(capsys)
    assert printed.summary["delivered"] == 7
    assert (printed.summary["lost"], printed.summary["malformed"]) == (0, 0)
    assert printed.summary["received"] >= 7
    figures = printed.events[:-1]
    assert figures
    assert all(each["event"] == "figures" and each["topic"] == "yard" for each in figures)
    assert printed.err == ""


def test_view_ends_with_its_time(station: Station, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["view", station.url, "--headless", "--duration", "0.15"]) == 0
    assert Printed(capsys).out.startswith("0 frames received (0.0 MB), 0 lost, ")


def test_view_may_bind(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["view", "--bind", "tcp://0.0.0.0:*", "--headless"]) == 2
    assert "refusing to bind tcp://0.0.0.0:*" in Printed(capsys).err
    arguments = ["--bind", "tcp://127.0.0.1:*", "--bind", "inproc://in", "--headless", "--json"]
    ready = threading.Event()

    def send() -> None:
        ready.wait(DEADLINE_S)
        with Station(connect="inproc://in") as station:
            station.wait_for_subscriptions()
            station.send(packet(0))

    thread = threading.Thread(target=send)
    thread.start()
    ready.set()
    try:
        assert run(["view", *arguments, "--count", "1"]) == 0
    finally:
        thread.join(DEADLINE_S)
    assert Printed(capsys).summary["delivered"] == 1


def test_view_opens_a_window(
    station: Station, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def show(receiver: Receiver, **options: object) -> None:
        assert options == {"count": 3, "duration": None, "json": True}
        receiver.read_packet(DEADLINE_S)

    monkeypatch.setattr("framewire.receiver.cli.show", show)
    with station.streaming():
        assert run(["view", station.url, "--count", "3", "--json"]) == 0
    assert Printed(capsys).summary["delivered"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["view", "5555"],
        ["view", "--topic", "a b", "--headless"],
        ["view", "--count", "many"],
        ["record", "tcp://127.0.0.1:5555"],
        ["record", "--out", "a.mkv", "--format", "avi"],
        ["snapshot"],
    ],
)
def test_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    printed = Printed(capsys)
    assert printed.out == ""
    assert printed.err.startswith("framewire: ")
    assert len(printed.err.splitlines()) == 1


# -- record ---------------------------------------------------------------------------------------


def test_record_writes_what_came(
    station: Station, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "yard.mkv"
    sent = [packet(number, metadata={"gain": number}) for number in range(12)]
    with _sending(station, *sent):
        assert run(["record", station.url, "--out", str(path), "--count", "12", "--all"]) == 0
    printed = Printed(capsys)
    assert printed.out.startswith(f"12 frames recorded to {path}; 12 frames received (")
    assert _read(path) == sent


def test_record_exits_with_3_where_every_frame_was_asked_for_and_one_was_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = [packet(number) for number in (0, 1, 2, 4, 5)]
    for number, (arguments, code) in enumerate([(["--all"], 3), ([], 0)]):
        path = tmp_path / f"{number}.mkv"
        with Station() as station, _sending(station, *sent):
            arguments = [station.url, "--out", str(path), "--count", "5", "--json", *arguments]
            assert run(["record", *arguments]) == code
        summary = Printed(capsys).summary
        assert (summary["lost"], summary["recorded"], summary["out"]) == (1, 5, str(path))
        assert _read(path) == sent


def test_record_keeps_topics_apart(station: Station, tmp_path: Path) -> None:
    sent = [packet(0), packet(0, "lab/cam2"), packet(1), packet(0, "yard")]
    arguments = ["--out", str(tmp_path), "--topic", "lab/cam1", "--topic", "yard"]

    def send() -> None:
        station.wait_for_subscriptions(2)
        station.send(*sent)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        assert run(["record", station.url, *arguments, "--count", "3"]) == 0
    finally:
        thread.join(DEADLINE_S)
    names = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.mkv"))
    assert names == ["lab/cam1/2026-01-31T14-05-00.mkv", "yard/2026-01-31T14-05-00.mkv"]
    assert _read(tmp_path / names[0]) == [sent[0], sent[2]]


def test_record_as_images(station: Station, tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path / "images"), "--format", "images", "--count", "2"]
    with _sending(station, packet(0), packet(1)):
        assert run(["record", station.url, *arguments]) == 0
    names = sorted(path.name for path in (tmp_path / "images" / "lab" / "cam1").iterdir())
    assert names == ["2026-01-31T14-05-00.000000-0.jpg", "2026-01-31T14-05-00.040000-1.jpg"]


def test_record_replaces_only_what_it_is_told_to(
    station: Station, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.mkv"
    path.write_text("mine")
    # Elsewhere, so that nobody mistakes its subscription for that of the next.
    assert run(["record", "tcp://127.0.0.1:9", "--out", str(path)]) == 1
    assert "it is there already" in Printed(capsys).err
    assert path.read_text() == "mine"
    with _sending(station, packet(0)):
        arguments = ["--out", str(path), "--overwrite", "--count", "1"]
        assert run(["record", station.url, *arguments]) == 0
    assert _read(path) == [packet(0)]


def test_record_fails_where_it_cannot_record_and_says_what_came_until_then(
    station: Station, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.mkv"
    with station.streaming(["lab/cam1", "yard"]):
        assert run(["record", station.url, "--out", str(path), "--json"]) == 1
    printed = Printed(capsys)
    assert "choose one topic, or record into a folder" in printed.err
    assert printed.summary["recorded"] >= 1
    assert _read(path)[0].topic == "lab/cam1"


def test_record_leaves_no_file_where_nothing_came(station: Station, tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    assert run(["record", station.url, "--out", str(path), "--duration", "0.15", "--all"]) == 0
    assert list(tmp_path.iterdir()) == []


# -- snapshot -------------------------------------------------------------------------------------


def test_snapshot_saves_the_newest_frame(
    station: Station, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cam.jpg"
    with _sending(station, packet(42)):
        assert run(["snapshot", station.url, "--out", str(path)]) == 0
    printed = Printed(capsys)
    assert printed.out == f"{path}: lab/cam1 frame 42, 160x96, {len(picture(42)) / 1e3:.0f} kB\n"
    header, payload = split_header(path.read_bytes())
    assert header is not None
    assert Packet(decode_header(header), payload) == packet(42)


def test_snapshot_prints_json(
    station: Station, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cam.jpg"
    with _sending(station, packet(42)):
        arguments = ["--out", str(path), "--topic", "lab", "--json"]
        assert run(["snapshot", station.url, *arguments]) == 0
    assert Printed(capsys).events == [
        {
            "event": "snapshot",
            "out": str(path),
            "topic": "lab/cam1",
            "sequence": 42,
            "captured_ns": packet(42).header.captured_ns,
            "width": 160,
            "height": 96,
            "bytes": len(picture(42)),
        }
    ]


def test_snapshot_gives_up_when_its_time_is_over(
    station: Station, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cam.jpg"
    assert run(["snapshot", station.url, "--out", str(path), "--timeout", "0.05"]) == 1
    assert f"no frame in 0.05 s from {station.url}" in Printed(capsys).err
    assert not path.exists()


def test_snapshot_finds_out_at_once_that_it_cannot_write(
    station: Station, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["snapshot", station.url, "--out", str(tmp_path / "missing" / "cam.jpg")]) == 1
    assert run(["snapshot", station.url, "--out", str(tmp_path)]) == 1
    first, second = Printed(capsys).err.splitlines()
    assert "No such file or directory" in first
    assert "it is a folder" in second


def test_snapshot_stopped_by_the_user(station: Station, tmp_path: Path) -> None:
    def interrupt() -> None:
        station.wait_for_subscriptions()
        until(lambda: any(each.name == "framewire-stopper" for each in threading.enumerate()))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        assert run(["snapshot", station.url, "--out", str(tmp_path / "cam.jpg")]) == 0
    finally:
        thread.join(DEADLINE_S)
    assert list(tmp_path.iterdir()) == []


# -- in processes of their own --------------------------------------------------------------------


def _received(command: Command, count: int) -> None:
    """Wait until a command has so many frames."""
    while command.event("figures")["delivered"] < count:
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_recording_cleanly(
    station: Station, tmp_path: Path, number: signal.Signals
) -> None:
    path = tmp_path / "yard.mkv"
    with commands(tmp_path) as start, station.streaming():
        command = start("record", station.url, "--out", str(path), "--json")
        _received(command, 1)
        command.signal(number)
        summary = command.event("summary")
        assert command.wait() == 0
        assert command.errors == []
    assert summary["recorded"] >= 1
    assert summary["out"] == str(path)
    recorded = _read(path)
    assert len(recorded) == summary["recorded"]
    assert path.read_bytes().find(bytes.fromhex("1c53bb6b")) > 0  # Cues: it has its index


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_view_cleanly(station: Station, number: signal.Signals) -> None:
    with commands() as start, station.streaming():
        command = start("view", station.url, "--headless", "--json")
        _received(command, 1)
        command.signal(number)
        assert command.event("summary")["delivered"] >= 1
        assert command.wait() == 0
        assert command.errors == []


def test_view_in_a_window(
    station: Station, display: Display, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.setenv(name, display.environment[name])
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with commands(tmp_path) as start, station.streaming():
        command = start("view", station.url, "--json")
        _received(command, 1)
        display.press("s")
        until(lambda: any(tmp_path.glob("lab-cam1-*.jpg")))
        display.press("q")
        assert command.wait() == 0
    (path,) = tmp_path.glob("*.jpg")
    header, _ = split_header(path.read_bytes())
    assert header is not None
    assert path.name == f"lab-cam1-{decode_header(header).sequence}.jpg"
