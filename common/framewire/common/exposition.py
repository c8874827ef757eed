"""Figures for Prometheus: how they are written, and the small server that `--metrics` starts."""

import socket
import socketserver
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

from prometheus_client import ProcessCollector, core
from prometheus_client.exposition import choose_encoder

from framewire.common import __version__
from framewire.common.clock import NS, monotonic_ns
from framewire.common.closing import Closing
from framewire.common.errors import EndpointError
from framewire.common.listening import Address, listen
from framewire.common.metrics import Collect, Family, Metric, Value
from framewire.common.stats import Distribution

__all__ = ["BUILD", "MetricsServer", "render"]

BUILD = Metric(
    "framewire_build_info", "gauge", "1; which version and which command", ("version", "command")
)

_PROCESS = ProcessCollector(registry=None)
_PATH = "/metrics"
_MOST_AT_ONCE = 8  # connections, each with a thread; Prometheus needs one
_PATIENCE_NS = 10 * NS
"""How long a connection may take in all; Prometheus itself gives up after 10 s by default."""
_TICK_S = 0.2
_ROOM_S = 1.0
"""How long a thread may take to notice that we hung up."""
_JOIN_S = 2.0


# -- the text -------------------------------------------------------------------------------------


def render(command: str, families: Iterable[Family], accept: str = "") -> tuple[str, bytes]:
    """The content type and the text of `families`, as an ``Accept`` header asks for it.

    To them are added which `command` it is, and what the system tells of the process (Linux).
    """
    encode, content_type = choose_encoder(accept)
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
        self._server = _Server(listen(address), command, collect)
        host = socket.gethostname() if address.everywhere else address.host
        self.url = f"http://{Address(host, self._server.port)}{_PATH}"
        """Where the figures are, with the port that the system chose where 0 was asked for."""
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            args=(_TICK_S,),
            name="framewire-metrics",
            daemon=True,
        )
        self._thread.start()

    def close(self) -> None:
        """Stop answering and free the port. May be called again."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(_JOIN_S)
        self._server.end()


class _Server(socketserver.TCPServer):
    """A thread for each of a few connections; those that come in are never kept waiting."""

    def __init__(self, listener: socket.socket, command: str, collect: Collect) -> None:
        super().__init__(listener.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()  # the one that was made for us
        listener.settimeout(_TICK_S)  # who connects may be gone before we look
        self.socket = listener
        self._command, self._collect = command, collect
        self._one = threading.Lock()
        self.port: int = listener.getsockname()[1]
        self._visits: dict[socket.socket, tuple[int, threading.Thread]] = {}  # oldest first
        self._fewer = threading.Condition()

    def render(self, accept: str) -> tuple[str, bytes]:
        """The figures as they are now."""
        with self._one:
            families = list(self._collect())
        return render(self._command, families, accept)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, for which the oldest makes room if need be."""
        thread = threading.Thread(
            target=self._answer,
            args=(request, client_address),
            name="framewire-metrics-answer",
            daemon=True,
        )
        with self._fewer:
            if len(self._visits) >= _MOST_AT_ONCE:
                _hang_up(next(iter(self._visits)))
            if self._fewer.wait_for(lambda: len(self._visits) < _MOST_AT_ONCE, _ROOM_S):
                thread.start()  # it cannot end before we let go of the lock
                self._visits[request] = monotonic_ns(), thread
                return
        self.shutdown_request(request)  # all of them are busy, and not with the network

    def _answer(self, request: socket.socket, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            pass  # the other end is gone, or we hung up
        finally:
            self.shutdown_request(request)
            with self._fewer:
                del self._visits[request]
                self._fewer.notify_all()

    def service_actions(self) -> None:
        """Called several times a second: hang up on those who take too long."""
        due_ns = monotonic_ns() - _PATIENCE_NS
        with self._fewer:
            for request, (since_ns, _) in self._visits.items():
                if since_ns < due_ns:
                    _hang_up(request)

    def end(self) -> None:
        """Hang up on all, and wait for their threads."""
        self.server_close()
        with self._fewer:
            visits = dict(self._visits)
        for request in visits:
            _hang_up(request)
        end_ns = monotonic_ns() + round(_JOIN_S * NS)
        for _, thread in visits.values():
            thread.join(max(0.0, (end_ns - monotonic_ns()) / NS))


def _hang_up(request: socket.socket) -> None:
    """Its thread finds it at its end."""
    with suppress(OSError):  # the other end was faster
        request.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """One request of one connection (HTTP/1.0)."""

    server: _Server

    def do_GET(self) -> None:
        self._tell(with_body=True)

    def do_HEAD(self) -> None:
        self._tell(with_body=False)

    def _tell(self, *, with_body: bool) -> None:
        if self.path.partition("?")[0] != _PATH:
            return self._send(404, "text/plain; charset=utf-8", b"look at /metrics\n", with_body)
        content_type, text = self.server.render(self.headers.get("Accept", ""))
        self._send(200, content_type, text, with_body)

    def _send(self, code: int, content_type: str, body: bytes, with_body: bool) -> None:
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def version_string(self) -> str:
        return "framewire"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: who asks every few seconds is no news."""
