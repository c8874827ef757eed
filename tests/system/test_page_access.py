"""How browsers get to the page: tokens, proxies, several at once."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from framewire.common.testchart import MIN_HEIGHT, MIN_WIDTH
from framewire.sender import Sender, open_source
from processes import Start
from processes import until as wait_until
from system.browsing import Visit
from system.conftest import Visitors
from system.proxying import Proxy

TOPIC = "lab/cam1"
TOKEN = "right-token_42"
WANTED = {b"lab/cam1/"}
REFUSED = re.compile(r"\b401\b|WebSocket handshake: Unexpected response code: 403")


@contextmanager
def camera() -> Iterator[Sender]:
    """A sender in this process, of whom we know what is wanted of it."""
    stop = threading.Event()
    with (
        open_source(f"pattern:{2 * MIN_WIDTH}x{MIN_HEIGHT}@15") as source,
        Sender("tcp://127.0.0.1:*", topic=TOPIC) as sender,
    ):

        def run() -> None:
            for frame in source:
                if stop.is_set():
                    return
                sender.send(frame)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield sender
        finally:
            stop.set()
            thread.join()


@pytest.fixture
def sender() -> Iterator[Sender]:
    with camera() as sender:
        yield sender


def serve(framewire: Start, sender: Sender, *options: str) -> str:
    """The address that `framewire web` prints."""
    listen = ("--listen", "127.0.0.1:0", "--json")
    url: str = framewire("web", *sender.endpoints, *listen, *options).event("ready")["url"]
    return url


# -- several --------------------------------------------------------------------------------------


def test_two_at_once_and_nobody(visitor: Visitors, framewire: Start, sender: Sender) -> None:
    url = serve(framewire, sender)
    assert not sender.demand
    first, second = visitor(), visitor()
    for visit in (first, second):
        visit.open(f"{url}#{TOPIC}")
    for visit in (first, second):
        visit.sees_motion(TOPIC)
    assert sender.demand >= WANTED
    first.close()
    second.sees_motion(TOPIC)
    assert second.data(TOPIC, "socket") == "open"
    second.close()
    wait_until(lambda: not sender.demand)


# -- tokens ---------------------------------------------------------------------------------------


def test_without_the_token_there_is_nothing(
    visitor: Visitors, framewire: Start, sender: Sender
) -> None:
    url, _, token = serve(framewire, sender, "--token", TOKEN).partition("?")
    assert token == f"token={TOKEN}"
    for query in ("", "?token=wrong"):
        visit = visitor(expected=REFUSED)
        answer = visit.page.goto(f"{url}{query}")
        assert answer
        assert answer.status == 401
        assert "wants a token" in visit.page.inner_text("body")
        assert not visit.page.locator("canvas, img, script").count()
        asks = "new Promise((done) => { const socket = new WebSocket('ws/lab/cam1'); "
        asks += "socket.onopen = () => done('open'); socket.onclose = () => done('closed'); })"
        assert visit.script(asks) == "closed"
        assert not visit.context.cookies()
    assert not sender.demand


def test_the_printed_address_is_enough(visit: Visit, framewire: Start, sender: Sender) -> None:
    printed = serve(framewire, sender, "--token", TOKEN)
    visit.open(printed)
    visit.sees_motion(TOPIC)
    assert visit.page.url == printed.partition("?")[0]
    assert TOKEN not in visit.page.content()
    assert TOKEN not in visit.script("document.cookie")
    visit.page.reload()
    visit.sees_motion(TOPIC)


def test_a_page_whose_token_is_taken_away_says_so(
    visitor: Visitors, framewire: Start, sender: Sender
) -> None:
    visit = visitor(expected=REFUSED)
    visit.open(serve(framewire, sender, "--token", TOKEN))
    visit.sees(TOPIC)
    visit.context.clear_cookies()
    visit.until(lambda: visit.page.locator("#refused").is_visible(), "it says that it needs one")
    assert visit.topics == []


# -- proxies --------------------------------------------------------------------------------------


def test_below_a_path_of_a_proxy(visit: Visit, framewire: Start, sender: Sender) -> None:
    url, _, token = serve(framewire, sender, "--token", TOKEN).partition("?")
    with Proxy(url, "/cams") as proxy:
        visit.open(f"{proxy.url}?{token}")
        visit.sees_motion(TOPIC)
        assert visit.page.url == proxy.url
        assert visit.figure(TOPIC, "mode") == ""
        visit.page.click(visit.tile(TOPIC, ".picture"))
        visit.until(lambda: visit.page.url == f"{proxy.url}#{TOPIC}", "one camera")
        with visit.page.expect_download():
            visit.press("s")
        assert [cookie["path"] for cookie in visit.context.cookies()] == ["/cams"]
        visit.close()
        assert proxy.strays == []


def test_a_proxy_that_knows_no_websockets(
    visitor: Visitors, framewire: Start, sender: Sender
) -> None:
    visit = visitor(expected=re.compile(r"WebSocket connection to|/stream/.*ERR_ABORTED"))
    with Proxy(serve(framewire, sender), "/cams", websockets=False) as proxy:
        visit.open(proxy.url)
        visit.until(lambda: visit.figure(TOPIC, "mode") == "compatibility mode", "it says so")
        image = "img.frame"
        visit.sees_motion(TOPIC, image)
        visit.press("p")
        visit.until(lambda: visit.text(TOPIC, ".badge"), "paused")
        held = visit.number(TOPIC, "canvas.frame >> nth=1")
        assert held >= 0
        visit.press("p")
        visit.until(lambda: visit.number(TOPIC, image) > held, "goes on")
        visit.close()
