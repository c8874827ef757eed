"""`--metrics`: the figures of a command for Prometheus, as long as it runs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from framewire.common.listening import parse_address
from framewire.common.metrics import Collect

__all__ = ["monitored"]


@contextmanager
def monitored(
    at: str | None, command: str, collect: Collect, *, insecure: bool, json: bool
) -> Iterator[dict[str, str]]:
    """Offer the figures of `command` at `at` (HOST:PORT) while the block runs, if that is given.

    Gives what the ``ready`` event says of it: ``metrics``, the URL. People are told on stderr.
    `EndpointError` and `TransportError` as `MetricsServer` has them.
    """
    if at is None:
        yield {}
        return
    from framewire.common.exposition import MetricsServer  # who asks for it pays for it

    with MetricsServer(parse_address(at), command, collect, insecure=insecure) as server:
        if not json:
            print(f"framewire: metrics are at {server.url}", file=sys.stderr, flush=True)
        yield {"metrics": server.url}
