"""How many descriptors this process may have."""

import resource

import pytest

from framewire.common.descriptors import most_descriptors


def test_the_soft_limit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert most_descriptors() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    assert most_descriptors() == 256


def test_no_limit_is_a_great_many(monkeypatch: pytest.MonkeyPatch) -> None:
    none = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda _: (none, none))
    assert most_descriptors() > 100_000
