"""The page of recordings, in a browser: what it shows, and how soon."""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from framewire.common.recording import Recording
from processes import CLIPS, commands
from system.browsing import Visit
from system.conftest import Visitors

CHART, YARD = "lab/chart", "lab/yard"
COUNT, FPS = 90, 60
SOON_S = 1.0
"""From a click to the right picture, on a machine that is not busy."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings: of a test chart, as they are made; and of a yard, with a gap."""
    folder = tmp_path_factory.mktemp("recordings")
    with commands(folder) as start:
        sender = start("send", f"pattern:640x360@{FPS}", "--topic", CHART, "--json",
                       "--bind", "tcp://127.0.0.1:*")  # fmt: skip
        recorder = start("record", sender.endpoint(), "--out", str(folder), "--count", str(COUNT))
        assert recorder.wait() == 0
    (folder / YARD).mkdir(parents=True)
    shutil.copy(CLIPS / "yard.mkv", folder / YARD / "2026-01-31T14-05-00.mkv")
    return folder


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[str]:
    with commands() as start:
        server = start("web", "tcp://127.0.0.1:1", "--recordings", str(folder), "--json",
                       "--listen", "127.0.0.1:0")  # fmt: skip
        yield f"{server.url()}recordings"


@pytest.fixture(scope="module")
def chart(folder: Path) -> Iterator[Recording]:
    (path,) = (folder / CHART).iterdir()
    with Recording(path) as recording:
        yield recording


@pytest.fixture(scope="module")
def numbers(chart: Recording) -> list[int]:
    """Of the frames of the test chart: a busy machine may have left some out."""
    return [header.sequence for header in chart.headers()]


class Desk:
    """Who plays recordings."""

    def __init__(self, visit: Visit, url: str) -> None:
        self.visit, self.page = visit, visit.page
        visit.open(url)
        self.settles()

    @property
    def data(self) -> dict[str, str]:
        """What the page says of itself to programs."""
        data: dict[str, str] = self.visit.script(
            "({...document.getElementById('theatre').dataset})"
        )
        return data

    @property
    def sequence(self) -> int:
        return int(self.data.get("sequence") or -1)

    @property
    def number(self) -> int:
        """The test chart's number, read from the screen."""
        return self.visit.number_at("#picture canvas")

    def settles(self) -> None:
        self.visit.until(lambda: self.data.get("state") in ("paused", "playing"), "a picture")

    def click_at(self, ms: float) -> None:
        """Click on the time line where a time is."""
        track = self.page.locator("#theatre .track")
        box, begun, ended = track.bounding_box(), *(
            float(track.get_attribute(f"data-{end}") or 0) for end in ("from", "to")
        )  # fmt: skip
        assert box
        place = (ms - begun) / (ended - begun)
        self.page.mouse.click(box["x"] + place * box["width"], box["y"] + box["height"] / 2)


@pytest.fixture
def desk(visitor: Visitors, site: str) -> Desk:
    return Desk(visitor(viewport={"width": 1280, "height": 800}), f"{site}#{CHART}")


def test_a_jump_on_the_time_line_shows_the_right_frame(
    desk: Desk, chart: Recording, numbers: list[int]
) -> None:
    took_s = []
    for index in (70, 10, 45, 88, 0):
        # The middle of the time for which it is to be seen.
        at_ms = (chart.time_of(index) + chart.time_of(min(index + 1, COUNT - 1))) / 2 * 1000
        begun = time.monotonic()
        desk.click_at(chart.began_ns / 1e6 + at_ms)
        desk.visit.until(lambda: desk.number == numbers[index], f"frame {index}")  # noqa: B023
        took_s.append(time.monotonic() - begun)
        desk.visit.until(lambda: desk.sequence == numbers[index], "the page knows")  # noqa: B023
        assert desk.page.inner_text("#number") == str(numbers[index])
    print("from a click to the right number on the screen:", [f"{s:.2f} s" for s in took_s])
    assert sorted(took_s)[len(took_s) // 2] < SOON_S


def test_steps_are_exact_and_playing_moves(desk: Desk, numbers: list[int]) -> None:
    for key, index in [(".", 1), (".", 2), (",", 1), ("End", COUNT - 1), ("Home", 0)]:
        desk.visit.press(key)
        desk.visit.until(lambda: desk.number == numbers[index], f"{key} leads to {index}")  # noqa: B023
    desk.visit.press(" ")
    desk.visit.until(lambda: desk.number > numbers[5], "it moves")
    assert desk.data["state"] == "playing"
    desk.page.select_option("#speed", "0.1")
    desk.visit.press("p")
    desk.visit.until(lambda: desk.data["state"] == "paused", "it stands")
    desk.visit.until(lambda: desk.number == desk.sequence, "the screen shows what the page says")
    begun, before = time.monotonic(), desk.number
    desk.visit.press("p")
    desk.visit.until(lambda: desk.number > before, "it moves slowly")
    desk.page.wait_for_timeout(500)
    slowly = (desk.number - before) / (time.monotonic() - begun)
    assert slowly < FPS / 3
    desk.page.select_option("#speed", "16")
    desk.visit.until(lambda: desk.number == numbers[-1], "the end, soon", 10)
    desk.visit.until(lambda: desk.data["state"] == "paused", "it stands at the end")


def test_a_gap_is_shown_and_told(desk: Desk) -> None:
    desk.page.click(f'.row[data-topic="{YARD}"] .name')
    desk.visit.until(lambda: desk.data.get("topic") == YARD and desk.sequence == 0, YARD)
    gap = desk.page.locator("#theatre .gap")
    assert gap.get_attribute("data-lost") == "2"
    gap.scroll_into_view_if_needed()
    box = gap.bounding_box()
    assert box
    desk.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5)
    assert "2 frames missing" in desk.page.inner_text("#theatre .tip")
    desk.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 5)
    desk.visit.until(lambda: desk.sequence == 19, "the frame before the gap")
    desk.visit.press(".")
    desk.visit.until(lambda: desk.sequence == 22, "the frame behind it")
    assert "2 lost" in desk.page.inner_text(f'.row[data-topic="{YARD}"] .about')


def test_downloads_and_cuts(
    desk: Desk, chart: Recording, numbers: list[int], tmp_path: Path
) -> None:
    row = f'.row[data-topic="{CHART}"]'
    desk.page.click(f"{row} summary")
    with desk.page.expect_download() as download:
        desk.page.click(f"{row} td a")
    download.value.save_as(tmp_path / "whole.mkv")
    assert (tmp_path / "whole.mkv").read_bytes() == chart.path.read_bytes()
    for index, key in ((30, "i"), (50, "o")):
        desk.click_at((chart.began_ns / 1e6) + chart.time_of(index) * 1000 + 8)
        desk.visit.until(lambda: desk.sequence == numbers[index], f"frame {index}")  # noqa: B023
        desk.visit.press(key)
    with desk.page.expect_download() as download:
        desk.page.click("#cut")
    download.value.save_as(tmp_path / "cut.mkv")
    with Recording(tmp_path / "cut.mkv") as cut:
        assert list(cut.packets()) == [chart.packet(index) for index in range(30, 51)]
    with desk.page.expect_download() as download:
        desk.visit.press("s")
    assert re.fullmatch(r"lab-chart-.*\.jpg", download.value.suggested_filename)


def test_on_a_phone(visitor: Visitors, site: str) -> None:
    phone = visitor(
        viewport={"width": 390, "height": 844},
        device_scale_factor=2,
        has_touch=True,
        is_mobile=True,
    )
    desk = Desk(phone, f"{site}#{YARD}")
    parts = "document.documentElement, document.body, document.getElementById('main')"
    assert phone.script(f"[{parts}].every((part) => part.scrollWidth <= 390)")
    track = phone.page.locator("#theatre .track").bounding_box()
    assert track
    phone.page.touchscreen.tap(track["x"] + track["width"] / 2, track["y"] + 10)
    phone.until(lambda: desk.sequence > 10, "a tap jumps")
    for box in (each.bounding_box() for each in phone.page.locator(".controls button").all()):
        assert box is None or (box["width"] >= 40 and box["height"] >= 40)


def test_the_way_there_and_an_empty_folder(visitor: Visitors, site: str, tmp_path: Path) -> None:
    visit = visitor()
    visit.open(site.removesuffix("recordings"))
    link = visit.page.locator("#recordings")
    visit.until(link.is_visible, "a link to them")
    assert link.evaluate("link => link.href") == site
    visit = visitor()
    with commands() as start:
        empty = start("web", "tcp://127.0.0.1:1", "--recordings", str(tmp_path), "--json",
                      "--listen", "127.0.0.1:0")  # fmt: skip
        visit.open(f"{empty.url()}recordings")
        visit.until(lambda: visit.page.locator("#empty").is_visible(), "it says what to run")
        assert "framewire record" in visit.page.inner_text("#empty")
        visit.close()
