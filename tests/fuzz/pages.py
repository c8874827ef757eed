"""Targets: what browsers send to the web viewer, before it reaches a socket of ours."""

import asyncio
import string
from collections.abc import Iterator
from contextlib import suppress

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import Message

from framewire.app.web.access import Access, Gate
from framewire.app.web.answers import checked
from framewire.app.web.playing import FASTEST, SLOWEST, Player, command
from fuzz.target import SEPARATOR, Target, joined, split

__all__ = ["COMMANDS", "GATE"]

_STEP_NS = 40_000_000


# -- playing ------------------------------------------------------------------------------------


def _check_commands(data: bytes) -> bool:
    """A browser's commands, one a line, while a player shows what is due."""
    player, now_ns, taken = Player(), 0, False
    for line in data.decode(errors="replace").split("\n"):
        now_ns += _STEP_NS
        try:
            order = command(line)
        except ValueError:
            pass
        else:
            player.obey(order, now_ns)
            taken = True
        _show(player, now_ns)
        assert SLOWEST <= player.speed <= FASTEST
        wait_s = player.wait_s(now_ns)
        assert wait_s is None or wait_s >= 0
        assert player.position_ns(now_ns) <= player.position_ns(now_ns + 1)
    return taken


def _show(player: Player, now_ns: int) -> None:
    order = player.order(now_ns)
    if order is None:
        return
    assert player.is_current(order)
    at_ns = max(0, order.at_ns or 0)
    time_ns = max(0, at_ns + order.by * _STEP_NS)
    player.shown(order, time_ns, time_ns + _STEP_NS, now_ns, hole=bool(time_ns % 3))
    assert player.order(now_ns) is None or not player.paused


def _commands() -> Iterator[bytes]:
    rows = (
        b'{"do":"jump","turn":1,"to_ns":1769868300000000000}',
        b'{"do":"play","turn":2}',
        b'{"do":"pause","turn":3}',
        b'{"do":"step","turn":4,"by":-3}',
        b'{"do":"speed","turn":5,"speed":2.5}',
        b'{"do":"skip","turn":6,"gaps":true}',
    )
    yield from rows
    yield b"\n".join(rows)


# -- the door -----------------------------------------------------------------------------------

_TOKEN = "0123456789abcdefghijkl"
_ACCESS = Access(_TOKEN, ("localhost", "127.0.0.1"), ("https://friend.example",))
_HEADERS = (b"host", b"origin", b"authorization", b"cookie", b"accept")
_PATH = set(string.printable.encode()) - set(b" \t\r\n\x0b\x0c?#")


async def _inner(scope: object, receive: object, send: object) -> None:
    await PlainTextResponse("inside")(scope, receive, send)  # type: ignore[arg-type]


_GATE = Gate(_inner, _ACCESS, secure=False)


def _check_gate(data: bytes) -> bool:
    """Method, path, query and the headers of a request as a server hands them over."""
    parts = [*split(data), *[b""] * 8][:8]
    method, path, query, *values = parts
    if not set(path) <= _PATH:
        return False
    _check_topic_in(path)
    headers = [pair for pair in zip(_HEADERS, values, strict=False) if pair[1]]
    if any(set(value) & set(b"\0\r\n") for _, value in headers):
        return False  # no server of HTTP lets these through
    sent = _answered(method, path, query, headers)
    status, names = sent[0]["status"], sent[0]["headers"]
    assert status in (200, 204, 303, 401, 403, 421)
    assert all(b"\r" not in value and b"\n" not in value for _, value in names), "split headers"
    place = dict(names).get(b"location")
    assert place is None or place.startswith(b"./"), "leads elsewhere"
    inside = b"".join(each.get("body", b"") for each in sent) == b"inside"
    known = any(_TOKEN.encode() in each for each in (*values, query)) or b"%" in query
    assert known or not inside, "let in without the token"
    return inside


def _answered(
    method: bytes, path: bytes, query: bytes, headers: list[tuple[bytes, bytes]]
) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "method": method.decode("latin-1").upper(),
        "path": path.decode("latin-1"),
        "raw_path": b"/" + path,
        "query_string": query,
        "headers": headers,
        "root_path": "",
    }
    calling = _GATE(scope, receive, send)
    try:
        calling.send(None)
    except StopIteration:
        return sent
    raise AssertionError("it waits for something")


def _check_topic_in(path: bytes) -> None:
    with suppress(HTTPException):
        assert ".." not in checked(path.decode("latin-1")).split("/")


def _requests() -> Iterator[bytes]:
    token = _TOKEN.encode()
    cookie = f"{_ACCESS.cookie}={_TOKEN}".encode()
    origin = b"https://friend.example"
    html = b"text/html"
    yield joined((b"GET", b"snapshot/lab/cam1", b"token=" + token, b"localhost:8080"))
    yield joined((b"GET", b"", b"a=1&token=" + token, b"localhost", b"", b"", b"", html))
    yield joined((b"GET", b"x", b"", b"127.0.0.1", origin, b"Bearer " + token))
    yield joined((b"GET", b"x", b"", b"localhost", b"", b"", b"a=b; " + cookie, html))
    yield joined((b"OPTIONS", b"x", b"", b"localhost", origin))


COMMANDS = Target(
    _check_commands,
    _commands,
    (
        *(
            b'{"do":"%s","turn":1' % name
            for name in (b"jump", b"play", b"pause", b"step", b"speed")
        ),
        *(b',"to_ns":', b',"by":', b',"speed":', b',"gaps":', b"}", b"}\n", b"9223372036854775807"),
        *(b"1e308", b"-0", b"NaN", b"16.0", b"0.1", b"-1000", b"true", b"null", b"\\u0000"),
    ),
    1024,
)
GATE = Target(
    _check_gate,
    _requests,
    (
        SEPARATOR, _TOKEN.encode(), _ACCESS.cookie.encode(), b"token=", b"Bearer ", b"%0d%0a", b"%00",
        b"//", b"../", b"\\", b"&", b"=", b";", b'"', b"\xff", b"https://friend.example", b"OPTIONS",
        b"[::1]:80", b"text/html",
    ),
    1024,
)  # fmt: skip
