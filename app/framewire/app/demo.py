"""`demo`: a real sender in a process of its own, and a real receiver here."""

import json as jsonlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framewire.common.clock import NS, monotonic_ns
from framewire.common.errors import FramewireError, ReceiveTimeout, SinkError
from framewire.common.options import Duration, Json, Switch
from framewire.common.terminal import EXIT_DONE, print_json, set_up_logging

if TYPE_CHECKING:
    from framewire.receiver import Receiver

__all__ = ["demo", "demo_source"]

_CLIP = "meadow.mp4"
_START_S = 20.0
_END_S = 5.0


def demo_source() -> str:
    """The bundled clip: in the installed package, or in the samples of a checkout."""
    here = Path(__file__).resolve()
    places = [here.parent / "clips" / _CLIP]
    places += [parent / "samples" / "clips" / _CLIP for parent in here.parents[3:4]]
    return next((str(place) for place in places if place.is_file()), "pattern:1280x720@30")


def demo(
    *,
    duration: Duration = None,
    source: str | None = None,
    headless: Switch = False,
    json: Json = False,
) -> int:
    """Send a clip from one process to another on this machine, and show it.

    In a window where there is a display (q closes it), as a live line of figures elsewhere.

    Parameters
    ----------
    source
        What to send instead of the bundled clip; see `framewire send --help`.
    headless
        Figures only, no window.
    """
    from framewire.receiver import Receiver

    set_up_logging(verbose=False)
    with _start_sender(source or demo_source()) as sender:
        try:
            with Receiver(_endpoint(sender)) as receiver:
                _watch(receiver, duration, headless=headless, json=json)
                sent = _stop_sender(sender, receiver)
                stats = receiver.stats
        finally:
            sender.kill()
    figures = {
        "sent": sent["sent"],
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
    return EXIT_DONE


def _start_sender(source: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "framewire", "send", source, "--json", "--wait", "1"]
    command += ["--bind", "tcp://127.0.0.1:*"]
    if Path(source).is_file():
        command.append("--loop")
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _events(sender: subprocess.Popen[str], wanted: str) -> dict[str, Any]:
    """The sender's next event of a kind; `FramewireError` if it ends before."""
    assert sender.stdout is not None
    for line in sender.stdout:
        event: dict[str, Any] = jsonlib.loads(line)
        if event["event"] == wanted:
            return event
    raise FramewireError("the demo's sender ended too early; its own line above says why")


def _endpoint(sender: subprocess.Popen[str]) -> str:
    return str(_events(sender, "ready")["endpoints"][0])


def _stop_sender(sender: subprocess.Popen[str], receiver: "Receiver") -> dict[str, Any]:
    """End the sender, and take in what was still on its way."""
    sender.terminate()
    summary = _events(sender, "summary")
    deadline_ns = monotonic_ns() + round(_END_S * NS)
    while monotonic_ns() < deadline_ns:
        topics = receiver.stats.topics.values()
        if topics and all(topic.state == "ended" for topic in topics):
            break
        try:
            receiver.read_packet(0.05)
        except ReceiveTimeout:
            continue
    return summary


def _watch(receiver: "Receiver", duration: float | None, *, headless: bool, json: bool) -> None:
    from framewire.receiver.watching import show, watch

    if not headless:
        try:
            return show(receiver, duration=duration, json=json)
        except SinkError:
            print("framewire: no display, so figures only", file=sys.stderr)
    watch(receiver, duration=duration, json=json)
