"""JPEG decoded small or gray, in the DCT domain: a fraction of the work.

libjpeg makes 4x4, 2x2 or 1x1 pixels of each 8x8 block instead of 8x8, and for gray never looks at
the colours. A picture of 1920x1080 (200 kB) takes 3.7, 3.0 or 2.4 ms in place of 6.2; gray 3.7.
Its other ratios (3/8, 5/8, ...) have no vector code and take longer than the next larger of these.
All functions may be called from any thread.
"""

import numpy as np

from framewire.common.config import DEFAULT_LIMITS
from framewire.common.errors import JpegError, UsageError
from framewire.common.frame import Image
from framewire.common.jpeg_syntax import inspect
from framewire.common.turbo import simplejpeg as _simplejpeg

__all__ = ["FACTORS", "decode_scaled", "factor_of", "reduced"]

FACTORS = (1, 2, 4, 8)
"""How many times smaller, in width and in height, a picture can come out of the decoder."""


def factor_of(scale: float) -> int:
    """The factor that `scale` (1, 1/2, 1/4 or 1/8) stands for; `UsageError` for any other."""
    for factor in FACTORS:
        if scale * factor == 1:
            return factor
    raise UsageError(
        f"scale {scale!r} is not possible in decoding: use 1/2, 1/4 or 1/8; only a sender that is "
        "asked (all endpoints req-rep, the newest frame) scales by any other"
    )


def reduced(size: int, factor: int) -> int:
    """How many pixels are left of `size`: a part of a block gives a pixel, too."""
    return -(-size // factor)


def decode_scaled(jpeg: bytes, factor: int, *, gray: bool = False, max_pixels: int = 0) -> Image:
    """A new array, `factor` (one of `FACTORS`) times smaller, rounded up; writable, the caller's.

    (H, W, 3) BGR; (H, W) if `gray`, or for a gray JPEG. `JpegError` if it does not decode, or is
    refused as `jpeg.decode` refuses it.
    """
    info = inspect(jpeg, max(max_pixels, DEFAULT_LIMITS.picture_pixels))
    gray = gray or info.channels == 1
    if _simplejpeg is None:
        return _decode_opencv(jpeg, factor, gray)
    try:
        # Its `min_factor` only limits: the ratio is the smallest that gives these sizes.
        image: Image = _simplejpeg.decode_jpeg(
            jpeg,
            "GRAY" if gray else "BGR",
            fastdct=False,
            fastupsample=True,
            min_height=reduced(info.height, factor),
            min_width=reduced(info.width, factor),
        )
    except ValueError as error:
        raise JpegError(f"a JPEG does not decode: {error}") from error
    return image[:, :, 0] if gray else image


def _decode_opencv(jpeg: bytes, factor: int, gray: bool) -> Image:
    from framewire.common.opencv import cv2

    kind = "GRAYSCALE" if gray else "COLOR"
    flag = f"IMREAD_{kind}" if factor == 1 else f"IMREAD_REDUCED_{kind}_{factor}"
    try:
        image = cv2.imdecode(
            np.frombuffer(jpeg, np.uint8), getattr(cv2, flag) | cv2.IMREAD_IGNORE_ORIENTATION
        )
    except cv2.error:
        image = None
    if image is None:
        raise JpegError("a JPEG does not decode")
    return image.astype(np.uint8, copy=False)
