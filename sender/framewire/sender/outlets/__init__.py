"""The patterns that a sender speaks. To add one: a class like those in a file here, a row below."""

from collections.abc import Callable, Sequence

from framewire.common.endpoint import Endpoint
from framewire.sender.outlets.answering import Answering
from framewire.sender.outlets.outlet import Desk, Outlet
from framewire.sender.outlets.publishing import Publishing
from framewire.sender.outlets.sharing import Sharing

__all__ = ["OUTLETS", "Desk", "Outlet", "open_outlets"]

OUTLETS: dict[str, Callable[[Sequence[Endpoint], Sequence[Endpoint], Desk], Outlet]] = {
    "pub-sub": Publishing,
    "req-rep": Answering,
    "push-pull": Sharing,
}


def open_outlets(bind: Sequence[Endpoint], connect: Sequence[Endpoint], desk: Desk) -> list[Outlet]:
    """One outlet for each pattern among the endpoints. `TransportError` if an address fails."""
    opened: list[Outlet] = []
    try:
        for pattern, make in OUTLETS.items():
            to_bind = [endpoint for endpoint in bind if endpoint.pattern == pattern]
            to_connect = [endpoint for endpoint in connect if endpoint.pattern == pattern]
            if to_bind or to_connect:
                opened.append(make(to_bind, to_connect, desk))
    except BaseException:
        for outlet in opened:
            outlet.close((), 0)
        raise
    return opened
