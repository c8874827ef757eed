"""What the fuzzer found once stays mended; and its seeds are what its targets are made for."""

from pathlib import Path

import pytest

from fuzz.table import TARGETS, load

FOUND = Path(__file__).parent / "found"
FILES = sorted(path for path in FOUND.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOUND)))
def test_what_was_found_is_mended(path: Path) -> None:
    load(path.parent.name).check(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_what_it_begins_with(name: str) -> None:
    target = load(name)
    seeds = list(target.seeds())
    assert all(len(seed) <= target.most_bytes for seed in seeds)
    taken = sum(map(target.check, seeds))
    assert taken >= len(seeds) / 4, f"{taken} of {len(seeds)}"


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_refuses_what_is_cut(name: str) -> None:
    target = load(name)
    for seed in target.seeds():
        for length in range(0, len(seed), 1 + len(seed) // 20):
            target.check(seed[:length])
