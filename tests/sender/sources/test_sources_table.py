"""The one table of sources: which row takes a spec, and that each row opens something."""

import inspect
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import pytest

from framewire.common.errors import SourceError, UsageError
from framewire.sender.sources import SOURCES, Source, SourceOptions, open_source

if TYPE_CHECKING:
    from sender.conftest import Chart, MakeClip, MakePacket, Record


@pytest.fixture
def folder(
    tmp_path: Path,
    chart: "Chart",
    make_clip: "MakeClip",
    record: "Record",
    packet: "MakePacket",
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    (tmp_path / "shots").mkdir()
    cv2.imwrite(str(tmp_path / "shots" / "a.png"), chart(0))
    (tmp_path / "brackets[1].mp4").write_bytes(
        Path(make_clip(tmp_path / "clip.mp4", [0, 40])).read_bytes()
    )
    record(tmp_path / "recording.mkv", [packet(0)])
    record(tmp_path / "recording", [packet(0)])
    make_clip(tmp_path / "clip.mkv", [0, 40], muxer="matroska")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _takes(spec: str) -> str:
    return next(kind.opener for kind in SOURCES if kind.takes(spec)).rpartition(":")[2]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("spec", "opener"),
    [
        ("0", "CameraSource"),
        ("12", "CameraSource"),
        ("camera:0", "CameraSource"),
        ("camera:Logitech", "CameraSource"),
        ("pattern:", "PatternSource"),
        ("pattern:640x480@15", "PatternSource"),
        ("rtsp://cam/stream", "open_url"),
        ("rtsps://cam/stream", "open_url"),
        ("http://cam/a.png", "open_url"),
        ("https://cam/clip.mp4", "open_url"),
        ("shots", "ImagesSource"),
        ("shots/", "ImagesSource"),
        (".", "ImagesSource"),
        ("shots/a.png", "ImagesSource"),
        ("shots/A.JPEG", "ImagesSource"),
        ("shots/*.png", "ImagesSource"),
        ("shots/?.mp4", "ImagesSource"),
        ("recording.mkv", "RecordingSource"),
        ("recording", "RecordingSource"),
        ("clip.mkv", "VideoSource"),
        ("clip.mp4", "VideoSource"),
        ("brackets[1].mp4", "VideoSource"),
        ("-1", "VideoSource"),
    ],
)
def test_which_row_takes_a_spec(spec: str, opener: str) -> None:
    assert _takes(spec) == opener


@pytest.mark.parametrize("kind", SOURCES, ids=lambda kind: kind.opener.rpartition(":")[2])
def test_every_row_leads_somewhere(kind: Any) -> None:
    module, _, name = kind.opener.partition(":")
    opener = getattr(import_module(module), name)
    assert name in import_module(module).__all__
    assert list(inspect.signature(opener).parameters)[:2] in (
        ["spec", "options"],
        ["url", "options"],
    )
    if inspect.isclass(opener):
        assert issubclass(opener, Source)
        assert opener.takes <= set(SourceOptions.__slots__)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("spec", "kind", "name"),
    [
        ("pattern:160x120", "PatternSource", "pattern"),
        ("shots", "ImagesSource", "shots"),
        ("recording.mkv", "RecordingSource", "lab/cam1"),
        ("clip.mp4", "VideoSource", "clip"),
        ("brackets[1].mp4", "VideoSource", "brackets-1"),
    ],
)
def test_it_is_opened(spec: str, kind: str, name: str) -> None:
    with open_source(spec) as source:
        assert type(source).__name__ == kind
        assert source.name == name


@pytest.mark.usefixtures("folder")
def test_options_are_handed_on() -> None:
    with open_source("clip.mp4", loop=True, speed=2, start=0.02, fps=5, size=(4, 3)) as source:
        assert source.options == SourceOptions(True, 2, 0.02, 5, (4, 3))
    with pytest.raises(UsageError, match="loop: not possible with this pattern source"):
        open_source("pattern:", loop=True)
    with pytest.raises(UsageError, match="speed"):
        open_source("clip.mp4", speed=-1)


def test_options_are_checked_before_anything_is_opened() -> None:
    with pytest.raises(UsageError, match="frames a second"):
        open_source("no such file", fps=0)


@pytest.mark.usefixtures("folder")
def test_a_file_that_is_not_there() -> None:
    with pytest.raises(SourceError, match=r"no such file: clip\.mpx \(and no camera, pattern:"):
        open_source("clip.mpx")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("spec", ["ftp://cam/clip", "tcp://127.0.0.1:5555", "HTTP://cam/x"])
def test_a_url_of_another_kind(spec: str) -> None:
    with pytest.raises(UsageError, match="URLs begin with rtsp:// or http://"):
        open_source(spec)


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(SourceError):
        open_source("a" * 300)
