"""Figures for Prometheus of what has both sides. To add one: here, and in docs/guide/monitoring.md."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from framewire.common.metrics import Family, Metric
from framewire.receiver.metrics import ReceiverFigures
from framewire.sender.metrics import sent

if TYPE_CHECKING:
    from framewire.app.relay import Relay
    from framewire.app.web.hub import Hub

__all__ = ["RELAY", "WEB", "RelayFigures", "WebFigures"]

_REFUSED = Metric("framewire_refused_total", "counter", "Messages that went in a circle of relays")
_VIEWERS = Metric("framewire_viewers", "gauge", "Who looks at a stream now")

RELAY = (_REFUSED,)
"""What a relay has beside the figures of its receiver and of its sender."""
WEB = (_VIEWERS,)
"""What the web viewer has beside the figures of its receiver."""


class RelayFigures:
    """All families of a relay. Not thread-safe."""

    def __init__(self, relay: "Relay") -> None:
        self._relay = relay
        self._received = ReceiverFigures()

    def __call__(self) -> Iterator[Family]:
        received, given = self._relay.stats
        yield from self._received(received)
        yield from sent(given)
        yield Family(_REFUSED, [((), self._relay.refused)])


class WebFigures:
    """All families of the web viewer; in the event loop of its hub. Has nothing taken by itself."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self._received = ReceiverFigures()

    def __call__(self) -> Iterator[Family]:
        stats, streams = self._hub.report()
        yield from self._received(stats, {each.topic: each.state for each in streams})
        yield Family(_VIEWERS, [((), self._hub.viewers)])
