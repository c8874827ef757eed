"""What the paths of recordings answer: the page, the list, playing, downloads and cuts."""

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from framewire.app.web.answers import BUSY, UNFIT, close, gone, json_answer, topic_of
from framewire.app.web.cutting import GivenUp, Nothing, TooLong, cut
from framewire.app.web.disk import Disk, DiskSilent
from framewire.app.web.library import Library
from framewire.app.web.reel import Reel
from framewire.app.web.seat import Seat
from framewire.app.web.sending import file_answer
from framewire.app.web.tapes import Tape, state_of
from framewire.common import __version__
from framewire.common.clock import NS, wall_ns
from framewire.common.errors import RecordingError

__all__ = ["Theatre"]

_log = logging.getLogger("framewire.web")

PAGE = Path(__file__).parent / "page" / "recordings.html"
LIST_S = 0.3
"""How long a list waits for files that are being read; the next one has more."""
OPEN_S = 3.0
"""The same for those who name a topic that is not known yet."""
SEATS = 24
"""Browsers that play at a time: each may need a file open."""
CUTS = 2
"""Cuts that are made at a time."""
_MKV = "video/x-matroska"


class Theatre:
    """The paths below which the recordings of a library are. Of one event loop."""

    def __init__(self, library: Library, disk: Disk) -> None:
        self._library = library
        self._disk = disk
        self._seats = 0
        self._cuts = 0

    @property
    def routes(self) -> list[BaseRoute]:
        """For `make_app`."""
        return [
            Route("/recordings", self.page),
            Route("/api/recordings", self.list),
            WebSocketRoute("/play/{topic:path}", self.play),
            Route("/recording/{name:path}", self.download),
            Route("/cut/{topic:path}", self.cut),
        ]

    async def page(self, request: Request) -> Response:
        return FileResponse(PAGE)

    async def list(self, request: Request) -> Response:
        """What there is."""
        return json_answer(await self._disk.ask(self._listed))

    def _listed(self) -> dict[str, Any]:
        self._library.look(LIST_S)
        now_ns = wall_ns()
        files: dict[str, list[dict[str, Any]]] = {}
        for tape in sorted(self._library.tapes, key=lambda tape: (tape.began_ns, tape.name)):
            files.setdefault(tape.topic, []).append(_described(tape, now_ns))
        return {
            "version": __version__,
            "now_ns": now_ns,
            "folder": self._library.folder.name,
            "unread": self._library.unread,
            "topics": [{"topic": topic, "files": files[topic]} for topic in sorted(files)],
        }

    async def play(self, websocket: WebSocket) -> None:
        """Frames for a browser that says which."""
        try:
            reel = await self._reel(websocket)
        except (HTTPException, DiskSilent):
            return await websocket.close(UNFIT)
        await websocket.accept()
        if self._seats >= SEATS:
            return await close(websocket, BUSY)
        self._seats += 1
        try:
            await Seat(websocket, reel, self._disk).run()
        finally:
            self._seats -= 1

    async def _reel(self, connection: HTTPConnection) -> Reel:
        topic = topic_of(connection)
        for wait_s in (0.0, OPEN_S):
            if await self._disk.ask(self._has, topic, wait_s):
                return self._library.reel(topic)
        raise HTTPException(404, f"there are no recordings of {topic}")

    def _has(self, topic: str, wait_s: float) -> bool:
        self._library.look(wait_s)
        return bool(self._library.line(topic))

    async def download(self, request: Request) -> Response:
        """A file as it is."""
        name = request.path_params["name"]
        tape = await self._disk.ask(self._found, name)
        if tape is None:
            raise HTTPException(404, "there is no such recording")
        file_name = tape.path.name
        if tape.topic:
            file_name = f"{tape.topic.replace('/', '-')}-{file_name}"
        grows = state_of(tape, wall_ns()) in ("growing", "unread")
        most = tape.stamp.size if grows else None
        try:
            return await file_answer(request, self._disk, tape.path, _MKV, file_name, most)
        except OSError as error:
            raise HTTPException(404, "there is no such recording") from error

    def _found(self, name: str) -> Tape | None:
        self._library.look(LIST_S)
        return self._library.find(name)

    async def cut(self, request: Request) -> Response:
        """A part of a topic's recordings, as a file."""
        from_ns, to_ns = (_time(request, name) for name in ("from_ns", "to_ns"))
        if from_ns > to_ns:
            raise HTTPException(400, "to_ns lies before from_ns")
        reel = await self._reel(request)
        name = f"{topic_of(request).replace('/', '-')}-{_named(from_ns)}.mkv"
        if request.method == "HEAD":
            return Response(media_type=_MKV)
        if self._cuts >= CUTS:
            raise HTTPException(503, "other cuts are being made", {"Retry-After": "5"})
        self._cuts += 1
        try:
            path = await _made(request, self._disk, reel, from_ns, to_ns)
        finally:
            self._cuts -= 1
        return await _passing(request, self._disk, path, name)


def _described(tape: Tape, now_ns: int) -> dict[str, Any]:
    return {
        "name": tape.name,
        "state": state_of(tape, now_ns),
        "reason": tape.reason,
        "began_ns": tape.began_ns,
        "ended_ns": tape.ended_ns,
        "frames": tape.frames,
        "bytes": tape.stamp.size,
        "width": tape.width,
        "height": tape.height,
        "lost": tape.lost,
        "gaps": [
            {"from_ns": each.from_ns, "to_ns": each.to_ns, "lost": each.lost}
            for each in tape.breaks
        ],
    }


def _time(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 2**63):
        raise HTTPException(400, f"{name} is a time: nanoseconds of the Unix epoch")
    return int(text)


def _named(time_ns: int) -> str:
    with suppress(OverflowError, ValueError, OSError):
        return f"{datetime.fromtimestamp(time_ns // NS, UTC):%Y-%m-%dT%H-%M-%S}"
    return str(time_ns)


async def _made(request: Request, disk: Disk, reel: Reel, from_ns: int, to_ns: int) -> Path:
    """The cut, made in a thread; if the client goes meanwhile it ends and is removed."""
    given_up = threading.Event()
    packets = reel.packets(from_ns, to_ns)
    making = asyncio.create_task(disk.ask(cut, packets, given_up, patient=True))
    going = asyncio.create_task(gone(request))
    try:
        await asyncio.wait({making, going}, return_when=asyncio.FIRST_COMPLETED)
        if not making.done():
            given_up.set()
        return await asyncio.shield(making)
    except GivenUp as error:
        raise HTTPException(499, str(error)) from error
    except Nothing as error:
        raise HTTPException(404, str(error)) from error
    except TooLong as error:
        raise HTTPException(413, str(error)) from error
    except RecordingError as error:
        _log.warning("a cut could not be made: %s", error)  # visitors need not know our paths
        raise HTTPException(500, "the cut could not be made: the server's log says why") from error
    except asyncio.CancelledError:
        given_up.set()
        making.add_done_callback(_remove)
        raise
    finally:
        going.cancel()


def _remove(making: "asyncio.Task[Path]") -> None:
    if not making.cancelled() and making.exception() is None:
        _clear(making.result())


def _clear(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.parent.rmdir()


async def _passing(request: Request, disk: Disk, path: Path, name: str) -> Response:
    """A file that is removed when it was sent, or could not be."""
    try:
        answer = await file_answer(request, disk, path, _MKV, name)
    except BaseException:
        disk.later(partial(_clear, path))
        raise
    return _Passing(answer, lambda: disk.later(partial(_clear, path)))


class _Passing(Response):
    """`answer`, and `then` something at its end, whatever that is."""

    def __init__(self, answer: Response, then: Callable[[], None]) -> None:
        self._answer, self._then = answer, then

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._answer(scope, receive, send)
        finally:
            self._then()
