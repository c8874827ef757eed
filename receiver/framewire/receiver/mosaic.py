"""Several pictures in one, on a grid. Pure but for the scaling."""

from dataclasses import dataclass
from math import ceil

from framewire.common.frame import Image
from framewire.common.jpeg_scaled import FACTORS, reduced
from framewire.common.opencv import cv2

__all__ = ["Tile", "enough", "fit", "grid", "paste"]


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


def enough(width: int, height: int, tile: Tile) -> float:
    """The smallest scale to decode a picture at that leaves it no smaller than it is in `tile`.

    1, 1/2, 1/4 or 1/8; it is never to be enlarged again.
    """
    place = fit(width, height, tile)
    return 1 / max(
        (
            factor
            for factor in FACTORS
            if reduced(width, factor) >= place.width and reduced(height, factor) >= place.height
        ),
        default=1,
    )


def paste(canvas: Image, image: Image, tile: Tile) -> None:
    """Scale `image`, colour or gray, into `tile` of the (H, W, 3) `canvas`, in place."""
    place = fit(image.shape[1], image.shape[0], tile)
    if (image.shape[1], image.shape[0]) != (place.width, place.height):
        # Down to a half no pixel is skipped between four neighbours: AREA takes five times as long.
        linear = image.shape[1] <= 2 * place.width and image.shape[0] <= 2 * place.height
        method = cv2.INTER_LINEAR if linear else cv2.INTER_AREA
        scaled = cv2.resize(image, (place.width, place.height), interpolation=method)
        image = scaled.astype("uint8", copy=False)
    if image.ndim == 2:
        image = image[:, :, None]
    canvas[place.y : place.y + place.height, place.x : place.x + place.width] = image
