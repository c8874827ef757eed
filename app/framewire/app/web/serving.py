"""From an app to a port: sockets, TLS, and how it ends."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from framewire.app.web.door import Door
from framewire.app.web.entrance import Entrance, Guest
from framewire.app.web.limits import LIMITS, Limits, room
from framewire.app.web.line import Line
from framewire.common.clock import NS, monotonic_ns
from framewire.common.errors import UsageError

__all__ = ["Server"]

_END_S = 0.5
_QUIET_NS = 60 * NS


class _Config(uvicorn.Config):
    """With our own protocols, which know the limits."""

    def __init__(self, app: ASGIApp, limits: Limits, cert: Path | None, key: Path | None) -> None:
        super().__init__(
            app,
            http=type("Door", (Door,), {"limits": limits}),
            ws=type("Line", (Line,), {"limits": limits}),
            lifespan="off",
            log_config=None,
            log_level="warning",  # below, it writes tokens and pictures
            access_log=False,
            server_header=False,
            limit_concurrency=limits.connections + 1,
            h11_max_incomplete_event_size=limits.head_bytes - 1,  # at that, it is still incomplete
            ws_max_size=limits.message_bytes,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=1,
            ssl_certfile=cert,
            ssl_keyfile=key,
            ssl_keyfile_password="none",  # a key that has one is an error, not a question
        )


class _Hush(logging.Filter):
    """What visitors do wrong, and uvicorn writes a line about: one a minute is enough."""

    _THEIRS = ("Invalid HTTP request received.", "Unsupported upgrade request.")
    _NEVER = (
        "No supported WebSocket library",
        "Exceeded concurrency limit.",
        "ASGI callable returned without completing response.",  # a file that we could not read on
    )

    def __init__(self) -> None:
        super().__init__()
        self._said_ns = -_QUIET_NS
        self._count = 0

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if text.startswith(self._NEVER):
            return False
        if text not in self._THEIRS:
            return True
        self._count += 1
        if monotonic_ns() - self._said_ns < _QUIET_NS:
            return False
        record.msg = f"a visitor does not speak HTTP as we do ({self._count} such requests so far)"
        self._said_ns = monotonic_ns()
        return True


class Server(uvicorn.Server):
    """uvicorn, which leaves signals to the command that runs it."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        cert: Path | None = None,
        key: Path | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        self._limits = replace(limits, connections=room(limits.connections))
        config = _Config(app, self._limits, cert, key)
        try:
            config.load()
        except OSError as error:
            raise UsageError(f"cannot use {cert} and {key} for TLS: {error}") from error
        super().__init__(config)
        self._entrances: list[Entrance] = []
        self._hush = _Hush()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open for visitors at `sockets`, by an entrance of our own."""
        await super().startup(sockets=[])
        logging.getLogger("uvicorn.error").addFilter(self._hush)
        self._entrances = [
            Entrance(
                each,
                self._protocol,
                lambda: cast("Iterable[Guest]", self.server_state.connections),
                tls=self.config.ssl,
                limits=self._limits,
            )
            for each in sockets or ()
        ]

    def _protocol(self) -> asyncio.Protocol:
        make = cast("Callable[..., asyncio.Protocol]", self.config.http_protocol_class)
        return make(config=self.config, server_state=self.server_state, app_state={})

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Viewers have a moment to take what waits for them."""
        for entrance in self._entrances:
            entrance.close()
        timer = asyncio.get_running_loop().call_later(_END_S, self._abort)
        await super().shutdown(sockets)
        timer.cancel()
        logging.getLogger("uvicorn.error").removeFilter(self._hush)

    def _abort(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
