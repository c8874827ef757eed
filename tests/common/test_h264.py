"""Films as such; tests/app/exporting/test_mp4.py looks at what is in them."""

from pathlib import Path

import numpy as np
import pytest

from framewire.common import h264
from framewire.common.errors import SinkError
from framewire.common.h264 import Film, usable_encoder

PICTURE = np.zeros((96, 160, 3), np.uint8)


def test_an_encoder_is_found() -> None:
    assert usable_encoder() in ("libx264", "libopenh264", "h264_videotoolbox", "h264_mf", "mpeg4")


def test_without_any_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(h264, "_ENCODERS", ("no-such",))
    with pytest.raises(SinkError, match="install av from PyPI"):
        Film(tmp_path / "x.mp4", 160, 96, crf=20)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("named", "word"), [(None, "x.mp4"), (Path("film.mp4"), "film.mp4")])
def test_what_cannot_be_written_is_named(tmp_path: Path, named: Path | None, word: str) -> None:
    film = Film(tmp_path / "none" / "x.mp4", 160, 96, crf=20, named=named)
    film.write(PICTURE, 0)  # the encoder holds some pictures back
    with pytest.raises(SinkError, match=rf"cannot write .*{word}: No such file or directory"):
        film.close()
    film.abandon()


def test_an_abandoned_film_is_closed(tmp_path: Path) -> None:
    film = Film(tmp_path / "x.mp4", 160, 96, crf=20)
    film.write(PICTURE, 0)
    film.abandon()
    film.abandon()


def test_the_size_is_even(tmp_path: Path) -> None:
    film = Film(tmp_path / "x.mp4", 161, 95, crf=20)
    assert film.size == (162, 96)
    film.abandon()
