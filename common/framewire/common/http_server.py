"""A small HTTP server that nobody can hold up: for `--metrics`, and for what triggers recordings."""

import socket
import socketserver
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

from framewire.common.clock import NS, monotonic_ns

__all__ = ["HttpServer", "Visit"]

_MOST_AT_ONCE = 8  # connections, each with a thread; who asks on purpose needs one
_PATIENCE_NS = 10 * NS
"""How long a connection may take in all; Prometheus itself gives up after 10 s by default."""
_TICK_S = 0.2
_ROOM_S = 1.0
"""How long a thread may take to notice that we hung up."""
_JOIN_S = 2.0
_NONE: Mapping[str, str] = {}


class HttpServer(socketserver.TCPServer):
    """Answers at `listener` from `start` to `close`, each connection in a thread of its own.

    Those that come in are never kept waiting: of eight connections the oldest goes when a ninth
    comes, and none lasts longer than 10 s. A client that hangs up is no news; what else goes wrong in
    an answer is reported by its thread, and ends nothing. `name` is that of the threads.
    """

    def __init__(self, listener: socket.socket, visit: type["Visit"], name: str) -> None:
        super().__init__(listener.getsockname(), visit, bind_and_activate=False)
        self.socket.close()  # the one that was made for us
        listener.settimeout(_TICK_S)  # who connects may be gone before we look
        self.socket = listener
        self._name = name
        self.port: int = listener.getsockname()[1]
        self._visits: dict[socket.socket, tuple[int, threading.Thread]] = {}  # oldest first
        self._fewer = threading.Condition()
        self._thread = threading.Thread(
            target=self.serve_forever, args=(_TICK_S,), name=name, daemon=True
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop answering, hang up on all, and free the port. May be called again."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join(_JOIN_S)
        self.server_close()
        with self._fewer:
            visits = dict(self._visits)
        for request in visits:
            _hang_up(request)
        end_ns = monotonic_ns() + round(_JOIN_S * NS)
        for _, thread in visits.values():
            thread.join(max(0.0, (end_ns - monotonic_ns()) / NS))

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, for which the oldest makes room if need be."""
        thread = threading.Thread(
            target=self._answer,
            args=(request, client_address),
            name=f"{self._name}-answer",
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


def _hang_up(request: socket.socket) -> None:
    """Its thread finds it at its end."""
    with suppress(OSError):  # the other end was faster
        request.shutdown(socket.SHUT_RDWR)


class Visit(BaseHTTPRequestHandler):
    """One request of one connection (HTTP/1.0). Subclasses have `do_GET` and the like."""

    def answer(
        self,
        code: int,
        content_type: str,
        body: bytes,
        *,
        with_body: bool = True,
        fields: Mapping[str, str] = _NONE,
    ) -> None:
        """Send an answer; `fields` are further ones of its header."""
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def version_string(self) -> str:
        return "framewire"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: who asks every few seconds is no news."""
