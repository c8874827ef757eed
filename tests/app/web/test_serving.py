"""From an app to a port: who is let in, what is not waited for, and how it ends."""

import http.cookies
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from starlette.responses import PlainTextResponse

from app.web.conftest import Serve
from app.web.viewing import (
    DEADLINE_S,
    TOKEN,
    TOPIC,
    Camera,
    MotionJpeg,
    Viewer,
    ask,
    ask_raw,
    closing_code,
    connection,
    deaf,
    noise,
    refused,
    see,
    stalled,
    take,
    until,
    watch,
)
from framewire.app.web.access import Access
from framewire.app.web.entrance import listen_for_viewers
from framewire.app.web.limits import LIMITS, Limits
from framewire.app.web.serving import Server
from framewire.common.errors import UsageError
from framewire.common.listening import Address

APP = PlainTextResponse("ours")


def test_connections_hold_little_in_the_kernel() -> None:
    """What waits there grows old. Linux gives twice what is asked for."""
    with listen_for_viewers(Address("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname(), DEADLINE_S):
            connected, _ = listener.accept()
        with connected:
            size = connected.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
            assert size <= 2 * LIMITS.send_buffer_bytes


# -- TLS ------------------------------------------------------------------------------------------


class Certificate(NamedTuple):
    cert: Path
    key: Path

    def trust(self) -> ssl.SSLContext:
        """For a client that believes it."""
        return ssl.create_default_context(cafile=str(self.cert))


def make_certificate(folder: Path, name: str = "server") -> Certificate:
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed (Debian: openssl)")
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ),
            *("-nodes", "-days", "2", "-subj", "/CN=framewire test"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(made.key), "-out", str(made.cert)),
        ],
        check=True,
        capture_output=True,
        timeout=DEADLINE_S,
    )
    return made


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path)


def test_over_tls(camera: Camera, serve: Serve, certificate: Certificate) -> None:
    viewer = serve(cert=certificate.cert, key=certificate.key)
    tls = certificate.trust()
    assert b"ours" in ask(viewer, "/", tls=tls).body
    own = {"Origin": f"https://{viewer.host}"}
    with watch(viewer, headers=own, tls=tls) as client, camera.streaming(draw=noise):
        numbers = [see(client) for _ in range(5)]
        assert numbers == sorted(set(numbers))
        assert ask(viewer, f"/snapshot/{TOPIC}", tls=tls).status == 200


def test_over_tls_the_cookie_is_for_tls_only(serve: Serve, certificate: Certificate) -> None:
    viewer = serve(access=Access(TOKEN), cert=certificate.cert, key=certificate.key)
    answer = ask(
        viewer, f"/?token={TOKEN}", headers={"Accept": "text/html"}, tls=certificate.trust()
    )
    cookie = http.cookies.SimpleCookie(answer.headers["Set-Cookie"])
    assert cookie[Access(TOKEN).cookie]["secure"]


def test_who_does_not_speak_tls_sees_nothing(serve: Serve, certificate: Certificate) -> None:
    viewer = serve(cert=certificate.cert, key=certificate.key)
    with socket.create_connection(("127.0.0.1", viewer.port), DEADLINE_S) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with suppress(ConnectionError):
            assert b"ours" not in client.recv(4096)
    assert ask(viewer, "/", tls=certificate.trust()).status == 200


def test_certificates_that_are_none(tmp_path: Path, certificate: Certificate) -> None:
    other = make_certificate(tmp_path, "other")
    empty, text, missing = (tmp_path / name for name in ("empty.pem", "text.pem", "missing.pem"))
    empty.write_bytes(b"")
    text.write_text("this is\nno certificate\n")
    for cert, key in (
        (missing, certificate.key),
        (certificate.cert, missing),
        (empty, certificate.key),
        (certificate.cert, empty),
        (text, text),
        (certificate.key, certificate.cert),
        (certificate.cert, other.key),
        (tmp_path, certificate.key),
    ):
        with pytest.raises(UsageError) as error:
            Server(APP, cert=cert, key=key)
        assert str(cert) in str(error.value)
        assert "\n" not in str(error.value)


def test_a_certificate_and_its_key_in_one_file(
    tmp_path: Path, serve: Serve, certificate: Certificate
) -> None:
    both = tmp_path / "both.pem"
    both.write_text(certificate.cert.read_text() + certificate.key.read_text())
    viewer = serve(cert=both, key=both)
    assert ask(viewer, "/", tls=certificate.trust()).status == 200


def test_a_key_that_wants_a_password_is_not_asked_for_one(
    tmp_path: Path, certificate: Certificate
) -> None:
    """A server that starts by itself must not wait for a person."""
    locked = tmp_path / "locked.key"
    subprocess.run(
        [
            *("openssl", "pkey", "-in", str(certificate.key), "-aes256"),
            *("-passout", "pass:secret", "-out", str(locked)),
        ],
        check=True,
        capture_output=True,
        timeout=DEADLINE_S,
    )
    with pytest.raises(UsageError) as error:
        Server(APP, cert=certificate.cert, key=locked)
    assert "\n" not in str(error.value)


# -- requests that are none -----------------------------------------------------------------------


@contextmanager
def silent(viewer: Viewer, begin: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", viewer.port), DEADLINE_S) as client:
        client.sendall(begin)
        yield client


def test_heads_that_are_too_long_are_refused(camera: Camera, viewer: Viewer) -> None:
    for request in (
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 1_000_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Many: a\r\n" * 100_000 + b"\r\n",
        b"a" * 1_000_000,
    ):
        with silent(viewer, b"") as client, suppress(ConnectionError):
            client.sendall(request)
            assert client.recv(4096).startswith(b"HTTP/1.1 4")
            while client.recv(4096):
                pass
    until(lambda: viewer.connections == 0)
    assert ask(viewer, "/").status == 200


@pytest.mark.parametrize("pieces", [1, 7])
def test_a_head_of_just_so_many_bytes(viewer: Viewer, pieces: int) -> None:
    for size, status in ((LIMITS.head_bytes, b"200"), (LIMITS.head_bytes + 1, b"400")):
        begin, end = b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ", b"\r\nConnection: close\r\n\r\n"
        head = begin + b"a" * (size - len(begin) - len(end)) + end
        with silent(viewer, b"") as client, suppress(ConnectionError):
            for at in range(0, size, -(-size // pieces)):
                client.sendall(head[at : at - (-size // pieces)])
                time.sleep(0.02)
            assert client.recv(4096)[9:12] == status
    assert ask(viewer, "/").status == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\r\n\r\n",
        b"\x00\xff\xfe\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100 + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(request_bytes: bytes, viewer: Viewer) -> None:
    with closing(socket.create_connection(("127.0.0.1", viewer.port), DEADLINE_S)) as client:
        client.sendall(request_bytes)
        client.shutdown(socket.SHUT_WR)
        answer = client.recv(65536)
        assert not answer or answer.startswith(b"HTTP/1.1 4")
    assert ask(viewer, "/").status == 200


def test_a_handshake_that_is_none(viewer: Viewer) -> None:
    head = f"GET /ws/{TOPIC} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    for rest in ("", "Sec-WebSocket-Version: 12\r\n", "Sec-WebSocket-Version: 13\r\n"):
        assert ask_raw(viewer, (head + rest + "\r\n").encode()).startswith(b"HTTP/1.1 4")
    assert viewer.viewers == 0


HASTY = Limits(head_s=0.5)
"""Heads of requests are waited for shortly, and connections looked through."""


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"G",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nslow",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nX-Slow",
    ],
    ids=["silence", "a letter", "half a head", "half a body", "a second head"],
)
def test_who_does_not_come_to_the_point_is_not_waited_for(begin: bytes, serve: Serve) -> None:
    viewer = serve(limits=HASTY)
    with silent(viewer, begin) as client:
        while client.recv(4096):
            pass
    until(lambda: viewer.connections == 0)


def test_who_sends_a_head_letter_by_letter_is_not_waited_for(serve: Serve) -> None:
    viewer = serve(limits=HASTY)
    end = time.monotonic() + DEADLINE_S
    with silent(viewer, b"GET / HTTP/1.1\r\nX-Slow: ") as client, suppress(ConnectionError):
        while time.monotonic() < end:
            client.sendall(b"a")
            time.sleep(0.02)
    assert time.monotonic() < end, "it was waited for"


def test_who_looks_may_look_as_long_as_they_like(camera: Camera, serve: Serve) -> None:
    """Also while nothing comes."""
    viewer = serve(limits=HASTY)
    with watch(viewer) as client, MotionJpeg(viewer) as stream:
        until(lambda: viewer.viewers == 2)
        time.sleep(2)  # several times what others have
        with camera.streaming():
            assert see(client) >= 0
            stream.part()


def test_who_asks_again_and_again_keeps_the_connection(serve: Serve) -> None:
    viewer = serve(limits=HASTY)
    with closing(connection(viewer.port)) as client:
        client.connect()
        kept = client.sock
        for _ in range(10):
            client.request("GET", "/page/page.js")
            assert client.getresponse().read() == b"'ours'"
            time.sleep(0.1)
        assert client.sock is kept


def test_who_stops_reading_for_good_is_let_go(camera: Camera, serve: Serve) -> None:
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        pytest.skip("no TCP_USER_TIMEOUT here")
    viewer = serve(limits=Limits(dead_s=1))
    with stalled(viewer), camera.streaming(draw=noise):
        until(lambda: viewer.viewers == 1)
        until(lambda: viewer.viewers == 0, "let go")


def test_there_is_room_for_so_many(camera: Camera, serve: Serve) -> None:
    viewer = serve(limits=Limits(connections=4))
    with camera.streaming(), ExitStack() as stack:
        for _ in range(3):
            see(stack.enter_context(watch(viewer)))
        stack.enter_context(MotionJpeg(viewer)).part()
        assert ask(viewer, "/").status == 503
        assert refused(viewer) == 503
        until(lambda: viewer.connections == 4)
    until(lambda: viewer.connections == 0)
    assert ask(viewer, "/").status == 200


def test_who_asks_takes_the_place_of_who_is_silent(camera: Camera, serve: Serve) -> None:
    viewer = serve(limits=Limits(connections=4))
    with ExitStack() as stack, camera.streaming():
        looking = stack.enter_context(watch(viewer))
        others = []
        for number in range(20):
            others.append(stack.enter_context(silent(viewer, b"GET / HTTP/1.1\r\nX-Slow")))
            until(lambda: viewer.connections == min(number + 2, 4))  # noqa: B023
        assert ask(viewer, "/").status == 200
        with watch(viewer) as client:
            see(client)
        see(looking)
        for early in others[:10]:
            with suppress(ConnectionError):
                assert early.recv(4096) == b"", "it is still there"


# -- the end --------------------------------------------------------------------------------------


def test_it_ends_while_viewers_look(camera: Camera, viewer: Viewer) -> None:
    with (
        watch(viewer) as waiting,
        watch(viewer) as looking,
        MotionJpeg(viewer) as stream,
        camera.streaming(),
    ):
        take(waiting)
        see(looking)
        stream.part()
        viewer.close()
        assert stream.ended
        for client in (waiting, looking):
            assert closing_code(client) in (1001, 1012)  # going away, or restarting


def test_it_ends_while_viewers_do_not_read(
    camera: Camera, viewer: Viewer, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        deaf(viewer),
        stalled(viewer),
        camera.streaming(draw=noise),
        watch(viewer) as looking,
    ):
        until(lambda: viewer.viewers == 3)
        for _ in range(20):
            see(looking)
        viewer.close()
    assert caplog.records == []


def test_it_ends_while_nobody_speaks(viewer: Viewer) -> None:
    with silent(viewer, b""), silent(viewer, b"GET / HTTP/1.1\r\nHost: "):
        until(lambda: viewer.connections == 2)
        viewer.close()


def test_nobody_is_let_in_when_it_ended(viewer: Viewer) -> None:
    viewer.close()
    with pytest.raises(ConnectionRefusedError):
        ask(viewer, "/")
