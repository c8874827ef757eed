"""From an app to a port: sockets, TLS, and how it ends."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from framewire.common.errors import UsageError
from framewire.common.listening import Address, listen

__all__ = ["Server", "listen_for_viewers"]

SEND_BUFFER_BYTES = 64 * 1024
"""Of the kernel, for each connection: what waits there grows old."""
_DEAD_MS = 15_000
_MOST_AT_ONCE = 256
"""Connections. One more takes the place of the one that has asked for nothing for longest."""
_HEADERS_BYTES = 16 * 1024
_HEAD_S = 10.0
"""How long a request may take to arrive."""
_ANSWER_BYTES = 1024  # of a WebSocket's other end
_END_S = 0.5


def listen_for_viewers(address: Address) -> socket.socket:
    """A listening socket whose connections hold little and notice when the other end is dead.

    Connections inherit that on Linux; elsewhere they are as the system makes them.
    """
    listener = listen(address)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_MS)
    return listener


class _Door(H11Protocol):
    """uvicorn's HTTP, without patience for those who hold a connection and ask for nothing.

    How uvicorn 0.50 to 0.54 work inside: its own tests tell when that changes.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if len(self.connections) >= _MOST_AT_ONCE:
            self._make_room()
        super().connection_made(transport)
        self._look_again(None)

    def _make_room(self) -> None:
        silent = (each for each in self.connections if isinstance(each, _Door) and each.is_silent)
        oldest = min(silent, key=lambda door: door._timer.when(), default=None)
        if oldest is not None:
            self.connections.discard(oldest)
            oldest.transport.abort()

    def _should_upgrade(self) -> bool:
        """Too many WebSockets are answered as too many requests are."""
        return super()._should_upgrade() and len(self.connections) <= _MOST_AT_ONCE

    @property
    def is_silent(self) -> bool:
        """Whether no answer is under way."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or bool(cycle.response_complete)

    def _look_again(self, before: RequestResponseCycle | None) -> None:
        self._timer = self.loop.call_later(_HEAD_S, self._look, before)

    def _look(self, before: RequestResponseCycle | None) -> None:
        """Close the connection if no request came since `before`, and none is being answered."""
        if self not in self.connections:
            return  # a WebSocket has taken over
        if self.cycle is before and self.is_silent:
            self.transport.abort()
        else:
            self._look_again(self.cycle)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)


class Server(uvicorn.Server):
    """uvicorn, which leaves signals to the command that runs it."""

    def __init__(self, app: ASGIApp, *, cert: Path | None = None, key: Path | None = None) -> None:
        config = uvicorn.Config(
            app,
            http=_Door,
            ws="websockets-sansio",
            lifespan="off",
            log_config=None,
            log_level="warning",  # below, it writes tokens and pictures
            access_log=False,
            server_header=False,
            limit_concurrency=_MOST_AT_ONCE + 1,
            h11_max_incomplete_event_size=_HEADERS_BYTES,
            ws_max_size=_ANSWER_BYTES,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=1,
            ssl_certfile=cert,
            ssl_keyfile=key,
            ssl_keyfile_password="none",  # a key that has one is an error, not a question
        )
        try:
            config.load()
        except OSError as error:
            raise UsageError(f"cannot use {cert} and {key} for TLS: {error}") from error
        super().__init__(config)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Viewers have a moment to take what waits for them."""
        timer = asyncio.get_running_loop().call_later(_END_S, self._abort)
        await super().shutdown(sockets)
        timer.cancel()

    def _abort(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
