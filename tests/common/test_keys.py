"""Which keys an end uses: whole configurations, halves of them, and making pairs."""

import os
from pathlib import Path
from typing import Any

import pytest

from framewire.common.endpoint import Endpoint, parse_endpoint
from framewire.common.errors import KeyFileError, UsageError
from framewire.common.keyfile import read_public
from framewire.common.keys import make_keys, open_keys, read_own
from framewire.common.keytext import KeyPair, Keys, write_text
from framewire.common.transport.curve import new_pair

HERE = parse_endpoint("tcp://127.0.0.1:5555", bind=True)
FAR, FARTHER, INSIDE = (
    parse_endpoint(text, bind=False) for text in ("tcp://a:1", "ipc:///b", "inproc://c")
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With keys of pi and desk, and a folder `allow`."""
    monkeypatch.chdir(tmp_path)
    make_keys("pi")
    make_keys("desk")
    (tmp_path / "allow").mkdir()
    return tmp_path


def opened(
    bind: list[Endpoint],
    connect: list[Endpoint],
    key: Any = None,
    allow: Any = None,
    server: Any = (),
) -> Keys | None:
    return open_keys(bind, connect, key=key, allow=allow, server_key=server)


def test_no_keys(folder: Path) -> None:
    assert opened([HERE], [FAR]) is None


def test_who_binds(folder: Path) -> None:
    keys = opened([HERE], [], "pi.key_secret", "allow")
    assert keys is not None
    assert keys.own == read_own("pi.key_secret")
    assert keys.allow == Path("allow")


def test_who_connects_has_one_key_for_all_or_one_for_each(folder: Path) -> None:
    pi, desk = read_public("pi.key"), read_public("desk.key")
    one = opened([], [FAR, INSIDE, FARTHER], "pi.key_secret", None, "desk.key")
    assert one is not None
    assert one.servers == {FAR: desk, FARTHER: desk}
    each = opened([], [FAR, INSIDE, FARTHER], "pi.key_secret", None, ["desk.key", Path("pi.key")])
    assert each is not None
    assert each.servers == {FAR: desk, FARTHER: pi}
    with pytest.raises(UsageError, match="3 keys for 2 addresses"):
        opened([], [FAR, FARTHER], "pi.key_secret", None, ["desk.key"] * 3)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (([HERE], [], "pi.key_secret"), "--key needs --allow"),
        (([HERE], [], None, "allow"), "--allow needs a key"),
        (([], [FAR], "pi.key_secret"), "--key needs --server-key"),
        (([], [FAR], None, None, "desk.key"), "--server-key needs a key"),
        (([HERE], [FAR], "pi.key_secret", "allow"), "--key needs --server-key"),
        (([], [FAR], "pi.key_secret", "allow", "desk.key"), "--allow is for those who bind"),
        (
            ([HERE], [], "pi.key_secret", "allow", "desk.key"),
            "--server-key is for those who connect",
        ),
    ],
)
def test_half_a_configuration_is_none(folder: Path, options: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        opened(*options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (([HERE], [], "no.key_secret", "allow"), "there is no key file no.key_secret"),
        (([HERE], [], "", "allow"), "cannot be read"),
        (([HERE], [], "pi.key_secret", "no"), "there is no folder no"),
        (([HERE], [], "pi.key_secret", "pi.key"), "there is no folder pi.key"),
        (([], [FAR], "pi.key_secret", None, "no.key"), "there is no key file no.key"),
        (([], [FAR], "pi.key_secret", None, "desk.key_secret"), "name the public one, desk.key"),
    ],
)
def test_files_that_are_not_what_they_should_be(folder: Path, options: Any, says: str) -> None:
    with pytest.raises(KeyFileError, match=says):
        opened(*options)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_a_folder_that_everybody_may_change_is_refused(folder: Path) -> None:
    (folder / "allow").chmod(0o777)
    with pytest.raises(KeyFileError, match="chmod o-w allow"):
        opened([HERE], [], "pi.key_secret", "allow")
    (folder / "allow").chmod(0o775)
    assert opened([HERE], [], "pi.key_secret", "allow")


def test_two_keys_that_do_not_belong_together(folder: Path) -> None:
    _, text = write_text("x", KeyPair(new_pair().public, new_pair().secret))
    Path("x").write_text(text)
    Path("x").chmod(0o600)
    with pytest.raises(KeyFileError, match="do not belong together"):
        read_own("x")


def test_a_pair_is_made_once(folder: Path) -> None:
    before = Path("pi.key_secret").read_bytes()
    with pytest.raises(KeyFileError, match=r"pi\.key_secret is there already"):
        make_keys("pi")
    Path("pi.key_secret").rename("kept")
    with pytest.raises(KeyFileError, match=r"pi\.key is there already"):
        make_keys("pi")
    assert not Path("pi.key_secret").exists()
    assert Path("kept").read_bytes() == before


def test_names_of_pairs(folder: Path) -> None:
    files = make_keys("sub.domain.org")
    assert (str(files.public), str(files.secret)) == (
        "sub.domain.org.key",
        "sub.domain.org.key_secret",
    )
    for name in ("", "/", "allow/"):
        with pytest.raises(KeyFileError, match="names no file"):
            make_keys(name)
    with pytest.raises(KeyFileError, match="cannot be written"):
        make_keys("nowhere/pi")


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_modes_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0)
    try:
        files = make_keys("open")
    finally:
        os.umask(before)
    assert files.secret.stat().st_mode & 0o777 == 0o600
    assert files.public.stat().st_mode & 0o777 == 0o644


def test_pyzmq_reads_them(folder: Path) -> None:
    certs = pytest.importorskip("zmq.auth")
    public, secret = certs.load_certificate("pi.key_secret")
    assert (public.decode(), secret.decode()) == (
        read_own("pi.key_secret").public,
        read_own("pi.key_secret").secret,
    )
    assert certs.load_certificate("pi.key") == (public, None)
