"""What `record` says of a recording, and events from the command line."""

import http.client
import json
import signal
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from framewire.app.main import run
from framewire.common.container import RecordingReader
from framewire.receiver.recording import progress
from framewire.receiver.sinks.books import RecorderStats
from processes import commands
from receiver.publishing import DEADLINE_S, Station, until


def test_progress() -> None:
    stats = RecorderStats({"a": 100, "b": 20}, {}, 12_345_678_901, 150_000_000_000)
    assert progress(stats, 12_500_000, topics=2, lost=0) == (
        "2 topic(s), 120 frames, 12.3 GB, 100.0 Mbit/s, lost 0, disk free for 3 h 20 min"
    )
    assert progress(stats, 0, topics=2, lost=0).endswith("lost 0, disk free 150 GB")
    assert progress(stats, 12_500_000, topics=2, lost=0, limited=True).endswith("disk free 150 GB")


def test_progress_of_a_disk_that_fails() -> None:
    stats = RecorderStats({"a": 1}, {"a": 2, "b": 3}, 1000, None, "cannot write a: full")
    assert progress(stats, 0, topics=2, lost=7) == (
        "2 topic(s), 1 frames, 1.0 kB, 0.0 Mbit/s, lost 7, unwritten 5; cannot write a: full"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--out", "a.mkv", "--segment", "10m"],
        ["--out", "folder", "--segment", "soon"],
        ["--out", "folder", "--keep", "0d"],
        ["--out", "folder", "--max-size", "all"],
        ["--out", "folder", "--post", "10s"],
        ["--out", "folder", "--pre", "10"],
        ["--out", "folder", "--trigger", "door"],
        ["--out", "folder", "--trigger", "http://0.0.0.0:0"],
        ["--out", "folder", "--format", "images", "--segment", "10m"],
    ],
)
def test_usage_errors(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if "--pre" in arguments:
        arguments[-1] = "2h"
    assert run(["record", "tcp://127.0.0.1:9", *arguments]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_events_by_signal_and_http(station: Station, tmp_path: Path) -> None:
    arguments = ["--pre", "1s", "--post", "300ms", "--trigger", "http://127.0.0.1:0", "--json"]
    with commands(tmp_path) as start, station.streaming():
        command = start("record", station.url, "--out", "events", *arguments)
        (url,) = command.event("ready")["triggers"]
        command.event("figures")
        assert not list(tmp_path.rglob("*.mkv"))
        address = urlsplit(url)
        connection = http.client.HTTPConnection(address.netloc, timeout=DEADLINE_S)
        connection.request("POST", address.path)
        assert connection.getresponse().status == 202
        connection.close()
        begun = command.event("segment")
        assert (begun["state"], begun["trigger"]) == ("begun", 1)
        finished = command.event("segment")
        assert (finished["state"], finished["file"]) == ("finished", begun["file"])
        command.signal(signal.SIGUSR1)
        assert command.event("trigger") == {"event": "trigger", "by": "signal", "number": 2}
        assert command.event("segment")["trigger"] == 2
        command.signal(signal.SIGINT)
        summary = command.event("summary")
        assert command.wait() == 0, command
    assert summary["events"] == 2
    files = sorted(tmp_path.rglob("*.mkv"))
    assert len(files) == 2
    frames = 0
    for path in files:
        with closing(RecordingReader(path)) as reader:
            found = [packet.sequence for packet in reader.packets()]
        assert found == list(range(found[0], found[0] + len(found)))
        frames += len(found)
    assert frames == summary["recorded"]
    assert finished["frames"] > 0


def test_events_by_a_line_on_stdin(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("door\n"))
    arguments = ["--trigger", "stdin", "--count", "30", "--json"]
    with station.streaming():
        assert run(["record", station.url, "--out", str(tmp_path / "events"), *arguments]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(e["by"], e["number"]) for e in events if e["event"] == "trigger"] == [("stdin", 1)]
    assert events[-1]["recorded"] > 0
    until(lambda: len(list(tmp_path.rglob("*.mkv"))) == 1)
