"""What a recorder can be asked for."""

from typing import Any

import pytest

from framewire.common.clock import NS
from framewire.common.errors import UsageError
from framewire.receiver.sinks.plan import Plan


def test_nothing_is_asked_for_by_default() -> None:
    assert (Plan().segment_ns, Plan().keep_ns, Plan().pre_s) == (None, None, None)
    assert set(Plan().of_folder.values()) == {None}


def test_times_in_nanoseconds() -> None:
    plan = Plan(segment_s=600, keep_s=0.5)
    assert (plan.segment_ns, plan.keep_ns) == (600 * NS, NS // 2)


@pytest.mark.parametrize(
    "options",
    [{"segment_s": 0}, {"segment_s": 0.5}, {"keep_s": -1}, {"max_bytes": 0}, {"pre_s": -1},
     {"pre_s": 1e9}, {"post_s": -1}, {"keep_s": float("nan")}],
)  # fmt: skip
def test_what_cannot_be(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Plan(**options)
