"""Makes the pictures of the web viewer's page: needs playwright, Pillow, Chromium, and framewire installed.

Run it from anywhere: ``python docs/images/make_page_images.py [FOLDER]``; the folder is this one unless told.
"""

import io
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).resolve().parent
CLIPS = HERE.parent.parent / "samples" / "clips"
PORTS = {name: 21561 + index for index, name in enumerate(("meadow", "chart", "gate", "yard"))}
SOURCES = {
    "meadow": (str(CLIPS / "meadow.mp4"), "--loop", "--topic", "lab/meadow"),
    "chart": ("pattern:1280x720@15", "--topic", "lab/chart"),
    "gate": ("pattern:640x480@10", "--topic", "yard/gate"),
    "yard": (str(CLIPS / "yard.mkv"), "--loop"),
}
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}
COLOURS = 256
"""A palette makes a PNG of video half as large."""
MOST_BYTES = 390_000
"""Dithered, a picture is finer; one that is too large then is not."""
ACCENT = (42, 127, 98)
"""Of page.css: used for little dots, which a palette made for all of the picture has no place for."""


def framewire(*arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "framewire", *arguments], stdout=subprocess.PIPE)


@contextmanager
def site() -> Iterator[tuple[str, dict[str, "subprocess.Popen[bytes]"]]]:
    """The page's address, and the senders by name."""
    places = {name: f"tcp://127.0.0.1:{port}" for name, port in PORTS.items()}
    senders = {
        name: framewire("send", *source, "--bind", places[name]) for name, source in SOURCES.items()
    }
    server = framewire("web", *places.values(), "--listen", "127.0.0.1:0")
    assert server.stdout
    try:
        yield server.stdout.readline().decode().split()[-1], senders
    finally:
        for process in (server, *senders.values()):
            process.kill()
            process.wait()


@contextmanager
def recordings_page() -> Iterator[str]:
    """The address of a page of recordings: of a yard, a meadow, and a chart with a break."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "lab" / "yard"
        folder.mkdir(parents=True)
        shutil.copy(CLIPS / "yard.mkv", folder / "2026-01-31T14-05-00.mkv")
        for topic in ("meadow", "chart", "chart"):
            place = f"tcp://127.0.0.1:{PORTS[topic]}"
            sender = framewire("send", *SOURCES[topic], "--bind", place)
            framewire("record", place, "--out", name, "--count", "60").wait()
            sender.kill()
            sender.wait()
        server = framewire("web", "--recordings", name, "--listen", "127.0.0.1:0")
        assert server.stdout
        try:
            yield f"{server.stdout.readline().decode().split()[-1]}recordings"
        finally:
            server.kill()
            server.wait()


def visit_recordings(browser: Browser, url: str, path: Path) -> None:
    context = browser.new_context(**DESK, color_scheme="light")
    page = context.new_page()
    page.goto(f"{url}#lab/yard")
    until(page, lambda: page.locator("#theatre[data-state=paused]").count())
    until(page, lambda: page.locator("#shelf .segment").count() >= 4)
    track = page.locator("#theatre .track").bounding_box()
    assert track
    for share, key in ((0.25, "i"), (0.7, "o")):
        page.mouse.click(track["x"] + share * track["width"], track["y"] + 9)
        page.wait_for_timeout(1000)
        page.keyboard.press(key)
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(track["x"] + 0.406 * track["width"], track["y"] + 9)
    page.wait_for_timeout(500)
    save(page, path)
    context.close()


def until(page: Page, condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "the page does not look as it should"
        page.wait_for_timeout(50)


@contextmanager
def visit(browser: Browser, url: str, tiles: int, **options: Any) -> Iterator[Page]:
    """A page on which so many tiles show pictures, for long enough that figures have settled."""
    context = browser.new_context(**options)
    page = context.new_page()
    page.goto(url)
    until(page, lambda: page.locator(".tile[data-sequence]:visible").count() >= tiles)
    page.wait_for_timeout(4000)
    yield page
    context.close()


def save(page: Page, path: Path) -> None:
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        picture = shot.convert("RGB")
    palette = picture.quantize(COLOURS - 1, kmeans=1)
    palette.putpalette([*(palette.getpalette() or [])[: 3 * COLOURS - 3], *ACCENT])
    for dither in (Image.Dither.FLOYDSTEINBERG, Image.Dither.NONE):
        picture.quantize(palette=palette, dither=dither).save(path, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            break
    print(f"{path.name}: {path.stat().st_size // 1000} kB")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with site() as (url, senders), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            with visit(browser, url, 4, **DESK, color_scheme=scheme) as page:
                save(page, folder / f"page-grid-{scheme}.png")
        with visit(browser, url, 2, **PHONE, color_scheme="dark") as page:
            save(page, folder / "page-phone.png")
        with visit(browser, url, 4, **DESK, color_scheme="dark") as page:
            senders["chart"].send_signal(signal.SIGKILL)
            until(page, lambda: page.locator(".notice:visible").count())
            page.wait_for_timeout(1500)
            save(page, folder / "page-no-signal.png")
        with visit(browser, f"{url}#lab/meadow", 1, **DESK, color_scheme="light") as page:
            save(page, folder / "page-one.png")
        with recordings_page() as address:
            visit_recordings(browser, address, folder / "page-recordings.png")
        browser.close()


if __name__ == "__main__":
    main()
