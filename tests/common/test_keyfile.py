"""Key files on the disk: who may read them, and what is said of those that cannot be used."""

import os
from pathlib import Path

import pytest

from framewire.common.errors import KeyFileError
from framewire.common.keyfile import read_public, read_secret, write_new
from framewire.common.keys import make_keys


def test_a_secret_file_is_read_by_its_user(tmp_path: Path) -> None:
    files = make_keys(tmp_path / "pi")
    assert read_secret(files.secret).public == read_public(files.public)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o602, 0o601])
def test_a_secret_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    files = make_keys(tmp_path / "pi")
    files.secret.chmod(mode)
    with pytest.raises(KeyFileError, match=rf"{mode:04o}.*chmod 600"):
        read_secret(files.secret)


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="gives a file away: needs root")
def test_of_another_users_file_a_group_may_read(tmp_path: Path) -> None:
    files = make_keys(tmp_path / "pi")
    os.chown(files.secret, 65534, -1)
    files.secret.chmod(0o640)
    assert read_secret(files.secret).secret
    files.secret.chmod(0o644)
    with pytest.raises(KeyFileError, match="open to other users"):
        read_secret(files.secret)


def test_the_other_kind_of_file(tmp_path: Path) -> None:
    files = make_keys(tmp_path / "pi")
    with pytest.raises(KeyFileError, match=r"name the secret one, .*pi\.key_secret"):
        read_secret(files.public)
    with pytest.raises(KeyFileError, match=r"name the public one, .*pi\.key$"):
        read_public(files.secret)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no"),
        (b"\xff\xfe\x00", "it is not text"),
        (b'public-key = "abc"\nsecret-key = "abc"\n', "damaged"),
        (b"#" * 70_000, "too long"),
    ],
)
def test_garbage(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    path.chmod(0o600)
    for read in (read_public, read_secret):
        with pytest.raises(KeyFileError, match=says) as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_what_is_not_there_or_no_file(tmp_path: Path) -> None:
    for read in (read_public, read_secret):
        with pytest.raises(KeyFileError, match=r"there is no key file .*keygen"):
            read(tmp_path / "x")
        with pytest.raises(KeyFileError, match="cannot be read"):
            read(tmp_path)


def test_a_new_file_has_its_mode_from_the_first_byte(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_new(tmp_path / "x", "text", 0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyFileError, match="is there already"):
        write_new(tmp_path / "x", "other", 0o600)
    with pytest.raises(KeyFileError, match="cannot be written"):
        write_new(tmp_path / "no" / "x", "text", 0o600)
    assert (tmp_path / "x").read_text() == "text"
