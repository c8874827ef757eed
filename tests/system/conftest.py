"""A browser for those tests that look at a page."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from processes import Start
from system.browsing import Visit, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Chromium. Not for longer than a module: meanwhile this thread has a running event loop."""
    with chromium() as browser:
        yield browser


class Visitors(Protocol):
    """Make a `Visit`; at the test's end nothing may have been complained of."""

    def __call__(self, **options: Any) -> Visit: ...


@pytest.fixture
def visitor(browser: "Browser", framewire: Start) -> Iterator[Visitors]:
    """They leave before what the test has started ends."""
    visits: list[Visit] = []
    with ExitStack() as stack:

        def make(**options: Any) -> Visit:
            visits.append(Visit(browser, **options))
            stack.callback(visits[-1].close)
            return visits[-1]

        yield make
        complaints = [visit.complaints for visit in visits]
    assert not any(complaints), complaints


@pytest.fixture
def visit(visitor: Visitors) -> Visit:
    """A desk."""
    return visitor()
