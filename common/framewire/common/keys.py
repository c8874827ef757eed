"""Keys: making them, reading them from files, and which ones an end of a connection uses."""

import os
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from framewire.common.endpoint import Endpoint
from framewire.common.errors import KeyFileError, UsageError
from framewire.common.keyfile import NO_PAIR, StrPath, is_there, read_public, read_secret, write_new
from framewire.common.keytext import KeyPair, Keys, write_text
from framewire.common.transport.curve import new_pair, public_of

__all__ = ["KeyFiles", "make_keys", "open_keys", "read_own"]


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """The two files of a pair."""

    public: Path
    secret: Path


def open_keys(
    bind: Sequence[Endpoint],
    connect: Sequence[Endpoint],
    *,
    key: StrPath | None,
    allow: StrPath | None,
    server_key: StrPath | Iterable[StrPath],
) -> Keys | None:
    """What to use at these addresses, or None if no keys are given.

    `server_key` is one file for all addresses to connect to, or as many as there are, in their
    order. Raises `UsageError` for half of a configuration, `KeyFileError` for a file that is not
    what it should be.
    """
    servers = _several(server_key)
    if key is None and allow is None and not servers:
        return None
    _check_whole(bool(bind), bool(connect), key, allow, servers)
    assert key is not None
    keyed = [endpoint for endpoint in connect if endpoint.transport != "inproc"]
    if len(servers) == 1:
        servers *= len(keyed)
    if len(servers) != len(keyed):
        raise UsageError(
            f"{len(servers)} keys for {len(keyed)} addresses to connect to: name one --server-key "
            "for all, or one for each in the order of the addresses"
        )
    own = read_own(key)
    return Keys(
        own,
        None if allow is None else _folder(allow),
        {endpoint: read_public(path) for endpoint, path in zip(keyed, servers, strict=True)},
    )


def _several(server_key: StrPath | Iterable[StrPath]) -> tuple[StrPath, ...]:
    return (server_key,) if isinstance(server_key, str | os.PathLike) else tuple(server_key)


def _check_whole(
    binds: bool,
    connects: bool,
    key: StrPath | None,
    allow: StrPath | None,
    servers: Sequence[StrPath],
) -> None:
    """Refuse half of a configuration: nothing is ever sent in the open because a key is missing."""
    if key is None:
        given = "--allow" if allow is not None else "--server-key"
        raise UsageError(f"{given} needs a key of one's own, --key FILE: {NO_PAIR}")
    if binds and allow is None:
        raise UsageError(
            "--key needs --allow DIR where an address is bound: the folder with the public keys of "
            "those who may connect"
        )
    if connects and not servers:
        raise UsageError(
            "--key needs --server-key FILE where it connects: the public key of the other side"
        )
    if allow is not None and not binds:
        raise UsageError("--allow is for those who bind an address; who connects has --server-key")
    if servers and not connects:
        raise UsageError("--server-key is for those who connect; who binds an address has --allow")


def read_own(path: StrPath) -> KeyPair:
    """The pair in a secret file; refused, as ssh does, if others may read that."""
    found = read_secret(path)
    assert found.secret is not None
    public = public_of(found.secret)
    if found.public not in (None, public):
        raise KeyFileError(f"the two keys in {path} do not belong together; {NO_PAIR}")
    return KeyPair(public, found.secret)


def _folder(allow: StrPath) -> Path:
    folder = Path(allow)
    if not folder.is_dir():
        raise KeyFileError(
            f"there is no folder {folder}: --allow wants one, with the public keys of those who may "
            "connect"
        )
    if os.name == "posix" and folder.stat().st_mode & stat.S_IWOTH:
        raise KeyFileError(
            f"everybody on this machine may put keys into {folder}: run `chmod o-w {folder}`, and look "
            "at what is in it"
        )
    return folder


def make_keys(name: StrPath) -> KeyFiles:
    """Make a pair, and write it to NAME.key and NAME.key_secret; the latter for its user only.

    Raises `KeyFileError` if one of them is there already, or cannot be written.
    """
    base = Path(name)
    if not base.name or str(name).endswith((os.sep, "/")):
        raise KeyFileError(
            f"{str(name)!r} names no file: use a name, as in `framewire keygen lab-pi`"
        )
    files = KeyFiles(base.with_name(f"{base.name}.key"), base.with_name(f"{base.name}.key_secret"))
    for path in (files.secret, files.public):
        if os.path.lexists(path):
            raise is_there(path)
    public, secret = write_text(base.name, new_pair())
    write_new(files.secret, secret, 0o600)
    try:
        write_new(files.public, public, 0o644)
    except KeyFileError:
        with suppress(OSError):
            files.secret.unlink()
        raise
    return files
