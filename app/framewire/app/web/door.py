"""`Door`: one connection that speaks HTTP, and is not waited for."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from framewire.app.web.limits import LIMITS, Limits

__all__ = ["Door"]


class Door(H11Protocol, asyncio.BufferedProtocol):
    """uvicorn's HTTP, without patience for those who hold a connection and ask for nothing.

    It reads a little at a time, so that who says a lot takes no more of the loop than others.

    How uvicorn 0.50 to 0.54 work inside: its own tests tell when that changes.
    """

    limits: Limits = LIMITS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._buffer = memoryview(bytearray(self.limits.turn_bytes))
        self._silent_since = self.loop.time()
        self._stuck_since: float | None = None
        self._look_again(None)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go (asyncio): no more than a head may still have."""
        room = self.limits.head_bytes - len(self.conn.trailing_data[0])
        return self._buffer[: max(1, room)]

    def buffer_updated(self, nbytes: int) -> None:
        """They are there (asyncio)."""
        self.data_received(bytes(self._buffer[:nbytes]))

    def _should_upgrade(self) -> bool:
        """Too many WebSockets are answered as too many requests are."""
        return super()._should_upgrade() and len(self.connections) <= self.limits.connections

    @property
    def is_silent(self) -> bool:
        """Whether no answer is under way."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or bool(cycle.response_complete)

    @property
    def idle_since(self) -> float | None:
        """Since when, by the loop's clock, it has been of no use to anybody; None: it is."""
        return self._silent_since if self.is_silent else self._stuck_since

    def _look_again(self, before: RequestResponseCycle | None) -> None:
        self._timer = self.loop.call_later(self.limits.head_s, self._look, before)

    def _look(self, before: RequestResponseCycle | None) -> None:
        """Close the connection if no request came since `before`, and none is being answered."""
        if self not in self.connections:
            return  # a WebSocket has taken over
        if self.cycle is before and self.is_silent:
            self.transport.abort()
        else:
            self._look_again(self.cycle)

    def on_response_complete(self) -> None:
        self._silent_since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        self._stuck_since = self.loop.time() + self.limits.stuck_s
        super().pause_writing()

    def resume_writing(self) -> None:
        self._stuck_since = None
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)
