"""A clip through two processes into a recording, and the recording through two more."""

import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import cv2
import pytest

from framewire.common.container import RecordingReader
from framewire.common.frame import Packet
from processes import CLIPS, Start

CLIP = CLIPS / "timecode.mp4"


def clip_times_ms() -> list[float]:
    capture = cv2.VideoCapture(str(CLIP))
    times = []
    while capture.read()[0]:
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC))
    capture.release()
    return times


def read(path: Path) -> list[Packet]:
    with closing(RecordingReader(path)) as reader:
        return list(reader.packets())


def record(framewire: Start, sender: tuple[str, ...], out: Path, count: int) -> None:
    sending = framewire(*sender, "--bind", "tcp://127.0.0.1:*", "--wait", "1", "--json")
    recording = framewire(
        "record", sending.endpoint(), "--out", str(out), "--count", str(count), "--all", "--json"
    )
    assert recording.wait() == 0
    summary = recording.event("summary")
    assert (summary["recorded"], summary["lost"]) == (count, 0)
    assert sending.wait() == 0
    assert sending.event("summary")["sent"] == count


def test_recorded_frames_keep_the_clips_intervals_and_replay_bit_for_bit(
    framewire: Start, tmp_path: Path
) -> None:
    times = clip_times_ms()
    first, second = tmp_path / "first.mkv", tmp_path / "second.mkv"

    record(framewire, ("send", str(CLIP), "--metadata", "gain=4"), first, len(times))
    recorded = read(first)
    assert [packet.sequence for packet in recorded] == list(range(len(times)))
    assert {packet.topic for packet in recorded} == {"timecode"}
    assert all(packet.metadata == {"gain": 4} for packet in recorded)
    began = recorded[0].header.captured_ns
    for packet, at_ms in zip(recorded, times, strict=True):
        assert (packet.header.captured_ns - began) / 1e6 == pytest.approx(at_ms - times[0], abs=5)

    record(framewire, ("replay", str(first), "--speed", "4"), second, len(times))
    replayed = read(second)
    assert [packet.payload for packet in replayed] == [packet.payload for packet in recorded]
    for old, new in zip(recorded, replayed, strict=True):
        assert new.header.replay
        assert not old.header.replay
        for fact in ("sequence", "captured_ns", "monotonic_ns", "metadata", "crc32", "encode_us"):
            assert getattr(new.header, fact) == getattr(old.header, fact)
    assert {packet.header.sender for packet in replayed}.isdisjoint(
        packet.header.sender for packet in recorded
    )

    capture = cv2.VideoCapture(str(first))
    readable = sum(1 for _ in iter(lambda: capture.read()[0], False))
    capture.release()
    assert readable == len(times)


def test_ffmpeg_finds_nothing_to_say_about_a_recording(framewire: Start, tmp_path: Path) -> None:
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed here")
    out = tmp_path / "irregular.mkv"
    record(framewire, ("send", str(CLIP), "--speed", "4"), out, len(clip_times_ms()))
    for command in (
        ["ffmpeg", "-v", "warning", "-i", str(out), "-f", "null", "-"],
        ["ffprobe", "-v", "warning", "-count_frames", str(out)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_folder_gets_a_file_for_each_topic(framewire: Start, tmp_path: Path) -> None:
    yard = framewire("replay", str(CLIPS / "yard.mkv"), "--bind", "tcp://127.0.0.1:*", "--wait",
                     "1", "--speed", "8", "--json")  # fmt: skip
    chart = framewire("send", "pattern:160x120@30", "--bind", "tcp://127.0.0.1:*", "--wait", "1",
                      "--count", "20", "--topic", "lab/chart", "--json")  # fmt: skip
    both = framewire("record", yard.endpoint(), chart.endpoint(), "--out", "shelf", "--count",
                     "68", "--json")  # fmt: skip
    assert both.wait() == 0
    assert both.event("summary")["recorded"] == 68
    files = sorted((tmp_path / "shelf").rglob("*.mkv"))
    assert [str(f.parent.relative_to(tmp_path / "shelf")) for f in files] == [
        "lab/chart",
        "lab/yard",
    ]
    assert files[1].name == "2026-01-31T14-05-00.mkv"
    assert [len(read(file)) for file in files] == [20, 48]
    assert [p.sequence for p in read(files[1])] == [p.sequence for p in read(CLIPS / "yard.mkv")]
