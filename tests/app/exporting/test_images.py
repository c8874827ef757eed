"""Image folders: byte for byte what was sent."""

from pathlib import Path

from app.exporting.making import TIMES_MS, packets, record
from framewire.app.main import run
from framewire.common.jpeg_syntax import split_header
from framewire.common.wire import decode_header
from framewire.receiver import Images


def test_the_bytes_are_those_that_were_sent(tmp_path: Path) -> None:
    given = packets()
    yard, out = record(tmp_path / "yard.mkv", given), tmp_path / "out"
    assert run(["export", str(yard), "--to", "images", "--out", str(out)]) == 0
    files = sorted(out.rglob("*.jpg"))
    assert [file.read_bytes() for file in files] == [each.payload for each in given]
    assert files[0] == out / "lab" / "cam1" / "2026-01-31T14-05-12.123456Z-000000.jpg"
    assert files[-1].name == "2026-01-31T14-05-13.456456Z-000009.jpg"
    assert len(files) == len(TIMES_MS)


def test_with_headers_they_are_those_that_the_recorder_writes(tmp_path: Path) -> None:
    given = packets()
    yard, out = record(tmp_path / "yard.mkv", given), tmp_path / "out"
    assert run(["export", str(yard), "--to", "images", "--out", str(out), "--headers"]) == 0
    with Images(tmp_path / "recorded") as images:
        for each in given:
            images.write(each)
    ours = sorted(file.read_bytes() for file in out.rglob("*.jpg"))
    assert ours == sorted(file.read_bytes() for file in (tmp_path / "recorded").rglob("*.jpg"))
    header, payload = split_header(sorted(out.rglob("*.jpg"))[4].read_bytes())
    assert header is not None
    assert decode_header(header) == given[4].header
    assert payload == given[4].payload


def test_into_a_folder_that_is_there_other_files_stay(tmp_path: Path) -> None:
    yard, out = record(tmp_path / "yard.mkv", packets()), tmp_path / "out"
    (out / "lab").mkdir(parents=True)
    (out / "lab" / "mine.txt").write_text("mine")
    assert run(["export", str(yard), "--to", "images", "--out", str(out)]) == 1
    assert run(["export", str(yard), "--to", "images", "--out", str(out), "--overwrite"]) == 0
    assert len(list(out.rglob("*.jpg"))) == len(TIMES_MS)
    assert (out / "lab" / "mine.txt").read_text() == "mine"
    assert not list(tmp_path.glob(".*"))


def test_one_frame_in_two_recordings_gives_two_files(tmp_path: Path) -> None:
    files = [str(record(tmp_path / f"{n}.mkv", packets())) for n in (1, 2)]
    out = tmp_path / "out"
    assert run(["export", *files, "--to", "images", "--out", str(out)]) == 0
    assert len(list(out.rglob("*.jpg"))) == 2 * len(TIMES_MS)
