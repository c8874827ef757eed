"""Questions of the ZeroMQ Authentication Protocol, and their answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common import z85
from framewire.common.errors import ProtocolError
from framewire.common.transport.zap import Question, read_question, write_answer

KEY = bytes(range(32))
PARTS = [b"1.0", b"7", b"framewire-1", b"10.0.0.7", b"", b"CURVE", KEY]


def test_a_question() -> None:
    assert read_question(PARTS) == Question(b"7", b"framewire-1", "10.0.0.7", z85.encode(KEY))


@pytest.mark.parametrize(
    "credentials", [[b"NULL"], [b"PLAIN", b"user", b"word"], [b"CURVE"], [b"CURVE", KEY[:31]]]
)
def test_who_has_shown_no_key_has_none(credentials: list[bytes]) -> None:
    assert read_question([*PARTS[:5], *credentials]).key == ""


def test_the_answers() -> None:
    question = read_question(PARTS)
    user = z85.encode(KEY).encode()
    assert write_answer(question, "allowed") == [b"1.0", b"7", b"200", b"allowed", user, b""]
    assert write_answer(question, "refused") == [b"1.0", b"7", b"400", b"refused", b"", b""]
    assert write_answer(question, "later") == [b"1.0", b"7", b"300", b"later", b"", b""]


@given(st.lists(st.binary(max_size=40), max_size=9))
def test_any_parts_are_a_question_or_the_one_error(parts: list[bytes]) -> None:
    try:
        read_question(parts)
    except ProtocolError:
        assert len(parts) < 6 or parts[0] != b"1.0"
