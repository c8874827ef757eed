"""Disks that are full, stalled, read-only or gone: the recorder lives, counts, and says so."""

import random
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from processes import Command, Event, Start, until
from system.recording import RUNS, Cameras, check, frozen, numbers, real_disk, small_disk

PERIODS_S = {"a": 0.01, "b": 0.02}


def _until_disk(recorder: Command, state: str) -> None:
    while recorder.event("disk")["state"] != state:
        pass


def _until_recorded(recorder: Command, topic: str = "a", more_than: int = 0) -> Event:
    """Until so many frames of a topic are on the disk."""
    while True:
        event = recorder.event("figures")
        if event["topic"] == topic and event["recorded"] > more_than:
            return event


def _until_received(recorder: Command, topic: str = "a", count: int = 0) -> None:
    """Until it has received so many more: the receiving side lives."""
    first = None
    while True:
        event = recorder.event("figures")
        if event["topic"] == topic:
            first = event["received"] if first is None else first
            if event["received"] >= first + count:
                return


def _stop(recorder: Command, code: int) -> Event:
    recorder.process.terminate()
    summary = recorder.event("summary")
    assert recorder.wait() == code, recorder
    return summary


def _recorded(paths: Iterable[Path]) -> int:
    return sum(len(check(path)) for path in paths)


@pytest.mark.parametrize("run", range(RUNS))
def test_a_disk_that_is_full_at_any_byte(framewire: Start, tmp_path: Path, run: int) -> None:
    kilobytes = random.Random(run).randrange(300, 3000)
    with small_disk(tmp_path / "disk", kilobytes) as disk, Cameras(PERIODS_S) as cameras:
        recorder = framewire("record", cameras.endpoint, "--out", str(disk), "--json")
        _until_disk(recorder, "failing")
        _until_received(recorder, count=20)
        summary = _stop(recorder, 1)
        files = sorted(disk.rglob("*.mkv"))
        assert files
        assert _recorded(files) == summary["recorded"]
        assert summary["recorded"] + summary["unwritten"] == summary["delivered"]
        assert summary["unwritten"] > 0
    first, *_, last = recorder.errors
    assert "No space left on device; frames that cannot be written are counted" in first
    assert f"{summary['unwritten']} frames not written (" in last


def test_recording_goes_on_when_there_is_room_again(framewire: Start, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 3000) as disk, Cameras(PERIODS_S) as cameras:
        (disk / "ballast").write_bytes(bytes(2_000_000))
        recorder = framewire("record", cameras.endpoint, "--out", str(disk), "--all", "--json")
        _until_disk(recorder, "failing")
        (disk / "ballast").unlink()
        _until_disk(recorder, "well")
        summary = _stop(recorder, 3)
        assert _recorded(disk.rglob("*.mkv")) == summary["recorded"]
        assert summary["recorded"] + summary["unwritten"] == summary["delivered"]
    assert any("recording goes on; " in line for line in recorder.errors)


def test_one_file_goes_on_in_a_second(framewire: Start, tmp_path: Path) -> None:
    """A limit on the size of files, as some file systems have: no frame is lost, and it is said."""
    limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000)); "
    limit += "import os; os.execv(sys.argv[1], sys.argv[1:])"
    with Cameras({"a": 0.01}) as cameras:
        recorder = framewire(
            *("record", cameras.endpoint, "--out", "yard.mkv", "--count", "100", "--json"),
            within=lambda argv: [sys.executable, "-c", limit, *argv],
        )
        assert recorder.wait() == 0, recorder
    files = [tmp_path / "yard.mkv", *(tmp_path / f"yard-{number}.mkv" for number in (2, 3))]
    found = [number for path in files for number in check(path)]
    assert found == list(range(found[0], found[0] + len(found)))
    assert "File too large" in recorder.errors[0]


def test_a_disk_that_stalls(framewire: Start, tmp_path: Path) -> None:
    with real_disk(tmp_path / "disk") as disk, Cameras(PERIODS_S) as cameras:
        recorder = framewire("record", cameras.endpoint, "--out", str(disk), "--json")
        _until_recorded(recorder)
        with frozen(disk):
            _until_received(recorder, count=300)  # for seconds nothing is written
        after = _until_recorded(recorder)["recorded"]
        _until_recorded(recorder, more_than=after)
        summary = _stop(recorder, 0)
        assert (summary["lost"], summary["unwritten"]) == (0, 0)  # all of it had room in memory
        assert _recorded(disk.rglob("*.mkv")) == summary["recorded"] == summary["delivered"]


def test_a_disk_that_never_answers_does_not_hold_up_the_end(
    framewire: Start, tmp_path: Path
) -> None:
    with real_disk(tmp_path / "disk") as disk, Cameras(PERIODS_S) as cameras:
        recorder = framewire("record", cameras.endpoint, "--out", str(disk), "--json")
        _until_recorded(recorder)
        with frozen(disk) as thaw:
            _until_received(recorder, count=100)
            recorder.process.terminate()
            summary = recorder.event("summary")  # while nothing can be written
            assert summary["unwritten"] > 0
            assert summary["recorded"] + summary["unwritten"] == summary["delivered"]
            thaw()  # Linux ends no process that waits for a frozen disk
        assert recorder.wait() == 1
        for path in disk.rglob("*.mkv"):
            assert numbers(path)
    assert "does not answer" in recorder.errors[-1]


def test_a_disk_that_becomes_read_only(framewire: Start, tmp_path: Path) -> None:
    with real_disk(tmp_path / "disk") as disk, Cameras(PERIODS_S) as cameras:
        recorder = framewire("record", cameras.endpoint, "--out", str(disk), "--json")
        _until_recorded(recorder)
        # What ext4 does of its own where the disk behind it fails.
        subprocess.run(["mount", "-o", "remount,abort", str(disk)], check=True, timeout=30)
        _until_disk(recorder, "failing")
        _until_received(recorder, count=20)
        summary = _stop(recorder, 1)
        assert summary["unwritten"] > 0
        for path in disk.rglob("*.mkv"):
            assert numbers(path)
    assert "frames not written (" in recorder.errors[-1]


def test_a_folder_that_is_removed_comes_again(framewire: Start, tmp_path: Path) -> None:
    with Cameras(PERIODS_S) as cameras:
        recorder = framewire("record", cameras.endpoint, "--out", "shelf", "--json")
        _until_recorded(recorder)
        shutil.rmtree(tmp_path / "shelf")
        until(lambda: len(list((tmp_path / "shelf").rglob("*.mkv"))) == 2)
        summary = _stop(recorder, 1)
    files = list((tmp_path / "shelf").rglob("*.mkv"))
    assert _recorded(files) == summary["recorded"]
    assert summary["recorded"] + summary["unwritten"] == summary["delivered"]
    assert "was removed while it was written" in recorder.errors[0]


def test_sixteen_topics_at_once(framewire: Start, tmp_path: Path) -> None:
    topics = {f"shelf/cam{number}": 0.1 for number in range(16)}
    with Cameras(topics) as cameras:
        arguments = ("--out", "out", "--segment", "1s", "--all", "--json")
        recorder = framewire("record", cameras.endpoint, *arguments)
        until(lambda: all(len(sent) > 25 for sent in cameras.sent.values()))
        summary = _stop(recorder, 0)
    assert (summary["lost"], summary["unwritten"]) == (0, 0)
    for topic in topics:
        parts = [numbers(path) for path in (tmp_path / "out" / topic).glob("*.mkv")]
        assert len(parts) > 1
        found = [number for part in sorted(parts) for number in part]
        assert found == list(range(found[0], found[0] + len(found)))
