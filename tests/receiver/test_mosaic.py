"""Places on the canvas: inside, apart, and of the picture's shape."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common.jpeg_scaled import reduced
from framewire.receiver.mosaic import Tile, enough, fit, grid, paste

sides = st.integers(64, 4000)
pixels = st.integers(1, 3000)
tiles = st.builds(
    Tile, st.integers(0, 500), st.integers(0, 500), st.integers(1, 1500), st.integers(1, 1500)
)


def _inside(tile: Tile, outer: Tile) -> bool:
    return (
        outer.x <= tile.x
        and outer.y <= tile.y
        and tile.x + tile.width <= outer.x + outer.width
        and tile.y + tile.height <= outer.y + outer.height
    )


def _apart(one: Tile, two: Tile) -> bool:
    return (
        one.x + one.width <= two.x
        or two.x + two.width <= one.x
        or one.y + one.height <= two.y
        or two.y + two.height <= one.y
    )


@given(st.integers(1, 40), sides, sides)
def test_tiles_lie_on_the_canvas_and_do_not_overlap(count: int, width: int, height: int) -> None:
    places = grid(count, width, height)
    assert len(places) == count
    assert all(tile.width > 0 and tile.height > 0 for tile in places)
    assert all(_inside(tile, Tile(0, 0, width, height)) for tile in places)
    assert all(_apart(one, two) for one, two in combinations(places, 2))


@pytest.mark.parametrize(
    ("count", "width", "height", "columns", "rows"),
    [
        (1, 1280, 720, 1, 1),
        (2, 1280, 720, 1, 2),
        (4, 1280, 720, 2, 2),
        (6, 1280, 720, 2, 3),
        (9, 1280, 720, 3, 3),
        (3, 4000, 720, 3, 1),
        (3, 640, 1080, 1, 3),
    ],
)
def test_the_grid_makes_pictures_as_large_as_it_can(
    count: int, width: int, height: int, columns: int, rows: int
) -> None:
    places = grid(count, width, height)
    assert len({tile.x for tile in places}) == columns
    assert len({tile.y for tile in places}) == rows


@given(pixels, pixels, tiles)
def test_a_picture_keeps_its_shape_and_fills_its_tile(width: int, height: int, tile: Tile) -> None:
    place = fit(width, height, tile)
    assert _inside(place, tile)
    assert place.width == tile.width or place.height == tile.height
    scale = min(tile.width / width, tile.height / height)
    assert abs(place.width - width * scale) <= 0.5 or place.width == 1
    assert abs(place.height - height * scale) <= 0.5 or place.height == 1


@given(pixels, pixels, tiles)
def test_a_picture_is_in_the_middle(width: int, height: int, tile: Tile) -> None:
    place = fit(width, height, tile)
    left, right = place.x - tile.x, tile.x + tile.width - place.x - place.width
    above, below = place.y - tile.y, tile.y + tile.height - place.y - place.height
    assert 0 <= right - left <= 1
    assert 0 <= below - above <= 1


@given(pixels, pixels, tiles)
def test_what_is_enough_is_never_enlarged_and_no_more_than_needed(
    width: int, height: int, tile: Tile
) -> None:
    place = fit(width, height, tile)
    factor = round(1 / enough(width, height, tile))
    assert factor in (1, 2, 4, 8)
    small = reduced(width, factor), reduced(height, factor)
    if factor > 1:
        assert small[0] >= place.width
        assert small[1] >= place.height
        shown = fit(*small, tile)
        assert shown.width <= small[0]
        assert shown.height <= small[1]
    if factor < 8:
        smaller = reduced(width, 2 * factor), reduced(height, 2 * factor)
        assert smaller[0] < place.width or smaller[1] < place.height


@pytest.mark.parametrize(
    ("width", "height", "scale"),
    [
        (1920, 1080, 1 / 2),
        (3840, 2160, 1 / 4),
        (1280, 720, 1 / 2),  # to the pixel
        (1279, 719, 1 / 2),  # rounded up, it is
        (1278, 718, 1),
        (640, 360, 1),
        (320, 180, 1),
        (7680, 4320, 1 / 8),
        (20000, 11250, 1 / 8),
    ],
)
def test_what_is_enough_for_a_tile_of_four(width: int, height: int, scale: float) -> None:
    assert enough(width, height, grid(4, 1280, 720)[3]) == scale


@given(st.integers(2, 200), pixels, pixels)
def test_one_more_picture_needs_no_larger_ones(count: int, width: int, height: int) -> None:
    """What was decoded for its tile still fills it when another topic comes."""
    before, after = (fit(width, height, grid(n, 1280, 720)[0]) for n in (count, count + 1))
    assert after.width <= before.width
    assert after.height <= before.height


@given(
    st.integers(1, 80),
    st.integers(1, 80),
    st.booleans(),
    st.builds(Tile, st.integers(0, 9), st.integers(0, 9), st.integers(1, 60), st.integers(1, 60)),
)
def test_a_picture_is_drawn_in_its_place_and_nowhere_else(
    width: int, height: int, gray: bool, tile: Tile
) -> None:
    canvas = np.full((75, 75, 3), 7, np.uint8)
    image = np.full((height, width) if gray else (height, width, 3), 200, np.uint8)
    paste(canvas, image, tile)
    place = fit(width, height, tile)
    expected = np.full((75, 75, 3), 7, np.uint8)
    expected[place.y : place.y + place.height, place.x : place.x + place.width] = 200
    np.testing.assert_array_equal(canvas, expected)


def test_a_picture_that_fits_is_not_touched() -> None:
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    canvas = np.zeros((10, 10, 3), np.uint8)
    paste(canvas, image, Tile(2, 3, 6, 4))
    np.testing.assert_array_equal(canvas[3:7, 2:8], image)
    paste(canvas, image[:, :, 0], Tile(2, 3, 6, 4))
    np.testing.assert_array_equal(canvas[3:7, 2:8], image[:, :, :1].repeat(3, axis=2))


@pytest.mark.parametrize("scale", [0.25, 0.5, 0.75, 2])
def test_a_scaled_picture_is_still_the_picture(scale: float) -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[:20, :20] = (255, 0, 0)
    image[20:, 20:] = (0, 0, 255)
    size = int(40 * scale)
    canvas = np.zeros((size, size, 3), np.uint8)
    paste(canvas, image, Tile(0, 0, size, size))
    at, opposite = size // 4, size * 3 // 4
    assert canvas[at, at].tolist() == [255, 0, 0]
    assert canvas[opposite, opposite].tolist() == [0, 0, 255]
    assert canvas[at, opposite].tolist() == [0, 0, 0]


def test_a_fine_pattern_does_not_flicker() -> None:
    """Every pixel counts at any scale: none is skipped."""
    image = np.zeros((360, 640, 3), np.uint8)
    image[::2, ::2] = image[1::2, 1::2] = 200
    for width, height in ((320, 180), (310, 174), (160, 90), (150, 84)):
        canvas = np.zeros((height, width, 3), np.uint8)
        paste(canvas, image, Tile(0, 0, width, height))
        assert abs(canvas.mean() - 100) < 3
        assert canvas.std() < 12
