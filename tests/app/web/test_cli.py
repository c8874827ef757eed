"""`framewire web` as a process of its own: what it says, whom it lets in, how it ends."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from socket import gethostname
from types import SimpleNamespace
from typing import Protocol, cast
from urllib.parse import parse_qs, urlsplit

import pytest

from app.web.test_serving import make_certificate
from app.web.viewing import (
    EVERYTHING,
    NOTHING,
    TOKEN,
    TOPIC,
    WANTED,
    Camera,
    MotionJpeg,
    Viewer,
    ask,
    closing_code,
    noise,
    see,
    stalled,
    until,
    watch,
)
from framewire.app.web.access import Access
from framewire.app.web.cli import url_of
from framewire.common.listening import Address, listen
from processes import DEADLINE_S, Command, commands

LOCAL = Address("127.0.0.1", 0)


def argv(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "framewire", "web", *arguments]


class Web(Protocol):
    """Starts `framewire web ARGUMENTS`; it is ended with the test."""

    def __call__(self, *arguments: str) -> Command: ...


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    with commands(tmp_path) as start:
        yield lambda *arguments: start("web", *arguments)


def at(url: str) -> Viewer:
    """What requests need to know of a viewer elsewhere."""
    parts = urlsplit(url)
    return cast(Viewer, SimpleNamespace(port=parts.port, host=f"127.0.0.1:{parts.port}"))


def errors(command: Command) -> str:
    return "".join(command.errors)


def test_it_says_where_it_is(web: Web, camera: Camera) -> None:
    command = web(camera.url, "--listen", "127.0.0.1:0", "--json")
    ready = command.event("ready")
    assert set(ready) == {"event", "url"}
    parts = urlsplit(ready["url"])
    assert (parts.scheme, parts.hostname, parts.path, parts.query) == ("http", "127.0.0.1", "/", "")
    viewer = at(ready["url"])
    assert ask(viewer, "/").status == 200
    assert ask(viewer, "/", headers={"Host": "evil.example"}).status == 421
    assert camera.demand == NOTHING
    with camera.streaming():
        assert ask(viewer, f"/snapshot/{TOPIC}").status == 200
        with watch(viewer) as client:
            see(client)
    command.signal(signal.SIGTERM)
    assert command.wait() == 0
    assert errors(command) == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_while_viewers_look(
    number: signal.Signals, web: Web, camera: Camera
) -> None:
    command = web(camera.url, "--listen", "127.0.0.1:0", "--json")
    viewer = at(command.event("ready")["url"])
    with (
        watch(viewer) as client,
        MotionJpeg(viewer) as stream,
        stalled(viewer),
        camera.streaming(draw=noise),
    ):
        for _ in range(10):
            see(client)
        stream.part()
        command.signal(number)
        assert command.wait() == 0
        assert errors(command) == ""
        assert closing_code(client) in (1001, 1012)


def test_it_ends_when_the_time_is_over(web: Web, camera: Camera) -> None:
    command = web(camera.url, "--listen", "127.0.0.1:0", "--duration", "0.5", "--json")
    command.event("ready")
    assert command.wait() == 0
    assert errors(command) == ""


def test_for_people(camera: Camera) -> None:
    done = subprocess.run(
        argv(camera.url, "--listen", "127.0.0.1:0", "--duration", "0.5"),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert done.stdout.startswith("cameras are at http://127.0.0.1:")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_elsewhere_a_token_is_needed(web: Web, camera: Camera) -> None:
    commands = [web(camera.url, "--listen", "0.0.0.0:0", "--json") for _ in range(2)]
    urls = [urlsplit(command.event("ready")["url"]) for command in commands]
    tokens = [parse_qs(url.query)["token"][0] for url in urls]
    assert urls[0].hostname == gethostname().lower()
    assert tokens[0] != tokens[1]
    assert min(map(len, tokens)) >= 20
    viewer = at(urls[0].geturl())
    with camera.streaming():
        assert ask(viewer, f"/snapshot/{TOPIC}").status == 401
        assert ask(viewer, f"/snapshot/{TOPIC}?token={tokens[1]}").status == 401
        assert ask(viewer, f"/snapshot/{TOPIC}?token={tokens[0]}").status == 200
        known = {"Authorization": f"Bearer {tokens[0]}", "Host": "any.example"}
        assert ask(viewer, f"/snapshot/{TOPIC}", headers=known).status == 200
    for command in commands:
        command.signal(signal.SIGTERM)
        assert command.wait() == 0


def test_a_token_of_ones_own(web: Web, camera: Camera) -> None:
    command = web(camera.url, "--listen", "127.0.0.1:0", "--token", TOKEN, "--json")
    url = command.event("ready")["url"]
    assert url.endswith(f"/?token={TOKEN}")
    assert ask(at(url), "/").status == 401
    assert ask(at(url), f"/?token={TOKEN}").status == 200


@pytest.mark.parametrize("token", ["", "a;b", "ä"])
def test_tokens_that_an_address_or_a_cookie_cannot_hold(token: str, web: Web) -> None:
    command = web("--listen", "127.0.0.1:0", "--token", token)
    assert command.wait() == 2
    assert errors(command).startswith("framewire: ")
    assert "token" in errors(command)
    assert errors(command).count("\n") == 1


def test_a_friend_may_ask(web: Web, camera: Camera) -> None:
    friend = "https://friend.example"
    command = web(camera.url, "--listen", "127.0.0.1:0", "--allow-origin", friend, "--json")
    viewer = at(command.event("ready")["url"])
    answer = ask(viewer, "/api/streams", headers={"Origin": friend})
    assert answer.headers["Access-Control-Allow-Origin"] == friend
    assert ask(viewer, "/api/streams", headers={"Origin": "https://other.example"}).status == 403


@pytest.mark.parametrize("origin", ["friend.example", "https://friend.example/"])
def test_origins_that_are_none(origin: str, web: Web) -> None:
    command = web("--listen", "127.0.0.1:0", "--allow-origin", origin)
    assert command.wait() == 2
    assert "https://example.org" in errors(command)
    assert errors(command).count("\n") == 1


def test_kept_warm_all_is_taken_before_anybody_looks(web: Web, camera: Camera) -> None:
    command = web(camera.url, "--listen", "127.0.0.1:0", "--keep-warm", "--json")
    viewer = at(command.event("ready")["url"])
    until(lambda: camera.demand == EVERYTHING)
    camera.show(1)
    assert ask(viewer, f"/snapshot/{TOPIC}").status == 200


def test_it_takes_from_several_senders(web: Web, camera: Camera) -> None:
    with Camera() as other:
        command = web(camera.url, other.url, "--listen", "127.0.0.1:0", "--json")
        viewer = at(command.event("ready")["url"])
        with watch(viewer) as first, watch(viewer, "yard") as second:
            until(lambda: camera.demand == {*WANTED, b"yard/"} == other.demand)
            camera.show(1)
            other.show(2, "yard")
            assert (see(first), see(second)) == (1, 2)


def test_over_tls(web: Web, camera: Camera, tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    command = web(
        *(
            camera.url,
            "--listen",
            "127.0.0.1:0",
            "--tls-cert",
            str(made.cert),
            "--tls-key",
            str(made.key),
        ),
        "--json",
    )
    url = command.event("ready")["url"]
    assert url.startswith("https://127.0.0.1:")
    viewer = at(url)
    assert ask(viewer, "/", tls=made.trust()).status == 200
    with watch(viewer, tls=made.trust()) as client, camera.streaming():
        see(client)
        command.signal(signal.SIGTERM)
        assert command.wait() == 0
    assert errors(command) == ""


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--tls-cert", "a.pem"], 2, "--tls-key"),
        (["--tls-key", "a.key"], 2, "--tls-cert"),
        (["--tls-cert", "missing.pem", "--tls-key", "missing.key"], 2, "missing.pem"),
        (["--listen", "127.0.0.1:65536"], 2, "HOST:PORT"),
        (["--listen", "8080"], 2, "HOST:PORT"),
        (["--listen", "127.0.0.1:http"], 2, "HOST:PORT"),
        (["nonsense"], 2, "nonsense"),
        (["--bind", "tcp://0.0.0.0:5555"], 2, "--insecure"),
        (["--listen", "192.0.2.1:0"], 1, "not one of this machine's"),
        (["--listen", "no such host:0"], 2, "no such host"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(
    arguments: list[str], code: int, words: str, web: Web
) -> None:
    where = [] if "--listen" in arguments else ["--listen", "127.0.0.1:0"]
    command = web(*arguments, *where, "--json")
    assert command.wait() == code
    assert errors(command).startswith("framewire: ")
    assert words in errors(command)
    assert errors(command).count("\n") == 1


def test_a_port_in_use(web: Web, camera: Camera) -> None:
    with listen(LOCAL) as listener:
        command = web(camera.url, "--listen", f"127.0.0.1:{listener.getsockname()[1]}")
        assert command.wait() == 1
    assert "another program has that port" in errors(command)
    assert errors(command).count("\n") == 1


def test_no_secret_is_logged(web: Web, camera: Camera) -> None:
    command = web(camera.url, "--listen", "127.0.0.1:0", "--token", TOKEN, "--verbose", "--json")
    viewer = at(command.event("ready")["url"])
    known = {"Authorization": f"Bearer {TOKEN}", "Cookie": f"{Access(TOKEN).cookie}={TOKEN}"}
    assert ask(viewer, f"/?token={TOKEN}", headers=known).status == 200
    with camera.streaming(), watch(viewer, f"{TOPIC}?token={TOKEN}", headers=known) as client:
        see(client)
    command.signal(signal.SIGTERM)
    assert command.wait() == 0
    assert TOKEN not in errors(command)


def test_addresses() -> None:
    with listen(LOCAL) as listener:
        port = listener.getsockname()[1]
        assert url_of(LOCAL, listener, None, tls=False) == f"http://127.0.0.1:{port}/"
        assert url_of(LOCAL, listener, "abc", tls=True) == f"https://127.0.0.1:{port}/?token=abc"
        six = Address("::1", 0)
        assert url_of(six, listener, None, tls=False) == f"http://[::1]:{port}/"
        everywhere = Address("0.0.0.0", 0)
        assert url_of(everywhere, listener, None, tls=False).startswith(f"http://{gethostname()}:")


def test_recordings_are_shown_beside_the_cameras(web: Web, tmp_path: Path) -> None:
    command = web("--recordings", str(tmp_path), "--listen", "127.0.0.1:0", "--json")
    viewer = at(command.url())
    assert ask(viewer, "/api/recordings").json["topics"] == []
    assert ask(viewer, "/").status == ask(viewer, "/recordings").status == 200


@pytest.mark.parametrize("name", ["none", "file"])
def test_recordings_want_a_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    done = subprocess.run(
        argv("--recordings", str(tmp_path / name)),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"framewire: there is no folder {tmp_path / name}: --recordings wants one\n"
    )
