"""The window: its drawing before a pretended screen, and the truth under Xvfb in a process apart."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue

import numpy as np
import pytest

from framewire.common.clock import NS
from framewire.common.errors import SinkError
from framewire.common.frame import Frame, Header, Image
from framewire.common.opencv import cv2
from framewire.common.testchart import draw_number, read_number
from framewire.receiver.sinks import window as module
from framewire.receiver.sinks.window import Window, check_display
from receiver.conftest import Display
from receiver.publishing import DEADLINE_S, until


def _frame(
    number: int,
    topic: str = "lab/cam1",
    *,
    size: tuple[int, int] = (640, 480),
    grey: int = 90,
    gray: bool = False,
) -> Frame:
    width, height = size
    image = np.full((height, width) if gray else (height, width, 3), grey, np.uint8)
    draw_number(image, number)
    header = Header(
        topic=topic,
        sender="a",
        sequence=number,
        captured_ns=0,
        sent_ns=0,
        width=width,
        height=height,
        channels=1 if gray else 3,
        codec="raw",
    )
    return Frame(image, header)


# -- before a pretended screen --------------------------------------------------------------------


class Screen:
    """What OpenCV's windows are asked to do, and the keys that somebody presses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 1000 * NS
        self.shown: list[Image] = []
        self.keys: list[str] = []
        self.visible = 1.0
        self.sizes: list[tuple[int, int]] = []
        self.full_screen: list[float] = []
        self.windows: list[str] = []
        monkeypatch.setattr(module, "check_display", lambda: None)
        monkeypatch.setattr(module, "monotonic_ns", lambda: self.now_ns)
        for name, function in {
            "namedWindow": lambda title, flags: self.windows.append(title),
            "imshow": lambda title, canvas: self.shown.append(canvas.copy()),
            "waitKey": lambda ms: ord(self.keys.pop(0)) if self.keys else -1,
            "resizeWindow": lambda title, width, height: self.sizes.append((width, height)),
            "getWindowProperty": lambda title, which: self.visible,
            "setWindowProperty": lambda title, which, value: self.full_screen.append(value),
            "destroyAllWindows": self.windows.clear,
        }.items():
            monkeypatch.setattr(cv2, name, function)

    @property
    def picture(self) -> Image:
        """What is on the screen."""
        return self.shown[-1]

    def write(self, window: Window, frame: Frame) -> Image:
        """Show a frame at a time when it is shown at once; return the screen."""
        self.now_ns += NS // 10
        window.write(frame)
        return self.picture

    def press(self, window: Window, *keys: str) -> Image:
        for key in keys:
            self.keys.append(key)
            window.refresh()
        window.refresh()
        return self.picture


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    return Screen(monkeypatch)


@pytest.mark.parametrize("gray", [False, True])
def test_a_single_picture_is_shown_pixel_by_pixel(screen: Screen, gray: bool) -> None:
    with Window("yard") as window:
        assert screen.windows == ["yard"]
        frame = _frame(7, gray=gray)
        picture = screen.write(window, frame)
        expected = frame.image if not gray else frame.image[:, :, None].repeat(3, axis=2)
        np.testing.assert_array_equal(picture, expected)
        assert read_number(screen.write(window, _frame(8, gray=gray))) == 8
    assert screen.windows == []


def test_a_picture_larger_than_the_screen_gets_a_smaller_window(screen: Screen) -> None:
    with Window() as window:
        picture = screen.write(window, _frame(7, size=(1920, 1080)))
        assert picture.shape == (1080, 1920, 3)
        assert screen.sizes == [(1280, 720)]
        screen.write(window, _frame(8, size=(1200, 1200)))
        assert screen.sizes == [(1280, 720), (720, 720)]


def test_a_picture_of_another_size_gets_another_canvas(screen: Screen) -> None:
    with Window() as window:
        screen.write(window, _frame(7))
        picture = screen.write(window, _frame(8, size=(320, 240)))
        assert picture.shape == (240, 320, 3)
        assert read_number(picture) == 8


def test_topics_share_the_window(screen: Screen) -> None:
    with Window() as window:
        screen.write(window, _frame(1, "b"))
        screen.write(window, _frame(2, "a"))
        picture = screen.write(window, _frame(3, "c", size=(320, 240)))
        assert picture.shape == (720, 1280, 3)
        # Two columns, two rows; a picture of 4:3 is 480 wide in a tile of 640, in its middle.
        places = {"a": (0, 80), "b": (0, 720), "c": (360, 80)}
        numbers = {
            topic: read_number(picture[y : y + 360, x : x + 480])
            for topic, (y, x) in places.items()
        }
        assert numbers == {"a": 2, "b": 1, "c": 3}
        assert not picture[360:, 640:].any()  # nobody is there
        picture = screen.write(window, _frame(9, "a"))  # one tile anew, the others as they were
        assert read_number(picture[:360, 80:560]) == 9
        assert read_number(picture[:360, 720:1200]) == 1


def test_it_shows_no_more_often_than_a_screen_does(screen: Screen) -> None:
    with Window() as window:
        screen.write(window, _frame(0))
        for number in range(1, 200):
            screen.now_ns += NS // 200
            window.write(_frame(number))
        assert 40 <= len(screen.shown) <= 61
        assert read_number(screen.picture) is not None


def test_q_escape_and_the_button_close_it(screen: Screen) -> None:
    for key in ("q", "\x1b"):
        with Window() as window:
            screen.write(window, _frame(0))
            screen.press(window, key)
            assert not window.open
            before = len(screen.shown)
            screen.write(window, _frame(1))  # nothing comes back on the screen
            assert len(screen.shown) == before
    with Window() as window:
        screen.write(window, _frame(0))
        assert window.open
        screen.visible = 0.0
        screen.write(window, _frame(1))
        assert not window.open


def test_before_the_first_frame_it_handles_keys_too(screen: Screen) -> None:
    with Window() as window:
        window.refresh()
        assert screen.shown == []
        screen.keys.append("q")
        window.refresh()
        assert not window.open


def test_space_pauses_and_goes_on(screen: Screen) -> None:
    with Window() as window:
        screen.write(window, _frame(1))
        picture = screen.press(window, " ")
        assert read_number(picture) == 1
        assert (picture != _frame(1).image).any()  # it says so
        for number in range(2, 9):
            assert read_number(screen.write(window, _frame(number))) == 1
        screen.press(window, " ")
        np.testing.assert_array_equal(screen.write(window, _frame(9)), _frame(9).image)


def test_i_shows_the_figures(screen: Screen) -> None:
    asked: list[str] = []

    def figures(topic: str) -> str:
        asked.append(topic)
        return "25 fps\nlost 3"

    with Window(figures=figures) as window:
        screen.write(window, _frame(1))
        assert asked == []
        picture = screen.press(window, "i")
        assert set(asked) == {"lab/cam1"}
        changed = (picture != _frame(1).image).any(axis=(1, 2))
        assert changed[10:30].any()
        assert changed[38:54].any()  # the second line
        assert not changed[80:].any()
        np.testing.assert_array_equal(screen.press(window, "i"), _frame(1).image)


def test_an_alarm_stands_in_front_of_a_picture_that_is_old(screen: Screen) -> None:
    alarms = {"lab/cam1": "", "yard": "no signal for 5 s"}
    with Window(alarm=lambda topic: alarms[topic]) as window:
        screen.write(window, _frame(1, grey=200))
        picture = screen.write(window, _frame(2, "yard", grey=200))
        fine, troubled = picture[60:360, 400:800], picture[420:500, 400:800]
        assert (fine == 200).all()
        assert (troubled == 50).all()  # dark
        red = picture[520:560, :300]
        assert (red == (64, 64, 255)).all(axis=2).any()
        alarms["yard"] = ""
        screen.now_ns += NS
        window.refresh()
        assert (screen.picture[400:720, 400:800] == 200).all()


def test_a_frozen_picture_is_looked_at_again(screen: Screen) -> None:
    """Frames of one topic refresh the alarms of the others."""
    alarms = {"lab/cam1": "", "yard": ""}
    with Window(alarm=lambda topic: alarms[topic]) as window:
        screen.write(window, _frame(1, "yard", grey=200))
        screen.write(window, _frame(1, grey=200))
        alarms["yard"] = "ended"
        for number in range(2, 10):
            screen.write(window, _frame(number, grey=200))
        assert (screen.picture[420:500, 400:800] == 50).all()


def test_s_asks_for_a_snapshot_of_every_topic(screen: Screen) -> None:
    asked: list[list[str]] = []
    with Window(on_snapshot=asked.append) as window:
        screen.write(window, _frame(1, "b"))
        screen.write(window, _frame(1, "a"))
        screen.press(window, "s")
    assert asked == [["a", "b"]]


def test_f_fills_the_screen_and_back(screen: Screen) -> None:
    with Window() as window:
        screen.write(window, _frame(1))
        screen.press(window, "f")
        assert screen.full_screen == [cv2.WINDOW_FULLSCREEN]
        screen.write(window, _frame(2, size=(1920, 1080)))
        assert screen.sizes == [(640, 480)]  # a full screen keeps its size
        screen.press(window, "f")
        assert screen.full_screen == [cv2.WINDOW_FULLSCREEN, cv2.WINDOW_NORMAL]


def test_without_callbacks_every_key_is_harmless(screen: Screen) -> None:
    with Window() as window:
        screen.write(window, _frame(1))
        screen.press(window, "i", "s", "x", "\xff")
        assert window.open


def test_a_small_picture_gets_a_window_of_its_size(screen: Screen) -> None:
    with Window() as window:
        screen.write(window, _frame(1, size=(640, 480)))
        assert screen.sizes == [(640, 480)]


def test_a_picture_alone_is_wanted_whole_and_one_of_several_as_large_as_its_tile(
    screen: Screen,
) -> None:
    with Window() as window:
        assert window.scale("a", 1920, 1080) == 1  # nothing is known yet
        screen.write(window, _frame(1, "a", size=(1920, 1080)))
        assert window.scale("a", 1920, 1080) == 1  # alone
        assert window.scale("b", 1920, 1080) == 1  # new
        for topic in "bcd":
            screen.write(window, _frame(1, topic, size=(1920, 1080)))
        assert window.scale("a", 1920, 1080) == 1 / 2
        assert window.scale("d", 3840, 2160) == 1 / 4
        assert window.scale("b", 1000, 600) == 1


def test_small_pictures_fill_the_tiles_that_they_were_made_for(screen: Screen) -> None:
    with Window() as window:
        for number, topic in enumerate("abcd"):
            screen.write(window, _frame(number, topic, size=(1920, 1080), grey=150))
        whole = screen.picture
        for number, topic in enumerate("abcd"):
            small = _frame(number, topic, size=(960, 540), grey=150)
            picture = screen.write(window, small)
        for y, x in ((0, 0), (0, 640), (360, 0), (360, 640)):
            tile = picture[y : y + 360, x : x + 640]
            assert read_number(tile) == 2 * (y // 360) + x // 640
            assert (tile[200:] == 150).all()
        assert picture.shape == whole.shape


# -- displays -------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="displays of Linux")
def test_without_a_display_there_is_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(SinkError, match=r"no display .*use --headless .*or set DISPLAY"):
        Window()


def test_where_windows_fail_another_process_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV would abort this one: it does so for the display number that nobody serves."""
    monkeypatch.setenv("DISPLAY", ":63999")
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(SinkError, match=r"cannot be opened on this display: use --headless"):
        check_display()


def test_on_other_systems_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(
        subprocess, "run", lambda command, **options: subprocess.CompletedProcess(command, 0)
    )
    check_display()


SHOWING = """
import sys
import time
import numpy as np
from framewire.common.frame import Frame, Header
from framewire.common.opencv import cv2
from framewire.common.testchart import draw_number
from framewire.receiver.sinks.window import Window


def say(*words):
    print(*words, flush=True)


def frame(number):
    image = np.full((720, 1280, 3), 90, np.uint8)
    draw_number(image, number)
    header = Header(topic="lab/cam1", sender="a", sequence=number, captured_ns=0, sent_ns=0,
                    width=1280, height=720, channels=3, codec="raw")
    return Frame(image, header)


def full():
    return cv2.getWindowProperty("framewire", cv2.WND_PROP_FULLSCREEN) == cv2.WINDOW_FULLSCREEN


said = set()


def figures(topic):
    if topic not in said:
        said.add(topic)
        say("figures", topic)
    return topic


with Window(figures=figures, on_snapshot=lambda topics: say("snapshot", *topics)) as window:
    number, was_full = 0, False
    while window.open:
        window.write(frame(number))
        number += 1
        if number % 10 == 0:
            say("frame", number)
        if full() != was_full:
            was_full = not was_full
            say("full" if was_full else "not full")
        time.sleep(0.01)
say("closed")
"""


class Program:
    """A Python program that shows a window and says what happens."""

    def __init__(self, text: str, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", text],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )
        self._lines: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.strip())
        self._lines.put("the end")

    def wait_for(self, words: str) -> None:
        """Wait until it says that."""
        said = ""
        while not said.startswith(words):
            assert said != "the end", f"it ended and did not say {words!r}"
            try:
                said = self._lines.get(timeout=DEADLINE_S)
            except Empty:
                raise AssertionError(f"it did not say {words!r}") from None

    def wait_for_frames(self) -> None:
        """Wait until it has written ten frames from now on."""
        with suppress(Empty):
            while True:
                self._lines.get_nowait()
        self.wait_for("frame")
        self.wait_for("frame")

    def end(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=DEADLINE_S)
        self._reader.join(DEADLINE_S)


@pytest.fixture
def showing(display: Display) -> Iterator[Program]:
    program = Program(SHOWING, display.environment)
    yield program
    program.end()


def _number_on(display: Display) -> int | None:
    """The number in the window, which Xvfb without a window manager puts into the corner."""
    return read_number(display.screenshot()[:720, :1280])


def _appear(display: Display) -> None:
    """Wait for the picture. Where the machine is busy, Qt may miss that its window was exposed, and
    leaves it black until it is mapped again (OpenCV alone does so too)."""

    def shown() -> bool:
        for _ in range(50):
            if _number_on(display) is not None:
                return True
            time.sleep(0.02)
        display.map_again()
        return False

    until(shown)


def test_a_window_shows_what_is_written_and_obeys_its_keys(
    display: Display, showing: Program
) -> None:
    showing.wait_for("frame")
    _appear(display)
    first = _number_on(display)
    assert first is not None
    until(lambda: (_number_on(display) or 0) > first)  # it moves

    display.press("space")
    paused: list[int | None] = []

    def stands_still() -> bool:  # while ten frames were written
        paused[:] = [_number_on(display)]
        showing.wait_for_frames()
        return paused == [_number_on(display)] != [None]

    until(stands_still)
    display.press("i")
    showing.wait_for("figures lab/cam1")
    assert paused == [_number_on(display)]
    display.press("space")
    until(lambda: (_number_on(display) or 0) > (paused[0] or 0))

    display.press("s")
    showing.wait_for("snapshot lab/cam1")
    display.press("f")
    showing.wait_for("full")
    display.press("f")
    showing.wait_for("not full")
    display.press("q")
    showing.wait_for("closed")
    assert showing.process.wait(DEADLINE_S) == 0


def test_escape_closes_the_window(display: Display, showing: Program) -> None:
    showing.wait_for("frame")
    display.press("Escape")
    showing.wait_for("closed")
    assert showing.process.wait(DEADLINE_S) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="displays of Linux")
def test_without_a_display_the_process_does_not_abort(tmp_path: Path) -> None:
    environment = {**os.environ, "QT_QPA_PLATFORM": "xcb"}
    environment.pop("DISPLAY", None)
    environment.pop("WAYLAND_DISPLAY", None)
    for changes in ({}, {"DISPLAY": ":63999"}):
        done = subprocess.run(
            [sys.executable, "-m", "framewire", "view", f"ipc://{tmp_path}/s", "--duration", "9"],
            env={**environment, **changes},
            check=False,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
        assert done.returncode == 1
        assert done.stderr.startswith("framewire: ")
        assert "--headless" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert done.stdout == ""
