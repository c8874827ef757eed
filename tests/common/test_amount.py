"""Amounts as people write and read them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common.amount import bytes_text, duration_text, parse_bytes, parse_duration
from framewire.common.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [("300000", 300_000), ("64M", 64 << 20), ("1.5G", 3 << 29), ("2 KiB", 2048), ("1t", 1 << 40)],
)
def test_bytes(text: str, expected: int) -> None:
    assert parse_bytes(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("300ms", 0.3), ("10", 10), ("10s", 10), ("10m", 600), ("10min", 600), ("1.5h", 5400),
     ("7d", 604_800), ("2w", 1_209_600), ("10 m", 600)],
)  # fmt: skip
def test_durations(text: str, expected: float) -> None:
    assert parse_duration(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    ["", "0", "0s", "-1s", "s", "10x", "1e3", "10M", "nan", "99999999999w", "10m\n", "\u0661s"],
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="bad duration"):
        parse_duration(text)


@given(st.text(max_size=12))
def test_any_text_is_an_amount_or_an_error(text: str) -> None:
    for parse in (parse_bytes, parse_duration):
        with suppress(UsageError):
            assert parse(text) >= 0


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_499, "999 kB"), (999_500, "1.0 MB"),
     (12_345_678_901, "12.3 GB"), (98_700_000_000, "98.7 GB"), (250e9, "250 GB"), (5e15, "5000 TB")],
)  # fmt: skip
def test_bytes_for_people(amount: float, expected: str) -> None:
    assert bytes_text(amount) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-1, "0 s"), (0.9, "0 s"), (59.9, "59 s"), (60, "1 min"), (61, "1 min 1 s"),
     (12_000, "3 h 20 min"), (86_400, "1 d"), (1_051_200, "12 d 4 h")],
)  # fmt: skip
def test_durations_for_people(seconds: float, expected: str) -> None:
    assert duration_text(seconds) == expected
