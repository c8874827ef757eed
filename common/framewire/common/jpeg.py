"""The JPEG codec: pixels to bytes and back.

`simplejpeg` (libjpeg-turbo, releases the GIL) where it is installed, OpenCV elsewhere. 4:2:0;
accurate DCT (the fast one costs 2 dB and saves 4 %); fast upsampling when decoding (saves 9 %, no
measurable difference, and a row depends on no row of another MCU). Large pictures are coded and
decoded in stripes, by all cores at once. All functions may be called from any thread.
"""

from functools import partial

import numpy as np

from framewire.common.arrays import new_image
from framewire.common.config import DEFAULT_LIMITS
from framewire.common.errors import JpegError, UsageError
from framewire.common.frame import Image
from framewire.common.jpeg_stripes import MAX_INTERVAL, Stripe, cut, join, plan
from framewire.common.jpeg_syntax import inspect
from framewire.common.turbo import simplejpeg as _simplejpeg
from framewire.common.workers import run, share

__all__ = ["WORTH_CUTTING", "check_image", "check_quality", "decode", "encode"]

WORTH_CUTTING = 640 * 480
"""Pixels from which the help of other threads pays. Gain on two cores at 30 fps (benchmarks/jpeg_engine.py), coding and
decoding: 0.9 and 0.8 at 426x240, 1.2 and 1.0 at 640x360, 1.3 and 1.1 at 854x480, 1.5 and 1.4 at
1280x720: waking another thread costs about 0.2 ms."""


def check_quality(quality: int) -> int:
    """Return `quality` if a JPEG encoder takes it (1 to 100); `UsageError` otherwise."""
    if not 1 <= quality <= 100:
        raise UsageError(f"quality {quality} is not possible: use 1 (smallest) to 100 (best)")
    return quality


def check_image(image: object) -> Image:
    """Return `image` as (H, W, 3) or (H, W) uint8; `UsageError` says what is wrong with others."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = f"{image.dtype} array" if isinstance(image, np.ndarray) else type(image).__name__
        raise UsageError(f"cannot send a {kind}: frames are numpy arrays of dtype uint8")
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise UsageError(
            f"cannot send an array of shape {image.shape}: (H, W, 3) in BGR order or (H, W) go"
        )
    height, width = image.shape[:2]
    if not 0 < min(height, width) <= max(height, width) <= 65500:
        raise UsageError(f"cannot send an array of shape {image.shape}: JPEG has 1 to 65500 pixels")
    if height * width > DEFAULT_LIMITS.picture_pixels:
        raise UsageError(f"cannot send a picture of {width}x{height}: at most 64 Mpixel")
    return image


def encode(image: Image, quality: int, *, stripes: int | None = None) -> bytes:
    """A baseline JPEG of a checked image, 4:2:0 (or gray); `quality` 1 to 100.

    Large pictures are coded in stripes by several cores, with restart markers between them, unless
    the machine is too busy for that to pay; no pixel changes. `stripes=1` codes in one piece, which
    costs the machine least for each picture: for those that have other work for the other cores.
    """
    image = np.ascontiguousarray(image)
    if _simplejpeg is None:
        return _encode_opencv(image, quality)
    height, width = image.shape[:2]
    count = stripes or _stripes(height, width)
    mcu = 8 if image.ndim == 2 else 16
    ranges = plan(height, mcu, count, MAX_INTERVAL // -(-width // mcu))
    if count == 1 or len(ranges) == 1:
        return _encode_piece(image, quality)
    parts = run([partial(_encode_piece, image[y0:y1], quality) for y0, y1 in ranges])
    return join(parts, width, height, ranges[0][1])


def decode(jpeg: bytes, *, stripes: int | None = None, max_pixels: int = 0) -> Image:
    """A new array: (H, W, 3) BGR, or (H, W) for a gray JPEG. `JpegError` if it does not decode.

    No decoder sees what `inspect` refuses, nor a picture of more than 64 Mpixel, or `max_pixels` if
    that is more. Nothing is turned by what EXIF says: a picture is what its frame header says.
    Large pictures that have restart intervals of whole MCU rows, as those of `encode` have, are
    decoded by several cores, to the same pixels; with `stripes=1` by the calling thread alone. Of
    what is damaged they may take a little more: surplus bytes at the end of a stripe.
    """
    info = inspect(jpeg, max(max_pixels, DEFAULT_LIMITS.picture_pixels))
    if _simplejpeg is None:
        return _decode_opencv(jpeg)
    height, width, gray = info.height, info.width, info.channels == 1
    try:
        parts = stripes or _stripes(height, width)
        pieces = cut(jpeg, parts) if parts > 1 else None
        image = _decode_stripes(pieces, height, width, gray) if pieces else None
        if image is None:
            image = new_image((height, width, 1 if gray else 3))
            _decode_piece(jpeg, gray, image)
    except ValueError as error:
        raise JpegError(f"a JPEG does not decode: {error}") from error
    return image[:, :, 0] if gray else image


def _stripes(height: int, width: int) -> int:
    return share() if height * width >= WORTH_CUTTING else 1


def _encode_piece(image: Image, quality: int) -> bytes:
    assert _simplejpeg is not None
    if image.ndim == 2:
        return bytes(_simplejpeg.encode_jpeg(image[:, :, None], quality, "GRAY", "Gray", False))
    return bytes(_simplejpeg.encode_jpeg(image, quality, "BGR", "420", False))


def _decode_piece(jpeg: bytes, gray: bool, into: Image) -> None:
    """Into an array (H, W, 3) or (H, W, 1)."""
    assert _simplejpeg is not None
    _simplejpeg.decode_jpeg(
        jpeg, "GRAY" if gray else "BGR", fastdct=False, fastupsample=True, buffer=into
    )


def _decode_stripes(pieces: list[Stripe], height: int, width: int, gray: bool) -> Image | None:
    """(H, W, 3) or (H, W, 1); None if a stripe is damaged: what it is then, the whole file says."""
    image = new_image((height, width, 1 if gray else 3))
    try:
        run([partial(_decode_piece, p.jpeg, gray, image[p.y0 : p.y1]) for p in pieces])
    except ValueError:
        return None
    return image


def _encode_opencv(image: Image, quality: int) -> bytes:
    from framewire.common.opencv import cv2

    flags = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]
    done, data = cv2.imencode(".jpg", image, flags)
    if not done:
        raise UsageError(f"OpenCV cannot encode an array of shape {image.shape}")
    return data.tobytes()


def _decode_opencv(jpeg: bytes) -> Image:
    from framewire.common.opencv import cv2

    try:
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None:
        raise JpegError("a JPEG does not decode")
    return image.astype(np.uint8, copy=False)
