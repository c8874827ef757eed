"""`framewire repair`: cut and damaged recordings made whole, without touching them."""

import json
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from common.recorded import CLUSTER, clusters, damage, damaged, packet, picture, record
from framewire.app.main import run
from framewire.common.errors import RecordingError
from framewire.common.frame import Packet
from framewire.common.recording import Recording
from framewire.common.recording_writer import RecordingWriter
from framewire.common.testchart import read_number
from processes import CLIPS

FRAMES = 30


@pytest.fixture(scope="module")
def sent() -> list[Packet]:
    return [packet(number, metadata={"number": number}) for number in range(FRAMES)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, sent: list[Packet]) -> bytes:
    return record(tmp_path_factory.mktemp("whole") / "a.mkv", sent).read_bytes()


def repaired(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, data: bytes, *more: str
) -> tuple[dict[str, Any], Path]:
    bad, out = tmp_path / "bad.mkv", tmp_path / "new.mkv"
    bad.write_bytes(data)
    assert run(["repair", str(bad), "--out", str(out), "--json", *more]) == 0
    assert bad.read_bytes() == data
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.mkv", "new.mkv"]
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts, out


def test_a_cut_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], whole: bytes, sent: list[Packet]
) -> None:
    facts, out = repaired(capsys, tmp_path, whole[: clusters(whole)[21] - 100])
    assert (facts["kept"], facts["damaged"], facts["faults"]) == (20, 0, 0)
    assert 5000 < facts["cut_bytes"] < 7000
    with Recording(out) as recording, Recording(tmp_path / "bad.mkv") as before:
        assert list(recording.packets()) == sent[:20]
        assert recording.finished
        assert not before.finished
        for at in range(20):
            assert recording.stored(at) == before.stored(at)
            assert recording.time_of(at) == before.time_of(at)
        assert recording.topic == "lab/cam1"
    assert run(["info", "--check", str(out)]) == 0


def test_damage_in_the_middle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], whole: bytes, sent: list[Packet]
) -> None:
    marks = clusters(whole)
    data = bytearray(whole)
    data[marks[0] : marks[3]] = bytes(marks[3] - marks[0])  # gone
    data[marks[10] + 3000] ^= 1  # a picture whose CRC-32 disagrees
    at = data.index(b"\xa5frame", marks[20])
    data[at + 3] ^= 1  # a header that cannot be read
    facts, out = repaired(capsys, tmp_path, bytes(data))
    assert (facts["kept"], facts["damaged"], facts["faults"]) == (25, 2, 1)
    assert facts["fault_bytes"] == marks[3] - marks[0]
    kept = [*range(3, 10), *range(11, 20), *range(21, FRAMES)]
    with Recording(out) as recording:
        assert list(recording.packets()) == [sent[number] for number in kept]
        assert [recording.time_of(at) for at in range(25)] == [n * 40 / 1000 for n in kept]
        assert (recording.finished, recording.damaged, recording.faults) == (True, 0, ())
    assert run(["info", "--check", str(out)]) == 3


def test_keys_of_later_framewires_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], whole: bytes
) -> None:
    data = whole.replace(b"\xa9encode_us", b"\xa9exposures")
    _, out = repaired(capsys, tmp_path, data)
    with Recording(out) as recording:
        assert all(b"exposures" in recording.stored(at) for at in range(FRAMES))


def test_a_part_that_comes_twice_stays_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], whole: bytes, sent: list[Packet]
) -> None:
    marks = clusters(whole)
    _, out = repaired(capsys, tmp_path, whole[: marks[10]] + whole[marks[5] :])
    with Recording(out) as recording:
        assert list(recording.packets()) == sent[:10] + sent[5:]
        assert recording.repeated == 5
        times = [recording.time_of(at) for at in range(len(recording))]
        assert times == sorted(set(times))


def test_the_result_is_seekable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], whole: bytes
) -> None:
    from framewire.common.opencv import cv2

    _, out = repaired(capsys, tmp_path, whole[: clusters(whole)[-1] + 50])
    video = cv2.VideoCapture(str(out))
    try:
        for place, wanted in ((cv2.CAP_PROP_POS_FRAMES, 20), (cv2.CAP_PROP_POS_MSEC, 3)):
            step = 40 if place == cv2.CAP_PROP_POS_MSEC else 1
            assert video.set(place, wanted * step)
            read, image = video.read()
            assert read
            assert read_number(image.astype("uint8")) == wanted
    finally:
        video.release()
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed")
    command = ["ffmpeg", "-v", "error", "-ss", "0.8", "-i", str(out), "-frames:v", "1"]
    still = tmp_path / "still.png"
    done = subprocess.run(
        [*command, str(still)],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    picked = cv2.imread(str(still))
    assert picked is not None
    assert read_number(picked.astype("uint8")) == 20


def test_a_whole_one_is_copied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], whole: bytes, sent: list[Packet]
) -> None:
    facts, out = repaired(capsys, tmp_path, whole)
    assert (facts["kept"], facts["damaged"], facts["cut_bytes"]) == (FRAMES, 0, 0)
    with Recording(out) as recording:
        assert list(recording.packets()) == sent


def test_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str], whole: bytes) -> None:
    bad, out = tmp_path / "bad.mkv", tmp_path / "new.mkv"
    bad.write_bytes(whole[: clusters(whole)[5] + 100])
    assert run(["repair", str(bad), "--out", str(out)]) == 0
    assert capsys.readouterr().out == (
        f"{out}: 5 frames kept of {bad}\n  left out: 91 bytes at the end that are no whole frame\n"
    )
    assert run(["repair", str(out), "--out", str(tmp_path / "newer.mkv")]) == 0
    assert "left out: nothing" in capsys.readouterr().out


# -- where it may write -------------------------------------------------------------------------


def test_it_overwrites_only_when_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], whole: bytes
) -> None:
    out = tmp_path / "new.mkv"
    out.write_bytes(b"precious")
    bad = tmp_path / "bad.mkv"
    bad.write_bytes(whole)
    assert run(["repair", str(bad), "--out", str(out)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert out.read_bytes() == b"precious"
    repaired(capsys, tmp_path, whole, "--overwrite")
    assert out.stat().st_size > 1000


@pytest.mark.parametrize("link", [False, True])
def test_never_over_the_recording_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], whole: bytes, link: bool
) -> None:
    bad = out = tmp_path / "bad.mkv"
    bad.write_bytes(whole)
    if link:
        out = tmp_path / "linked.mkv"
        os.link(bad, out)
    assert run(["repair", str(bad), "--out", str(out), "--overwrite"]) == 2
    assert "the recording itself" in capsys.readouterr().err
    assert bad.read_bytes() == whole


@pytest.mark.parametrize(
    ("out", "code", "words"),
    [
        ("a.mp4", 2, "recordings are .mkv"),
        ("none/a.mkv", 1, "No such file"),
        ("a.mkv", 1, "damaged"),
    ],
)
def test_what_cannot_be_done(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    sent: list[Packet],
    out: str,
    code: int,
    words: str,
) -> None:
    header = msgspec.structs.replace(sent[0].header, crc32=1)
    payload = picture(0) if out == "a.mkv" else sent[0].payload
    first = Packet(header if out == "a.mkv" else sent[0].header, payload)
    bad = record(tmp_path / "bad.mkv", [first])
    assert run(["repair", str(bad), "--out", str(tmp_path / out)]) == code
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bad.mkv"]


def test_a_disk_that_is_full_leaves_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    whole: bytes,
) -> None:
    append = RecordingWriter.append

    def fail(writer: RecordingWriter, *facts: Any) -> None:
        if writer.frames:
            raise RecordingError(f"cannot write {writer.path}: No space left on device")
        append(writer, *facts)

    monkeypatch.setattr(RecordingWriter, "append", fail)
    (tmp_path / "bad.mkv").write_bytes(whole)
    assert run(["repair", str(tmp_path / "bad.mkv"), "--out", str(tmp_path / "new.mkv")]) == 1
    assert "No space left" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["bad.mkv"]


def test_a_clip_is_no_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.mkv"
    assert run(["repair", str(CLIPS / "meadow.mp4"), "--out", str(out)]) == 1
    assert "it is a clip of codec h264, no recording" in capsys.readouterr().err
    assert not out.exists()


# -- any damage ---------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(changes=damage())
def test_any_damage_ends_in_a_whole_file_or_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    whole: bytes,
    sent: list[Packet],
    changes: list[tuple[str, float, float, bytes]],
) -> None:
    bad, out = tmp_path / "bad.mkv", tmp_path / "new.mkv"
    bad.write_bytes(damaged(whole, changes))
    out.unlink(missing_ok=True)
    code = run(["repair", str(bad), "--out", str(out)])
    assert code in (0, 1)
    if code == 1:
        assert capsys.readouterr().err.count("\n") == 1
        assert not out.exists()
        return
    with suppress(RecordingError), Recording(out) as recording:
        assert recording.finished
        assert recording.damaged == 0
        payloads = {each.payload for each in sent}
        assert all(each.payload in payloads for each in recording.packets())
    assert run(["info", "--check", str(out)]) in (0, 3)
    assert CLUSTER in out.read_bytes()
