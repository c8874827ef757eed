"""The limits that both sides agree on."""

from dataclasses import fields, replace
from typing import Any

import pytest

from framewire.common.config import DEFAULT_ENDPOINT, DEFAULT_LIMITS, Limits
from framewire.common.endpoint import parse_endpoint
from framewire.common.errors import UsageError


def test_the_defaults_are_those_of_the_protocol() -> None:
    assert Limits(128 * 1024, 64 * 1024**2, 64 * 1024**2, 64 * 1024, 16) == DEFAULT_LIMITS


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, None])
def test_a_limit_is_above_zero(name: str, value: Any) -> None:
    with pytest.raises(
        UsageError, match=f"limit {name} must be a whole number above 0, not {value}"
    ):
        replace(DEFAULT_LIMITS, **{name: value})
    assert getattr(replace(DEFAULT_LIMITS, **{name: 1}), name) == 1


def test_the_default_endpoint_is_this_machine_below_the_ephemeral_ports() -> None:
    endpoint = parse_endpoint(DEFAULT_ENDPOINT, bind=True)
    assert endpoint.local
    assert int(endpoint.address.rpartition(":")[2]) < 32768
