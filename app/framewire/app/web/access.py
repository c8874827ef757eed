"""Who may: token, hosts and origins of requests, and the headers that keep browsers from harm."""

import hashlib
import hmac
import logging
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from framewire.common.clock import NS, monotonic_ns
from framewire.common.errors import UsageError
from framewire.common.listening import Address, is_called

__all__ = ["Access", "Gate"]

_log = logging.getLogger("framewire.web")

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_PREFLIGHT = {
    "access-control-allow-methods": "GET, HEAD",
    "access-control-allow-headers": "Authorization",
    "access-control-max-age": "600",
}
_MARKS = re.compile(r"[\x00-\x1f\x7f]")
_TOKEN = re.compile(r"[A-Za-z0-9._~-]+")  # in an address and a cookie as it is
_SHORTEST = 8
"""Of letters and digits: 40 years for who tries 2,000 a second, which is more than we answer. Nobody
is locked out after so many failures: behind a proxy all visitors have the same address."""
_QUIET_NS = 60 * NS
_NAME = r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]+)?"
_ORIGIN = re.compile(rf"https?://{_NAME}")


@dataclass(frozen=True, slots=True)
class Access:
    """What a request must have. Pure.

    `token`: None lets everybody in who reaches the address. `hosts`: names under which it may be
    called, without ports, so that no other site's name can be made to point here; empty: any.
    `origins`: other sites that may use it, as in ``https://example.org``; one may be that of a proxy
    before this server, so they are names of it, too.
    """

    token: str | None = None
    hosts: Collection[str] = ()
    origins: Collection[str] = ()

    @property
    def cookie(self) -> str:
        """Name of the cookie that holds the token: another for each, as ports share cookies."""
        return f"framewire_{hashlib.sha256((self.token or '').encode()).hexdigest()[:8]}"

    def __post_init__(self) -> None:
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise UsageError("a token is made of letters, digits, '.', '_', '~' and '-'")
        if self.token is not None and len(self.token) < _SHORTEST:
            raise UsageError(
                f"a token has {_SHORTEST} characters at least, or it could be guessed: leave "
                "--token out, and one is made"
            )
        for origin in self.origins:
            if not _ORIGIN.fullmatch(origin):
                raise UsageError(f"{origin!r} is no site's origin: it is as in https://example.org")

    @classmethod
    def at(cls, address: Address, token: str | None = None, origins: Collection[str] = ()) -> Self:
        """As it should be for a server that listens at `address`."""
        return cls(token, address.names, origins)

    def knows(self, host: str) -> bool:
        """Whether a Host header names this server."""
        others = map(_name_of, self.origins) if self.hosts else ()
        return is_called(host, {*self.hosts, *others})

    def trusts(self, origin: str | None, host: str) -> bool:
        """Whether a page of `origin` (None: no page, or one of ours) may ask."""
        ours = (f"http://{host}", f"https://{host}") if host else ()
        return origin is None or origin in ours or origin in self.origins

    def admits(self, offered: Iterable[str]) -> bool:
        """Whether one of the `offered` tokens is right."""
        if self.token is None:
            return True
        token = self.token.encode()
        return any(hmac.compare_digest(each.encode(), token) for each in offered)


def _name_of(origin: str) -> str:
    match = _ORIGIN.fullmatch(origin)
    return (match[1] or match[2]).lower() if match else ""


class Gate:
    """ASGI middleware that lets nobody in whom `access` does not know.

    The token may come as a cookie, as ``Authorization: Bearer`` or as ``?token=`` (for programs that
    know nothing else). A page that is opened with it gets it as a cookie, and a clean address.
    """

    def __init__(self, app: ASGIApp, access: Access, *, secure: bool) -> None:
        self._app = app
        self._access = access
        self._secure = secure
        self._wrong = 0
        self._said_ns = -_QUIET_NS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        origin = headers.get("origin")

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._protect(MutableHeaders(scope=message), origin)
            await send(message)

        refusal = self._refusal(scope, headers, origin)
        if refusal is not None:
            answer = WebSocketClose() if scope["type"] == "websocket" else refusal
            return await answer(scope, receive, send_safely)
        await self._app(scope, receive, send_safely)

    def _refusal(self, scope: Scope, headers: Headers, origin: str | None) -> Response | None:
        """What to answer in place of the page; a WebSocket is not opened then (403)."""
        if _MARKS.search(scope["path"]):  # a router may take a line's end for the path's
            return PlainTextResponse("Not Found\n", 404)
        if _has_body(headers):
            # Nobody has reason to send one: it is not read, and what comes behind it is no request.
            refusal = PlainTextResponse("requests have no body here\n", 413)
            refusal.headers["connection"] = "close"
            return refusal
        host = headers.get("host", "")
        if not self._access.knows(host):
            return PlainTextResponse(f"this server is not called {host}\n", 421)
        if not self._access.trusts(origin, host):
            return PlainTextResponse("pages of other sites may not use this server\n", 403)
        if scope.get("method") == "OPTIONS" and origin in self._access.origins:
            return Response(status_code=204, headers=_PREFLIGHT)  # browsers ask without the token
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        asked = [value for key, value in query if key == "token"]
        offered = [*asked, *_offered(scope, headers, self._access.cookie)]
        if not self._access.admits(offered):
            if offered:
                self._note_wrong_token(scope)
            return PlainTextResponse(
                "this server wants a token: open the address that `framewire web` printed\n", 401
            )
        if asked and scope["type"] == "http" and "text/html" in headers.get("accept", ""):
            # Relative: a proxy may have put the viewer below some path that we do not know.
            place = scope["raw_path"].decode("latin-1").rpartition("/")[2]
            rest = urlencode([pair for pair in query if pair[0] != "token"])
            response = RedirectResponse(f"./{place}{'?' if rest else ''}{rest}", 303)
            if self._access.token is not None:
                response.headers.append("set-cookie", self._cookie(self._access.token))
            return response
        return None

    def _note_wrong_token(self, scope: Scope) -> None:
        """Tell once a minute that somebody tries; not what."""
        self._wrong += 1
        now_ns = monotonic_ns()
        if now_ns - self._said_ns >= _QUIET_NS:
            self._said_ns = now_ns
            client = scope.get("client") or ("an unknown address",)
            _log.warning("wrong token from %s (%d wrong ones so far)", client[0], self._wrong)

    def _cookie(self, token: str) -> str:
        """Without a path: the browser takes the folder of this page, whatever stands before it.

        Not SameSite=Strict: who follows a link from elsewhere would not be known at first.
        """
        secure = "; Secure" if self._secure else ""
        name = self._access.cookie
        return f"{name}={token}; HttpOnly; SameSite=Lax; Max-Age=31536000{secure}"

    def _protect(self, headers: MutableHeaders, origin: str | None) -> None:
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        if origin is not None and origin in self._access.origins:
            headers["access-control-allow-origin"] = origin
            headers["access-control-allow-credentials"] = "true"
            headers["cross-origin-resource-policy"] = "cross-origin"
            headers.add_vary_header("Origin")


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _offered(scope: Scope, headers: Headers, name: str) -> Iterable[str]:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        yield token
    # Other servers on this host have cookies of their own, which the standard library chokes on.
    cookie = HTTPConnection(scope).cookies.get(name)
    if cookie is not None:
        yield cookie
