"""Named pipes: what they are, and what is asked of them."""

import os
import socket
from contextlib import suppress
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from framewire.common.errors import UsageError
from framewire.common.testchart import read_number
from framewire.sender.sources import open_source
from framewire.sender.sources.pipe import PipeSource, is_pipe
from framewire.sender.sources.source import SourceOptions

if TYPE_CHECKING:
    from sender.conftest import MakeClip


def test_what_is_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        found = {path.name: is_pipe(str(path)) for path in tmp_path.iterdir()}
    assert found == {"pipe": True, "file": False, "socket": True}
    assert is_pipe("/dev/null")
    assert not any(map(is_pipe, (str(tmp_path), "camera:0", "none.mp4", "", "a\0b")))


@pytest.mark.parametrize("name", ["yard.mkv", "yard.png"])
def test_frames_through_a_pipe(tmp_path: Path, make_clip: "MakeClip", name: str) -> None:
    """Whatever its name ends in: it is not read to find out what it is."""
    clip = Path(make_clip(tmp_path / "clip.mkv", range(0, 2000, 20), muxer="matroska"))
    pipe = tmp_path / name
    os.mkfifo(pipe)

    def write() -> None:
        """Again and again: of frames that come all at once the newest is taken, and there may be no three."""
        with suppress(BrokenPipeError):
            while True:
                pipe.write_bytes(clip.read_bytes())

    Thread(target=write, daemon=True).start()
    with open_source(str(pipe)) as source:
        assert isinstance(source, PipeSource)
        assert (source.name, source.live, source.encoded) == ("yard", True, False)
        numbers = [read_number(frame.image) for frame in islice(source, 3)]
    assert set(numbers) <= set(range(100))


def test_options_that_it_cannot_take(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="loop: not possible with this pipe source"):
        PipeSource(str(tmp_path), SourceOptions(loop=True))
