"""The patterns that a receiver speaks. To add one: a class like those in a file here, a row below."""

from typing import Protocol

from framewire.common.endpoint import Endpoint
from framewire.receiver.links.asking import Asking
from framewire.receiver.links.link import Link, Want
from framewire.receiver.links.pulling import Pulling
from framewire.receiver.links.subscribing import Subscribing

__all__ = ["LINKS", "Link", "Want", "open_link"]


class _Make(Protocol):
    def __call__(self, endpoint: Endpoint, want: Want, *, bind: bool) -> Link: ...


LINKS: dict[str, _Make] = {
    "pub-sub": Subscribing,
    "req-rep": Asking,
    "push-pull": Pulling,
}


def open_link(endpoint: Endpoint, want: Want, *, bind: bool) -> Link:
    """A link at `endpoint`, bound or connected. `TransportError` if the address cannot be used."""
    return LINKS[endpoint.pattern](endpoint, want, bind=bind)
