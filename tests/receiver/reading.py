"""What the tests of a receiver look at: its figures, and when all that was sent is counted."""

from collections.abc import Callable

import pytest

from framewire.common.clock import monotonic_ns
from framewire.receiver import Receiver, TopicReceived
from framewire.receiver import receiver as module
from receiver.publishing import Message, Station, status, until

TOPIC = "lab/cam1"

Connect = Callable[..., Receiver]
"""Opens a receiver that is subscribed already; see the fixture `connect`."""


class Clock:
    """A receiver's monotonic clock, which stands still."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = monotonic_ns()
        monkeypatch.setattr(module, "monotonic_ns", lambda: self.now_ns)


def books_of(receiver: Receiver, topic: str = TOPIC) -> TopicReceived:
    return receiver.stats.topics[topic]


def until_taken(receiver: Receiver, received: int, skipped: int = 0) -> None:
    """Wait until so many frames came in, of which the last have found their place."""
    until(lambda: (receiver.stats.received, receiver.stats.skipped) == (received, skipped))


def after(receiver: Receiver, station: Station, *messages: Message) -> TopicReceived:
    """The figures once these messages are counted; a status of another topic marks the end."""
    mark = f"mark{len(receiver.stats.topics)}"
    station.send(*messages, status(0, topic=mark))
    until(lambda: mark in receiver.stats.topics)
    return books_of(receiver)
