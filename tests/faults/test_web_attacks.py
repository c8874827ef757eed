"""A website under attack: by those who do not read, do not end, or say too much."""

import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from socket import socket

import pytest

from app.web.test_serving import Certificate, make_certificate
from app.web.viewing import ACK, ask, deaf, stalled, until
from faults.visiting import (
    HEALTH_S,
    connect,
    descriptors,
    exchange,
    flood,
    frame,
    honest,
    opening,
)
from framewire.app.web.limits import LIMITS
from framewire.app.web.theatre import SEATS
from processes import CLIPS, Command, Start
from system.recording import Cameras
from websites import TOPIC, Website, start_sender, start_website

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="memory and descriptors are read from /proc"
)

FPS = 30
MB = 1 << 20
STALLED = 20
SLOW = 400
ATTACK_S = 6.0
GOING = 16
"""Connections that were sent away a moment ago, and are still being closed."""
FEW_DESCRIPTORS = 256
SERVED_S = 5.0
"""Where descriptors are scarce."""
TOKEN = "a-token-of-ours_42"

Attack = Callable[[], None]


def slow(site: Website, begin: bytes) -> socket:
    client = connect(site)
    client.sendall(begin)
    return client


@contextmanager
def slow_ones(site: Website) -> Iterator[None]:
    """Hundreds who never come to the end of a request, and say a byte more of it every second."""
    head = f"Host: {site.host}\r\n"
    begins = [
        b"",
        b"G",
        f"GET / HTTP/1.1\r\n{head}X-Slow: ".encode(),
        f"POST / HTTP/1.1\r\n{head}Content-Length: 1000000\r\n\r\n".encode(),
    ]
    stop = threading.Event()
    with ExitStack() as stack:
        clients = []
        for number in range(SLOW):
            with suppress(OSError):
                begin = begins[number % len(begins)]
                clients.append(stack.enter_context(slow(site, begin)))

        def drip() -> None:
            while not stop.wait(1):
                for client in clients:
                    with suppress(OSError):
                        client.sendall(b"a")

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def patient_camera() -> Cameras:
    """What is lost of it was not lost by a hiccup of the machine."""
    return Cameras({TOPIC: 1 / FPS}, width=640, height=360, queue=3 * FPS)


def test_stalled_browsers_and_slow_requests_at_once(framewire: Start) -> None:
    with patient_camera() as camera:
        site = Website(framewire, camera.endpoint)
        with honest(site, Website(framewire, camera.endpoint)) as visitors:
            calm, had = site.command.resident_bytes(), descriptors(site)
            with ExitStack() as stack:
                unread = [stack.enter_context(stalled(site)) for _ in range(STALLED // 2)]
                unread += [stack.enter_context(deaf(site)) for _ in range(STALLED // 2)]
                visitors.begin()
                stack.enter_context(slow_ones(site))
                end = time.monotonic() + ATTACK_S
                while time.monotonic() < end:
                    for client in unread[STALLED // 2 :]:
                        with suppress(OSError):
                            client.sendall(ACK)  # of what they have not read
                    assert site.command.resident_bytes() - calm < 24 * MB
                    assert descriptors(site) - had <= LIMITS.connections + GOING
                    time.sleep(0.1)
                visitors.check()
            (known,) = ask(site, "/api/streams").json["streams"]
            assert (known["lost"], known["restarts"]) == (0, 0)
            until(lambda: descriptors(site) <= had + 2)
            visitors.begin()
            time.sleep(1)
            visitors.check()
    assert site.command.errors == []


def floods(site: Website) -> dict[str, tuple[bytes, bytes]]:
    """How each begins, and what it says without end."""
    head = f"Host: {site.host}\r\n"
    opened = opening(site)
    post = f"POST / HTTP/1.1\r\n{head}"
    stream = f"GET /stream/{TOPIC} HTTP/1.1\r\n{head}"
    return {
        "acknowledgements": (opened, frame(1, b"ok") * 1000),
        "pings": (opened, frame(9, b"x" * 125) * 100),
        "parts of a message": (opened, frame(1, last=False) + frame(0, last=False) * 1000),
        "a message without end": (opened, b"\x81\xff\0\0\0\0\xff\xff\xff\xff" + b"\0" * 65536),
        "text that is none": (opened, frame(1, b"\xff") * 1000),
        "requests": (b"", f"GET /healthz HTTP/1.1\r\n{head}\r\n".encode() * 500),
        "headers": (b"GET / HTTP/1.1\r\n", b"X-Many: a\r\n" * 1000),
        "a body": (f"{post}Content-Length: 99999999999\r\n\r\n".encode(), b"x" * 65536),
        "chunks": (f"{post}Transfer-Encoding: chunked\r\n\r\n".encode(), b"1\r\nx\r\n" * 5000),
        "chunks at a stream": (
            f"{stream}Transfer-Encoding: chunked\r\n\r\n".encode(),
            b"1\r\nx\r\n" * 5000,
        ),
        "nonsense": (b"", b"nonsense\r\n\r\n"),
    }


def test_floods(framewire: Start) -> None:
    """Each for a while, one after another; honest visitors notice none."""
    sender = start_sender(framewire, f"pattern:320x240@{FPS}")
    site = Website(framewire, sender)
    seconds = 1.5
    with honest(site, Website(framewire, sender)) as visitors:
        calm, had = site.command.resident_bytes(), descriptors(site)
        for name, (begin, more) in floods(site).items():
            visitors.begin()
            flood(site, begin, more, seconds)
            try:
                visitors.check()
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from error
            assert site.command.resident_bytes() - calm < 24 * MB, name
        until(lambda: descriptors(site) <= had + 2)
    assert len(site.command.errors) <= 1, site.command
    assert "Traceback" not in repr(site.command)


def test_floods_at_a_player(framewire: Start) -> None:
    """Ten thousand commands a second, commands that are none, and seats that nobody leaves."""
    sender = start_sender(framewire, f"pattern:320x240@{FPS}")
    site = Website(framewire, sender, "--recordings", str(CLIPS))
    (first, *_) = ask(site, "/api/recordings").json["topics"]
    begin = opening(site, f"/play/{first['topic']}")
    jump = frame(1, b'{"do":"jump","turn":1,"to_ns":1769868300794000000}')
    seconds = 1.5
    with honest(site, Website(framewire, sender)) as visitors:
        for more in (
            jump * 100,
            frame(1, b'{"do":"step","turn":1,"by":-99999999999999999999}'),
            frame(1, b'{"do":"speed","turn":NaN,"speed":-1e999}'),
            frame(1, b"{" * 100),
            frame(2, b"ok"),
        ):
            visitors.begin()
            flood(site, begin, more, seconds)
            visitors.check()
        with ExitStack() as stack:
            for _ in range(2 * SEATS):
                stack.enter_context(slow(site, begin))
            visitors.begin()
            time.sleep(seconds)
            visitors.check()
    assert site.command.errors == []


def test_the_limit_of_connections_with_few_descriptors(framewire: Start, tmp_path: Path) -> None:
    """Over TLS: most of them never end their handshake."""
    certificate: Certificate = make_certificate(tmp_path)
    sender = start_sender(framewire, f"pattern:320x240@{FPS}")
    site = Website(
        framewire,
        *(sender, "--tls-cert", str(certificate.cert), "--tls-key", str(certificate.key)),
        within=lambda argv: ["prlimit", f"--nofile={FEW_DESCRIPTORS}", *argv],
    )
    tls: ssl.SSLContext = certificate.trust()
    ask(site, "/healthz", tls=tls)
    with ExitStack() as stack:
        for number in range(300):
            with suppress(OSError):
                begin = (b"", b"\x16", b"\x16\x03\x01\x02\0\x01")[number % 3]
                stack.enter_context(slow(site, begin))
        for _ in range(10):
            began = time.monotonic()
            assert ask(site, "/healthz", tls=tls).status == 200
            assert time.monotonic() - began < SERVED_S
        assert descriptors(site) < FEW_DESCRIPTORS
    assert site.command.errors == []


def test_without_any_descriptor_left(framewire: Start) -> None:
    """Another limit than we knew of, as when recordings and sockets took them all meanwhile."""
    sender = start_sender(framewire, f"pattern:320x240@{FPS}")
    site = Website(framewire, sender)
    with honest(site, Website(framewire, sender)) as visitors:
        limit = descriptors(site) + 6
        prlimit(site.command, limit)
        visitors.begin()
        with ExitStack() as stack:
            for _ in range(50):
                stack.enter_context(slow(site, b"GET / HTTP/1.1\r\nX-Slow: "))
            for _ in range(20):
                began = time.monotonic()
                assert ask(site, "/healthz").status == 200
                assert time.monotonic() - began < SERVED_S
        visitors.check()
    (line,) = site.command.errors
    assert "Too many open files; who asks for nothing has to go" in line


def prlimit(command: Command, descriptors: int) -> None:
    import resource

    resource.prlimit(command.process.pid, resource.RLIMIT_NOFILE, (descriptors, descriptors))


def head_of(site: Website, line: str, *headers: str) -> bytes:
    return "\r\n".join((line, f"Host: {site.host}", *headers, "Connection: close", "", "")).encode()


def test_requests_that_mean_harm(framewire: Start) -> None:
    site = start_website(framewire, f"pattern:320x240@{FPS}")
    ask(site, "/healthz")
    smuggled = "0\r\n\r\n" + head_of(site, "GET /healthz HTTP/1.1").decode()
    chunked, length = "Transfer-Encoding: chunked", "Content-Length: 6"
    for line, headers, status in (
        ("GET /healthz HTTP/1.0", (), 200),
        ("GET /healthz%0A HTTP/1.1", (), 404),
        ("GET /healthz%00 HTTP/1.1", (), 404),
        ("GET /page/..%2f..%2fserver.py HTTP/1.1", (), 404),
        ("GET /page/%2e%2e/server.py HTTP/1.1", (), 404),
        ("GET /%zz%ff%fe HTTP/1.1", (), 404),
        ("GET /snapshot/%ed%a0%80 HTTP/1.1", (), 404),
        ("GET /" + "a" * 4096 + " HTTP/1.1", (), 404),
        ("GET /<script>alert(1)</script> HTTP/1.1", (), 404),
        ("GET http://elsewhere.example/healthz HTTP/1.1", (), 404),
        ("CONNECT elsewhere.example:443 HTTP/1.1", (), 404),
        ("OPTIONS * HTTP/1.1", (), 404),
        ("TRACE / HTTP/1.1", (), 405),
        ("BREW / HTTP/1.1", (), 405),
        ("GET /", (), 400),
        ("PRI * HTTP/2.0", (), 404),
        ("GET / HTTP/1.1", ("Host: elsewhere.example",), 400),
        ("GET / HTTP/1.1", ("Origin: http://elsewhere.example",), 403),
        ("POST / HTTP/1.1", (length, chunked, "", smuggled), 413),
        ("GET / HTTP/1.1", (chunked, "", smuggled), 413),
        ("GET / HTTP/1.1", ("Content-Length: +6",), 400),
        ("GET / HTTP/1.1", ("Transfer-Encoding: xchunked",), 400),
        ("POST / HTTP/1.1", (length, "Expect: 100-continue"), 413),
        ("GET /page/page.js HTTP/1.1", ("Range: bytes=" + "0-," * 4000,), (200, 400, 416)),
        ("GET / HTTP/1.1", ("Upgrade: h2c", "Connection: upgrade"), 200),
        ("GET / HTTP/1.1", ("X-Long: " + "a" * LIMITS.head_bytes,), 400),
    ):
        answer = exchange(site, head_of(site, line, *headers))
        code = int(answer[9:12])
        assert code in (status if isinstance(status, tuple) else (status,)), (line, headers, answer)
        assert answer.count(b"HTTP/1.1 ") == 1, "two answers to one"
        assert b"<script>" not in answer or code == 200
    began = time.monotonic()
    assert ask(site, "/healthz").status == 200
    assert time.monotonic() - began < HEALTH_S
    assert len(site.command.errors) <= 1


def test_the_token_is_nowhere_written(framewire: Start) -> None:
    """Not where it is right, wrong, or in a request that is none."""
    sender = start_sender(framewire, f"pattern:320x240@{FPS}")
    site = Website(framewire, sender, "--verbose", "--token", TOKEN)
    guess = "guess-of-theirs_1"
    for token, status in ((TOKEN, 200), (guess, 401)):
        assert ask(site, f"/snapshot/{TOPIC}?token={token}").status == status
        bearer = {"Authorization": f"Bearer {token}"}
        answer = ask(site, "/", headers=bearer)
        assert answer.status == status
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert TOKEN not in answer.text
        exchange(site, f"GET /?token={token} HTTP/9\r\n\r\n".encode())
        exchange(site, head_of(site, f"GET /nothing?token={token} HTTP/1.1"))
        with connect(site) as client:
            client.sendall(opening(site, f"/ws/{TOPIC}?token={token}"))
            assert client.recv(12) == (b"HTTP/1.1 101" if status == 200 else b"HTTP/1.1 403")
    site.command.process.terminate()
    assert site.command.wait() == 0
    said = "".join(site.command.errors)
    assert TOKEN not in said
    assert guess not in said
    assert "wrong token from 127.0.0.1" in said
