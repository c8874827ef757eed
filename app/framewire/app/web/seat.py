"""`Seat`: one browser that plays recordings."""

import asyncio
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from framewire.app.web.answers import ACK_LENGTH, BUSY, GOING, UNFIT, close, message, send
from framewire.app.web.disk import Disk, DiskSilent
from framewire.app.web.playing import Player, command
from framewire.app.web.reel import Place, Reel, Shot
from framewire.common.clock import monotonic_ns
from framewire.common.errors import ProtocolError, RecordingError
from framewire.common.wire import check_picture

__all__ = ["Seat"]

_COMMAND_LENGTH = 200
_AGAIN_S = 0.5
"""How often a file that grows is looked at, when its last frame is on the screen."""


class Seat:
    """Sends the frames that are due through `websocket`, each when the one before is acknowledged."""

    def __init__(self, websocket: WebSocket, reel: Reel, disk: Disk) -> None:
        self._websocket = websocket
        self._reel = reel
        self._disk = disk
        self._player = Player()
        self._place: Place | None = None
        self._growing = False
        self._changed = asyncio.Event()
        self._acknowledged = asyncio.Event()

    async def run(self) -> None:
        """Until the browser goes, or says what it may not."""
        giving = asyncio.create_task(self._give())
        try:
            while (said := await self._websocket.receive())["type"] != "websocket.disconnect":
                if not self._hear(said.get("text")):
                    return await close(self._websocket, UNFIT)
        finally:
            giving.cancel()
            with suppress(asyncio.CancelledError):
                await giving

    def _hear(self, text: str | None) -> bool:
        """Take an acknowledgement or a command; False if it is neither."""
        if text is None or len(text) > _COMMAND_LENGTH:
            return False
        if text.startswith("{"):
            try:
                self._player.obey(command(text), monotonic_ns())
            except ValueError:
                return False
            self._changed.set()
            return True
        self._acknowledged.set()
        return len(text) <= ACK_LENGTH

    async def _give(self) -> None:
        reason = GOING
        with suppress(RecordingError, WebSocketDisconnect):
            reason = await self._give_all()
        await close(self._websocket, reason)

    async def _give_all(self) -> int:
        """Why there is no more."""
        with suppress(DiskSilent):
            while True:
                shot = await self._next()
                self._acknowledged.clear()
                await send(self._websocket, self._message(shot))
                await self._acknowledged.wait()
        return BUSY

    async def _next(self) -> Shot:
        """The frame that is due, once there is one that a receiver would have let through."""
        player = self._player
        while True:
            self._changed.clear()
            order = player.order(monotonic_ns())
            if order is None:
                await self._wait()
                continue
            shot = await self._disk.ask(self._reel.shot, order, self._place)
            if player.is_current(order):
                now_ns = monotonic_ns()
                player.shown(order, shot.time_ns, shot.next_ns, now_ns, hole=shot.hole)
                self._place, self._growing = shot.place, shot.growing
                if _is_fit(shot):
                    return shot

    async def _wait(self) -> None:
        """Until something is due or asked for."""
        follows = self._growing and self._player.next_ns is None and not self._player.paused
        wait_s = _AGAIN_S if follows else self._player.wait_s(monotonic_ns())
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._changed.wait()
        if follows and not self._changed.is_set() and self._place is not None:
            next_ns = await self._disk.ask(self._reel.following, self._place)
            if next_ns is not None:
                self._player.more(next_ns, monotonic_ns())

    def _message(self, shot: Shot) -> bytes:
        return message(
            shot.packet,
            turn=self._player.turn,
            file=shot.place.tape,
            position_ns=shot.time_ns,
            next_ns=shot.next_ns,
            growing=shot.growing,
        )


def _is_fit(shot: Shot) -> bool:
    """Whether a browser may be given it: files come from anywhere, and theirs is a decoder too."""
    try:
        check_picture(shot.packet.header, shot.packet.payload)
    except ProtocolError:
        return False
    return shot.packet.header.codec == "jpeg"
