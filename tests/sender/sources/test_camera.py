"""Cameras, with a device of the test's own in the place of OpenCV's."""

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from framewire.common.errors import SourceError, UsageError
from framewire.common.frame import Frame, Image, Packet
from framewire.common.jpeg import decode, encode
from framewire.common.testchart import read_number
from framewire.sender.sources import camera, devices, opencv_camera, patience
from framewire.sender.sources.camera import CameraSource
from framewire.sender.sources.capture import Here
from framewire.sender.sources.devices import Camera, find_index
from framewire.sender.sources.opencv_camera import CameraGrabber
from framewire.sender.sources.source import SourceOptions

if TYPE_CHECKING:
    from sender.conftest import Chart, Eventually

MJPG = cv2.VideoWriter.fourcc(*"MJPG")
YUYV = cv2.VideoWriter.fourcc(*"YUYV")
NAMES = {
    cv2.CAP_PROP_FOURCC: "fourcc",
    cv2.CAP_PROP_FRAME_WIDTH: "width",
    cv2.CAP_PROP_FRAME_HEIGHT: "height",
    cv2.CAP_PROP_FPS: "fps",
    cv2.CAP_PROP_CONVERT_RGB: "convert",
}


class FakeCamera:
    """A device that outlives its captures; it gives picture after picture until it is unplugged."""

    def __init__(self, pictures: Callable[[int], Image], *, mjpg: bool = False) -> None:
        self._pictures = pictures
        self.mjpg, self.can_be_raw, self.gives_jpeg = mjpg, True, True
        self.plugged = True
        self.size = (160.0, 96.0)
        self.padding = b""
        self.opened: list[tuple[int, int]] = []
        self.set_calls: list[tuple[str, float]] = []
        self.threads: set[int] = set()
        self.released = 0
        self.number = 0
        self.left = threading.Semaphore(0)
        """Pictures that may be read; a first one for the look at the format besides."""

    def __call__(self, index: int, backend: int) -> "FakeCapture":
        self.opened.append((index, backend))
        return FakeCapture(self)

    def read(self) -> Image:
        image = self._pictures(self.number)
        self.number += 1
        return image


class FakeCapture:
    def __init__(self, device: FakeCamera) -> None:
        self._device = device
        self._raw = False
        self._first = True

    def isOpened(self) -> bool:
        return self._device.plugged

    def set(self, what: int, value: float) -> bool:
        self._device.set_calls.append((NAMES[what], value))
        if what == cv2.CAP_PROP_CONVERT_RGB:
            if not self._device.can_be_raw:
                return False
            self._raw = not value
        return True

    def get(self, what: int) -> float:
        width, height = self._device.size
        return {
            "fourcc": float(MJPG if self._device.mjpg else YUYV),
            "width": width,
            "height": height,
        }[NAMES[what]]

    def read(self, into: object = None) -> tuple[bool, np.ndarray[Any, Any] | None]:
        if self._raw and self._first:
            self._first = False
        else:
            self._device.threads.add(threading.get_ident())
            while not self._device.left.acquire(timeout=0.01):
                if not self._device.plugged:
                    return False, None
        image = self._device.read()
        if not (self._raw and self._device.gives_jpeg):
            return True, image
        jpeg = np.frombuffer(encode(image, 80) + self._device.padding, np.uint8)
        return True, jpeg[None, :]  # V4L2 gives one row

    def release(self) -> None:
        self._device.released += 1


@pytest.fixture
def device(chart: "Chart") -> FakeCamera:
    return FakeCamera(chart)


def _open(device: FakeCamera, **options: Any) -> CameraSource:
    asked: Any = SourceOptions(**options)
    grabber = CameraGrabber("camera:2", asked.size, asked.fps, device)  # type: ignore[arg-type]
    return CameraSource("camera:2", asked, Here(grabber))


def _close(source: CameraSource, device: FakeCamera) -> None:
    device.plugged = False  # so that a read ends
    source.close()


# -- which camera -------------------------------------------------------------------------------


@pytest.fixture
def cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        Camera(0, "Integrated Camera: HD", ("MJPG",)),
        Camera(2, "Logitech C920", ("MJPG",)),
        Camera(3, "Logitech C920", ("GREY",)),  # its second node
        Camera(4, "Logitech BRIO", ("MJPG",)),
    ]
    monkeypatch.setattr(devices, "list_cameras", lambda: found)


@pytest.mark.usefixtures("cameras")
@pytest.mark.parametrize(
    ("spec", "index"),
    [
        ("0", 0),
        ("camera:0", 0),
        ("camera: 12 ", 12),
        ("camera:c920", 2),
        ("camera:Integrated", 0),
        ("camera:logitech brio", 4),
    ],
)
def test_a_spec_names_one_camera(spec: str, index: int) -> None:
    assert find_index(spec) == index


@pytest.mark.usefixtures("cameras")
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "camera:logitech",
            r"several cameras match 'logitech'; cameras found: 2 \(Logitech C920\)",
        ),
        ("camera:nikon", r"no camera matches 'nikon'; cameras found: 0 \(Integrated Camera: HD\)"),
        ("camera:", "no camera matches ''; cameras found: 0"),
    ],
)
def test_a_spec_that_names_none_or_several(spec: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        find_index(spec)


def test_a_name_on_a_machine_without_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "list_cameras", list)
    with pytest.raises(SourceError, match="cameras found: none"):
        find_index("camera:any")


# -- opening ------------------------------------------------------------------------------------


def test_a_camera_that_is_not_there() -> None:
    with pytest.raises(SourceError, match=r"cannot open camera 99: .*framewire devices"):
        CameraSource("camera:99", SourceOptions())  # OpenCV's own answer


def test_format_then_size_then_rate_are_asked_of_it(
    device: FakeCamera, caplog: pytest.LogCaptureFixture
) -> None:
    source = _open(device, size=(160, 96), fps=15)
    assert source.sized
    _close(source, device)
    assert device.opened == [(2, opencv_camera._BACKEND)]
    assert device.set_calls == [("fourcc", MJPG), ("width", 160), ("height", 96), ("fps", 15)]
    assert caplog.records == []


def test_nothing_is_asked_that_was_not_given(device: FakeCamera) -> None:
    source = _open(device)
    assert not source.sized  # none was asked for
    _close(source, device)
    assert device.set_calls == [("fourcc", MJPG)]


def test_another_size_than_asked_is_told(
    device: FakeCamera, caplog: pytest.LogCaptureFixture
) -> None:
    source = _open(device, size=(1920, 1080))
    assert not source.sized
    _close(source, device)
    assert "camera2: the camera gives 160x96 instead" in caplog.text


def test_options_that_a_camera_cannot_take(device: FakeCamera) -> None:
    with pytest.raises(UsageError, match="loop: not possible with this camera source"):
        _open(device, loop=True)
    assert device.opened == []


# -- pictures -----------------------------------------------------------------------------------


def test_pixels(device: FakeCamera) -> None:
    source = _open(device)
    assert (source.name, source.live, source.encoded) == ("camera2", True, False)
    frames = iter(source)
    for number in range(3):
        device.left.release()
        frame = next(frames)
        assert (read_number(frame.image), frame.sequence) == (number, number)
    _close(source, device)
    assert device.released == 1


@pytest.mark.parametrize("padding", [b"", bytes(4096)])
def test_jpeg_of_the_device_is_passed_through(
    chart: "Chart", device: FakeCamera, padding: bytes
) -> None:
    device.mjpg, device.padding = True, padding
    source = _open(device)
    assert source.encoded
    assert ("convert", 0) in device.set_calls
    device.left.release()
    packet = next(source.packets())
    assert packet.payload == encode(chart(1), 80)  # 0 was looked at
    assert (packet.topic, packet.sequence) == ("camera2", 0)
    _close(source, device)


def test_jpeg_of_the_device_gives_frames_too(device: FakeCamera) -> None:
    device.mjpg = True
    source = _open(device)
    device.left.release()
    assert read_number(next(iter(source)).image) == 1
    _close(source, device)


def test_a_device_that_cannot_give_its_own_jpeg(device: FakeCamera) -> None:
    device.mjpg, device.can_be_raw = True, False
    source = _open(device)
    assert not source.encoded
    device.left.release()
    assert read_number(next(iter(source)).image) == 0
    _close(source, device)


def test_a_device_that_says_mjpg_and_gives_pixels(device: FakeCamera) -> None:
    device.mjpg, device.gives_jpeg = True, False
    source = _open(device)
    assert not source.encoded
    assert device.set_calls[-1] == ("convert", 1)
    device.left.release()
    assert read_number(next(iter(source)).image) == 1
    _close(source, device)


def test_the_newest_picture_wins(device: FakeCamera, eventually: "Eventually") -> None:
    source = _open(device)
    device.left.release(4)
    eventually(lambda: device.number == 4 and len(source._pictures) and source._captured == 4)
    frames = iter(source)
    assert next(frames).sequence == 3
    device.left.release()
    frame = next(frames)
    assert (frame.sequence, frame.header.dropped) == (4, 3)
    _close(source, device)


# -- unplugged ----------------------------------------------------------------------------------


@pytest.mark.parametrize("mjpg", [False, True])
def test_it_is_opened_again_when_it_comes_back(
    device: FakeCamera, monkeypatch: pytest.MonkeyPatch, eventually: "Eventually", mjpg: bool
) -> None:
    monkeypatch.setattr(patience, "RETRY_S", (0.001,))
    device.mjpg = mjpg
    source = _open(device, size=(160, 96))
    heard: list[tuple[str, str]] = []
    source.on_state = lambda state, reason: heard.append((state, reason))
    pictures: Iterator[Frame | Packet] = source.packets() if mjpg else iter(source)
    device.left.release()
    assert next(pictures).sequence == 0
    device.plugged = False
    eventually(lambda: len(heard) > 1)
    assert ("no-signal", "it gives no more pictures") in heard
    assert any("cannot open camera 2" in reason for _, reason in heard)
    device.plugged = True
    device.left.release()
    assert next(pictures).sequence == 1
    assert heard[-1] == ("live", "")
    assert device.set_calls.count(("width", 160)) >= 2  # asked again for what was wanted
    assert len(device.threads) == 1
    _close(source, device)


def test_it_is_tried_as_soon_as_a_camera_is_plugged_in(
    device: FakeCamera, monkeypatch: pytest.MonkeyPatch, eventually: "Eventually"
) -> None:
    monkeypatch.setattr(patience, "RETRY_S", (3600,))
    plugged, looked = {"video0", "video2"}, list[int]()

    def present() -> frozenset[str]:
        looked.append(1)
        return frozenset(plugged)

    monkeypatch.setattr(camera, "present", present)
    monkeypatch.setattr(camera, "_LOOK_S", 0.01)
    monkeypatch.setattr(camera, "_READY_S", 0.01)
    source = _open(device)
    device.plugged = False
    eventually(lambda: source._state[0] == "no-signal")
    plugged.remove("video2")
    looked.clear()
    eventually(lambda: len(looked) > 2, "it has seen that")
    assert len(device.opened) == 1
    device.plugged = True
    plugged.add("video2")
    device.left.release()
    assert next(iter(source)).sequence == 0
    assert len(device.opened) == 2
    _close(source, device)


def test_a_camera_that_comes_back_without_jpeg_is_told(
    device: FakeCamera, monkeypatch: pytest.MonkeyPatch, eventually: "Eventually"
) -> None:
    monkeypatch.setattr(patience, "RETRY_S", (0.001,))
    device.mjpg = True
    source = _open(device)
    heard: list[str] = []
    source.on_state = lambda state, reason: heard.append(state)
    packets = source.packets()
    device.left.release()
    next(packets)
    device.plugged = False
    eventually(lambda: "no-signal" in heard)
    heard.clear()
    device.gives_jpeg = False
    device.plugged = True
    device.left.release(50)
    eventually(lambda: len(heard) > 0 and device.number > 3)
    _close(source, device)
    assert set(heard) == {"no-signal"}


def test_jpeg_decodes_as_opencv_would(device: FakeCamera, chart: "Chart") -> None:
    device.mjpg = True
    source = _open(device)
    device.left.release()
    frame = next(iter(source))
    assert np.array_equal(frame.image, decode(encode(chart(1), 80)))
    _close(source, device)
