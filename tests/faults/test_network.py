"""Networks that lose, delay, hold back, damage and swallow what is sent."""

import functools
import time

import pytest

import namespaces
from faults.packets import PacketFaults, PacketLink
from faults.stage import Stage, stage, where
from namespaces import Link
from processes import until

pytestmark = pytest.mark.timeout(100)
needs_namespaces = pytest.mark.skipif(
    bool(namespaces.skip_reason()), reason=namespaces.skip_reason() or "-"
)

YOUNG_S = 1.0
NOTICED_S, STALE_S, BACK_S, OLD_S = 10.0, 3.0, 3.0, 1.0
RELEASED_S, AGAIN_S = 2.0, 10.0
WORK = "push-pull"


def stage_on(link: Link, source: str = "pattern:640x480@15"):  # type: ignore[no-untyped-def]
    """Senders at its side `a`, receivers at `b`."""
    return stage(
        source,
        sender_host=link.address["a"],
        receiver_host=link.address["b"],
        at_sender=functools.partial(link.at, "a"),
        at_receiver=functools.partial(link.at, "b"),
    )


def check_noticed(play: Stage, since_s: float) -> None:
    """The receivers say that nothing comes, and the senders hold none of those connections."""
    links = {key: play.links(*key) for key in play.receivers}
    for key, receiver in play.receivers.items():
        until(lambda receiver=receiver: receiver.figures[-1].stale, NOTICED_S)  # type: ignore[misc]
        stale = next(each for each in receiver.figures if each.at_s > since_s and each.stale)
        assert stale.at_s - since_s < STALE_S, where(key)
    for (_, side), held in links.items():
        for link in held:
            left_s = since_s + NOTICED_S - time.time()
            until(lambda s=side, link=link: not play.holds(s, link), left_s)  # type: ignore[misc]


def check_back(play: Stage, since_s: float) -> None:
    """Frames of now are back in time; nothing of before is shown, but work that was handed out."""
    for key, receiver in play.receivers.items():
        first = receiver.shows_frame_of(since_s, BACK_S + 10)
        assert first.at_s - since_s < BACK_S, where(key)
        if key[0] != WORK:
            old = [each for each in receiver.since(since_s) if each.age_s > OLD_S]
            assert not old, where(key)


@needs_namespaces
@pytest.mark.parametrize(("fault", "lasts_s"), [("black hole", 20.0), ("link down", 10.0)])
def test_a_path_that_is_gone_is_noticed_at_both_ends_and_frames_are_back_with_it(
    fault: str, lasts_s: float
) -> None:
    with Link() as link, stage_on(link) as play:
        begin, end = (link.swallow, link.deliver) if fault == "black hole" else (link.down, link.up)
        begin()
        gone_s = time.time()
        check_noticed(play, gone_s)
        time.sleep(max(0.0, gone_s + lasts_s - time.time()))
        end()
        check_back(play, time.time())


@needs_namespaces
@pytest.mark.parametrize(
    "faults",
    [
        PacketFaults(loss=0.05),
        PacketFaults(rate_bits=8e6),
        PacketFaults(delay_s=0.1, jitter_s=0.05),
    ],
    ids=["5 % loss", "8 Mbit/s", "100 ms, give or take 50"],
)
def test_on_a_bad_path_frames_stay_young(faults: PacketFaults) -> None:
    with PacketLink() as link, stage_on(link, "pattern:320x240@15") as play:
        link.set(faults)
        time.sleep(2.0)
        since_s = time.time()
        time.sleep(5.0)
        for key, receiver in play.receivers.items():
            shown = receiver.since(since_s)
            assert len(shown) > 5, where(key)
            assert max(each.age_s for each in shown) < YOUNG_S, where(key)


def test_what_a_stall_held_back_is_passed_over() -> None:
    with stage(proxies=True) as play:
        for proxy in play.proxies.values():
            proxy.set(stall=True)
        time.sleep(6.0)
        for proxy in play.proxies.values():
            proxy.set()
        released_s = time.time()
        time.sleep(RELEASED_S + 2)
        for key, receiver in play.receivers.items():
            shown = receiver.since(released_s + RELEASED_S)
            assert shown, where(key)
            assert max(each.age_s for each in shown) < YOUNG_S, where(key)
        for (pattern, _), receiver in play.receivers.items():
            if pattern == "pub-sub":
                assert receiver.figures[-1].lost + receiver.figures[-1].skipped > 0


def test_resets_and_half_closed_connections_end_and_frames_flow_again() -> None:
    with stage(proxies=True) as play:
        for _ in range(60):
            for proxy in play.proxies.values():
                proxy.reset()
            time.sleep(0.05)
        check_flows(play)
        for side in ("client", "target"):
            for proxy in play.proxies.values():
                proxy.half_close(side)
            check_flows(play)


def check_flows(play: Stage) -> None:
    since_s = time.time()
    for key, receiver in play.receivers.items():
        first = receiver.shows_frame_of(since_s, AGAIN_S)
        assert first.at_s - since_s < AGAIN_S, where(key)


def test_flipped_bits_are_refused_and_counted() -> None:
    with stage(proxies=True) as play:
        for proxy in play.proxies.values():
            proxy.set(flip_every=100_000)
        for receiver in play.receivers.values():
            until(lambda receiver=receiver: receiver.figures[-1].malformed > 3)  # type: ignore[misc]
        for proxy in play.proxies.values():
            proxy.set()
        check_flows(play)
