"""Places in a recording, as people write them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common.errors import UsageError
from framewire.common.place import Place, parse_place

NS = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("0", Place(0, False)),
        ("12.5", Place(12_500_000_000, False)),
        ("90.", Place(90 * NS, False)),
        ("1970-01-01T00:00:01.5", Place(1_500_000_000, True)),
        ("1970-01-01T01:00:00+01:00", Place(0, True)),
        ("2026-01-31T14:05:00Z", Place(1_769_868_300 * NS, True)),
        ("2026-01-31", Place(1_769_817_600 * NS, True)),
    ],
)
def test_places(text: str, place: Place) -> None:
    assert parse_place(text) == place


@pytest.mark.parametrize("text", ["", "-1", "soon", "1e3", "12:30", "2026-13-01", "nan"])
def test_no_places(text: str) -> None:
    with pytest.raises(UsageError, match="bad place"):
        parse_place(text)


@given(st.text())
def test_any_text_is_a_place_or_the_one_error(text: str) -> None:
    with suppress(UsageError):
        assert isinstance(parse_place(text), Place)
