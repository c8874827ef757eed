"""The web server: what each path answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from framewire.app.metrics import WebFigures
from framewire.app.web.answers import (
    ACK_LENGTH,
    GOING,
    UNFIT,
    busy,
    checked,
    close,
    json_answer,
    message,
    plain,
    send,
    topic_of,
    while_there,
)
from framewire.app.web.disk import Disk, DiskSilent
from framewire.app.web.hub import Hub, Look, Stream
from framewire.app.web.library import Library
from framewire.app.web.theatre import Theatre
from framewire.common import __version__
from framewire.common.clock import wall_ns
from framewire.common.errors import Closed
from framewire.common.exposition import render
from framewire.common.frame import Packet
from framewire.common.printable import printable
from framewire.receiver.account import STALE_S

__all__ = ["make_app"]

PAGE = Path(__file__).parent / "page"
BOUNDARY = "framewire"
SNAPSHOT_S = 2.0
"""How long a snapshot waits for the first frame of a topic that nobody looked at."""
HEALTH_S = 2.0


def make_app(hub: Hub, library: Library | None = None, disk: Disk | None = None) -> Starlette:
    """The paths, all below whatever stands before them in a proxy; of recordings, if there are."""
    app = Starlette(
        routes=[
            Route("/", page),
            Mount("/page", StaticFiles(directory=PAGE)),
            WebSocketRoute("/ws/{topic:path}", watch),
            Route("/stream/{topic:path}", stream),
            Route("/snapshot/{topic:path}", snapshot),
            Route("/api/streams", streams),
            Route("/healthz", health),
            Route("/metrics", metrics),
            *(Theatre(library, disk or Disk()).routes if library is not None else ()),
        ],
        exception_handlers={HTTPException: plain, DiskSilent: busy},
    )
    app.router.redirect_slashes = False  # that would lead out of a proxy's path
    app.state.hub = hub
    app.state.library = library
    app.state.figures = WebFigures(hub)
    return app


async def page(request: Request) -> Response:
    return FileResponse(PAGE / "index.html")


async def watch(websocket: WebSocket) -> None:
    """Frames for a viewer: the next when it has acknowledged the last, and then the newest."""
    hub = _hub(websocket)
    try:
        topic = topic_of(websocket)
    except HTTPException:
        return await websocket.close(UNFIT)
    await websocket.accept()
    with hub.look(topic) as look:
        frames = asyncio.create_task(_give(websocket, look))
        try:
            while (said := await websocket.receive())["type"] != "websocket.disconnect":
                text = said.get("text")
                if text is None or len(text) > ACK_LENGTH:
                    return await close(websocket, UNFIT)
                look.acknowledge()
        finally:
            frames.cancel()
            with suppress(asyncio.CancelledError):
                await frames


async def _give(websocket: WebSocket, look: Look) -> None:
    with suppress(Closed, WebSocketDisconnect):
        while True:
            packet = await look.next()
            if packet is not None:
                age_ms = round(packet.header.age_ms(wall_ns()), 2)
                await send(websocket, message(packet, age_ms=age_ms))
                await look.acknowledged()
    await close(websocket, GOING)


async def stream(request: Request) -> Response:
    """Motion JPEG, as cameras and browsers have it: each frame takes the place of the last."""
    topic = topic_of(request)
    media_type = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    if request.method == "HEAD":
        return StreamingResponse(iter(()), media_type=media_type)  # no length, as with GET
    return StreamingResponse(_parts(_hub(request), topic), media_type=media_type)


async def _parts(hub: Hub, topic: str) -> AsyncIterator[bytes]:
    """Each ends with the boundary before the next: browsers show no picture before that."""
    boundary = f"--{BOUNDARY}\r\n".encode()
    yield boundary
    with hub.look(topic) as look, suppress(Closed):
        while True:
            packet = await look.next()
            if packet is not None:
                head = "".join(f"{name}: {value}\r\n" for name, value in _facts(packet).items())
                size = len(packet.payload)
                head = f"Content-Type: image/jpeg\r\nContent-Length: {size}\r\n{head}\r\n"
                yield b"".join((head.encode(), packet.payload, b"\r\n", boundary))


async def snapshot(request: Request) -> Response:
    """The newest frame."""
    topic = topic_of(request)
    hub, packet = _hub(request), None
    with hub.look(topic) as look, suppress(Closed):
        packet = await while_there(request, look.next(SNAPSHOT_S))
    if packet is None:
        known = [_illness(each) for each in hub.streams() if each.topic == topic]
        why = known[0] if known and known[0] else f"no frame of {topic} came in {SNAPSHOT_S:g} s"
        raise HTTPException(503, why)
    return Response(packet.payload, media_type="image/jpeg", headers=_facts(packet))


def _facts(packet: Packet) -> dict[str, str]:
    return {
        "X-Framewire-Sequence": str(packet.sequence),
        "X-Framewire-Captured-Ns": str(packet.header.captured_ns),
    }


async def streams(request: Request) -> Response:
    """What there is, and how it does."""
    hub, only = _hub(request), request.query_params.get("topic")
    hub.glance(None if only is None else checked(only))
    listed = [_described(each) for each in hub.streams()]
    return json_answer(
        {
            "version": __version__,
            "now_ns": wall_ns(),
            "recordings": request.app.state.library is not None,
            "streams": listed,
        }
    )


def _described(stream: Stream) -> dict[str, Any]:
    figures = stream.received
    header = stream.newest.header if stream.newest else None
    return {
        "topic": stream.topic,
        "state": stream.state,
        "reason": printable(stream.reason),
        "since_ns": stream.since_ns,
        "fps": round(figures.fps, 2),
        "bits_per_s": round(figures.bits_per_s),
        "age_ms": round(figures.age_ms[0], 2),
        "width": header.width if header else 0,
        "height": header.height if header else 0,
        "quality": figures.quality,
        "lost": figures.lost,
        "received": figures.received,
        "restarts": figures.restarts,
    }


async def health(request: Request) -> Response:
    """200 while frames arrive of every topic that did not end."""
    hub = _hub(request)
    hub.glance()
    ill = _ill(hub.streams())
    if ill != []:
        # Nobody may have looked before: give them time.
        await while_there(request, hub.wait(HEALTH_S))
        ill = _ill(hub.streams())
    if ill is None:
        return PlainTextResponse("no frames of any topic\n", 503)
    if ill:
        return PlainTextResponse("".join(f"{line}\n" for line in ill), 503)
    return PlainTextResponse("ok\n")


def _ill(streams: list[Stream]) -> list[str] | None:
    """A line for each topic without frames; None if there are no topics."""
    lasting = [each for each in streams if each.state != "ended"]
    if not lasting:
        return None
    return [line for line in map(_illness, lasting) if line]


def _illness(stream: Stream) -> str:
    if stream.received.silent_s > STALE_S:  # what it said last may be old: nobody asked
        return f"{stream.topic}: stale"
    if stream.state != "live":
        return f"{stream.topic}: {stream.state}{f', {printable(stream.reason)}' if stream.reason else ''}"
    return ""


async def metrics(request: Request) -> Response:
    """Figures for Prometheus, of what is looked at: nothing is taken for them."""
    figures: WebFigures = request.app.state.figures
    families, accept = list(figures()), request.headers.get("accept", "")
    # Of a thousand topics it takes half a second to write: viewers need not wait for that.
    content_type, text = await run_in_threadpool(render, "web", families, accept)
    return Response(text, media_type=content_type)


# -- what they share ------------------------------------------------------------------------------


def _hub(connection: HTTPConnection) -> Hub:
    hub: Hub = connection.app.state.hub
    return hub
