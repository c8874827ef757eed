"""Processes that are killed and come back."""

import signal

from framewire.receiver import Receiver
from processes import Start, until


def test_a_killed_sender_comes_back_by_itself(framewire: Start, port: int) -> None:
    endpoint = f"tcp://127.0.0.1:{port}"

    def send() -> None:
        framewire("send", "pattern:320x240@30", "--bind", endpoint, "--json").event("ready")

    sender = framewire("send", "pattern:320x240@30", "--bind", endpoint, "--json")
    sender.event("ready")
    with Receiver(endpoint) as receiver:
        first = receiver.read(10)
        sender.signal(signal.SIGKILL)
        sender.wait()
        send()
        until(lambda: receiver.read(10).header.sender != first.header.sender)
        assert receiver.stats.restarts == 1
        assert receiver.stats.malformed == 0


def test_a_killed_receiver_leaves_the_sender_alone(framewire: Start, port: int) -> None:
    endpoint = f"tcp://127.0.0.1:{port}"
    sender = framewire("send", "pattern:320x240@30", "--bind", endpoint, "--json")
    sender.event("ready")
    watching = framewire("view", endpoint, "--headless", "--json")
    watching.event("figures")
    watching.signal(signal.SIGKILL)
    watching.wait()
    again = framewire("view", endpoint, "--headless", "--json", "--count", "30")
    assert again.wait() == 0
    summary = again.event("summary")
    assert summary["delivered"] == 30
    assert summary["restarts"] == 0
    sender.signal(signal.SIGINT)
    assert sender.wait() == 0
    assert sender.event("summary")["dropped"] == 0


def test_a_receiver_may_come_before_the_sender(framewire: Start, port: int) -> None:
    endpoint = f"tcp://127.0.0.1:{port}"
    early = framewire("view", endpoint, "--headless", "--count", "5", "--json")
    framewire("send", "pattern:320x240@30", "--bind", endpoint, "--json")
    assert early.wait() == 0
    assert early.event("summary")["lost"] == 0


def test_sender_and_receiver_may_swap_who_binds(framewire: Start, port: int) -> None:
    endpoint = f"tcp://127.0.0.1:{port}"
    framewire("send", "pattern:320x240@30", "--connect", endpoint, "--topic", "a", "--json")
    framewire("send", "pattern:320x240@30", "--connect", endpoint, "--topic", "b", "--json")
    with Receiver(bind=endpoint) as receiver:
        seen: set[str] = set()

        def both() -> bool:
            seen.add(receiver.read(10).topic)
            return seen == {"a", "b"}

        until(both)
