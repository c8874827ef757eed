"""A frame number in a picture that a machine reads back, also after JPEG, scaling or a screenshot.

The code is a band across the top, a twelfth of the height: two rows of 20 cells, white for 1 and
black for 0, most significant bit first. 32 bits hold the number, the last 8 its CRC-8 (polynomial
0x07, XORed with 0x55). Cells are relative to the picture, so any scaling of the whole picture keeps
them.
"""

from itertools import pairwise

import numpy as np

from framewire.common.frame import Image

__all__ = ["MIN_HEIGHT", "MIN_WIDTH", "draw_number", "read_number"]

_ROWS, _COLUMNS, _BAND = 2, 20, 12
_NUMBER_BITS, _CHECK_BITS = 32, 8
_CHECK_MASK = 0x55  # so that a black picture is no frame 0

MIN_WIDTH, MIN_HEIGHT = 80, 96
"""Below this, a cell has fewer than four pixels a side and JPEG smears it."""


def _crc8(number: int) -> int:
    crc = 0
    for byte in number.to_bytes(4):
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ (0x107 if crc & 0x80 else 0)
    return crc ^ _CHECK_MASK


def _edges(width: int, height: int) -> tuple[list[int], list[int]]:
    xs = [width * i // _COLUMNS for i in range(_COLUMNS + 1)]
    ys = [height * i // (_BAND * _ROWS) for i in range(_ROWS + 1)]
    return xs, ys


def draw_number(image: Image, number: int) -> None:
    """Draw `number` (modulo 2**32) into the top of `image`, in place."""
    number &= (1 << _NUMBER_BITS) - 1
    word = number << _CHECK_BITS | _crc8(number)
    total = _NUMBER_BITS + _CHECK_BITS
    bits = np.array([word >> (total - 1 - i) & 1 for i in range(total)], np.uint8) * 255
    xs, ys = _edges(image.shape[1], image.shape[0])
    widths = np.diff(xs)
    for row in range(_ROWS):
        line = np.repeat(bits[row * _COLUMNS : (row + 1) * _COLUMNS], widths)
        image[ys[row] : ys[row + 1]] = line[None, :, None] if image.ndim == 3 else line


def read_number(image: Image) -> int | None:
    """The number that `draw_number` drew, or None if there is none that can be trusted."""
    xs, ys = _edges(image.shape[1], image.shape[0])
    word = 0
    for top, bottom in pairwise(ys):
        for left, right in pairwise(xs):
            margin_x, margin_y = (right - left) // 4, (bottom - top) // 4
            cell = image[top + margin_y : bottom - margin_y, left + margin_x : right - margin_x]
            if not cell.size:
                return None
            word = word << 1 | (float(cell.mean()) > 127)
    number, check = word >> _CHECK_BITS, word & ((1 << _CHECK_BITS) - 1)
    return number if _crc8(number) == check else None
