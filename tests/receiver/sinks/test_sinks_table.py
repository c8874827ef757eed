"""The table of sinks."""

from pathlib import Path

import pytest

from framewire.common.errors import RecordingError, SinkError
from framewire.receiver import Images, Recorder
from framewire.receiver.sinks import SINKS, open_sink
from receiver.publishing import packet


def test_every_kind_takes_a_packet(tmp_path: Path) -> None:
    for kind in SINKS:
        sink = open_sink(kind.name, tmp_path / kind.name)
        sink.write(packet(0))
        sink.close()
        sink.close()  # may be called again
        assert [
            path
            for path in (tmp_path / kind.name / "lab" / "cam1").iterdir()
            if path.stat().st_size
        ]


def test_names_find_their_sinks(tmp_path: Path) -> None:
    recorder = open_sink("mkv", tmp_path / "a.mkv")
    assert isinstance(recorder, Recorder)
    recorder.close()
    assert isinstance(open_sink("images", tmp_path / "b"), Images)


def test_overwriting_is_passed_on(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    path.touch()
    with pytest.raises(RecordingError, match="is there already"):
        open_sink("mkv", path)
    open_sink("mkv", path, overwrite=True).close()


def test_an_unknown_name_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="unknown format 'avi': use mkv or images"):
        open_sink("avi", tmp_path / "a.avi")
