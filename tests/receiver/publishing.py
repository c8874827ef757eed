"""What a sender does, for the tests of receivers: pictures, packets, and a publisher nearby."""

import random
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

import numpy as np

from framewire.common import jpeg, wire
from framewire.common.clock import NS, monotonic_ns
from framewire.common.closing import Closing
from framewire.common.endpoint import parse_endpoint
from framewire.common.errors import TransportError
from framewire.common.frame import Header, Packet, State, Status
from framewire.common.testchart import draw_number
from framewire.common.transport import Publisher, Waker, wait

DEADLINE_S = 20
WIDTH, HEIGHT = 160, 96
SENDER = "0123456789abcdef"
BEGIN_NS = 1_769_868_300_000_000_000
"""2026-01-31T14:05:00 UTC, when frame 0 was captured."""
STEP_NS = 40_000_000

Message = Packet | Status | Sequence[bytes]


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; fail when the deadline is over."""
    deadline = monotonic_ns() + DEADLINE_S * NS
    while not condition():
        assert monotonic_ns() < deadline, "it did not come about"
        time.sleep(0.002)


def free_port() -> int:
    """A port that is free now; below 32768, where no outgoing connection takes it."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@lru_cache(maxsize=512)
def picture(number: int, *, gray: bool = False) -> bytes:
    """A JPEG of WIDTH x HEIGHT that carries its number."""
    image = np.full((HEIGHT, WIDTH) if gray else (HEIGHT, WIDTH, 3), 90, np.uint8)
    draw_number(image, number)
    return jpeg.encode(image, 85)


@lru_cache(maxsize=1)
def undecodable() -> bytes:
    """A JPEG whose structure is sound, but for what the codes of a Huffman table stand for."""
    good = picture(0)
    at = good.index(b"\xff\xc4") + 5  # sixteen counts of codes
    count = sum(good[at : at + 16])
    return good[: at + 16] + b"\xff" * count + good[at + 16 + count :]


def packet(
    sequence: int = 0, topic: str = "lab/cam1", payload: bytes | None = None, **facts: Any
) -> Packet:
    """A packet as a sender makes it; its picture carries its sequence number."""
    payload = picture(sequence) if payload is None else payload
    fields: dict[str, Any] = {
        "topic": topic,
        "sender": SENDER,
        "sequence": sequence,
        "captured_ns": BEGIN_NS + sequence * STEP_NS,
        "monotonic_ns": NS + sequence * STEP_NS,
        "sent_ns": BEGIN_NS + sequence * STEP_NS + 5_000_000,
        "width": WIDTH,
        "height": HEIGHT,
        "channels": 3,
        "codec": "jpeg",
        "crc32": wire.checksum(payload),
    }
    return Packet(Header(**{**fields, **facts}), payload)


def status(
    sequence: int,
    state: State = "live",
    reason: str = "",
    *,
    topic: str = "lab/cam1",
    sender: str = SENDER,
) -> Status:
    return Status(
        topic=topic, sender=sender, sequence=sequence, sent_ns=1, state=state, reason=reason
    )


def parts_of(message: Message) -> Sequence[bytes]:
    if isinstance(message, Packet):
        return wire.encode(message)
    return wire.encode_status(message) if isinstance(message, Status) else message


class Station(Closing):
    """A publisher of its own, bound to a port that the system chose unless told otherwise."""

    def __init__(self, bind: str = "tcp://127.0.0.1:*", *, connect: str = "") -> None:
        to_bind = [] if connect else [parse_endpoint(bind, bind=True)]
        to_connect = [parse_endpoint(connect, bind=False)] if connect else []
        self._publisher = Publisher(to_bind, to_connect)
        self._waker = Waker()
        self.url = self._publisher.endpoints[0]
        self.subscriptions = 0

    def close(self) -> None:
        self._publisher.close()
        self._waker.close()

    def look(self, timeout_ms: int = 0) -> None:
        """Count the subscriptions that have come and gone."""
        wait([self._publisher], self._waker, timeout_ms)
        for begins, _ in self._publisher.subscriptions():
            self.subscriptions += 1 if begins else -1

    def wait_for_subscriptions(self, count: int = 1) -> None:
        deadline = monotonic_ns() + DEADLINE_S * NS
        while self.subscriptions < count:
            assert monotonic_ns() < deadline, f"{self.subscriptions} of {count} subscribed"
            self.look(50)

    def send(self, *messages: Message) -> None:
        """Send without losing any: a full queue is waited for. Not after `offer` has lost one."""
        for message in messages:
            self._publisher.send_to_all(parts_of(message), DEADLINE_S * 1000)

    def offer(self, *messages: Message) -> None:
        """Send as a live sender does: a full queue does not get it."""
        for message in messages:
            self._publisher.send(parts_of(message))

    @contextmanager
    def streaming(
        self, topics: Collection[str] = ("lab/cam1",), *, skip: Collection[int] = ()
    ) -> Iterator[None]:
        """Send frames from a thread while the block runs; numbers in `skip` are lost."""
        stop = threading.Event()

        def run() -> None:
            sequence = 0
            while not stop.wait(0.005):
                self.look()
                if self.subscriptions:
                    if sequence not in skip:
                        for topic in topics:
                            self.offer(packet(sequence, topic, picture(sequence % 100)))
                    sequence += 1

        thread = threading.Thread(target=run, name="streaming")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


def station_again(url: str) -> Station:
    """A station at an address that another had: ZeroMQ gives it back a moment after its end."""
    found: list[Station] = []

    def bound() -> bool:
        with suppress(TransportError):
            found.append(Station(url))
        return bool(found)

    until(bound)
    return found[0]
