"""`framewire info` on recordings, clips, and damaged ones."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from common.recorded import clusters, damage, damaged, packet, picture, record
from framewire.app.main import run
from framewire.common.container import RecordingReader
from framewire.common.frame import Packet
from framewire.common.recording_writer import RecordingWriter
from processes import CLIPS

YARD = CLIPS / "yard.mkv"


def facts(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = run(["info", "--json", *arguments])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, found


def test_a_recording(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = facts(capsys, str(YARD))
    assert code == 0
    assert found["kind"] == "recording"
    assert found["topic"] == "lab/yard"
    assert (found["frames"], found["lost"], found["gaps"]) == (48, 2, 1)
    assert (found["width"], found["height"], found["codec"]) == (480, 270, "jpeg")
    assert found["bytes"] == YARD.stat().st_size
    with closing(RecordingReader(YARD)) as reader:
        times = [packet.header.captured_ns for packet in reader.packets()]
    assert found["duration_s"] == pytest.approx((times[-1] - times[0]) / 1e9)
    assert found["first_captured_ns"] == times[0]
    assert found["last_captured_ns"] == times[-1]


def test_what_is_missing_shows_in_the_exit_code_of_a_check(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, found = facts(capsys, "--check", str(YARD))
    assert (code, found["damaged"]) == (3, 0)


def test_damage_shows_in_the_exit_code_of_a_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(RecordingReader(YARD)) as reader:
        packets = list(reader.packets())[:10]
    damaged = tmp_path / "damaged.mkv"
    writer = RecordingWriter(damaged, packets[0].header)
    for number, each in enumerate(packets):
        if number == 4:
            header = msgspec.structs.replace(each.header, crc32=each.header.crc32 ^ 1)
            each = Packet(header, each.payload)
        writer.write(each)
    writer.close()
    assert facts(capsys, str(damaged))[0] == 0
    code, found = facts(capsys, "--check", str(damaged))
    assert (code, found["damaged"], found["frames"]) == (1, 1, 10)


@pytest.mark.parametrize("check", [(), ("--check",)])
def test_a_foreign_clip(check: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    code, found = facts(capsys, *check, str(CLIPS / "meadow.mp4"))
    assert code == 0
    assert found["kind"] == "clip"
    assert (found["frames"], found["damaged"]) == (200, 0)
    assert (found["width"], found["height"], found["codec"]) == (640, 360, "h264")
    assert found["duration_s"] == pytest.approx(8.0)
    assert "topic" not in found


def test_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", str(YARD), "--check"]) == 3
    text = capsys.readouterr().out
    for words in (
        "recording",
        "48 frames of 480x270 jpeg",
        "lab/yard",
        "2 lost in 1 gap",
        "0 damaged",
    ):
        assert words in text
    assert run(["info", str(CLIPS / "timecode.mp4")]) == 0
    text = capsys.readouterr().out
    assert "143 frames of 480x270 h264" in text
    assert "topic" not in text


# -- evidence -----------------------------------------------------------------------------------


def lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = run(["info", *arguments])
    return code, [line.strip() for line in capsys.readouterr().out.splitlines()]


def test_gaps_are_told_with_their_places(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = record(tmp_path / "a.mkv", [packet(number) for number in range(0, 60, 2)])
    code, text = lines(capsys, str(path))
    assert code == 0
    assert "from 0.000 to 0.080 s: 1 lost, numbers 1 to 1" in text
    assert text.count("and 19 more (--json lists all)") == 1
    assert sum("1 lost, numbers" in line for line in text) == 10
    _, found = facts(capsys, str(path))
    assert len(found["missing"]) == found["gaps"] == found["lost"] == 29
    assert found["missing"][28] == {
        "sender": "0123456789abcdef", "first": 57, "last": 57, "frames": 1, "index": 29,
        "start_s": 2.24, "end_s": 2.32,
    }  # fmt: skip
    assert (found["min_interval_ms"], found["max_interval_ms"]) == (80, 80)
    assert found["began"] == "2026-01-31 14:05:00.000000+00:00"
    assert found["ended"] == "2026-01-31 14:05:02.320000+00:00"


def test_a_cut_file_is_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = record(tmp_path / "a.mkv", [packet(number) for number in range(10)])
    data = path.read_bytes()
    path.write_bytes(data[: clusters(data)[6] + 100])
    code, text = lines(capsys, "--check", str(path))
    assert code == 1
    assert "not finished: it has no index (framewire repair writes one)" in text
    assert "cut: the last 91 bytes are no whole frame" in text
    assert f"cut: {len(data) - len(path.read_bytes())} bytes are missing at its end" in text
    assert lines(capsys, str(path))[0] == 0
    _, found = facts(capsys, str(path))
    assert (found["frames"], found["finished"], found["cut_bytes"]) == (6, False, 91)


def test_damage_is_told_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = record(tmp_path / "a.mkv", [packet(number) for number in range(10)])
    data = bytearray(path.read_bytes())
    marks = clusters(bytes(data))
    data[marks[2] : marks[4]] = bytes(marks[4] - marks[2])
    data[marks[5] + 2000] ^= 4
    data[data.index(b"\xa5frame", marks[7]) + 2] ^= 1
    path.write_bytes(data)
    code, text = lines(capsys, "--check", str(path))
    assert code == 1
    assert (
        f"damaged: {marks[4] - marks[2]} bytes from byte {marks[2]} on: "
        "no element of Matroska where one should be"
    ) in text
    assert "damaged: 1 frame(s) whose header cannot be read" in text
    assert any(line.startswith("damaged: frame 3 at 0.200 s: a payload was") for line in text)
    assert "2 damaged" in text
    code, found = facts(capsys, "--check", str(path))
    assert (code, found["damaged"], found["unreadable"], found["lost"]) == (1, 2, 1, 3)
    assert [frame["index"] for frame in found["damaged_frames"]] == [3]
    assert found["faults"][0]["offset"] == marks[2]


def test_a_picture_that_does_not_decode(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = picture(1)
    at = good.index(b"\xff\xc4") + 5  # sixteen counts of codes
    bad = good[:at] + b"\xff" * 16 + good[at + 16 :]
    path = record(tmp_path / "a.mkv", [packet(0), packet(1, bad), packet(2)])
    code, found = facts(capsys, "--check", str(path))
    assert (code, [each["index"] for each in found["damaged_frames"]]) == (1, [1])
    assert facts(capsys, str(path))[0] == 0


def test_several_files_and_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path / "one.mkv", [packet(0)])
    (tmp_path / "lab" / "cam1").mkdir(parents=True)
    record(tmp_path / "lab" / "cam1" / "two.mkv", [packet(0), packet(2)])
    (tmp_path / "lab" / "notes.txt").write_text("no video")
    code = run(["info", "--json", "--check", str(tmp_path), str(YARD)])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 3
    assert [Path(each["file"]).name for each in found] == ["two.mkv", "one.mkv", "yard.mkv"]
    (tmp_path / "bad.mkv").write_bytes(b"no video")
    code = run(["info", str(tmp_path)])
    captured = capsys.readouterr()
    assert code == 1
    assert captured.err.startswith("framewire: cannot read")
    assert captured.err.count("\n") == 1
    assert "one.mkv" in captured.out


@pytest.mark.parametrize("name", ["missing.mkv", "text.mkv", "cut.mkv"])
def test_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (tmp_path / "text.mkv").write_text("no video")
    (tmp_path / "cut.mkv").write_bytes(YARD.read_bytes()[:450])
    assert run(["info", str(tmp_path / name)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("framewire: cannot read")
    assert error.count("\n") == 1


def test_nothing_to_tell_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", str(tmp_path)]) == 2
    assert "holds no video" in capsys.readouterr().err
    assert run(["info"]) == 2
    assert "name a recording" in capsys.readouterr().err


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(changes=damage())
def test_any_damage_is_told_or_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changes: list[tuple[str, float, float, bytes]],
) -> None:
    path = tmp_path / "bad.mkv"
    path.write_bytes(damaged(YARD.read_bytes(), changes))
    code = run(["info", "--check", str(path)])
    captured = capsys.readouterr()
    assert code in (0, 1, 3)
    assert captured.err.count("\n") == (0 if captured.out else 1)
