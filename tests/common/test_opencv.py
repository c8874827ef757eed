"""OpenCV at its edge: it works, or says which packages the machine lacks."""

import runpy
import sys

import pytest

from framewire.common import opencv
from framewire.common.errors import FramewireError


def test_a_machine_without_opencv_gets_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)  # what makes `import cv2` fail
    with pytest.raises(FramewireError, match="apt install libgl1"):
        runpy.run_path(opencv.__file__)


def test_opencv_is_there() -> None:
    assert opencv.cv2.__version__
