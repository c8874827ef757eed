"""How long it takes until frames flow again after one end was killed, at any moment.

    python benchmarks/restarts.py [TIMES]

For every pattern, with the sender bound or connected: one end is killed with SIGKILL at a random
moment while frames flow at 30 fps, and started again at once (or, every second time, after two
seconds, in which the other end retries). Counted is the time from when the new end has its socket to
the first frame. Each end is a process of its own; all times are on the one clock of this machine.
"""

import multiprocessing
import platform
import random
import sys
import time
from importlib.metadata import version
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from framewire.common.endpoint import PATTERNS

PORT, FPS, DEADLINE_S = 21800, 30, 30.0
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


def measure(pattern: str, port: int, times: int, *, sender_binds: bool, victim: str) -> list[float]:
    """Seconds until frames flow again, for each kill."""
    endpoint = f"{pattern}+tcp://127.0.0.1:{port}"
    sender = End(send, endpoint, binds=sender_binds)
    receiver = End(receive, endpoint, binds=not sender_binds)
    _, run = frame_after(receiver)
    took = []
    for number in range(times):
        time.sleep(random.uniform(0.2, 0.6))
        if victim == "sender":
            sender.kill()
            time.sleep(2.0 * (number % 2))
            sender = End(send, endpoint, binds=sender_binds)
            at_s, run = frame_after(receiver, run)
            took.append(at_s - sender.opened_s)
        else:
            receiver.kill()
            time.sleep(2.0 * (number % 2))
            receiver = End(receive, endpoint, binds=not sender_binds)
            at_s, _ = frame_after(receiver)
            took.append(at_s - receiver.opened_s)
    sender.kill()
    receiver.kill()
    return took


def main(times: int) -> None:
    print(f"framewire {version('framewire')}; {multiprocessing.cpu_count()} cores, "
          f"{platform.platform()}; {times} kills each")  # fmt: skip
    print("| pattern | sender | killed | frames again after, median | longest |")
    print("| --- | --- | --- | --- | --- |")
    port = PORT
    for pattern in PATTERNS:
        for sender_binds in (True, False):
            for victim in ("sender", "receiver"):
                port += 1
                took = sorted(
                    measure(pattern, port, times, sender_binds=sender_binds, victim=victim)
                )
                side = "binds" if sender_binds else "connects"
                print(f"| {pattern} | {side} | {victim} | {took[len(took) // 2]:.2f} s "
                      f"| {took[-1]:.2f} s |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
