"""Bytes by place: short reads, windows, errors."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framewire.common.errors import Closed, RecordingError
from framewire.common.recording_file import RecordingFile, Window

CONTENT = bytes(range(256)) * 50


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "a").write_bytes(CONTENT)
    return tmp_path / "a"


def test_any_place(path: Path) -> None:
    file = RecordingFile(path)
    assert file.size() == len(CONTENT)
    assert file.read(100, 50) == CONTENT[100:150]
    assert file.read(len(CONTENT) - 5, 50) == CONTENT[-5:]
    assert file.read(len(CONTENT) + 5, 50) == b""
    file.close()
    with pytest.raises(Closed):
        file.read(0, 1)


def test_a_system_that_reads_in_small_pieces(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda file, size, at: pread(file, min(size, 7), at))
    file = RecordingFile(path)
    assert file.read(100, 50) == CONTENT[100:150]
    file.close()


def test_a_system_without_pread(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pread")
    file = RecordingFile(path)
    assert file.read(100, 50) == CONTENT[100:150]
    assert file.read(len(CONTENT) - 5, 50) == CONTENT[-5:]
    file.close()


def test_a_disk_that_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    file = RecordingFile(path)
    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(RecordingError, match=r"cannot read .*a: Input/output error"):
        file.read(0, 1)
    file.close()
    with pytest.raises(RecordingError, match=r"cannot read .*: (No such file|Is a directory)"):
        RecordingFile(path.parent)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, len(CONTENT) + 9), st.integers(0, 9000)), max_size=20))
def test_a_window_gives_the_same(path: Path, places: list[tuple[int, int]]) -> None:
    file = RecordingFile(path)
    window = Window(file)
    for offset, size in places:
        assert window.read(offset, size) == CONTENT[offset : offset + size]
    file.close()


def test_a_window_forgets(path: Path) -> None:
    file = RecordingFile(path)
    window = Window(file)
    assert window.read(0, 5) == CONTENT[:5]
    path.write_bytes(b"x" * 6000)
    window.forget()
    assert window.read(0, 5) == b"xxxxx"
    file.close()
