"""Still images: which are found, in what order, and at what rate."""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from framewire.common.clock import NS
from framewire.common.errors import SourceError, UsageError
from framewire.common.testchart import read_number
from framewire.sender.sources.images import ImagesSource
from framewire.sender.sources.source import SourceOptions

if TYPE_CHECKING:
    from sender.conftest import Chart, FakeTime

FAST = SourceOptions(speed=0)


@pytest.fixture
def shots(tmp_path: Path, chart: "Chart") -> Path:
    """Numbers are those of the charts inside; what is no image lies between them."""
    folder = tmp_path / "my shots"
    folder.mkdir()
    for number, suffix in ((10, "png"), (9, "PNG"), (1, "bmp"), (2, "jpg"), (100, "webp")):
        cv2.imwrite(str(folder / f"shot{number}.{suffix.lower()}"), chart(number))
        if suffix.isupper():
            path = folder / f"shot{number}.{suffix.lower()}"
            path.rename(folder / f"shot{number}.{suffix}")
    (folder / "shot3.txt").write_text("no image")
    (folder / "shot4.png").mkdir()
    return folder


def _numbers(spec: str, options: SourceOptions = FAST) -> list[int | None]:
    with ImagesSource(spec, options) as source:
        return [read_number(frame.image) for frame in islice(source, 12)]


def test_a_folder_in_the_order_of_its_numbers(shots: Path) -> None:
    assert _numbers(str(shots)) == [1, 2, 9, 10, 100]


def test_a_glob(shots: Path) -> None:
    assert _numbers(f"{shots}/shot1*") == [1, 10, 100]


def test_one_file(shots: Path) -> None:
    assert _numbers(str(shots / "shot10.png")) == [10]


def test_a_relative_folder(shots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shots)
    with ImagesSource(".", FAST) as source:
        assert source.name == "my-shots"


def test_what_a_frame_says(shots: Path) -> None:
    with ImagesSource(str(shots), FAST) as source:
        assert (source.name, source.live, source.encoded) == ("my-shots", False, False)
        frames = list(source)
    assert [f.sequence for f in frames] == [0, 1, 2, 3, 4]
    assert frames[0].topic == "my-shots"
    assert frames[0].image.shape == (96, 160, 3)
    assert frames[0].image.flags.writeable


def test_gray_and_transparent_images_become_bgr(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((10, 12), 7, np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), np.full((10, 12, 4), 7, np.uint8))
    cv2.imwrite(str(tmp_path / "c.png"), np.full((10, 12, 3), 7 * 257, np.uint16))
    with ImagesSource(str(tmp_path), FAST) as source:
        for frame in source:
            assert frame.image.shape == (10, 12, 3)
            assert frame.image.dtype == np.uint8
            assert frame.image.max() == 7


@pytest.mark.parametrize(("options", "step_ns"), [({}, NS // 10), ({"fps": 4}, NS // 4)])
def test_the_rate(
    shots: Path, fake_time: "FakeTime", options: dict[str, float], step_ns: int
) -> None:
    with ImagesSource(str(shots), SourceOptions(**options)) as source:  # type: ignore[arg-type]
        times = [f.header.monotonic_ns for f in source]
    assert times == [times[0] + number * step_ns for number in range(5)]


def test_a_loop_numbers_on(shots: Path, fake_time: "FakeTime") -> None:
    with ImagesSource(f"{shots}/shot1*", SourceOptions(loop=True, fps=10)) as source:
        frames = list(islice(source, 7))
    assert [read_number(f.image) for f in frames] == [1, 10, 100, 1, 10, 100, 1]
    assert [f.sequence for f in frames] == list(range(7))
    times = [f.header.monotonic_ns - frames[0].header.monotonic_ns for f in frames]
    assert times == [number * NS // 10 for number in range(7)]


def test_closing_ends_a_loop(shots: Path) -> None:
    source = ImagesSource(str(shots), SourceOptions(loop=True, speed=0))
    frames = iter(source)
    next(frames)
    source.close()
    assert list(frames) == []


@pytest.mark.parametrize("spec", ["", "*.tif", "shot3.txt", "nothing.png", "shot4.png"])
def test_no_images(shots: Path, spec: str) -> None:
    with pytest.raises(SourceError, match=r"no images in .*: looked for \.bmp \.jpeg \.jpg"):
        ImagesSource(str(shots / "empty" if not spec else shots / spec), FAST)


def test_a_damaged_image_is_named(shots: Path) -> None:
    (shots / "shot5.png").write_bytes(b"\x89PNG\r\n")
    with (
        ImagesSource(str(shots), FAST) as source,
        pytest.raises(SourceError, match=r"shot5\.png: it is not an image"),
    ):
        list(source)


def test_options_that_images_cannot_take(shots: Path) -> None:
    with pytest.raises(UsageError, match="start: not possible with this images source"):
        ImagesSource(str(shots), SourceOptions(start=1))


def test_names_are_sorted_before_numbers(tmp_path: Path, chart: "Chart") -> None:
    for number, name in enumerate(("left1", "left2", "left10", "right1", "right2")):
        cv2.imwrite(str(tmp_path / f"{name}.png"), chart(number))
    assert _numbers(str(tmp_path)) == [0, 1, 2, 3, 4]


def test_a_file_with_brackets_in_its_name(tmp_path: Path, chart: "Chart") -> None:
    cv2.imwrite(str(tmp_path / "shot [2].png"), chart(2))
    assert _numbers(str(tmp_path / "shot [2].png")) == [2]


def test_one_file_is_named_after_itself(shots: Path) -> None:
    assert ImagesSource(str(shots / "shot10.png"), FAST).name == "shot10"
