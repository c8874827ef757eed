"""`framewire info` on recordings, clips, and damaged ones."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from framewire.app.main import run
from framewire.common.container import RecordingReader, RecordingWriter
from framewire.common.frame import Packet
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
    for number, packet in enumerate(packets):
        if number == 4:
            header = msgspec.structs.replace(packet.header, crc32=packet.header.crc32 ^ 1)
            packet = Packet(header, packet.payload)
        writer.write(packet)
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
