"""Visitors of a website: honest ones, who measure what they get, and others."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from socket import SO_RCVBUF, SOL_SOCKET, create_connection, socket

from websockets.exceptions import ConnectionClosed

from app.web.viewing import DEADLINE_S, HANDSHAKE, ask, take, watch
from processes import until
from websites import TOPIC, Website

HEALTH_S = 1.0
"""docs/RELIABILITY.md: so soon `/healthz` answers, whatever others do."""


class Honest:
    """One who looks by WebSocket, and one who asks `/healthz` all the time, in threads."""

    def __init__(self, site: Website) -> None:
        self._site = site
        self.stop = threading.Event()
        self.frames: list[tuple[float, int, float]] = []
        """When each came, its sequence number and its age in seconds."""
        self.health_s: list[float] = []
        self.wrong: list[str] = []
        """Answers that were not "ok"."""
        self.threads = [threading.Thread(target=each) for each in (self._look, self._ask)]

    def _look(self) -> None:
        with watch(self._site, TOPIC) as client, suppress(ConnectionClosed):
            while not self.stop.is_set():
                facts, _ = take(client)
                client.send("ok")
                self.frames.append((time.monotonic(), facts["sequence"], facts["age_ms"] / 1000))

    def _ask(self) -> None:
        while not self.stop.wait(0.05):
            began = time.monotonic()
            try:
                answer = ask(self._site, "/healthz")
                if answer.status != 200:
                    self.wrong.append(f"{answer.status} {answer.text}")
            except (OSError, HTTPException) as error:
                self.wrong.append(repr(error))
            self.health_s.append(time.monotonic() - began)

    def begin(self) -> None:
        """Forget what was, as of a calm time."""
        self.frames.clear()
        self.health_s.clear()
        self.wrong.clear()


class Pair:
    """Honest visitors of a website that is attacked, and of one that only has the same machine."""

    def __init__(self, site: Website, control: Website) -> None:
        self.attacked, self.control = Honest(site), Honest(control)
        self.each = (self.attacked, self.control)

    def begin(self) -> None:
        """Forget what was, as of a calm time."""
        for one in self.each:
            one.begin()

    def check(self) -> None:
        """Since `begin`: frames went on, each newer than the last, and health was told in time.

        As far as the machine let them: the same is asked of the website that nobody attacks.
        """
        numbers = [number for _, number, _ in list(self.attacked.frames)]
        assert numbers == sorted(set(numbers)), numbers
        assert len(numbers) >= len(self.control.frames) // 4, "frames stopped"
        assert not self.attacked.wrong, self.attacked.wrong
        machine_s = max(self.control.health_s, default=0.0)
        assert max(self.attacked.health_s, default=0.0) < HEALTH_S + machine_s


@contextmanager
def honest(site: Website, control: Website) -> Iterator[Pair]:
    """They have seen something when the block begins."""
    pair = Pair(site, control)
    threads = [thread for one in pair.each for thread in one.threads]
    for thread in threads:
        thread.start()
    try:
        until(lambda: all(len(one.frames) > 10 and len(one.health_s) > 3 for one in pair.each))
        yield pair
    finally:
        for one in pair.each:
            one.stop.set()
        for thread in threads:
            thread.join(DEADLINE_S)


def connect(site: Website) -> socket:
    return create_connection(("127.0.0.1", site.port), DEADLINE_S)


def exchange(site: Website, said: bytes) -> bytes:
    """What is answered, until the other side closes or resets the connection."""
    answer = b""
    with connect(site) as client, suppress(ConnectionError):
        client.sendall(said)
        while chunk := client.recv(65536):
            answer += chunk
    return answer


def frame(opcode: int, data: bytes = b"", *, last: bool = True) -> bytes:
    """Of a WebSocket, as a browser sends it, masked with zeros (RFC 6455, 5.2)."""
    assert len(data) < 126
    return bytes((opcode | (0x80 if last else 0), 0x80 | len(data), 0, 0, 0, 0)) + data


def opening(site: Website, path: str = f"/ws/{TOPIC}") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {site.host}\r\n{HANDSHAKE}".encode()


def flood(site: Website, begin: bytes, more: bytes, seconds: float) -> int:
    """Say `more` again and again, and read nothing; come back when it was cut off. Bytes sent."""
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        with socket() as client, suppress(OSError):
            client.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
            client.settimeout(max(0.1, end - time.monotonic()))
            client.connect(("127.0.0.1", site.port))
            client.sendall(begin)
            if b"Upgrade: websocket" in begin:
                client.recv(16)
            while time.monotonic() < end:
                client.sendall(more)
                sent += len(more)
        time.sleep(0.01)
    return sent


def descriptors(site: Website) -> int:
    return len(list(Path(f"/proc/{site.command.process.pid}/fd").iterdir()))
