"""Packets into JPEG files: names, bytes, and places that cannot be written."""

import errno
import os
from pathlib import Path

import pytest

from framewire.common.errors import SinkError, TopicError
from framewire.common.frame import Packet
from framewire.common.jpeg_syntax import split_header
from framewire.common.wire import decode_header
from framewire.receiver.sinks.images import Images, check_writable, write_jpeg
from receiver.publishing import BEGIN_NS, packet


def _read(path: Path) -> Packet:
    header, payload = split_header(path.read_bytes())
    assert header is not None
    return Packet(decode_header(header), payload)


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_file_holds_the_packet_bit_for_bit(tmp_path: Path) -> None:
    sent = packet(42, metadata={"gain": 4, "raw": b"\0\xff"})
    write_jpeg(tmp_path / "cam.jpg", sent)
    assert _read(tmp_path / "cam.jpg") == sent
    assert _files(tmp_path) == ["cam.jpg"]


def test_an_older_file_is_replaced(tmp_path: Path) -> None:
    for number in (1, 2):
        write_jpeg(tmp_path / "cam.jpg", packet(number))
    assert _read(tmp_path / "cam.jpg").sequence == 2


def test_opencv_reads_the_file(tmp_path: Path) -> None:
    from framewire.common.opencv import cv2
    from framewire.common.testchart import read_number

    write_jpeg(tmp_path / "cam.jpg", packet(42, metadata={"large": bytes(65_400)}))
    image = cv2.imread(str(tmp_path / "cam.jpg"))
    assert image is not None
    assert read_number(image.astype("uint8")) == 42


def test_only_jpeg_is_written(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="the picture is raw, not JPEG"):
        write_jpeg(tmp_path / "cam.jpg", packet(0, payload=bytes(160 * 96 * 3), codec="raw"))
    assert _files(tmp_path) == []


def test_names_tell_topic_time_and_number(tmp_path: Path) -> None:
    with Images(tmp_path / "deep" / "folder") as images:
        images.write(packet(7, captured_ns=BEGIN_NS + 123_456_789))
        images.write(packet(8, "yard", captured_ns=BEGIN_NS + 1_000))
        images.write(packet(9, "yard", captured_ns=0))
        assert images.frames == 3
    assert _files(tmp_path / "deep" / "folder") == [
        "lab/cam1/2026-01-31T14-05-00.123456-7.jpg",
        "yard/1970-01-01T00-00-00.000000-9.jpg",
        "yard/2026-01-31T14-05-00.000001-8.jpg",
    ]
    assert _read(tmp_path / "deep/folder/lab/cam1/2026-01-31T14-05-00.123456-7.jpg").sequence == 7


def test_no_topic_leads_out_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "inner" / "folder"
    with Images(folder) as images, pytest.raises(TopicError):
        images.write(packet(0, "../../outside"))
    assert _files(tmp_path) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match="cannot make the folder"):
        Images(tmp_path / "file" / "folder")
    images = Images(tmp_path)
    with pytest.raises(SinkError, match="cannot make the folder"):
        images.write(packet(0, "file/cam1"))
    assert images.frames == 0


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"cannot write .*: No such file"):
        write_jpeg(tmp_path / "missing" / "cam.jpg", packet(0))
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(SinkError, match="cannot write"):
        write_jpeg(tmp_path / "folder.jpg", packet(0))
    assert _files(tmp_path) == []  # nor is a part of it left


def test_a_full_disk_leaves_the_older_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "cam.jpg"
    write_jpeg(path, packet(1))
    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(SinkError, match="No space left on device"):
        write_jpeg(path, packet(2))
    monkeypatch.undo()
    assert _files(tmp_path) == ["cam.jpg"]
    assert _read(path).sequence == 1


def test_checking_a_place_leaves_no_trace(tmp_path: Path) -> None:
    check_writable(tmp_path / "cam.jpg")
    write_jpeg(tmp_path / "cam.jpg", packet(1))
    check_writable(tmp_path / "cam.jpg")
    assert _files(tmp_path) == ["cam.jpg"]
    assert _read(tmp_path / "cam.jpg").sequence == 1


def test_checking_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="it is a folder; name a file"):
        check_writable(tmp_path)
    with pytest.raises(SinkError, match="No such file or directory"):
        check_writable(tmp_path / "missing" / "cam.jpg")
