"""Senders that stop, and that die and come back: what receivers notice, and say, of it."""

import signal
import time
import urllib.error
import urllib.request

import pytest

from faults.stage import SIDES, Stage, stage, where
from framewire.common.endpoint import PATTERNS
from processes import Command, Event, commands, until

STOPPED_S = 20.0
STALE_S = 3.0
BACK_S = 2.0
SECOND_S = 1.0  # `--json` tells figures once a second


def stale_within(play: Stage, began_s: float) -> None:
    """Every receiver says so in time."""
    for key, receiver in play.receivers.items():
        until(lambda receiver=receiver: receiver.figures[-1].stale, STALE_S + 10)  # type: ignore[misc]
        said = next(each for each in receiver.figures if each.at_s > began_s and each.stale)
        assert said.at_s - began_s < STALE_S, where(key)


def back_within(play: Stage, since_s: float) -> None:
    """Every receiver shows what was captured since, in time and in order, and nothing from before."""
    for key, receiver in play.receivers.items():
        first = receiver.shows_frame_of(since_s, BACK_S + 10)
        assert first.at_s - since_s < BACK_S, where(key)
        until(lambda receiver=receiver: not receiver.figures[-1].stale)  # type: ignore[misc]


@pytest.mark.timeout(90)
def test_of_a_stopped_sender_everybody_says_so_and_frames_are_back_at_once() -> None:
    with stage() as play, commands() as start:
        endpoint = f"tcp://127.0.0.1:{play.ports[PATTERNS[0], 'bound']}"
        view = start("view", endpoint, "--headless", "--json")
        stats = start("stats", endpoint, "--json")
        web = start("web", endpoint, "--listen", "127.0.0.1:0", "--json", "--keep-warm")
        url = f"{web.url()}healthz"
        for command in (view, stats):
            command.event("figures")
        until(lambda: status(url) == 200)
        for sender in play.senders.values():
            sender.signal(signal.SIGSTOP)
        stopped_s = time.time()
        stale_within(play, stopped_s)
        until(lambda: status(url) == 503, stopped_s + STALE_S - time.time())
        for command in (view, stats):
            assert first_stale(command)["silent_s"] < STALE_S + SECOND_S, command
        time.sleep(max(0.0, stopped_s + STOPPED_S - time.time()))
        goes_on_s = time.time()
        for sender in play.senders.values():
            sender.signal(signal.SIGCONT)
        back_within(play, goes_on_s)
        until(lambda: status(url) == 200, 5.0)
        for receiver in play.receivers.values():
            assert receiver.figures[-1].restarts == 0


def test_a_killed_sender_is_back_two_seconds_after_its_start() -> None:
    with stage() as play:
        for sender in play.senders.values():
            sender.signal(signal.SIGKILL)
            sender.wait()
        killed_s = time.time()
        stale_within(play, killed_s)
        begun = {side: play.restart(side) for side in SIDES}
        begun["bound"].event("ready")
        ready_s = time.time()
        back_within(play, ready_s)
        for key, receiver in play.receivers.items():
            until(lambda receiver=receiver: receiver.figures[-1].restarts == 1)  # type: ignore[misc]
            assert not [each for each in receiver.since(ready_s) if each.captured_s < killed_s], (
                where(key)
            )


def first_stale(command: Command) -> Event:
    """The first figures that say so."""
    while not (figures := command.event("figures"))["stale"]:
        pass
    return figures


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
