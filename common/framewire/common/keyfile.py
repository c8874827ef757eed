"""Files with keys on the disk: who may read them, and what is said of those that cannot be used."""

import os
import stat
from pathlib import Path

from framewire.common.errors import KeyFileError
from framewire.common.keytext import KeyText, read_text

__all__ = ["NO_PAIR", "StrPath", "is_there", "read_public", "read_secret", "write_new"]

StrPath = str | os.PathLike[str]

NO_PAIR = "make a pair with `framewire keygen NAME`"
"""What to do about a key that is not there."""

_MOST_BYTES = 64 * 1024
"""Of a file of keys; what is longer is none."""


def read_secret(path: StrPath) -> KeyText:
    """What is in a secret file; refused, as ssh does, if others may read that."""
    found, facts = _read(Path(path))
    if found.secret is None:
        more = f": name the secret one, {path}_secret" if str(path).endswith(".key") else ""
        raise KeyFileError(f"{path} holds no secret key{more or f'; {NO_PAIR}'}")
    _check_private(Path(path), facts)
    return found


def read_public(path: StrPath) -> str:
    """The key in a public file; a secret file is refused: it is not meant to leave its machine."""
    found, _ = _read(Path(path))
    if found.secret is not None:
        other = str(path).removesuffix("_secret")
        more = f": name the public one, {other}" if other != str(path) else ""
        raise KeyFileError(f"{path} is a secret key where a public one is wanted{more}")
    if found.public is None:
        raise KeyFileError(f"{path} holds no key; {NO_PAIR}")
    return found.public


def _read(path: Path) -> tuple[KeyText, os.stat_result]:
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise KeyFileError(f"there is no key file {path}: {NO_PAIR}") from None
    except OSError as error:
        raise KeyFileError(f"the key file {path} cannot be read: {error.strerror}") from None
    if len(data) > _MOST_BYTES:
        raise KeyFileError(f"{path} is no key file: it is too long")
    try:
        return read_text(data.decode()), facts
    except UnicodeDecodeError:
        raise KeyFileError(f"{path} is no key file: it is not text") from None
    except KeyFileError as error:
        raise KeyFileError(f"{path} holds no usable key: {error}") from None


def _check_private(path: Path, facts: os.stat_result) -> None:
    """Its user only, may read it. Of another's file (a group's, by its owner's will) all but all."""
    if os.name != "posix" or not stat.S_ISREG(facts.st_mode):
        return
    others = 0o077 if facts.st_uid == os.getuid() else 0o007
    if facts.st_mode & others:
        raise KeyFileError(
            f"the secret key {path} is open to other users (mode {facts.st_mode & 0o777:04o}): "
            f"run `chmod 600 {path}`, or make a new pair if somebody may have read it"
        )


def is_there(path: Path) -> KeyFileError:
    """That something lies where a key is to be written."""
    return KeyFileError(
        f"{path} is there already, and keys are never replaced: choose another name, or remove it "
        "if nobody uses it any more"
    )


def write_new(path: Path, text: str, mode: int) -> None:
    """Write a new file, with that mode from its first byte on."""
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(text.encode())
    except FileExistsError:
        raise is_there(path) from None
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}") from None
