"""Bad input of every kind: one clear line, the right exit code, no traceback."""

import os
import socket
from pathlib import Path

import pytest

from processes import Start

BAD_INPUT = {
    "missing file": (["send", "missing.mp4"], 1, "no such file: missing.mp4"),
    "text named .mp4": (["send", "text.mp4"], 1, "not a video"),
    "empty file": (["send", "empty.mp4"], 1, "not a video"),
    "no such camera": (["send", "camera:97"], 1, "cannot open camera 97"),
    "no camera by that name": (["send", "camera:zxcv"], 1, "no camera matches"),
    "unbracketed address": (["send", "pattern:", "--bind", "127.0.0.1:5"], 2, "tcp://127.0.0.1:5"),
    "bad endpoint": (["view", "udp://a:5"], 2, "unknown transport"),
    "bad port": (["view", "tcp://a:99999"], 2, "1 to 65535"),
    "bad topic": (["send", "pattern:", "--topic", "a b"], 2, "bad topic 'a b'"),
    "quality 0": (["send", "pattern:", "--quality", "0"], 2, "quality 0"),
    "folder without images": (["send", "folder"], 1, "no images in folder"),
    "unreachable URL": (["send", "rtsp://127.0.0.1:9/x"], 1, "cannot open rtsp://"),
    "bad size": (["send", "pattern:", "--size", "big"], 2, "WIDTHxHEIGHT"),
    "loop a camera": (["send", "camera:0", "--loop"], 2, "not possible with this camera"),
    "unknown option": (["send", "pattern:", "--nope"], 2, "--nope"),
    "unknown command": (["nope"], 2, "nope"),
    "no source": (["send"], 2, "SOURCE"),
    "exists": (["record", "--out", "there.mkv"], 1, "--overwrite"),
    "not a recording's name": (["record", "--out", "a.mp4"], 1, ".mkv"),
    "no folder to write in": (["record", "--out", "text.mp4/a.mkv"], 1, "cannot record"),
    "snapshot nowhere": (["snapshot", "--out", "nowhere/a.jpg"], 1, "cannot write"),
    "snapshot onto a folder": (["snapshot", "--out", "."], 1, "folder"),
    "replay a clip": (["replay", "text.mp4"], 1, "cannot read text.mp4"),
    "replay nothing": (["replay"], 2, "nothing to replay"),
    "info on nothing": (["info", "missing.mkv"], 1, "cannot read missing.mkv"),
    "open to everybody": (
        ["send", "pattern:", "--bind", "tcp://0.0.0.0:*"],
        2,
        "--insecure",
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "text.mp4").write_text("this is no video\n" * 100)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "there.mkv").write_text("keep me")
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_gets_one_clear_line(name: str, framewire: Start, folder: Path) -> None:
    arguments, code, words = BAD_INPUT[name]
    before = {path: path.stat().st_size for path in folder.rglob("*")}
    command = framewire(*arguments)
    assert command.wait() == code, command
    assert len(command.errors) == 1, command
    assert command.errors[0].startswith("framewire: ")
    assert words in command.errors[0]
    assert {path: path.stat().st_size for path in folder.rglob("*")} == before


def test_both_ways_out_are_named_where_anyone_could_connect(framewire: Start) -> None:
    refused = framewire("send", "pattern:", "--bind", "tcp://0.0.0.0:*")
    assert refused.wait() == 2
    assert "framewire keygen" in refused.errors[0]
    assert "--insecure" in refused.errors[0]
    allowed = framewire("send", "pattern:", "--bind", "tcp://0.0.0.0:*", "--insecure", "--json",
                        "--count", "1")  # fmt: skip
    assert allowed.endpoint().startswith("tcp://0.0.0.0:")
    assert allowed.wait() == 0


def test_a_port_in_use(framewire: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command = framewire("send", "pattern:", "--bind", f"tcp://127.0.0.1:{port}")
        assert command.wait() == 1
    assert len(command.errors) == 1
    assert "another program has that address" in command.errors[0]


def test_no_display(framewire: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if os.name != "posix":
        pytest.skip("only X11 and Wayland can be without a display")
    command = framewire("view")
    assert command.wait() == 1
    assert len(command.errors) == 1
    assert "--headless" in command.errors[0]
