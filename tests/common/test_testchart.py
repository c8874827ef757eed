"""The number in the picture survives what pictures go through, and is not read where none is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common.frame import Image
from framewire.common.jpeg import decode, encode
from framewire.common.opencv import cv2
from framewire.common.testchart import MIN_HEIGHT, MIN_WIDTH, draw_number, read_number

BITS = "11011110101011011011 11101110111110011111"  # 0xDEADBEEF and 0x9F: its CRC-8, masked

numbers = st.integers(0, 2**32 - 1)


def _noise(height: int, width: int, *channels: int) -> Image:
    return np.random.default_rng(7).integers(0, 256, (height, width, *channels), np.uint8)


def test_the_code_is_the_one_that_the_module_describes() -> None:
    image = _noise(240, 200)
    draw_number(image, 0xDEADBEEF)
    cells = [[255 * int(bit) for bit in row] for row in BITS.split()]
    assert np.array_equal(image[:20], np.kron(cells, np.ones((10, 10), int)))


def test_the_least_size_leaves_four_pixels_a_side() -> None:
    assert (MIN_WIDTH, MIN_HEIGHT) == (20 * 4, 12 * 2 * 4)


@given(numbers, st.integers(MIN_WIDTH, 400), st.integers(MIN_HEIGHT, 300), st.booleans())
def test_round_trip(number: int, width: int, height: int, gray: bool) -> None:
    image = _noise(height, width) if gray else _noise(height, width, 3)
    below = image[height // 12 :].copy()
    draw_number(image, number)
    assert read_number(image) == number
    assert np.array_equal(image[height // 12 :], below)  # the rest of the picture is untouched


@given(numbers)
def test_round_trip_through_a_poor_jpeg_at_the_least_size(number: int) -> None:
    image = np.full((MIN_HEIGHT, MIN_WIDTH, 3), 128, np.uint8)
    draw_number(image, number)
    assert read_number(decode(encode(image, 30))) == number


@pytest.mark.parametrize("scale", [0.25, 0.5, 0.7, 1.6])
def test_round_trip_through_scaling(scale: float) -> None:
    image = _noise(480, 640, 3)
    draw_number(image, 0xDEADBEEF)
    scaled = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    assert read_number(scaled.astype(np.uint8)) == 0xDEADBEEF


def test_numbers_count_modulo_32_bits() -> None:
    image = _noise(MIN_HEIGHT, MIN_WIDTH)
    draw_number(image, 2**32 + 5)
    assert read_number(image) == 5


@given(numbers, st.integers(0, 39))
def test_one_wrong_cell_is_noticed(number: int, cell: int) -> None:
    image = np.zeros((240, 200), np.uint8)
    draw_number(image, number)
    top, left = cell // 20 * 10, cell % 20 * 10
    image[top : top + 10, left : left + 10] ^= 255
    assert read_number(image) is None


def test_only_the_middle_of_a_cell_counts() -> None:
    """What smears over a cell's edge, here a fifth of it on each side, does not matter."""
    image = np.zeros((240, 200), np.uint8)
    draw_number(image, 0xDEADBEEF)
    inside = np.zeros((20, 200), bool)
    for offset in range(2, 8):
        for other in range(2, 8):
            inside[offset::10, other::10] = True
    image[:20][~inside] ^= 255
    assert read_number(image) == 0xDEADBEEF


@pytest.mark.parametrize("shape", [(1, 1), (10, 200), (240, 10), (23, 200), (240, 19, 3)])
def test_pictures_too_small_for_cells_hold_no_number(shape: tuple[int, ...]) -> None:
    image = np.zeros(shape, np.uint8)
    draw_number(image, 5)  # no place for it, and no error
    assert read_number(image) is None


def test_a_white_picture_holds_no_number() -> None:
    assert read_number(np.full((240, 320, 3), 255, np.uint8)) is None


def test_a_black_picture_holds_no_number() -> None:
    assert read_number(np.zeros((240, 320, 3), np.uint8)) is None
