"""`demo`: two real senders in processes of their own, and the web viewer here."""

import json as jsonlib
import os
import subprocess
import sys
import webbrowser
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framewire.common.children import Child
from framewire.common.clock import NS, monotonic_ns, pause
from framewire.common.closing import Closing
from framewire.common.errors import FramewireError, TransportError
from framewire.common.options import Duration, Json, Switch
from framewire.common.stats import Throttle
from framewire.common.terminal import EXIT_DONE, LiveLine, Stopper, print_json, set_up_logging

if TYPE_CHECKING:
    import socket

    from framewire.common.listening import Address
    from framewire.receiver import Receiver, ReceiverStats

__all__ = ["demo", "demo_source"]

_CLIP = "meadow.mp4"
_CHART = "pattern:1280x720@30"
_PORT = 8080
_END_S = 5.0


def demo_source() -> str:
    """The bundled clip: in the installed package, or in the samples of a checkout."""
    here = Path(__file__).resolve()
    places = [here.parent / "clips" / _CLIP]
    places += [parent / "samples" / "clips" / _CLIP for parent in here.parents[3:4]]
    return next((str(place) for place in places if place.is_file()), "pattern:640x360@25")


def demo(
    *,
    duration: Duration = None,
    source: str | None = None,
    headless: Switch = False,
    json: Json = False,
) -> int:
    """Send two cameras from processes of their own on this machine, and show them in a browser.

    The address of the page is printed; on a desktop it is opened. Figures follow until Ctrl-C.

    Parameters
    ----------
    source
        What to send instead of the bundled clip, beside the test chart; see `framewire send --help`.
    headless
        Open no browser.
    """
    from framewire.app.web.access import Access
    from framewire.app.web.cli import url_of
    from framewire.app.web.running import Running
    from framewire.receiver import Receiver

    set_up_logging(verbose=False)
    with ExitStack() as stack:
        sources = (source or demo_source(), _CHART)
        cameras = [stack.enter_context(_Camera(each)) for each in sources]
        address, listener = _listen()
        stack.enter_context(listener)
        endpoints = [camera.endpoint() for camera in cameras]
        receiver = stack.enter_context(Receiver(*endpoints, topics=None, keep="newest"))
        viewer = Running(receiver, listener, Access.at(address), warm=True)
        stack.enter_context(viewer)
        _invite(url_of(address, listener), quietly=headless, json=json)
        _watch(receiver, viewer.check, duration, json=json)
        for camera in cameras:
            camera.stop()
        sent = sum(camera.sent() for camera in cameras)
        _take_the_rest(receiver)
        _sum_up(sent, receiver.stats, json=json)
    return EXIT_DONE


class _Camera(Closing):
    """`framewire send` in a process of its own, which ends with the block."""

    def __init__(self, source: str) -> None:
        command = ["send", source, "--json", "--wait", "1", "--bind", "tcp://127.0.0.1:*"]
        if Path(source).is_file():
            command.append("--loop")
        self._process = Child("framewire", *command, stdout=subprocess.PIPE)

    def _event(self, wanted: str) -> dict[str, Any]:
        """Its next event of a kind; `FramewireError` if it ends before."""
        for line in self._process.output:
            event: dict[str, Any] = jsonlib.loads(line)
            if event["event"] == wanted:
                return event
        raise FramewireError("the demo's sender ended too early; its own line above says why")

    def endpoint(self) -> str:
        """Its address; waits for it."""
        return str(self._event("ready")["endpoints"][0])

    def stop(self) -> None:
        """Ask it to end."""
        self._process.stop()

    def sent(self) -> int:
        """How many frames it sent; waits for its end."""
        return int(self._event("summary")["sent"])

    def close(self) -> None:
        self._process.close()


def _listen() -> "tuple[Address, socket.socket]":
    """The usual port, or any that is free."""
    from framewire.app.web.entrance import listen_for_viewers
    from framewire.common.listening import Address

    usual, other = Address("127.0.0.1", _PORT), Address("127.0.0.1", 0)
    try:
        return usual, listen_for_viewers(usual)
    except TransportError:
        return other, listen_for_viewers(other)


def _invite(url: str, *, quietly: bool, json: bool) -> None:
    if json:
        print_json(event="ready", url=url)
    else:
        print(f"two cameras are at {url} (Ctrl-C ends it)", flush=True)
    if _is_desktop() and not quietly:
        webbrowser.open(url)


def _is_desktop() -> bool:
    """Whether a browser would have a screen; over SSH it would be the wrong one."""
    if "SSH_CONNECTION" in os.environ:
        return False
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return sys.platform in ("win32", "darwin") or bool(shown)


def _watch(
    receiver: "Receiver", check: Callable[[], None], duration: float | None, *, json: bool
) -> None:
    """Show figures until the time is over or a signal comes."""
    from framewire.receiver.watching import describe, print_topics

    line, second = LiveLine(quiet=json), Throttle()
    with line, Stopper(duration=duration) as stop:
        while not stop.wait(0.1):
            check()
            line.update(lambda: describe(receiver.stats))
            if json and second(monotonic_ns()):
                print_topics(receiver.stats)


def _take_the_rest(receiver: "Receiver") -> None:
    """Wait until what was on its way is here."""
    deadline_ns = monotonic_ns() + round(_END_S * NS)
    while monotonic_ns() < deadline_ns:
        topics = receiver.stats.topics.values()
        if topics and all(topic.state == "ended" for topic in topics):
            return
        pause(0.02)


def _sum_up(sent: int, stats: "ReceiverStats", *, json: bool) -> None:
    figures = {
        "sent": sent,
        "received": stats.received,
        "lost": stats.lost,
        "age_p50_ms": round(stats.age_ms[0], 2),
        "age_p95_ms": round(stats.age_ms[1], 2),
    }
    if json:
        print_json(event="summary", **figures)
    else:
        print(
            "{sent} frames sent, {received} received, {lost} lost, "
            "age p50 {age_p50_ms:.1f} ms, p95 {age_p95_ms:.1f} ms".format(**figures)
        )
