"""The edge to OpenCV: the one place that imports it, so that it fails with advice and stays quiet.

Import `cv2` from here, and only where it is used: it takes a quarter of a second to load. It must be
loaded before PyAV in any process, or `cv2.imshow` hangs for ever (see `container`).
"""

import os

from framewire.common.config import DEFAULT_LIMITS
from framewire.common.errors import FramewireError

__all__ = ["cv2"]

# What OpenCV and its FFmpeg would print about a bad file, our own error says in one line.
os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
# Image files are refused by what their headers say: a PNG of 3 KB can claim a gigapixel. Its own limit
# is that, and is read once, when it is loaded.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(DEFAULT_LIMITS.picture_pixels))

try:
    import cv2
except ImportError as error:  # a slim machine without the libraries that cv2 links to
    raise FramewireError(
        f"OpenCV does not load on this machine ({error}); on Debian and Ubuntu: "
        "apt install libgl1 libglib2.0-0"
    ) from error
