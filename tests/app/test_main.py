"""The command line as a whole."""

import dataclasses
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cyclopts import Parameter

from framewire.app import main
from framewire.common import __version__
from framewire.common.errors import FramewireError, UsageError
from framewire.common.options import KeyOptions

HEAVY = ("cv2", "av", "zmq", "numpy", "simplejpeg", "msgspec", "prometheus_client")


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from framewire.app.main import run\n"
        "assert run(['--help']) == 0\n"
        f"print('LOADED', *(name for name in {HEAVY} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1].strip() == "LOADED"
    for command in main.COMMANDS:
        assert f" {command} " in done.stdout


@pytest.mark.parametrize("command", main.COMMANDS)
def test_each_command_explains_every_parameter(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run([command, "--help"]) == 0
    text = capsys.readouterr().out
    module, _, name = main.COMMANDS[command][0].partition(":")
    function = getattr(importlib.import_module(module), name)
    explained = set(re.findall(r"^(\w+)\n    \S", inspect.getdoc(function) or "", re.MULTILINE))
    for parameter in inspect.signature(function).parameters.values():
        notes = getattr(parameter.annotation, "__metadata__", ())
        if any(note.help for note in notes if isinstance(note, Parameter)):
            assert parameter.name not in explained, "explained twice"
            explained.add(parameter.name)
    assert explained == set(inspect.signature(function).parameters)
    for parameter in inspect.signature(function).parameters.values():
        notes = getattr(parameter.annotation, "__metadata__", ())
        named = [
            next(iter(note.name)) for note in notes if isinstance(note, Parameter) and note.name
        ]
        if named == ["*"]:  # its own fields are the options
            fields = [each.name.replace("_", "-") for each in dataclasses.fields(KeyOptions)]
            assert all(f"--{each}" in text for each in fields)
            continue
        shown = named[0] if named else f"--{parameter.name.replace('_', '-')}"
        assert parameter.name.upper() in text or shown in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "framewire", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == __version__


def test_options_come_from_the_environment_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRAMEWIRE_SEND_QUALITY", "0")
    assert main.run(["send", "pattern:"]) == 2
    assert "quality 0" in capsys.readouterr().err


def test_options_come_from_the_file_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "options.toml"
    file.write_text("[send]\nquality = 101\n")
    monkeypatch.setenv("FRAMEWIRE_CONFIG", str(file))
    assert main.run(["send", "pattern:"]) == 2
    assert "quality 101" in capsys.readouterr().err
    assert main.run(["send", "pattern:", "--quality", "102"]) == 2
    assert "quality 102" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("yours"), 2),
        (FramewireError("ours"), 1),
        (KeyboardInterrupt(), 0),
    ],
)
def test_errors_become_exit_codes(
    error: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(main, "_app", lambda: fail)
    assert main.run([]) == code
    assert capsys.readouterr().err == (f"framewire: {error}\n" if str(error) else "")


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = [sys.executable, "-m", "framewire", "info", "--json"]
    clip = Path(__file__).parents[2] / "samples" / "clips" / "yard.mkv"
    process = subprocess.Popen(
        [*command, str(clip)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    process.stdout.close()
    assert process.stderr
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 0
    assert errors == b""
