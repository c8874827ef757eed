"""`framewire demo`: two real sender processes and the page that shows them."""

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from framewire.app import demo
from framewire.app.main import run
from framewire.common.listening import Address, listen
from processes import Command, commands

SMALL = "pattern:320x240@30"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would be opened in a browser, on a desktop."""
    urls: list[str] = []
    monkeypatch.setattr("webbrowser.open", urls.append)
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    return urls


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Command]:
    with commands(tmp_path) as start:
        yield start("demo", "--headless", "--source", SMALL, "--json")


def test_the_demo_ends_by_itself_and_sums_up(
    capsys: pytest.CaptureFixture[str], opened: list[str]
) -> None:
    assert run(["demo", "--duration", "2.5", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["event"] == "ready"
    assert opened == [lines[0]["url"]]
    figures = [line for line in lines if line["event"] == "figures"]
    assert {line["topic"] for line in figures} == {"meadow", "pattern"}
    summary = lines[-1]
    assert summary["event"] == "summary"
    assert summary["sent"] == summary["received"] + summary["lost"]
    assert summary["received"] > 20
    assert 0 < summary["age_p50_ms"] <= summary["age_p95_ms"]


def test_for_people(capsys: pytest.CaptureFixture[str], opened: list[str]) -> None:
    assert run(["demo", "--headless", "--duration", "1", "--source", SMALL]) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("two cameras are at http://127.0.0.1:")
    for words in ("frames sent", "received", "lost", "age p50", "p95"):
        assert words in last
    assert opened == []


@pytest.mark.parametrize(
    ("variables", "desktop"),
    [
        ({}, False),
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "192.0.2.1 5 192.0.2.2 22"}, False),
    ],
)
def test_what_is_a_desktop(
    variables: dict[str, str], desktop: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert demo._is_desktop() is desktop


def test_the_page_is_there_until_it_is_stopped(started: Command) -> None:
    url = started.event("ready")["url"]
    started.event("figures")
    with urllib.request.urlopen(f"{url}snapshot/pattern", timeout=20) as answer:
        assert answer.read(2) == b"\xff\xd8"
    children = Path(f"/proc/{started.process.pid}/task/{started.process.pid}/children")
    senders = [int(pid) for pid in children.read_text().split()] if children.exists() else []
    started.signal(signal.SIGINT)
    assert started.event("summary")["received"] > 0
    assert started.wait() == 0
    assert len(senders) in (0, 2)
    for pid in senders:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_another_port_where_the_usual_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with listen(Address("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(demo, "_PORT", taken.getsockname()[1])
        _, listener = demo._listen()
        with listener:
            assert listener.getsockname()[1] != taken.getsockname()[1]


def test_a_source_that_cannot_be_opened(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--headless", "--duration", "1", "--source", "missing.mp4"]) == 1
    assert "ended too early" in capsys.readouterr().err


def test_there_is_a_clip_to_show(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Path(demo.demo_source()).name == "meadow.mp4"
    monkeypatch.setattr(demo, "_CLIP", "missing.mp4")
    assert demo.demo_source().startswith("pattern:")
