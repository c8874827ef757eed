"""What the tests of the web viewer share: a camera, the viewer in a thread, and who looks at it."""

import asyncio
import gc
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import pytest
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from framewire.app.web.access import Access
from framewire.app.web.entrance import listen_for_viewers
from framewire.app.web.hub import Hub
from framewire.app.web.limits import LIMITS, Limits
from framewire.app.web.running import Running
from framewire.common import jpeg
from framewire.common.closing import Closing
from framewire.common.frame import Image, Packet
from framewire.common.listening import Address
from framewire.common.testchart import draw_number, read_number
from framewire.receiver import Receiver
from framewire.sender import Sender

DEADLINE_S = 20.0
WIDTH, HEIGHT = 160, 96
TOPIC = "lab/cam1"
WANTED = frozenset((b"lab/cam1/",))
"""What a sender hears of those who look at TOPIC."""
NOTHING: frozenset[bytes] = frozenset()
EVERYTHING = frozenset((b"",))
TOKEN = "right-token_42"

T = TypeVar("T")
Headers = Mapping[str, str]


def until(condition: Callable[[], object], what: str = "so") -> None:
    """Wait for a condition; fail when the deadline is over."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"in {DEADLINE_S:g} s: not {what}"
        time.sleep(0.002)


async def soon(condition: Callable[[], object], what: str = "so") -> None:
    """The same, in an event loop that goes on."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"in {DEADLINE_S:g} s: not {what}"
        await asyncio.sleep(0.002)


# -- pictures -------------------------------------------------------------------------------------


def chart(number: int) -> Image:
    """A small picture that carries its number."""
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    draw_number(image, number)
    return image


def noise(number: int) -> Image:
    """A picture of which little can be saved: some hundred kilobytes as JPEG."""
    image = np.random.default_rng(5).integers(0, 256, (480, 640, 3), np.uint8)
    draw_number(image, number)
    return image


def number_of(picture: bytes) -> int:
    number = read_number(jpeg.decode(picture))
    assert number is not None, "a picture without a number"
    return number


def packets_alive() -> int:
    return sum(type(each) is Packet for each in gc.get_objects())


# -- those who send -------------------------------------------------------------------------------


class Camera(Closing):
    """A sender in this process, and what it heard of those who listen."""

    def __init__(self, **options: Any) -> None:
        self.sender = Sender("tcp://127.0.0.1:*", **{"queue": 8, **options})
        self.url = self.sender.endpoints[0]
        self.demands: list[frozenset[bytes]] = []
        """What was wanted, after each change."""
        self.sender.on_audience = self._note

    def _note(self) -> None:
        self.demands.append(self.sender.demand)

    @property
    def demand(self) -> frozenset[bytes]:
        return self.sender.demand

    def show(self, number: int, topic: str = TOPIC, **facts: Any) -> None:
        self.sender.send(chart(number), topic=topic, metadata=facts)

    @contextmanager
    def streaming(
        self, topics: Collection[str] = (TOPIC,), *, draw: Callable[[int], Image] = chart
    ) -> Iterator[None]:
        """Send numbers, from 0 on, in a thread while the block runs."""
        stop = threading.Event()

        def run() -> None:
            number = 0
            while not stop.wait(0.005):
                for topic in topics:
                    self.sender.send(draw(number), topic=topic)
                number += 1

        thread = threading.Thread(target=run, name="streaming")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(DEADLINE_S)
            assert not thread.is_alive()

    def close(self) -> None:
        self.sender.close()


@contextmanager
def witness(camera: Camera, topic: str = TOPIC) -> Iterator[Receiver]:
    """A receiver beside the viewer that gets the same packets; subscribed already."""
    before = camera.sender.receivers
    with Receiver(camera.url, topics=topic, keep="all", timeout=DEADLINE_S) as receiver:
        until(lambda: camera.sender.receivers > before, "subscribed")
        yield receiver


# -- the viewer -----------------------------------------------------------------------------------


class Viewer(Closing):
    """Everything that `framewire web` serves, at a port that the system chose."""

    def __init__(
        self,
        *senders: str,
        access: Access | None = None,
        warm: bool = False,
        cert: Path | None = None,
        key: Path | None = None,
        recordings: Path | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        with ExitStack() as stack:
            listener = stack.enter_context(listen_for_viewers(Address("127.0.0.1", 0), limits))
            self.port: int = listener.getsockname()[1]
            self.host = f"127.0.0.1:{self.port}"
            receiver = stack.enter_context(Receiver(*senders, topics=None, keep="newest"))
            access = access or Access()
            self._running = Running(
                receiver,
                listener,
                access,
                cert=cert,
                key=key,
                warm=warm,
                recordings=recordings,
                limits=limits,
            )
            self._stack = stack.pop_all()

    @property
    def hub(self) -> Hub:
        return self._running.hub

    def ask(self, question: Callable[[Hub], T]) -> T:
        """What the hub says, asked in its own event loop."""

        async def answer() -> T:
            return question(self.hub)

        return asyncio.run_coroutine_threadsafe(answer(), self._running.loop).result(DEADLINE_S)

    @property
    def viewers(self) -> int:
        return self.ask(lambda hub: hub.viewers)

    @property
    def most_waiting_bytes(self) -> int:
        """What waits to be sent in this process, for the client for which that is the most."""
        return self.ask(
            lambda _: max(
                each.transport.get_write_buffer_size()
                for each in self._running.server.server_state.connections
            )
        )

    @property
    def connections(self) -> int:
        return self.ask(lambda _: len(self._running.server.server_state.connections))

    def lose_patience(self) -> None:
        """As when the other ends of WebSockets have answered no ping."""

        def give_up(_: Hub) -> None:
            for each in self._running.server.server_state.connections:
                if isinstance(each, WebSocketsSansIOProtocol):
                    each.keepalive_timeout()

        self.ask(give_up)

    def stop(self) -> None:
        """Ask it to end, without waiting for it."""
        threading.Thread(target=self._running.close, name="viewer").start()

    def close(self) -> None:
        """Stop, and wait for it. May be called again."""
        with self._stack:
            self._running.close()
        self._running.check()


class Served(Protocol):
    """Where those who look find it: a `Viewer`, or a process of its own."""

    @property
    def port(self) -> int: ...

    @property
    def host(self) -> str: ...


# -- those who ask by HTTP ------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        """Checked to be JSON as browsers take it, which know no NaN."""

        def refuse(name: str) -> None:
            raise AssertionError(f"{name} is not JSON")

        return json.loads(self.body, parse_constant=refuse)


def connection(port: int, tls: ssl.SSLContext | None = None) -> http.client.HTTPConnection:
    if tls is None:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=DEADLINE_S, context=tls)


def ask(
    viewer: Served,
    path: str,
    *,
    method: str = "GET",
    headers: Headers | None = None,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Ask for a path, exactly as it is written."""
    with closing(connection(viewer.port, tls)) as client:
        client.request(method, path, headers=dict(headers or {}))
        response = client.getresponse()
        return Answer(response.status, response.headers, response.read())


def ask_raw(viewer: Served, request: bytes) -> bytes:
    """Send bytes; what comes until the other side closes."""
    with socket.create_connection(("127.0.0.1", viewer.port), DEADLINE_S) as client:
        client.sendall(request)
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
        return answer


def connect_raw(viewer: Served) -> socket.socket:
    """A connection, for bytes that no client would send."""
    return socket.create_connection(("127.0.0.1", viewer.port), DEADLINE_S)


class MotionJpeg(Closing):
    """Reads `/stream/TOPIC` part by part, as far as each says that it goes."""

    def __init__(self, viewer: Served, topic: str = TOPIC, headers: Headers | None = None) -> None:
        self._client = connection(viewer.port)
        self._client.request("GET", f"/stream/{topic}", headers=dict(headers or {}))
        self._response = self._client.getresponse()
        self.status = self._response.status
        self.headers = self._response.headers
        boundary = self.headers.get_param("boundary")
        assert isinstance(boundary, str)
        self._boundary = b"--" + boundary.encode() + b"\r\n"
        assert self._response.readline() == self._boundary

    def part(self) -> tuple[http.client.HTTPMessage, bytes]:
        """A part, and the boundary behind it."""
        facts = http.client.parse_headers(self._response)
        picture = self._response.read(int(facts["Content-Length"]))
        assert self._response.readline() == b"\r\n"
        assert self._response.readline() == self._boundary
        return facts, picture

    @property
    def ended(self) -> bool:
        """Wait for the end."""
        while self._response.read(65536):
            pass
        return True

    def close(self) -> None:
        self._response.close()
        self._client.close()


def _unread(viewer: Served, request: str) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(DEADLINE_S)
    client.connect(("127.0.0.1", viewer.port))
    client.sendall(f"{request}\r\nHost: {viewer.host}\r\n".encode())
    return client


def stalled(viewer: Served, topic: str = TOPIC) -> socket.socket:
    """Somebody who asks for a stream, and reads nothing of it."""
    client = _unread(viewer, f"GET /stream/{topic} HTTP/1.1")
    client.sendall(b"\r\n")
    return client


HANDSHAKE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ACK = b"\x81\x82\0\0\0\0ok"
"""A WebSocket's text message "ok", masked with zeros (RFC 6455, 5.2)."""


def deaf(viewer: Served, topic: str = TOPIC) -> socket.socket:
    """Somebody who opens a WebSocket, and reads nothing of it."""
    client = _unread(viewer, f"GET /ws/{topic} HTTP/1.1")
    client.sendall(HANDSHAKE.encode())
    return client


# -- those who look by WebSocket ------------------------------------------------------------------


@contextmanager
def watch(
    viewer: Served,
    topic: str = TOPIC,
    *,
    path: str | None = None,
    headers: Headers | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[ClientConnection]:
    """A WebSocket for frames of a topic."""
    with connect(
        f"{'wss' if tls else 'ws'}://{viewer.host}{path or f'/ws/{topic}'}",
        additional_headers=dict(headers or {}),
        ssl=tls,
        compression=None,
        proxy=None,
        open_timeout=DEADLINE_S,
        close_timeout=DEADLINE_S,
    ) as client:
        yield client


def refused(viewer: Served, path: str = f"/ws/{TOPIC}", headers: Headers | None = None) -> int:
    """The status with which a WebSocket is refused."""
    with pytest.raises(InvalidStatus) as error, watch(viewer, path=path, headers=headers):
        pass
    return error.value.response.status_code


def closing_code(client: ClientConnection) -> int | None:
    """The code with which the server closes a WebSocket."""
    with suppress(ConnectionClosed):
        for _ in client:
            pass
    return client.close_code


def take(client: ClientConnection) -> tuple[dict[str, Any], bytes]:
    """The facts and the picture of the next frame; not acknowledged."""
    message = client.recv(DEADLINE_S)
    assert isinstance(message, bytes)
    size = int.from_bytes(message[:4])
    facts: dict[str, Any] = json.loads(message[4 : 4 + size])
    return facts, message[4 + size :]


def see(client: ClientConnection) -> int:
    """The number of the next frame, which is acknowledged."""
    number = number_of(take(client)[1])
    client.send("ok")
    return number
