"""A small HTTP server for a few connections that never keep each other waiting."""

import errno
import socket
import socketserver
import threading
from collections.abc import Collection
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

from framewire.common.clock import NS, monotonic_ns
from framewire.common.closing import Closing
from framewire.common.listening import Address, is_called, listen

__all__ = ["Answering", "Request"]

_MOST_AT_ONCE = 8
"""Connections, each with a thread: for one program that asks now and then."""
_PATIENCE_NS = 10 * NS
"""How long a connection may take in all; Prometheus itself gives up after 10 s by default."""
_BODY_BYTES = 64 * 1024
"""So much of a request's body is read; nothing is done with it."""
_TICK_S = 0.2
_ROOM_S = 1.0
"""How long a thread may take to notice that we hung up."""
_JOIN_S = 2.0
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Answering(Closing):
    """Answers at `address` with `request`, a kind of `Request`, until `close`.

    Who asks for nothing holds nothing up: of eight connections the oldest goes when a ninth comes,
    and none lasts longer than 10 s. `name` is that of its threads. `TransportError` says why one
    cannot listen there. `close` may be called again.
    """

    def __init__(self, address: Address, request: "type[Request]", name: str) -> None:
        self._server = _Server(listen(address), request, address.names, name)
        self.address = Address(address.host, self._server.port)
        """With the port that the system chose where 0 was asked for."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_TICK_S,), name=name, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(_JOIN_S)
        self._server.end()


class _Server(socketserver.TCPServer):
    """A thread for each of a few connections; those that come in are never kept waiting."""

    def __init__(
        self, listener: socket.socket, request: "type[Request]", hosts: Collection[str], name: str
    ) -> None:
        super().__init__(listener.getsockname(), request, bind_and_activate=False)
        self.socket.close()  # the one that was made for us
        listener.settimeout(_TICK_S)  # who connects may be gone before we look
        self.socket = listener
        self.hosts = hosts
        self.port: int = listener.getsockname()[1]
        self._name = f"{name}-answer"
        self._visits: dict[socket.socket, tuple[int, threading.Thread]] = {}  # oldest first
        self._fewer = threading.Condition()

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next who connects. Where the system has no room, the oldest makes some."""
        try:
            return super().get_request()
        except OSError as error:
            if error.errno in _FULL:
                with self._fewer:
                    if self._visits:
                        _hang_up(next(iter(self._visits)))
                    self._fewer.wait(_TICK_S)  # who waits is there still: we are back at once
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, for which the oldest makes room if need be."""
        thread = threading.Thread(
            target=self._answer, args=(request, client_address), name=self._name, daemon=True
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


class Request(BaseHTTPRequestHandler):
    """One request of one connection (HTTP/1.0): give it a `do_GET` and the like, which `send`.

    Names that others have made to point here (DNS rebinding) are refused before those are called.
    """

    server: _Server

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        if not is_called(self.headers.get("Host", ""), self.server.hosts):
            self.send(421, "this server has another name")
            return False
        with suppress(ValueError):  # what is no number is no body
            length = int(self.headers.get("Content-Length", "0"))
            # Unread, it would end the connection before the other end has read our answer.
            self.rfile.read(max(0, min(length, _BODY_BYTES)))
        return True

    def send(self, code: int, body: bytes | str, **headers: str) -> None:
        """Answer with a line of text, or with bytes of a ``content_type``."""
        if isinstance(body, str):
            headers.setdefault("content_type", "text/plain; charset=utf-8")
            body = f"{body}\n".encode()
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-").title(), value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        return "framewire"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: who asks every few seconds is no news."""
