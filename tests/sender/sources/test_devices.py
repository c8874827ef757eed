"""Listing cameras, with a /dev and a /sys of the test's own and drivers that it plays."""

import errno
import fcntl
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest

from framewire.common.errors import SourceError
from framewire.sender.sources import devices
from framewire.sender.sources.devices import Camera, enumerate_formats, list_cameras

# struct v4l2_fmtdesc of <linux/videodev2.h>: index, type, flags, description[32], pixelformat,
# mbus_code, reserved[3].
FMTDESC = struct.Struct("<3I32s5I")


class Driver:
    """Answers VIDIOC_ENUM_FMT as V4L2 does."""

    def __init__(self, formats: Iterable[bytes], *, ends: bool = True) -> None:
        self.formats = list(formats)
        self.ends = ends
        self.asked: list[int] = []

    def __call__(self, fd: int, request: int, argument: bytearray) -> int:
        assert request == 0xC0405602
        assert len(argument) == FMTDESC.size == 64
        index, kind, *_ = FMTDESC.unpack(argument)
        assert kind == 1  # V4L2_BUF_TYPE_VIDEO_CAPTURE
        self.asked.append(index)
        if index >= len(self.formats) and self.ends:
            raise OSError(errno.EINVAL, "Invalid argument")
        code = int.from_bytes(self.formats[index % len(self.formats)], "little")
        argument[:] = FMTDESC.pack(index, kind, 1, b"a format", code, 0, 0, 0, 0)
        return 0


# -- formats ------------------------------------------------------------------------------------


def test_formats_until_the_list_ends() -> None:
    driver = Driver([b"MJPG", b"YUYV", b"Y8  "])
    assert list(enumerate_formats(3, driver)) == ["MJPG", "YUYV", "Y8"]
    assert driver.asked == [0, 1, 2, 3]


def test_what_does_not_capture_has_none() -> None:
    assert list(enumerate_formats(3, Driver([]))) == []


def test_a_driver_that_never_ends_its_list() -> None:
    assert len(list(enumerate_formats(3, Driver([b"MJPG"], ends=False)))) == 64


# -- a machine ----------------------------------------------------------------------------------


class Machine:
    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dev, self.sys = root / "dev", root / "sys"
        self.dev.mkdir()
        self.sys.mkdir()
        self._drivers: dict[str, Driver] = {}
        monkeypatch.setattr(fcntl, "ioctl", self._ioctl)

    def add(self, device: str, name: str | None, *formats: bytes) -> None:
        (self.dev / device).touch()
        self._drivers[device] = Driver(formats)
        if name is not None:
            (self.sys / device).mkdir()
            (self.sys / device / "name").write_text(name + "\n")

    def _ioctl(self, fd: int, request: int, argument: bytearray) -> int:
        device = Path(os.readlink(f"/proc/self/fd/{fd}")).name
        return self._drivers[device](fd, request, argument)

    def cameras(self) -> list[Camera]:
        return list(devices._linux_cameras(self.dev, self.sys))


linux = pytest.mark.skipif(sys.platform != "linux", reason="V4L2 is Linux's")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


@linux
def test_cameras_by_index_with_their_names(machine: Machine) -> None:
    machine.add("video10", "USB Capture", b"YUYV")
    machine.add("video0", "Integrated Camera: HD", b"MJPG", b"YUYV")
    machine.add("video1", "Integrated Camera: HD")  # its metadata twin
    machine.add("video2", None, b"GREY")
    machine.add("video-hub", "no camera", b"MJPG")
    machine.add("media0", "no camera", b"MJPG")
    assert machine.cameras() == [
        Camera(0, "Integrated Camera: HD", ("MJPG", "YUYV")),
        Camera(2, "video2", ("GREY",)),
        Camera(10, "USB Capture", ("YUYV",)),
    ]


@linux
def test_a_camera_that_is_not_ours_to_read_is_there_all_the_same(machine: Machine) -> None:
    (machine.dev / "video3").mkdir()  # as good as any file that does not open
    assert machine.cameras() == [Camera(3, "video3", ("not readable: Is a directory",))]


@linux
def test_a_machine_without_cameras(machine: Machine) -> None:
    assert machine.cameras() == []


@linux
def test_where_linux_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def cameras(*where: Path) -> list[Camera]:
        asked.extend(where)
        return [Camera(4, "it")]

    monkeypatch.setattr(devices, "_linux_cameras", cameras)
    assert list_cameras() == [Camera(4, "it")]
    assert asked == [Path("/dev"), Path("/sys/class/video4linux")]


# -- elsewhere ----------------------------------------------------------------------------------


def test_elsewhere_a_package_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [SimpleNamespace(index=0, name="FaceTime HD"), SimpleNamespace(index=1, name="USB")]
    package = SimpleNamespace(enumerate_cameras=lambda: found)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setitem(sys.modules, "cv2_enumerate_cameras", package)
    assert list_cameras() == [Camera(0, "FaceTime HD"), Camera(1, "USB")]


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "cv2_enumerate_cameras", None)
    with pytest.raises(SourceError, match=r"pip install 'framewire\[cameras\]'"):
        list_cameras()


def test_what_is_plugged_in(tmp_path: Path) -> None:
    for name in ("video0", "video12", "media0"):
        (tmp_path / name).touch()
    assert devices.present(tmp_path) == {"video0", "video12"}
    assert devices.present(tmp_path / "none") == frozenset()
