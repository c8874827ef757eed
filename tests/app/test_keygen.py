"""`framewire keygen`: what it writes and says, and that it replaces nothing."""

import json
from pathlib import Path

import pytest

from framewire.app.main import run
from framewire.common.keyfile import read_public
from framewire.common.keys import read_own


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_pair_and_what_to_do_with_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keygen", "lab-pi"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("lab-pi.key_secret ")
    assert "\nlab-pi.key " in out
    assert "--key lab-pi.key_secret --allow FOLDER" in out
    own = read_own("lab-pi.key_secret")
    assert own.public == read_public("lab-pi.key")
    assert own.secret not in out


def test_for_machines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "keys").mkdir()
    assert run(["keygen", "keys/pi", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"event": "keys", "public": "keys/pi.key", "secret": "keys/pi.key_secret"}


def test_what_is_there_stays(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keygen", "pi"]) == 0
    before = (folder / "pi.key_secret").read_bytes()
    capsys.readouterr()
    assert run(["keygen", "pi"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("framewire: pi.key_secret is there already")
    assert error.count("\n") == 1
    assert (folder / "pi.key_secret").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("keygen", 2, "requires an argument"),
        ("keygen no/pi", 1, "cannot be written"),
        ("send pattern:320x240@30 --key pi.key_secret", 2, "--key needs --allow"),
        ("replay x.mkv --allow .", 1, ""),
        ("view --server-key pi.key", 2, "--server-key needs a key"),
        ("stats --once --key pi.key_secret", 2, "--key needs --server-key"),
        ("view --key no --server-key no", 1, "there is no key file"),
        ("snapshot --out x.jpg --key pi.key --server-key pi.key", 1, "name the secret one"),
        ("record --out x.mkv --key pi.key_secret --server-key pi.key_secret", 1, "the public one"),
        ("web --listen 127.0.0.1:0 --key pi.key_secret --allow .", 2, "--key needs --server-key"),
        (
            "relay --from tcp://127.0.0.1:1 --key pi.key_secret --server-key pi.key",
            2,
            "--key needs --allow",
        ),
        (
            "relay --from tcp://127.0.0.1:1 --key pi.key_secret --allow . --server-key pi.key "
            + "--server-key pi.key",
            2,
            "2 keys for 1 addresses",
        ),
    ],
)
def test_half_a_configuration_is_one_line(
    words: str, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["keygen", "pi"])
    capsys.readouterr()
    assert run(words.split()) == code
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
