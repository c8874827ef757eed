"""The text of key files: round trips, pyzmq's format, damage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common import z85
from framewire.common.errors import KeyFileError
from framewire.common.keytext import KeyPair, KeyText, key_fault, read_text, write_text

PUBLIC, SECRET = z85.encode(bytes(range(32))), z85.encode(bytes(range(32, 64)))
keys = st.binary(min_size=32, max_size=32).map(z85.encode)


@given(keys, keys, st.text(max_size=20))
def test_round_trip(public: str, secret: str, name: str) -> None:
    files = write_text(name, KeyPair(public, secret))
    assert read_text(files[0]) == KeyText(public, None)
    assert read_text(files[1]) == KeyText(public, secret)


def test_a_file_of_pyzmq() -> None:
    text = f'# by pyzmq\n\nmetadata\n    a = b\ncurve\n    public-key = "{PUBLIC}"\n'
    assert read_text(text) == KeyText(PUBLIC, None)
    assert read_text(f"{text}    secret-key = '{SECRET}'\n") == KeyText(PUBLIC, SECRET)


def test_a_comment_holds_no_key() -> None:
    assert read_text(f'# public-key = "{PUBLIC}"\n') == KeyText(None, None)


@pytest.mark.parametrize(
    "key", [PUBLIC[:-1], f"{PUBLIC}0", f"{PUBLIC[:-1]},", f"{PUBLIC[:-5]}#####", ""]
)
def test_a_damaged_key_is_refused(key: str) -> None:
    assert key_fault(key)
    with pytest.raises(KeyFileError, match="its public key is damaged"):
        read_text(f'public-key = "{key}"')


@given(st.text())
def test_any_text_gives_keys_or_the_one_error(text: str) -> None:
    try:
        found = read_text(text)
    except KeyFileError:
        return
    assert all(key is None or not key_fault(key) for key in (found.public, found.secret))


def test_a_secret_key_is_not_printed() -> None:
    assert SECRET not in repr(KeyPair(PUBLIC, SECRET))
    assert SECRET not in repr(KeyText(PUBLIC, SECRET))
