"""The web viewer's page, in a browser, with senders and the server as they are run."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from framewire.common import jpeg
from framewire.common.testchart import read_number
from processes import commands
from system.browsing import Visit
from system.conftest import Visitors

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect

ONE, TWO = "lab/cam1", "lab/cam2"
SIZES = {ONE: (640, 360), TWO: (320, 240)}
FPS = 15


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of a page with two cameras."""
    with commands() as start:
        senders = [
            start("send", f"pattern:{width}x{height}@{FPS}", "--topic", topic, "--json",
                  "--bind", "tcp://127.0.0.1:*")
            for topic, (width, height) in SIZES.items()
        ]  # fmt: skip
        endpoints = [sender.endpoint() for sender in senders]
        server = start("web", *endpoints, "--listen", "127.0.0.1:0", "--json")
        yield server.event("ready")["url"]


@pytest.fixture
def grid(visit: Visit, site: str) -> Visit:
    """Who sees both cameras."""
    visit.open(site)
    for topic in SIZES:
        visit.sees(topic)
    return visit


def test_pictures_move_and_are_what_the_page_says(grid: Visit) -> None:
    for topic in SIZES:
        grid.sees_motion(topic)
        seen, said = grid.number(topic), grid.sequence(topic)
        assert seen >= 0
        grid.until(lambda: grid.sequence(topic) >= seen, "the page knows what is on the screen")  # noqa: B023
        grid.until(lambda: grid.number(topic) >= said, "the screen shows what the page says")  # noqa: B023


def test_all_that_arrives_is_drawn(grid: Visit, site: str) -> None:
    grid.open(f"{site}#{ONE}")
    grid.until(lambda: number_in(grid.figure(ONE, "shown")) > FPS * 0.8, "as fast as it is sent")


def test_a_picture_is_seen_in_its_shape(grid: Visit) -> None:
    for topic, (width, height) in SIZES.items():
        box = grid.page.locator(grid.tile(topic, "canvas")).bounding_box()
        assert box
        assert box["width"] / box["height"] == pytest.approx(width / height, rel=0.01)


def test_figures_follow(grid: Visit) -> None:
    width, height = SIZES[ONE]

    def plausible() -> bool:
        return (
            abs(number_in(grid.figure(ONE, "fps")) - FPS) < 0.2 * FPS
            and 0 < number_in(grid.figure(ONE, "age")) < 2000
            and 0.1 < number_in(grid.figure(ONE, "bitrate")) < 20
        )

    grid.until(plausible, "figures as they should be")
    assert grid.figure(ONE, "resolution") == f"{width}\N{MULTIPLICATION SIGN}{height}"
    assert re.fullmatch(r"\d+", grid.figure(ONE, "lost"))
    assert grid.text(ONE, ".state") == "live"
    assert grid.text(ONE, ".name") == ONE
    assert grid.notice(ONE) == ""
    assert grid.page.inner_text("#summary") == "2 cameras, live"
    seen: set[str] = set()

    def change() -> bool:
        seen.add(grid.figure(ONE, "age"))
        return len(seen) > 2

    grid.until(change, "ages of other frames")


def number_in(text: str) -> float:
    return float(text) if re.fullmatch(r"[\d.]+", text) else float("nan")


# -- snapshots ------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["the button", "the key"])
def test_a_snapshot_is_a_jpeg_of_now(grid: Visit, way: str, tmp_path: Path) -> None:
    grid.page.click(grid.tile(TWO, ".picture"))
    before = grid.sequence(TWO)
    begun = time.time()
    with grid.page.expect_download() as download:
        if way == "the key":
            grid.press("s")
        else:
            grid.page.click("#snapshot")
    name = download.value.suggested_filename
    download.value.save_as(tmp_path / name)
    taken = re.fullmatch(r"lab-cam2-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)\.jpg", name)
    assert taken
    at = time.mktime(time.strptime(taken[1], "%Y-%m-%dT%H-%M-%S"))
    assert int(begun) <= at <= time.time()
    number = number_of(tmp_path / name)
    assert number >= before
    grid.until(lambda: grid.sequence(TWO) >= number, "past the snapshot")
    assert grid.page.inner_text("#toast") == f"saved {name}"


def test_a_snapshot_while_paused_is_what_is_on_the_screen(grid: Visit, tmp_path: Path) -> None:
    grid.page.click(grid.tile(ONE, ".picture"))
    (seen,) = pause(grid, ONE)
    with grid.page.expect_download() as download:
        grid.press("s")
    download.value.save_as(tmp_path / "paused.jpg")
    assert number_of(tmp_path / "paused.jpg") == seen


def number_of(picture: Path) -> int:
    number = read_number(jpeg.decode(picture.read_bytes()))
    assert number is not None
    return number


# -- one camera, and all --------------------------------------------------------------------------


def test_one_camera_and_back(grid: Visit) -> None:
    grid.page.click(grid.tile(TWO, ".picture"))
    grid.until(lambda: grid.topics == [TWO], "one camera")
    assert grid.page.url.endswith(f"/#{TWO}")
    assert grid.page.title() == f"{TWO} · framewire"
    grid.until(lambda: grid.data(ONE, "socket") == "closed", "the other one is not taken")
    grid.sees_motion(TWO)
    grid.press("Escape")
    grid.until(lambda: grid.topics == [ONE, TWO], "all cameras")
    assert "#" not in grid.page.url
    for topic in SIZES:
        grid.sees_motion(topic)


def test_arrows_lead_to_the_next_camera(grid: Visit) -> None:
    grid.page.click(grid.tile(ONE, ".picture"))
    for key, topic in [("ArrowRight", TWO), ("ArrowRight", ONE), ("ArrowLeft", TWO)]:
        grid.press(key)
        grid.until(lambda: grid.topics == [topic], f"{key} leads to {topic}")  # noqa: B023
        assert grid.page.url.endswith(f"/#{topic}")
        grid.sees_motion(topic)
    grid.page.go_back()
    grid.until(lambda: grid.topics == [ONE, TWO], "back to all at once")


def test_keys_alone_are_enough(grid: Visit) -> None:
    grid.press("ArrowRight")
    grid.press("ArrowRight")
    grid.press("Enter")
    grid.until(lambda: grid.topics == [TWO], "opened by keys")
    grid.press("?")
    assert grid.page.locator("#keys").is_visible()
    grid.press("Escape")
    assert not grid.page.locator("#keys").is_visible()
    assert grid.topics == [TWO]


def test_an_address_of_one_camera(visit: Visit, site: str) -> None:
    visit.open(f"{site}#{TWO}")
    visit.until(lambda: visit.topics == [TWO], "one camera")
    visit.sees_motion(TWO)


# -- pause, full screen ---------------------------------------------------------------------------


def pause(visit: Visit, *topics: str) -> list[int]:
    """The numbers of the pictures that stand still then."""
    visit.press("p")
    for topic in topics:
        visit.until(lambda: visit.number(topic) == visit.sequence(topic), f"{topic} stands")  # noqa: B023
        assert re.fullmatch(r"paused at \d\d:\d\d:\d\d", visit.text(topic, ".badge"))
    return [visit.sequence(topic) for topic in topics]


def test_pause_holds_the_picture(grid: Visit) -> None:
    held = pause(grid, *SIZES)
    grid.page.wait_for_timeout(500)  # in which seven more would come
    assert [grid.number(topic) for topic in SIZES] == held
    grid.press("p")
    for topic, number in zip(SIZES, held, strict=True):
        grid.sees_motion(topic)
        assert grid.number(topic) > number + FPS // 4, "from now, not from then"
        assert grid.text(topic, ".badge") == ""


def test_full_screen_and_back(grid: Visit) -> None:
    full = "document.fullscreenElement !== null"
    grid.press("f")
    grid.until(lambda: grid.script(full), "full screen")
    grid.sees_motion(ONE)
    grid.page.click("#full")
    grid.until(lambda: not grid.script(full), "a page in a window")


# -- screens --------------------------------------------------------------------------------------


def test_on_a_phone(visitor: Visitors, site: str) -> None:
    phone = visitor(
        viewport={"width": 390, "height": 844},
        device_scale_factor=2,
        has_touch=True,
        is_mobile=True,
    )
    phone.open(site)
    for topic in SIZES:
        phone.sees_motion(topic)
    lefts = {box["x"] for box in boxes(phone, ".tile")}
    assert len(lefts) == 1, "one column"
    assert fits(phone)
    phone.page.tap(phone.tile(TWO, ".picture"))
    phone.until(lambda: phone.topics == [TWO], "opened by a tap")
    assert fits(phone)
    buttons = boxes(phone, ".bar button")
    assert len(buttons) >= 6
    assert all(box["width"] >= 40 and box["height"] >= 40 for box in buttons)
    phone.page.tap("#back")
    phone.until(lambda: phone.topics == [ONE, TWO], "all again")


def fits(visit: Visit) -> bool:
    """Nothing is wider than the screen; innerWidth would grow with what is too wide."""
    parts = "document.documentElement, document.body, ...document.querySelectorAll('main, .bar')"
    screen = visit.page.viewport_size
    assert screen
    fits: bool = visit.script(
        f"[{parts}, {{ scrollWidth: innerWidth }}].every((part) => part.scrollWidth <= {screen['width']})"
    )
    return fits


def boxes(visit: Visit, selector: str) -> list["FloatRect"]:
    """Of all that are shown."""
    found = [element.bounding_box() for element in visit.page.locator(selector).all()]
    return [box for box in found if box]


def test_light_and_dark(visitor: Visitors, site: str) -> None:
    def brightness(visit: Visit, part: str) -> int:
        colour = visit.script(f"getComputedStyle(document.body).{part}")
        return sum(map(int, re.findall(r"\d+", colour)))

    for scheme in ("light", "dark"):
        visit = visitor(color_scheme=scheme)
        visit.open(site)
        visit.sees(ONE)
        ground, text = brightness(visit, "backgroundColor"), brightness(visit, "color")
        dark, bright = sorted((ground, text))
        assert dark < 150
        assert bright > 600
        assert (ground == bright) == (scheme == "light")


# -- browsers that can less -----------------------------------------------------------------------


def test_the_page_draws_where_workers_cannot(visitor: Visitors, site: str) -> None:
    visit = visitor(script="delete HTMLCanvasElement.prototype.transferControlToOffscreen")
    visit.open(site)
    visit.sees_motion(ONE)
