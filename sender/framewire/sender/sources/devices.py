"""The cameras of this machine."""

import contextlib
import re
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from framewire.common.errors import SourceError

__all__ = ["Camera", "find_index", "list_cameras", "present"]


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera that the system knows."""

    index: int
    """What ``camera:INDEX`` takes."""
    name: str
    formats: tuple[str, ...] = ()
    """Pixel formats as four-character codes (MJPG, YUYV ...); empty where they are not known."""


# <linux/videodev2.h>: VIDIOC_ENUM_FMT is _IOWR('V', 2, struct v4l2_fmtdesc) of 64 bytes.
_VIDIOC_ENUM_FMT = 0xC0405602
_FMTDESC = struct.Struct("<III32sII12x")
_VIDEO_CAPTURE = 1
_MAX_FORMATS = 64

Ioctl = Callable[[int, int, bytearray], object]


def enumerate_formats(fd: int, ioctl: Ioctl) -> Iterator[str]:
    """Formats of an open V4L2 device that can capture; none for its metadata twin."""
    for index in range(_MAX_FORMATS):
        request = bytearray(_FMTDESC.pack(index, _VIDEO_CAPTURE, 0, b"", 0, 0))
        try:
            ioctl(fd, _VIDIOC_ENUM_FMT, request)
        except OSError:  # EINVAL ends the list
            return
        yield _FMTDESC.unpack(request)[4].to_bytes(4, "little").decode("latin-1").strip()


def _linux_cameras(devices: Path, names: Path) -> Iterator[Camera]:
    import fcntl

    found = [
        (int(match[1]), path)
        for path in devices.glob("video*")
        if (match := re.fullmatch(r"video(\d+)", path.name))
    ]
    for index, path in sorted(found):
        name = path.name
        formats: tuple[str, ...] = ()
        with contextlib.suppress(OSError):
            name = (names / path.name / "name").read_text().strip()
        try:
            with path.open("rb", buffering=0) as device:
                formats = tuple(enumerate_formats(device.fileno(), fcntl.ioctl))
        except OSError as error:  # busy or not ours: it is there all the same
            formats = (f"not readable: {error.strerror}",)
        if formats:
            yield Camera(index, name, formats)


def present(devices: Path = Path("/dev")) -> frozenset[str]:
    """Names of the video devices that are plugged in now (Linux; elsewhere none is known). Cheap."""
    return frozenset(path.name for path in devices.glob("video*"))


def list_cameras() -> list[Camera]:
    """The cameras found, by index. On Linux from V4L2; elsewhere with cv2-enumerate-cameras."""
    if sys.platform == "linux":
        return list(_linux_cameras(Path("/dev"), Path("/sys/class/video4linux")))
    return _enumerated()


def _enumerated() -> list[Camera]:
    try:
        from cv2_enumerate_cameras import enumerate_cameras
    except ImportError:
        raise SourceError(
            "listing cameras here needs one more package: pip install 'framewire[cameras]'"
        ) from None
    return [Camera(int(found.index), str(found.name)) for found in enumerate_cameras()]


def find_index(spec: str) -> int:
    """The index of ``0``, ``camera:0`` or ``camera:NAME`` (part of a name, any case)."""
    wanted = spec.removeprefix("camera:").strip()
    if wanted.isdecimal() and len(wanted) <= 4:
        return int(wanted)
    matches = [c for c in list_cameras() if wanted and wanted.lower() in c.name.lower()]
    if len({camera.name for camera in matches}) == 1:
        return matches[0].index
    found = ", ".join(f"{c.index} ({c.name})" for c in matches or list_cameras()) or "none"
    problem = "several cameras match" if matches else "no camera matches"
    raise SourceError(f"{problem} {wanted!r}; cameras found: {found}")
