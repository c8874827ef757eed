"""`Line`: one WebSocket, of which no more is taken than people can say."""

import asyncio
from asyncio.transports import BaseTransport

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from framewire.app.web.limits import LIMITS, Limits

__all__ = ["Allowance", "Line"]

_TOO_MUCH = 1008  # violates a policy: RFC 6455, 7.4.1
_NO_TEXT = 1007


class Allowance:
    """So many a second, and as many at once. Pure: times are seconds of any clock."""

    def __init__(self, per_s: float, now_s: float) -> None:
        self._per_s = per_s
        self._left = per_s
        self._at_s = now_s

    def take(self, count: int, now_s: float) -> bool:
        """Take `count`; False if that was more than there is."""
        self._left = min(self._per_s, self._left + (now_s - self._at_s) * self._per_s) - count
        self._at_s = now_s
        return self._left >= 0


class Line(WebSocketsSansIOProtocol, asyncio.BufferedProtocol):
    """uvicorn's WebSocket: a flood ends it, an unread answer is not answered twice.

    How uvicorn 0.50 to 0.54 work inside: its own tests tell when that changes.
    """

    limits: Limits = LIMITS

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self._buffer = memoryview(bytearray(self.limits.message_turn_bytes))
        self._allowance = Allowance(self.limits.messages_per_s, self.loop.time())
        self._stuck_since: float | None = None
        self._pongs = 0

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go (asyncio)."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """They are there (asyncio)."""
        if not self.transport.is_closing():
            self.data_received(bytes(self._buffer[:nbytes]))

    def handle_events(self) -> None:
        """What was said; or an end to it, if that was too much."""
        count = len(self.conn.events)
        super().handle_events()
        fits = self._allowance.take(count, self.loop.time())
        if not fits or len(self.frames) > self.limits.fragments:
            self._cut_off(_TOO_MUCH)

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not _is_text(self.frames):
            self.frames = []
            return self._cut_off(_NO_TEXT)
        super().send_receive_event_to_app()

    def _cut_off(self, code: int) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        self.conn.fail(code)
        self.handle_parser_exception()

    def handle_ping(self) -> None:
        """Answer, unless so many answers wait that this end would fill up with them."""
        if not self.writable.is_set():
            self._pongs += 1
            if self._pongs > self.limits.pongs:
                self.conn.data_to_send()  # nothing but that answer
                return
        super().handle_ping()

    @property
    def idle_since(self) -> float | None:
        """As of a `Door`."""
        return self._stuck_since

    def pause_writing(self) -> None:
        self._stuck_since = self.loop.time() + self.limits.stuck_s
        super().pause_writing()

    def resume_writing(self) -> None:
        self._stuck_since, self._pongs = None, 0
        super().resume_writing()


def _is_text(parts: list[bytes]) -> bool:
    try:
        b"".join(parts).decode()
    except UnicodeDecodeError:
        return False
    return True
