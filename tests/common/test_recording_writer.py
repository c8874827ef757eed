"""One recording on the disk: what is there at any moment, locks, and room that is missing."""

import errno
import os
import sys
from collections import deque
from contextlib import closing, suppress
from pathlib import Path

import pytest

from framewire.common.container import RecordingReader
from framewire.common.errors import RecordingError
from framewire.common.frame import Packet
from framewire.common.recording_writer import (
    RecordingWriter,
    is_being_written,
    is_ours_on_disk,
    sync_folder,
)
from receiver.publishing import packet


def _read(path: Path) -> list[Packet]:
    with closing(RecordingReader(path)) as reader:
        return list(reader.packets())


def test_every_frame_is_there_as_soon_as_it_was_written(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "a.mkv", packet(0).header)
    for number in range(3):
        writer.write(packet(number))
        assert _read(writer.path) == [packet(each) for each in range(number + 1)]
        assert writer.size == writer.path.stat().st_size
    writer.close(sync=True)
    writer.close()
    sync_folder(tmp_path)
    assert _read(writer.path) == [packet(each) for each in range(3)]


def test_a_new_file_replaces_none(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        RecordingWriter(path, packet(0).header, new=True)
    assert path.read_text() == "mine"


class Room:
    """A disk with so many bytes left."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, left: int) -> None:
        self.left = left
        self._write = os.write
        monkeypatch.setattr(os, "write", self._take)

    def _take(self, file: int, data: bytes) -> int:
        if not self.left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = self._write(file, data[: self.left])
        self.left -= taken
        return taken


def test_at_any_byte_where_there_is_no_more_room_the_frames_before_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(monkeypatch, 0)
    for left in range(0, 4000, 97):
        room.left = left
        path = tmp_path / f"{left}.mkv"
        writer = RecordingWriter(path, packet(0).header, new=True)
        with pytest.raises(RecordingError, match="No space left"):
            deque(map(writer.write, map(packet, range(10))))
        with suppress(RecordingError):  # `cannot finish`
            writer.close()
        if writer.frames:
            room.left = 1 << 20
            assert _read(path) == [packet(number) for number in range(writer.frames)]
        else:
            assert path.read_bytes() == b""


def test_where_only_the_index_has_no_room_the_rest_is_put_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = RecordingWriter(tmp_path / "a.mkv", packet(0).header)
    for number in range(3):
        writer.write(packet(number))

    def full(data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writer, "_append", full)
    for _ in range(2):
        with pytest.raises(RecordingError, match="cannot finish"):
            writer.finish()
    with pytest.raises(RecordingError, match="cannot finish"):
        writer.close()
    assert b"\x44\x89\x88" in writer.path.read_bytes()[:512]  # its duration
    assert _read(writer.path) == [packet(number) for number in range(3)]


@pytest.mark.skipif(sys.platform == "win32", reason="no file is removed there while it is open")
def test_a_file_that_is_removed(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "a.mkv", packet(0).header)
    assert not writer.removed
    writer.path.unlink()
    assert writer.removed
    (tmp_path / "a.mkv").write_text("another")
    writer.discard()
    assert (tmp_path / "a.mkv").read_text() == "another"
    assert not writer.removed


def test_who_writes_a_file_is_known(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    path = tmp_path / "a.mkv"
    writer = RecordingWriter(path, packet(0).header)
    assert is_being_written(path)
    writer.write(packet(0))
    with pytest.raises(RecordingError, match="another program is recording into it"):
        RecordingWriter(path, packet(0).header)
    assert _read(path) == [packet(0)]
    writer.close()
    assert not is_being_written(path)


def test_what_framewire_wrote_is_known(tmp_path: Path) -> None:
    ours, other = tmp_path / "a.mkv", tmp_path / "b.mkv"
    with closing(RecordingWriter(ours, packet(0).header)) as writer:
        writer.write(packet(0))
    other.write_bytes(b"a film")
    assert is_ours_on_disk(ours)
    assert not is_ours_on_disk(other)
    assert not is_ours_on_disk(tmp_path / "missing.mkv")
