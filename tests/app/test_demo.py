"""`framewire demo`: a real sender process and a real receiver."""

import json
from pathlib import Path

import pytest

from framewire.app import demo
from framewire.app.main import run


def test_the_demo_ends_by_itself_and_sums_up(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert run(["demo", "--duration", "2", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["topic"] == "meadow"
    summary = lines[-1]
    assert summary["event"] == "summary"
    assert summary["sent"] == summary["received"] + summary["lost"]
    assert summary["received"] > 10
    assert 0 < summary["age_p50_ms"] <= summary["age_p95_ms"]


def test_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    source = "pattern:320x240@30"
    assert run(["demo", "--headless", "--duration", "1", "--source", source]) == 0
    out = capsys.readouterr().out
    for words in ("frames sent", "received", "lost", "age p50", "p95"):
        assert words in out


def test_a_source_that_cannot_be_opened(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--headless", "--duration", "1", "--source", "missing.mp4"]) == 1
    assert "ended too early" in capsys.readouterr().err


def test_there_is_a_clip_to_show(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Path(demo.demo_source()).name == "meadow.mp4"
    monkeypatch.setattr(demo, "_CLIP", "missing.mp4")
    assert demo.demo_source().startswith("pattern:")
