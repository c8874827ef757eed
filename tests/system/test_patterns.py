"""Every pattern, either side binding, and ends that come and go."""

import signal
import time
from contextlib import ExitStack

import pytest

from framewire.common.endpoint import PATTERNS
from framewire.receiver import Receiver
from processes import CLIPS, Command, Start, free_port, until

SENDER_BINDS = pytest.mark.parametrize("sender_binds", [True, False], ids=["bind", "connect"])
HOW = pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])


def addresses() -> list[str]:
    return [f"{pattern}+tcp://127.0.0.1:{free_port()}" for pattern in PATTERNS]


def start_sender(framewire: Start, endpoints: list[str], *, binds: bool) -> Command:
    """One sender that speaks all patterns at once."""
    flag = "--bind" if binds else "--connect"
    where = [argument for endpoint in endpoints for argument in (flag, endpoint)]
    sender = framewire("send", "pattern:320x240@30", *where, "--json")
    sender.event("ready")
    return sender


def open_receiver(endpoint: str, *, binds: bool) -> Receiver:
    return Receiver(bind=endpoint) if binds else Receiver(endpoint)


@SENDER_BINDS
@HOW
def test_frames_come_again_when_the_sender_does(
    framewire: Start, sender_binds: bool, how: signal.Signals
) -> None:
    endpoints = addresses()
    sender = start_sender(framewire, endpoints, binds=sender_binds)
    with ExitStack() as stack:
        receivers = [
            stack.enter_context(open_receiver(endpoint, binds=not sender_binds))
            for endpoint in endpoints
        ]
        first = receivers[0].read(20).header.sender
        assert {receiver.read(20).header.sender for receiver in receivers} == {first}
        sender.signal(how)
        sender.wait()
        start_sender(framewire, endpoints, binds=sender_binds)
        for receiver in receivers:
            until(lambda receiver=receiver: receiver.read(20).header.sender != first)  # type: ignore[misc]
            assert receiver.stats.restarts == 1
            assert receiver.stats.malformed == 0


@SENDER_BINDS
@HOW
def test_frames_come_again_when_the_receiver_does(
    framewire: Start, sender_binds: bool, how: signal.Signals
) -> None:
    endpoints = addresses()
    sender = start_sender(framewire, endpoints, binds=sender_binds)
    where = ["--bind"] if not sender_binds else []

    def view(endpoint: str) -> Command:
        return framewire("view", *where, endpoint, "--headless", "--json")

    watching = [view(endpoint) for endpoint in endpoints]
    for each in watching:
        assert until_frames(each)
        each.signal(how)
        each.wait()
    for endpoint in endpoints:
        assert until_frames(view(endpoint))
    sender.signal(signal.SIGINT)
    assert sender.wait() == 0


def until_frames(view: Command) -> int:
    """Frames that a `view` had when it first had some."""
    while not (received := view.event("figures")["received"]):
        continue
    return int(received)


def test_one_encoding_serves_all_patterns(framewire: Start) -> None:
    sender = framewire("send", "pattern:320x240@60", "--count", "60", "--wait", "3", "--json",
                       *(x for p in PATTERNS for x in ("--bind", f"{p}+tcp://127.0.0.1:*")))  # fmt: skip
    endpoints = sender.event("ready")["endpoints"]
    with ExitStack() as stack:
        receivers = [stack.enter_context(Receiver(each, keep="all")) for each in endpoints]
        work = receivers[[e.startswith("push") for e in endpoints].index(True)]
        assert [work.read_packet(20).sequence for _ in range(60)] == list(range(60))
        summary = sender.event("summary")
        assert summary["captured"] == summary["encoded"] == 60
        live = receivers[[e.startswith("tcp") for e in endpoints].index(True)]
        assert live.stats.lost == 0
        assert live.stats.received == 60


def test_a_sender_whose_receivers_are_gone_ends_at_once(framewire: Start) -> None:
    sender = start_sender(framewire, [e.rpartition(":")[0] + ":*" for e in addresses()], binds=True)
    sender.signal(signal.SIGTERM)
    assert sender.wait() == 0


def test_a_file_that_waits_for_workers_can_be_ended(framewire: Start) -> None:
    sender = framewire("send", str(CLIPS / "meadow.mp4"), "--loop", "--json", "--bind",
                       "push-pull+tcp://127.0.0.1:*")  # fmt: skip
    sender.event("ready")
    time.sleep(0.5)  # a frame waits by now, most likely
    sender.signal(signal.SIGTERM)
    assert sender.wait() == 0
    assert sender.event("summary")["sent"] == 0
