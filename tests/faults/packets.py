"""A link between two namespaces that loses, delays and damages packets, one by one.

The kernel has no `netem` everywhere, so a program carries each IP packet from one side to the other:
that is what this file is when it is run. Linux and root only.
"""

import contextlib
import fcntl
import json
import os
import random
import select
import struct
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from io import FileIO

from faults.programs import run
from namespaces import Link, LinkError, call

__all__ = ["PacketFaults", "PacketLink"]

_READY_S = 10.0
_TUNSETIFF = 0x400454CA  # linux/if_tun.h
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_BURST = 64  # packets of one side before the other has its turn
_IDLE_S, _QUEUE_S = 0.2, 0.1
_MOST_WAITING = 4096  # packets under way in each direction; one more is lost


@dataclass(frozen=True, slots=True)
class PacketFaults:
    """What happens to each packet, in both directions. The default: nothing."""

    loss: float = 0.0
    """Share of packets that are lost."""
    delay_s: float = 0.0
    """How late each comes ..."""
    jitter_s: float = 0.0
    """... give or take so much, at random, but in their order."""
    rate_bits: float | None = None
    """Bits a second, in each direction, behind a queue of 100 ms."""


class PacketLink(Link):
    """As `Link`, with `faults` that are set, and changed, at any time."""

    def __init__(self, faults: PacketFaults | None = None) -> None:
        super().__init__()
        self._first = faults or PacketFaults()

    def set(self, faults: PacketFaults) -> None:
        """From now on these, and no others."""
        assert self._carrier.stdin
        self._carrier.stdin.write(json.dumps(asdict(faults)) + "\n")
        self._carrier.stdin.flush()

    def _lay_cable(self) -> None:
        names = [self._interface["a"], self._interface["b"]]
        self._carrier = run(__name__, *names)
        self._started.append(self._carrier)
        assert self._carrier.stdout
        ready, _, _ = select.select([self._carrier.stdout], [], [], _READY_S)
        if not ready or not self._carrier.stdout.readline():
            raise LinkError("no packets can be carried: /dev/net/tun cannot be used")
        for side, namespace in self._namespace.items():
            call("ip", "link", "set", self._interface[side], "netns", namespace)
        self.set(self._first)


# -- the program ----------------------------------------------------------------------------------


class _Way:
    """What is under way in one direction."""

    def __init__(self, sink: int) -> None:
        self._sink = sink
        self._waiting: deque[tuple[float, bytes]] = deque()  # when it is due
        self._last_s = 0.0
        self._free_s = 0.0  # when the link has sent what was given to it

    def take(self, packet: bytes, faults: PacketFaults, now_s: float) -> None:
        if random.random() < faults.loss or len(self._waiting) >= _MOST_WAITING:
            return
        due_s = now_s
        if faults.rate_bits:
            if self._free_s > now_s + _QUEUE_S:
                return
            due_s = self._free_s = max(self._free_s, now_s) + 8 * len(packet) / faults.rate_bits
        due_s += max(0.0, faults.delay_s + random.uniform(-1, 1) * faults.jitter_s)
        self._last_s = max(self._last_s, due_s)
        self._waiting.append((self._last_s, packet))

    def give(self, now_s: float) -> float:
        """Pass on what is due; seconds until more is."""
        while self._waiting and self._waiting[0][0] <= now_s:
            with contextlib.suppress(OSError):  # an interface that is down
                os.write(self._sink, self._waiting.popleft()[1])
        return self._waiting[0][0] - now_s if self._waiting else _IDLE_S


def _open(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return device


def _carry(names: list[str]) -> None:
    """Until the input, which sets the faults line by line, ends."""
    a, b = map(_open, names)
    print("ready", flush=True)
    ways = {a: _Way(b), b: _Way(a)}
    faults = PacketFaults()
    orders = FileIO(0)  # stdin, unbuffered: `select` sees what waits
    pause_s = _IDLE_S
    while True:
        ready, _, _ = select.select([a, b, 0], [], [], pause_s)
        if 0 in ready:
            order = orders.readline()
            if not order:
                return
            faults = PacketFaults(**json.loads(order))
        for source in (a, b):
            if source in ready:
                with contextlib.suppress(OSError):  # nothing more; or an interface that is down
                    for _ in range(_BURST):
                        ways[source].take(os.read(source, 65536), faults, time.monotonic())
        pause_s = min(max(0.0, way.give(time.monotonic())) for way in ways.values())


if __name__ == "__main__":
    _carry(sys.argv[1:])
