"""What is removed from a folder, and what never is."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from framewire.common.clock import NS
from framewire.common.recording_writer import RecordingWriter
from framewire.receiver.sinks.shelf import Shelf
from receiver.publishing import packet

NAME = "2026-01-31T14-05-00.mkv"


def _record(path: Path, frames: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = RecordingWriter(path, packet(0).header)
    for number in range(frames):
        writer.write(packet(number))
    writer.close()
    os.utime(path, ns=(0, 0))
    return path


def _tidy(folder: Path, open_paths: list[Path] | None = None) -> list[str]:
    """What goes where everything is too old."""
    shelf = Shelf(folder, keep_ns=1, max_bytes=None)
    gone = shelf.tidy(open_paths or [], 3600 * NS, 0)
    return sorted(str(kept.path.relative_to(folder)) for kept in gone)


def test_what_framewire_wrote_goes_with_the_folders_that_become_empty(tmp_path: Path) -> None:
    folder = tmp_path / "shelf"
    _record(folder / "lab" / "cam1" / NAME)
    _record(folder / "yard" / NAME)
    (folder / "yard" / "notes.txt").write_text("mine")
    assert _tidy(folder) == [f"lab/cam1/{NAME}", f"yard/{NAME}"]
    assert sorted(path.name for path in folder.rglob("*")) == ["notes.txt", "yard"]


def test_everything_else_stays(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "shelf", tmp_path / "elsewhere"
    ours = _record(elsewhere / "cam" / NAME)
    staying = [
        _record(folder / NAME),  # of no topic
        _record(folder / "cam" / "holiday.mkv"),
        _record(folder / "a b" / NAME),  # no topic
        folder / "cam" / "2026-01-31T14-05-01.mkv",
        folder / "cam" / "2026-01-31T14-05-02.mkv",
        folder / "cam" / "2026-01-31T14-05-03.mkv" / "inner.txt",
    ]
    staying[3].write_bytes(b"\x1a\x45\xdf\xa3 a film of somebody else")
    staying[4].touch()
    staying[5].parent.mkdir()
    staying[5].touch()
    for path in staying:
        os.utime(path, ns=(0, 0))
    assert _tidy(folder) == []
    assert all(path.exists() for path in (*staying, ours))


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_are_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "shelf"
    ours = _record(tmp_path / "elsewhere" / "cam" / NAME)
    (folder / "cam").mkdir(parents=True)
    (folder / "cam" / NAME).symlink_to(ours)
    (folder / "linked").symlink_to(ours.parent)
    assert _tidy(folder) == []
    assert ours.exists()
    assert (folder / "cam" / NAME).is_symlink()


def test_a_copy_by_another_program_stays(tmp_path: Path) -> None:
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed here")
    original = _record(tmp_path / "a.mkv", 3)
    cut = tmp_path / "shelf" / "cam" / NAME
    cut.parent.mkdir(parents=True)
    assert os.system(f"ffmpeg -v error -i '{original}' -c copy '{cut}'") == 0
    os.utime(cut, ns=(0, 0))
    assert _tidy(tmp_path / "shelf") == []


def test_what_is_open_here_or_in_another_program_stays(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    path = tmp_path / "cam" / NAME
    here = _record(tmp_path / "here" / NAME)
    path.parent.mkdir()
    writer = RecordingWriter(path, packet(0).header)  # locked, as by another
    writer.write(packet(0))
    os.utime(path, ns=(0, 0))
    assert _tidy(tmp_path, [here]) == []
    writer.close()
    os.utime(path, ns=(0, 0))
    assert _tidy(tmp_path, [here]) == [f"cam/{NAME}"]


def test_what_cannot_go_makes_the_next_go(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    paths = [tmp_path / "cam" / f"2026-01-31T14-05-0{number}.mkv" for number in range(3)]
    for number, path in enumerate(paths):
        _record(path)
        os.utime(path, ns=(0, number))
    size = paths[0].stat().st_size
    other = RecordingWriter(paths[0], packet(0).header)
    other.write(packet(0))
    os.utime(paths[0], ns=(0, 0))
    gone = Shelf(tmp_path, keep_ns=None, max_bytes=2 * size).tidy([], 3600 * NS, 0)
    assert [kept.path for kept in gone] == [paths[1]]
    other.close()


def test_limits_only_where_there_are_any(tmp_path: Path) -> None:
    assert not Shelf(tmp_path, keep_ns=None, max_bytes=None).limited
    assert Shelf(tmp_path, keep_ns=None, max_bytes=1).limited
    assert _tidy(tmp_path / "missing") == []


def test_nothing_goes_for_its_age_just_because_the_clock_leapt(tmp_path: Path) -> None:
    _record(tmp_path / "cam" / NAME)
    shelf = Shelf(tmp_path, keep_ns=3600 * NS, max_bytes=None)
    assert shelf.tidy([], 60 * NS, 0) == []
    assert shelf.tidy([], 2 * 3600 * NS, 10 * NS) == []
    assert len(shelf.tidy([], 3 * 3600 * NS + NS, 3611 * NS)) == 1


def test_the_first_found_goes_first_though_the_clock_was_set_back(tmp_path: Path) -> None:
    old = _record(tmp_path / "cam" / NAME)
    os.utime(old, ns=(7200 * NS, 7200 * NS))
    shelf = Shelf(tmp_path, keep_ns=None, max_bytes=old.stat().st_size)
    assert shelf.tidy([], 7200 * NS, 0) == []
    new = _record(tmp_path / "cam" / NAME.replace("14", "13"))
    assert [kept.path for kept in shelf.tidy([], 3600 * NS, 10 * NS)] == [old]
    assert new.exists()
