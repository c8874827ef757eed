"""Several pictures in one, on a grid. Pure but for the scaling."""

from dataclasses import dataclass
from math import ceil

import numpy as np

from framewire.common.frame import Image
from framewire.common.opencv import cv2

__all__ = ["Tile", "fit", "grid", "paste"]


@dataclass(frozen=True, slots=True)
class Tile:
    """A place on the canvas, in pixels."""

    x: int
    y: int
    width: int
    height: int


def grid(count: int, width: int, height: int) -> list[Tile]:
    """Places for `count` pictures of about 16:9, as large as the canvas allows."""
    best = max(range(1, count + 1), key=lambda columns: _tile_width(count, columns, width, height))
    rows = ceil(count / best)
    return [
        Tile(
            width * (i % best) // best,
            height * (i // best) // rows,
            width // best,
            height // rows,
        )
        for i in range(count)
    ]


def _tile_width(count: int, columns: int, width: int, height: int) -> float:
    return min(width / columns, height / ceil(count / columns) * 16 / 9)


def fit(width: int, height: int, tile: Tile) -> Tile:
    """The largest place of the picture's shape inside `tile`, in its middle."""
    scale = min(tile.width / width, tile.height / height)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    return Tile(tile.x + (tile.width - w) // 2, tile.y + (tile.height - h) // 2, w, h)


def paste(canvas: Image, image: Image, tile: Tile) -> None:
    """Scale `image`, colour or gray, into `tile` of the (H, W, 3) `canvas`, in place."""
    place = fit(image.shape[1], image.shape[0], tile)
    if image.ndim == 2:
        image = np.repeat(image[:, :, None], 3, axis=2)
    if (image.shape[1], image.shape[0]) != (place.width, place.height):
        smaller = place.width < image.shape[1]
        method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        scaled = cv2.resize(image, (place.width, place.height), interpolation=method)
        image = scaled.astype("uint8", copy=False)
    canvas[place.y : place.y + place.height, place.x : place.x + place.width] = image
