"""Figures for Prometheus: how they are written, and the small server that `--metrics` starts."""

import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import ProcessCollector, core
from prometheus_client.exposition import choose_encoder

from framewire.common import __version__
from framewire.common.answering import Answering, Request
from framewire.common.closing import Closing
from framewire.common.errors import EndpointError
from framewire.common.listening import Address
from framewire.common.metrics import Collect, Family, Metric, Value
from framewire.common.stats import Distribution

__all__ = ["BUILD", "MetricsServer", "render"]

BUILD = Metric(
    "framewire_build_info", "gauge", "1; which version and which command", ("version", "command")
)

_PROCESS = ProcessCollector(registry=None)
_PATH = "/metrics"


# -- the text -------------------------------------------------------------------------------------


def render(command: str, families: Iterable[Family], accept: str = "") -> tuple[str, bytes]:
    """The content type and the text of `families`, as an ``Accept`` header asks for it.

    To them are added which `command` it is, and what the system tells of the process (Linux).
    """
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # it asks for a version that is no number, as "1."
        encode, content_type = choose_encoder("")
    # Nothing of the global registry: that is the program's in which framewire may run.
    return content_type, encode(_Moment(command, families))


class _Moment:
    """Families as what prometheus_client collects from."""

    def __init__(self, command: str, families: Iterable[Family]) -> None:
        self._command, self._families = command, families

    def collect(self) -> Iterator[core.Metric]:
        yield _written(Family(BUILD, [((__version__, self._command), 1)]))
        yield from map(_written, self._families)
        yield from _PROCESS.collect()


def _written(family: Family) -> core.Metric:
    metric = family.metric
    kind: Any = {
        "counter": core.CounterMetricFamily,
        "gauge": core.GaugeMetricFamily,
        "histogram": core.HistogramMetricFamily,
    }[metric.kind]
    written: core.Metric = kind(metric.name, metric.help, labels=metric.labels, unit=metric.unit)
    for labels, value in family.samples:
        written.add_metric(labels, *_fields(value))  # type: ignore[attr-defined]
    return written


def _fields(value: Value) -> Iterable[Any]:
    if not isinstance(value, Distribution):
        return (value,)
    bounds = [*(str(float(bound)) for bound in value.bounds), "+Inf"]
    return list(zip(bounds, value.cumulative, strict=True)), value.sum


# -- the server -----------------------------------------------------------------------------------


class MetricsServer(Closing):
    """Answers ``GET /metrics`` at `address` until `close`, in threads of its own.

    `collect` gives the figures of `command`; it is called by one thread at a time.

    Who asks for nothing holds nothing up: of eight connections the oldest goes when a ninth comes,
    and none lasts longer than 10 s. An address that other machines can reach is refused, with
    `EndpointError`, unless `insecure`. `TransportError` says why one cannot listen there.
    """

    def __init__(
        self, address: Address, command: str, collect: Collect, *, insecure: bool = False
    ) -> None:
        if not address.local and not insecure:
            raise EndpointError(
                f"refusing to show metrics at {address}: anyone who reaches this machine could read "
                f"them; use 127.0.0.1:{address.port}, or allow anyone with --insecure"
            )
        figures = {"figures": _Figures(command, collect)}
        self._server = Answering(
            address, type("_Figures", (_Request,), figures), "framewire-metrics"
        )
        host = socket.gethostname() if address.everywhere else address.host
        self.url = f"http://{Address(host, self._server.address.port)}{_PATH}"
        """Where the figures are, with the port that the system chose where 0 was asked for."""

    def close(self) -> None:
        """Stop answering and free the port. May be called again."""
        self._server.close()


class _Figures:
    """What is told, of the moment in which somebody asks."""

    def __init__(self, command: str, collect: Collect) -> None:
        self._command, self._collect = command, collect
        self._one = threading.Lock()

    def __call__(self, accept: str) -> tuple[str, bytes]:
        with self._one:
            families = list(self._collect())
        return render(self._command, families, accept)


class _Request(Request):
    figures: _Figures

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != _PATH:
            return self.send(404, "look at /metrics")
        content_type, text = self.figures(self.headers.get("Accept", ""))
        self.send(200, text, content_type=content_type)

    do_HEAD = do_GET
