"""Files for visitors: whole, or the one part of them that they ask for."""

import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from framewire.app.web.disk import Disk, DiskSilent

__all__ = ["Extent", "asked_extent", "file_answer"]

_log = logging.getLogger("framewire.web")

_CHUNK = 256 * 1024
_RANGE = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))")
_PLAIN = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Extent:
    """Bytes of a file, from `start` to before `stop`."""

    start: int
    stop: int


def asked_extent(header: str, size: int) -> Extent | None:
    """What a ``Range`` header asks for of a file of `size` bytes; None: all of it. Pure.

    Several parts at once are not made: RFC 9110, 14.2 leaves that to us. `ValueError` if there are
    no such bytes.
    """
    match = _RANGE.fullmatch(header.strip())
    if not match:
        return None
    first, last, final = match.groups()
    if final is not None:
        extent = Extent(max(0, size - int(final)), size)
    else:
        extent = Extent(int(first), min(size, int(last) + 1) if last else size)
        if last and int(last) < int(first):
            return None
    if extent.start >= extent.stop:
        raise ValueError("there are no such bytes")
    return extent


async def file_answer(
    request: Request, disk: Disk, path: Path, media_type: str, name: str, most: int | None = None
) -> Response:
    """A file as `name`; of one that grows no more than its first `most` bytes, and no parts."""
    facts = await disk.ask(path.stat)
    size = facts.st_size if most is None else min(most, facts.st_size)
    tag = f'"{facts.st_mtime_ns:x}-{facts.st_size:x}"'
    headers = {"Content-Disposition": _attachment(name), "ETag": tag}
    whole = extent = Extent(0, size)
    if most is None:
        headers["Accept-Ranges"] = "bytes"
        if request.headers.get("if-range", tag) == tag:
            try:
                extent = asked_extent(request.headers.get("range", ""), size) or whole
            except ValueError as error:
                refused = {"Content-Range": f"bytes */{size}"}
                raise HTTPException(416, str(error), refused) from error
    headers["Content-Length"] = str(extent.stop - extent.start)
    if extent is not whole:
        headers["Content-Range"] = f"bytes {extent.start}-{extent.stop - 1}/{size}"
    status = 200 if extent is whole else 206
    if request.method == "HEAD":
        return Response(None, status, headers, media_type)
    # Not buffered: such a file is closed while a thread still waits for its disk.
    file = await disk.ask(FileIO, path)
    return _Sending(_parts(disk, file, extent), status, headers, media_type)


class _Sending(StreamingResponse):
    """Where the disk ends early, so does the connection: the other end sees that bytes are missing."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except DiskSilent as error:
            _log.warning("a file could not be sent to its end: %s", error)


async def _parts(disk: Disk, file: FileIO, extent: Extent) -> AsyncIterator[bytes]:
    left = extent.stop - extent.start

    def read() -> bytes:
        file.seek(extent.stop - left)
        return file.read(min(left, _CHUNK))

    try:
        while left:
            part = await disk.ask(read)
            if not part:
                raise DiskSilent("it became shorter meanwhile")
            left -= len(part)
            yield part
    except OSError as error:
        raise DiskSilent(str(error)) from error
    finally:
        disk.later(file.close)


def _attachment(name: str) -> str:
    if _PLAIN.fullmatch(name):
        return f'attachment; filename="{name}"'
    return f"attachment; filename*=utf-8''{quote(name)}"
