"""What the fuzzer found once stays mended; and its seeds are what its targets are made for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fuzz.table import TARGETS, load
from fuzz.target import Target

FOUND = Path(__file__).parent / "found"
FILES = sorted(path for path in FOUND.rglob("*") if path.is_file())


@contextmanager
def target_of(name: str) -> Iterator[Target]:
    target = load(name)
    try:
        yield target
    finally:
        target.close()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOUND)))
def test_what_was_found_is_mended(path: Path) -> None:
    with target_of(path.parent.name) as target:
        target.check(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_what_it_begins_with(name: str) -> None:
    with target_of(name) as target:
        seeds = list(target.seeds())
        assert all(len(seed) <= target.most_bytes for seed in seeds)
        taken = sum(map(target.check, seeds))
        assert taken >= len(seeds) / 4, f"{taken} of {len(seeds)}"


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_refuses_what_is_cut(name: str) -> None:
    with target_of(name) as target:
        for seed in target.seeds():
            for length in range(0, len(seed), 1 + len(seed) // 20):
                target.check(seed[:length])
