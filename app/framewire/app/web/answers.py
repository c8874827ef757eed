"""What all paths share: frames by WebSocket, topics in addresses, JSON and errors."""

import asyncio
import struct
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from framewire.common.errors import TopicError
from framewire.common.frame import Packet
from framewire.common.topic import check_topic

__all__ = [
    "ACK_LENGTH",
    "BUSY",
    "GOING",
    "UNFIT",
    "busy",
    "checked",
    "close",
    "gone",
    "json_answer",
    "message",
    "plain",
    "send",
    "topic_of",
    "while_there",
]

T = TypeVar("T")

ACK_LENGTH = 64
UNFIT, GOING, BUSY = 1003, 1001, 1013  # reasons to close a WebSocket (RFC 6455, 7.4.1; IANA)


def message(packet: Packet, **more: object) -> bytes:
    """A frame for a browser: its header with what there is `more` to say, as JSON, and the JPEG."""
    header = msgspec.json.encode(
        {**msgspec.to_builtins(packet.header), "topic": packet.topic, **more}
    )
    return b"".join((struct.pack(">I", len(header)), header, packet.payload))


async def send(websocket: WebSocket, message: bytes) -> None:
    """Send it; `WebSocketDisconnect` if there is nobody any more."""
    try:
        await websocket.send_bytes(message)
    except RuntimeError as error:  # pings were not answered, so uvicorn has closed it
        raise WebSocketDisconnect(GOING) from error


async def close(websocket: WebSocket, code: int) -> None:
    """Close it for that reason, unless it is closed."""
    with suppress(WebSocketDisconnect, RuntimeError):  # the other end was faster
        await websocket.close(code)


def topic_of(connection: HTTPConnection) -> str:
    """The topic in the address, checked: 404 if it is none."""
    return checked(connection.path_params["topic"])


def checked(name: str) -> str:
    """The same of any name."""
    try:
        return check_topic(name)
    except TopicError as error:
        raise HTTPException(404, str(error)) from error


def json_answer(value: object) -> Response:
    """As browsers take it: numbers that are none become null."""
    return Response(msgspec.json.encode(value), media_type="application/json")


async def plain(request: Request, error: Exception) -> Response:
    """An error as a line of text."""
    assert isinstance(error, HTTPException)
    return PlainTextResponse(f"{error.detail}\n", error.status_code, headers=error.headers)


async def busy(request: Request, error: Exception) -> Response:
    """A disk that does not answer, as a line of text; it may later."""
    return PlainTextResponse(f"{error}\n", 503, headers={"Retry-After": "5"})


async def while_there(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives; it is given up when the visitor goes, so that no work piles up."""
    working, going = asyncio.ensure_future(work), asyncio.ensure_future(gone(request))
    try:
        await asyncio.wait({working, going}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return await working
        raise HTTPException(499, "nobody waits for the answer")
    finally:
        working.cancel()
        going.cancel()


async def gone(request: Request) -> None:
    """Wait until the visitor has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
