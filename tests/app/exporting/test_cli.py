"""`framewire export` as a command: what it refuses, says and leaves."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from app.exporting.making import START_NS, TIMES_MS, damage, packet, packets, record
from framewire.app.exporting import FORMATS
from framewire.app.exporting.cli import Format
from framewire.app.main import run
from framewire.common.clock import NS
from framewire.common.frame import Packet
from processes import CLIPS, Command, commands

Output = pytest.CaptureFixture[str]


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    return record(tmp_path / "yard.mkv", packets())


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_table_and_the_help_name_the_same_formats() -> None:
    assert list(get_args(Format)) == list(FORMATS)


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_there_is_not_overwritten(
    kind: str, yard: Path, tmp_path: Path, capsys: Output
) -> None:
    out = tmp_path / "out"
    assert run(["export", str(yard), "--to", kind, "--out", str(out)]) == 0
    assert f"{out}: {len(TIMES_MS)} frames, 1.333 s, 0 lost" in capsys.readouterr().out
    assert run(["export", str(yard), "--to", kind, "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert "it is there already" in error
    assert error.count("\n") == 1
    assert run(["export", str(yard), "--to", kind, "--out", str(out), "--overwrite"]) == 0
    assert left(tmp_path) == ["out", "yard.mkv"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--to", "csv", "--out", "x"], 2, "nothing to export: name one recording or more"),
        (["yard.mkv", "--to", "gif", "--out", "x"], 2, "gif"),
        (["yard.mkv", "--to", "csv"], 2, "--out"),
        (["yard.mkv", "--to", "csv", "--out", "x", "--crf", "20"], 2, "crf: only for --to mp4"),
        (["yard.mkv", "--to", "mp4", "--out", "x", "--crf", "52"], 2, "crf"),
        (["yard.mkv", "--to", "mp4", "--out", "x", "--headers"], 2, "only for --to images"),
        (["yard.mkv", "--to", "mp4", "--out", "-"], 2, "only for csv and jsonl"),
        (["yard.mkv", "--to", "csv", "--out", "-", "--json"], 2, "choose one"),
        (["yard.mkv", "--to", "csv", "--out", "x", "--start", "soon"], 2, "bad place 'soon'"),
        (["yard.mkv", "--to", "csv", "--out", "x", "--start", "2", "--end", "1"], 2, "not after"),
        (["yard.mkv", "--to", "csv", "--out", "x", "--start", "9"], 1, "nothing to export"),
        (["none.mkv", "--to", "csv", "--out", "x"], 1, "cannot read none.mkv: No such file"),
        (["folder", "--to", "csv", "--out", "x"], 1, "no recordings in folder"),
        (["yard.mkv", "--to", "csv", "--out", "yard.mkv/x"], 1, "cannot write yard.mkv/x"),
        (["yard.mkv", "--to", "csv", "--out", "folder"], 1, "it is no ordinary file"),
        (["yard.mkv", "--to", "csv", "--out", "/dev/null", "--overwrite"], 1, "no ordinary file"),
        (["yard.mkv", "--to", "images", "--out", "yard.mkv"], 1, "it is no ordinary folder"),
        ([str(CLIPS / "meadow.mp4"), "--to", "mp4", "--out", "x"], 1, "as in ffmpeg -i"),
    ],
)
def test_refusals_are_one_line_and_leave_nothing(
    arguments: list[str], code: int, message: str, yard: Path, tmp_path: Path, capsys: Output,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    assert run(["export", *arguments]) == code
    output = capsys.readouterr()
    assert message in output.err
    assert (output.err.count("\n"), output.out) == (1, "")
    assert left(tmp_path) == ["folder", "yard.mkv"]


@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_frames_are_left_out_and_said(
    kind: str, yard: Path, tmp_path: Path, capsys: Output
) -> None:
    damage(yard, [3, 7])
    arguments = ["export", str(yard), "--to", kind, "--out", str(tmp_path / "out"), "--json"]
    assert run(arguments) == 1
    output = capsys.readouterr()
    summary = json.loads(output.out.splitlines()[-1])
    assert (summary["event"], summary["frames"], summary["damaged"]) == ("summary", 8, 2)
    assert "2 damaged frame(s) could not be read and are missing" in output.err


def test_what_a_killed_recorder_left_is_exported_as_far_as_it_goes(
    yard: Path, tmp_path: Path, capsys: Output
) -> None:
    record(yard, packets([40 * n for n in range(100)]))
    yard.write_bytes(yard.read_bytes()[: yard.stat().st_size // 2])
    code = run(["export", str(yard), "--to", "csv", "--out", str(tmp_path / "x.csv")])
    rows = (tmp_path / "x.csv").read_text().splitlines()
    assert 20 < len(rows) < 90
    assert code == ("missing" in capsys.readouterr().err)


def test_a_range_by_seconds_and_by_the_wall_clock(
    yard: Path, tmp_path: Path, capsys: Output
) -> None:
    for start, end in (
        ("0.08", "1.2"),
        ("2026-01-31T14:05:12.203", "2026-01-31T15:05:13.323+01:00"),
    ):
        assert run(["export", str(yard), "--to", "jsonl", "--out", "-", "--start", start, "--end", end]) == 0  # fmt: skip
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [row["sequence"] for row in rows] == [3, 4, 5]


def test_files_of_two_topics_come_in_the_order_of_capture(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "all").mkdir()
    record(tmp_path / "all" / "b.mkv", packets([0, 100, 200]))
    record(tmp_path / "all" / "a.mkv", packets([50, 150], topic="lab/cam2", sender="other"))
    folder = str(tmp_path / "all")
    assert run(["export", folder, "--to", "jsonl", "--out", "-"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["topic"][-1] for row in rows] == ["1", "2", "1", "2", "1"]
    assert [row["media_s"] for row in rows] == [0, 0.05, 0.1, 0.15, 0.2]
    assert run(["export", folder, "--to", "mp4", "--out", str(tmp_path / "x.mp4")]) == 2
    assert "an mp4 holds one topic" in capsys.readouterr().err


# -- stopped, and out of room ---------------------------------------------------------------------


def endless(path: Path) -> Path:
    """A recording that no export gets through in a moment."""
    some = [packet(n, 0, (1280, 720)) for n in range(5)]
    long = []
    for n in range(1500):
        now = {"sequence": n, "captured_ns": START_NS + n * NS, "monotonic_ns": n * NS}
        header = msgspec.structs.replace(some[n % 5].header, **now)
        long.append(Packet(header, some[n % 5].payload))
    return record(path, long)


@pytest.mark.parametrize(
    ("kind", "number"),
    [("mp4", signal.SIGINT), ("mcap", signal.SIGTERM), ("images", signal.SIGINT)],
)
def test_stopped_in_the_middle_it_leaves_nothing(
    kind: str, number: signal.Signals, tmp_path: Path
) -> None:
    endless(tmp_path / "long.mkv")
    with commands(tmp_path) as start:
        command = start("export", "long.mkv", "--to", kind, "--out", "out", "--json")
        if kind == "mp4":
            assert command.event("progress")["frames"] > 0
        else:
            wait_for_part(tmp_path, command)
        command.signal(number)
        summary = command.event("summary")
        assert command.wait() == 0
    if summary["stopped"]:  # or it had just finished
        assert summary["frames"] == 0
        assert left(tmp_path) == ["long.mkv"]
        assert command.errors == ["stopped: nothing was written\n"]
    else:
        assert kind != "mp4"
        assert left(tmp_path) == ["long.mkv", "out"]


def wait_for_part(folder: Path, command: Command) -> None:
    while not any(name.endswith(".part") for name in left(folder)):
        assert command.process.poll() is None, command


@pytest.mark.skipif(not shutil.which("prlimit"), reason="prlimit is not installed here")
@pytest.mark.parametrize("kind", ["mp4", "mcap", "csv", "images"])
def test_a_full_disk_is_one_line_and_leaves_nothing(kind: str, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk."""
    record(tmp_path / "yard.mkv", [packet(n, 40 * n, (640, 480)) for n in range(100)])
    done = subprocess.run(
        ["prlimit", "--fsize=4000", sys.executable, "-m", "framewire", "export", "yard.mkv", "--to",
         kind, "--out", "out"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == "framewire: cannot write out: File too large"
    assert left(tmp_path) == ["yard.mkv"]


def test_a_bar_on_a_terminal(yard: Path, tmp_path: Path) -> None:
    record(yard, [packet(n, 40 * n, (640, 480)) for n in range(200)])
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "framewire", "export", str(yard), "--to", "mp4", "--out", "x.mp4"],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 65536):
            shown += data
    except OSError:  # Linux says so when the other end is closed
        pass
    os.close(ours)
    assert process.wait(30) == 0
    assert "━".encode() in shown
