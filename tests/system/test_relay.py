"""Many senders behind one address."""

import time
from contextlib import ExitStack

import numpy as np

from framewire.receiver import Receiver
from framewire.sender import Sender
from processes import Start, until

SENDERS, TOPICS, FRAMES, PERIOD_S = 4, 4, 30, 0.1
IMAGE = np.random.default_rng(1).integers(0, 255, (120, 160, 3), np.uint8)


def names(sender: int) -> list[str]:
    return [f"site{sender}/cam{topic}" for topic in range(TOPICS)]


def test_sixteen_topics_of_four_senders_for_three_receivers(framewire: Start) -> None:
    everything = [name for sender in range(SENDERS) for name in names(sender)]
    chosen = {
        (): everything,
        ("site1",): names(1),
        ("site2/cam1", "site3/cam3"): ["site2/cam1", "site3/cam3"],
    }
    with ExitStack() as stack:
        senders = [
            stack.enter_context(Sender("tcp://127.0.0.1:*", when_full="newest", queue=TOPICS))
            for _ in range(SENDERS)
        ]
        for number, sender in enumerate(senders):
            for name in names(number):
                sender.announce("live", topic=name)
        upstream = [part for each in senders for part in ("--from", each.endpoints[0])]
        relay = framewire("relay", *upstream, "--bind", "tcp://127.0.0.1:*", "--json")
        endpoint = relay.endpoint()
        assert [sender.receivers for sender in senders] == [0] * SENDERS  # nobody listens yet
        receivers = [
            stack.enter_context(Receiver(endpoint, topics=topics, keep="all")) for topics in chosen
        ]
        until(lambda: all(set(r.stats.topics) == set(c) for r, c in zip(receivers, chosen.values(), strict=True)))  # fmt: skip
        for _ in range(FRAMES):
            for number, sender in enumerate(senders):
                for name in names(number):
                    sender.send(IMAGE, topic=name)
            time.sleep(PERIOD_S)
        for receiver, expected in zip(receivers, chosen.values(), strict=True):
            got: dict[str, list[int]] = {name: [] for name in expected}
            for _ in range(len(expected) * FRAMES):
                packet = receiver.read_packet(20)
                assert packet.header.hops == 1
                got[packet.topic].append(packet.sequence)
            assert got == {name: list(range(FRAMES)) for name in expected}
        for sender in senders:
            assert sender.stats.encoded == sender.stats.captured == TOPICS * FRAMES
        late = stack.enter_context(Receiver(endpoint, topics="site0/cam2"))
        assert late.read_packet(20).sequence == FRAMES - 1  # the last frame, at once
        for receiver in [*receivers, late]:
            receiver.close()
        until(lambda: not any(sender.receivers for sender in senders))


def test_a_sender_that_is_gone_is_told_downstream(framewire: Start) -> None:
    with Sender("tcp://127.0.0.1:*", topic="cam") as sender:
        relay = framewire("relay", "--from", sender.endpoints[0], "--bind", "tcp://127.0.0.1:*",
                          "--json")  # fmt: skip
        receiver = Receiver(relay.endpoint())
        until(lambda: "cam" in receiver.stats.topics)
        sender.announce("no-signal", "unplugged")
        until(lambda: receiver.stats.topics["cam"].reason == "unplugged")
        sender.announce("live")
        until(lambda: receiver.stats.topics["cam"].state == "live")
    with receiver:
        until(lambda: receiver.stats.topics["cam"].state == "ended")


def test_a_killed_sender_is_told_downstream(framewire: Start) -> None:
    sender = framewire("send", "pattern:160x120@30", "--bind", "tcp://127.0.0.1:*", "--json")
    relay = framewire("relay", "--from", sender.endpoint(), "--bind", "tcp://127.0.0.1:*",
                      "--json")  # fmt: skip
    with Receiver(relay.endpoint()) as receiver:
        receiver.read(20)
        sender.process.kill()
        until(lambda: receiver.stats.topics["pattern"].state == "no-signal")
        assert "not heard" in receiver.stats.topics["pattern"].reason


def test_relays_in_a_circle_are_told(framewire: Start, port: int) -> None:
    with Sender("tcp://127.0.0.1:*", topic="cam", when_full="newest") as sender:
        first = f"tcp://127.0.0.1:{port}"
        second = framewire("relay", "--from", first, "--bind", "tcp://127.0.0.1:*", "--json")
        circle = ["--from", sender.endpoints[0], "--from", second.endpoint()]
        relay = framewire("relay", *circle, "--bind", first, "--json")
        relay.event("ready")
        with Receiver(first, keep="all") as receiver:
            until(lambda: sender.receivers > 0)
            for number in range(20):
                sender.send(IMAGE, topic="cam")
                assert receiver.read_packet(20).sequence == number
                time.sleep(0.02)
            until(lambda: any("circle" in line for line in [*relay.errors, *second.errors]))
            assert receiver.stats.received == 20
