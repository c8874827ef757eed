"""How long it takes until frames flow again after one end was killed, at any moment.

    pip install -e '.[bench]'; python benchmarks/restarts.py [--rounds 10] [--seconds 2]

For every pattern, with the sender bound or connected: one end is killed with SIGKILL at a random
moment while frames flow at 30 fps, and started again at once (or, every second time, after
--seconds, in which the other end retries). Counted is the time from when the new end has its socket
to the first frame. Each end is a process of its own; all times are on the one clock of this machine.
"""

import argparse
import multiprocessing
import random
import time
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from ends import FPS, main_or_end
from report import Column, Table, publish
from systems import free_port

from framewire.common.endpoint import PATTERNS

DEADLINE_S = 30.0
SPAWN = multiprocessing.get_context("spawn")


def send(endpoint: str, binds: bool, events: Connection) -> None:
    from framewire.sender import Sender

    image = np.zeros((240, 320, 3), np.uint8)
    where: dict[str, Any] = {} if binds else {"connect": endpoint}
    addresses = (endpoint,) if binds else ()
    with Sender(*addresses, **where, topic="bench", when_full="newest") as sender:
        events.send(time.monotonic())
        while True:
            sender.send(image)
            time.sleep(1 / FPS)


def receive(endpoint: str, binds: bool, events: Connection) -> None:
    from framewire.receiver import Receiver

    where: dict[str, Any] = {"bind": endpoint} if binds else {}
    addresses = () if binds else (endpoint,)
    with Receiver(*addresses, **where) as receiver:
        events.send(time.monotonic())
        for packet in receiver.packets():
            events.send((time.monotonic(), packet.header.sender))


class End:
    """One end, in a process that can be killed."""

    def __init__(self, target: Any, endpoint: str, *, binds: bool) -> None:
        self.events, far_end = SPAWN.Pipe(duplex=False)
        self.process = SPAWN.Process(target=target, args=(endpoint, binds, far_end), daemon=True)
        self.process.start()
        self.opened_s = self.next()

    def next(self) -> Any:
        if not self.events.poll(DEADLINE_S):
            raise TimeoutError(f"nothing in {DEADLINE_S:.0f} s")
        return self.events.recv()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


def frame_after(receiver: End, not_from: str = "") -> tuple[float, str]:
    """When the first frame came of another run of the sender, and of which."""
    while True:
        at_s, run = receiver.next()
        if run != not_from:
            return at_s, run


def measure(
    pattern: str, times: int, away_s: float, *, sender_binds: bool, victim: str
) -> list[float]:
    """Seconds until frames flow again, for each kill."""
    endpoint = f"{pattern}+tcp://127.0.0.1:{free_port()}"
    sender = End(send, endpoint, binds=sender_binds)
    receiver = End(receive, endpoint, binds=not sender_binds)
    _, run = frame_after(receiver)
    took = []
    for number in range(times):
        time.sleep(random.uniform(0.2, 0.6))
        if victim == "sender":
            sender.kill()
            time.sleep(away_s * (number % 2))
            sender = End(send, endpoint, binds=sender_binds)
            at_s, run = frame_after(receiver, run)
            took.append(at_s - sender.opened_s)
        else:
            receiver.kill()
            time.sleep(away_s * (number % 2))
            receiver = End(receive, endpoint, binds=not sender_binds)
            at_s, _ = frame_after(receiver)
            took.append(at_s - receiver.opened_s)
    sender.kill()
    receiver.kill()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10, help="kills of each end")
    parser.add_argument("--seconds", type=float, default=2.0, help="away, every second time")
    options = parser.parse_args()
    table = Table("An end is killed and started again", [Column("s until frames flow again")])
    for pattern in PATTERNS:
        for sender_binds in (True, False):
            for victim in ("sender", "receiver"):
                took = measure(
                    pattern,
                    options.rounds,
                    options.seconds,
                    sender_binds=sender_binds,
                    victim=victim,
                )
                side = "bound" if sender_binds else "connected"
                table.add(f"framewire {pattern}, sender {side}, {victim} killed", took)
    publish("restarts", [table])


if __name__ == "__main__":
    main_or_end(main)
