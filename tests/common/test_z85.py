"""Z85: the example of RFC 32, both ways, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common import z85

DATA, TEXT = bytes.fromhex("864fd26fb559f75b"), "HelloWorld"


def test_the_example_of_the_rfc() -> None:
    assert z85.encode(DATA) == TEXT
    assert z85.decode(TEXT) == DATA


@given(st.binary(max_size=40).filter(lambda data: len(data) % 4 == 0))
def test_round_trip(data: bytes) -> None:
    assert z85.decode(z85.encode(data)) == data


@given(st.text(max_size=50))
def test_any_text_is_bytes_or_one_error(text: str) -> None:
    try:
        data = z85.decode(text)
    except ValueError:
        return
    assert z85.encode(data) == text


@pytest.mark.parametrize("text", ["Hell", "Hello World", "Hell,", "#####", "Hellö"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        z85.decode(text)
