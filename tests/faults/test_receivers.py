"""Receivers that stop, and that die: what the sender and the other receivers notice of it."""

import os
import signal
import time
from contextlib import ExitStack
from itertools import pairwise

import numpy as np
import pytest

from faults.observing import connections, resident_bytes
from faults.showing import Receiving, Showing, program, showing
from faults.stage import stage, where
from framewire.common.endpoint import PATTERNS
from framewire.sender import Sender
from processes import free_port, until

STOPPED_S = 20.0
CUT_S = 15.0
KEPT_BYTES = 10_000_000
NEWEST_S = 1.0
UNTOUCHED_S = 1.0
_, ASKS, PULLS = PATTERNS


@pytest.mark.timeout(90)
def test_a_stopped_receiver_costs_nobody_anything_and_goes_on_with_the_newest() -> None:
    with stage() as play, ExitStack() as stack:
        calls = (f"{p}+tcp://127.0.0.1:{play.ports[p, 'bound']}" for p in PATTERNS)
        others = stack.enter_context(program(*(Receiving((call,)) for call in calls)))
        for other in others:
            other.wait_for_frames()
        pids = {side: sender.process.pid for side, sender in play.senders.items()}
        held = {side: resident_bytes(pid) for side, pid in pids.items()}
        links = {key: play.links(*key) for key in play.receivers}
        assert all(len(each) == 1 for each in links.values()), links
        play.signal_receivers(signal.SIGSTOP)
        began_s = time.time()
        for (pattern, side), (link,) in links.items():
            if pattern != ASKS:  # who asks for nothing is sent nothing
                left_s = began_s + CUT_S - time.time()
                until(lambda s=side, link=link: not play.holds(s, link), left_s)  # type: ignore[misc]
        while time.time() < began_s + STOPPED_S:
            for side, pid in pids.items():
                assert resident_bytes(pid) - held[side] < KEPT_BYTES, side
            time.sleep(0.2)
        goes_on_s = time.time()
        for other in others:
            shown = [began_s, *(each.at_s for each in other.since(began_s)), goes_on_s]
            assert max(later - earlier for earlier, later in pairwise(shown)) < UNTOUCHED_S
        play.signal_receivers(signal.SIGCONT)
        for key, receiver in play.receivers.items():
            newest = receiver.shows_frame_of(goes_on_s, 5.0)
            assert newest.at_s - goes_on_s < NEWEST_S, where(key)


@pytest.mark.parametrize("side", ["bound", "connecting"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_killed_receiver_is_counted_no_more_and_leaves_nothing_open(
    pattern: str, side: str
) -> None:
    endpoint = f"{pattern}+tcp://127.0.0.1:{free_port()}"
    addresses = (endpoint,) if side == "bound" else ()
    to_connect = () if side == "bound" else (endpoint,)
    with (
        Sender(*addresses, connect=to_connect, topic="a", when_full="newest") as out,
        ExitStack() as stack,
    ):

        def show() -> Showing:
            """One that takes two topics: it is one receiver all the same."""
            taken = ["a", "b"]
            here = (
                showing(endpoint, topics=taken)
                if side == "bound"
                else showing(bind=endpoint, topics=taken)
            )
            return stack.enter_context(here)

        def held() -> int:
            return len(connections(os.getpid()))

        def counts(number: int) -> bool:
            out.send(np.zeros((48, 64, 3), np.uint8))
            return out.receivers == number

        def kill(receiver: Showing, left: int) -> None:
            receiver.process.kill()
            receiver.process.wait()
            until(lambda: counts(left), 1.0)

        first = show()
        until(lambda: counts(1))
        with_one = held()
        if side == "bound":
            second = show()
            until(lambda: counts(1 if pattern == PULLS else 2) and len(second.frames) > 3)
            kill(second, 1)
            until(lambda: held() == with_one, 2.0)
        kill(first, 0)
        until(lambda: held() == 0, 2.0)
