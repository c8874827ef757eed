"""The page in a real browser: Chromium, what it shows, and what it complains of."""

import importlib.util
import io
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image as Pillow

from framewire.common.frame import Image
from framewire.common.testchart import read_number

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DEADLINE_S = 30.0
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
_NEEDED = {
    "the package playwright": importlib.util.find_spec("playwright"),
    "the program chromium": CHROMIUM,
}


def missing() -> str:
    """What a browser test lacks here; empty if it can run."""
    return " and ".join(name for name, found in _NEEDED.items() if not found)


@contextmanager
def chromium() -> Iterator["Browser"]:
    """A browser; without one the test is skipped, but not where all tests must run."""
    if missing():
        assert "CI" not in os.environ, f"{missing()} must be here"
        pytest.skip(f"{missing()} must be installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """A visitor of the page, with cookies of its own.

    `expected`: matches what the browser may complain of in this test; anything else fails it.
    """

    def __init__(
        self,
        browser: "Browser",
        *,
        expected: re.Pattern[str] | None = None,
        script: str = "",
        **options: Any,
    ) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 800, "height": 560}, **options})
        self._expected = expected
        self._left = False
        self.complaints: list[str] = []
        self.page: Page = self.context.new_page()
        if script:
            self.page.add_init_script(script)
        self.page.on("console", lambda said: self._complain(f"{said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self._complain(f"error: {error}"))
        self.page.on("requestfailed", lambda sent: self._complain(f"{sent.url} {sent.failure}"))
        self.page.on("response", lambda got: self._note_status(got.url, got.status))

    def _complain(self, complaint: str) -> None:
        if not self._left and not (self._expected and self._expected.search(complaint)):
            self.complaints.append(complaint)

    def _note_status(self, url: str, status: int) -> None:
        if status >= 400:
            self._complain(f"{url} {status}")

    def until(
        self, condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S
    ) -> float:
        """Wait for a condition, while the browser goes on; how many seconds that took.

        Not wait_for_function: the page's own policy forbids what that does.
        """
        begun = time.monotonic()
        while not condition():
            waited_s = time.monotonic() - begun
            assert waited_s < deadline_s, f"{what}: not in {deadline_s:g} s; {self.complaints}"
            self.page.wait_for_timeout(25)
        return time.monotonic() - begun

    def close(self) -> None:
        self._left = True  # what is under way now is given up
        self.context.close()

    # -- what it does -----------------------------------------------------------------------------

    def open(self, url: str) -> None:
        self.page.goto(url)

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def script(self, expression: str) -> Any:
        """What a JavaScript expression gives."""
        return self.page.evaluate(f"() => {expression}")

    # -- what it sees -----------------------------------------------------------------------------

    @property
    def topics(self) -> list[str]:
        """Of the tiles that are shown, in their order."""
        names = "[...document.querySelectorAll('.tile')].filter((tile) => tile.checkVisibility())"
        shown: list[str] = self.script(f"{names}.map((tile) => tile.dataset.topic)")
        return shown

    def tile(self, topic: str, part: str = "") -> str:
        """Selector of a tile, or of a part of it."""
        return f'.tile[data-topic="{topic}"] {part}'.strip()

    def data(self, topic: str, name: str) -> str | None:
        """What a tile says of itself to programs: state, socket, sequence."""
        tiles = self.page.locator(self.tile(topic))
        return tiles.get_attribute(f"data-{name}") if tiles.count() else None

    def sequence(self, topic: str) -> int:
        """Of the last frame drawn, as the page knows it; -1 if there was none."""
        return int(self.data(topic, "sequence") or -1)

    def text(self, topic: str, part: str) -> str:
        """What a visible part of a tile says; empty if it is hidden."""
        element = self.page.locator(self.tile(topic, part))
        return element.inner_text() if element.is_visible() else ""

    def figure(self, topic: str, name: str) -> str:
        return self.text(topic, f"[data-figure={name}]")

    def notice(self, topic: str) -> str:
        """What stands in place of the picture."""
        return self.text(topic, ".notice")

    def picture(self, topic: str, element: str = "canvas.frame") -> Image:
        """What is on the screen where the picture is: (H, W, 3), RGB."""
        return self.picture_at(self.tile(topic, element))

    def picture_at(self, selector: str) -> Image:
        """The same of any part of the page."""
        box = self.page.locator(selector).first.bounding_box()
        assert box
        with Pillow.open(io.BytesIO(self.page.screenshot(clip={**box}))) as shot:
            return np.asarray(shot.convert("RGB"))

    def number(self, topic: str, element: str = "canvas.frame") -> int:
        """The test chart's number, read from the screen; -1 if it is not readable."""
        return self.number_at(self.tile(topic, element))

    def number_at(self, selector: str) -> int:
        """The same of any part of the page."""
        number = read_number(self.picture_at(selector))
        return -1 if number is None else number

    def sees(self, topic: str) -> None:
        """Wait until a picture of the topic is on the screen."""
        self.until(lambda: self.sequence(topic) >= 0, f"a picture of {topic}")

    def sees_motion(self, topic: str, element: str = "canvas.frame") -> None:
        """Wait until the picture on the screen has become another one, twice."""
        self.until(self.page.locator(self.tile(topic, element)).count, f"a place for {topic}")
        numbers: set[int] = set()

        def moved() -> bool:
            numbers.add(self.number(topic, element))
            return len(numbers - {-1}) >= 3

        self.until(moved, f"{topic} moves")
