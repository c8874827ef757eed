"""Where a receiver connects and binds, and what it refuses."""

from typing import Any

import pytest

from framewire.common.config import DEFAULT_ENDPOINT
from framewire.common.errors import (
    EndpointError,
    TopicError,
    TransportError,
    UsageError,
)
from framewire.receiver import Receiver
from receiver.publishing import (
    DEADLINE_S,
    Station,
    packet,
)


def test_without_an_address_it_is_the_default_one() -> None:
    with Receiver() as receiver:
        assert receiver.endpoints == (DEFAULT_ENDPOINT,)


def test_a_receiver_may_bind_and_senders_connect() -> None:
    with Receiver(bind="tcp://127.0.0.1:*", timeout=DEADLINE_S) as receiver:
        (url,) = receiver.endpoints
        assert not url.endswith("*")
        for topic in ("one", "two"):
            with Station(connect=url) as station:
                station.wait_for_subscriptions()
                station.send(packet(0, topic))
                assert receiver.read().topic == topic


def test_it_does_not_bind_where_strangers_reach_it_unless_told_to() -> None:
    with pytest.raises(EndpointError, match="refusing to bind"):
        Receiver(bind="tcp://0.0.0.0:*")
    with Receiver(bind="tcp://0.0.0.0:*", insecure=True) as receiver:
        assert receiver.endpoints[0].startswith("tcp://0.0.0.0:")


def test_it_may_connect_and_bind_at_once(station: Station) -> None:
    bind = ["tcp://127.0.0.1:*", "inproc://in"]
    with Receiver(station.url, bind=bind, timeout=DEADLINE_S) as receiver:
        assert receiver.endpoints[1:] == ("inproc://in", station.url)
        with Station(connect="inproc://in") as near:
            for number, each in enumerate((near, station)):
                each.wait_for_subscriptions()
                each.send(packet(number, f"topic{number}"))
                assert receiver.read().sequence == number


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"keep": "latest"}, UsageError, "use 'newest' or 'all'"),
        ({"topics": "lab cam"}, TopicError, "bad topic"),
        ({"topics": ["lab", ""]}, TopicError, "bad topic"),
        ({"bind": "5555"}, EndpointError, "bad endpoint"),
    ],
)
def test_arguments_that_cannot_work(
    arguments: dict[str, Any], error: type[UsageError], words: str
) -> None:
    with pytest.raises(error, match=words):
        Receiver("tcp://127.0.0.1:5555", **arguments)


def test_an_address_in_use_leaves_nothing_open(station: Station) -> None:
    with pytest.raises(TransportError, match="another program has that address"):
        Receiver(bind=["tcp://127.0.0.1:*", station.url])
