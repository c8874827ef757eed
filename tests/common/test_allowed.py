"""The folder of those who may connect: looked at again and again, and never a reason to let in."""

import logging
import os
import shutil
from pathlib import Path

import pytest

from framewire.common.allowed import AllowList
from framewire.common.keyfile import read_public
from framewire.common.keys import make_keys


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Pairs of pi and desk, outside the folder."""
    make_keys(tmp_path / "pi")
    make_keys(tmp_path / "desk")
    return tmp_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "allow").mkdir()
    return tmp_path / "allow"


def test_adding_lets_in_and_removing_revokes(keys: Path, folder: Path) -> None:
    pi, desk = read_public(keys / "pi.key"), read_public(keys / "desk.key")
    allowed = AllowList(folder)
    assert allowed.name_of(pi) is None
    shutil.copy(keys / "pi.key", folder / "one.key")
    shutil.copy(keys / "desk.key", folder)
    assert allowed.look() == frozenset()
    assert (allowed.name_of(pi), allowed.name_of(desk)) == ("one.key", "desk.key")
    (folder / "one.key").unlink()
    assert allowed.look() == {pi}
    assert allowed.name_of(pi) is None
    assert allowed.former_name_of(pi) == "one.key"


def test_a_key_in_two_files_is_revoked_with_the_second(keys: Path, folder: Path) -> None:
    for name in ("a.key", "b.key"):
        shutil.copy(keys / "pi.key", folder / name)
    allowed = AllowList(folder)
    (folder / "b.key").unlink()
    assert not allowed.look()
    (folder / "a.key").unlink()
    assert len(allowed.look()) == 1


def test_another_key_in_the_same_file(keys: Path, folder: Path) -> None:
    shutil.copy(keys / "pi.key", folder / "x.key")
    allowed = AllowList(folder)
    shutil.copy(keys / "desk.key", folder / "new")
    os.replace(folder / "new", folder / "x.key")
    assert allowed.look() == {read_public(keys / "pi.key")}
    assert allowed.name_of(read_public(keys / "desk.key")) == "x.key"


def test_files_of_other_names_let_nobody_in(keys: Path, folder: Path) -> None:
    shutil.copy(keys / "pi.key", folder / "pi.key.old")
    shutil.copy(keys / "desk.key_secret", folder)
    allowed = AllowList(folder)
    assert allowed.name_of(read_public(keys / "pi.key")) is None
    assert allowed.name_of(read_public(keys / "desk.key")) is None


@pytest.mark.parametrize("what", ["garbage", "secret", "folder", "dangling", "fifo"])
def test_what_is_no_key_lets_nobody_in_and_is_said_once(
    keys: Path, folder: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = folder / "x.key"
    if what == "garbage":
        path.write_bytes(b"\xff\x00")
    elif what == "secret":
        shutil.copy(keys / "desk.key_secret", path)
    elif what == "folder":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(keys / "no")
    shutil.copy(keys / "pi.key", folder)
    allowed = AllowList(folder)
    for _ in range(3):
        allowed.look()
    assert allowed.name_of(read_public(keys / "desk.key")) is None
    assert allowed.name_of(read_public(keys / "pi.key")) == "pi.key"
    assert [r.getMessage().startswith("nobody is let in by it") for r in caplog.records] == [True]


def test_a_folder_that_vanishes_revokes_all_and_may_come_back(
    keys: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pi = read_public(keys / "pi.key")
    shutil.copy(keys / "pi.key", folder)
    allowed = AllowList(folder)
    folder.rename(keys / "away")
    assert allowed.look() == {pi}
    assert not allowed.look()
    errors = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "nobody is let in until it can" in errors[0].getMessage()
    (keys / "away").rename(folder)
    allowed.look()
    assert allowed.name_of(pi) == "pi.key"
