"""What each process takes of the machine, over its lives, and whether that grows."""

from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median

from faults.observing import resident_bytes, threads

__all__ = ["Growth", "Sample", "growth", "measure", "waits"]

WARM_UP_S = 30.0
"""What a process loads and fills at first: modules, queues, a history, the heap's arenas."""
JUDGED_S = 150.0
"""A life is judged that lasted so long."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Of one process, so long after it began."""

    age_s: float
    resident_mb: float
    descriptors: int
    """Besides recordings: the web viewer keeps open what it showed last, and more of them as there are
    more, up to 32 (`framewire.app.web.loans`)."""
    threads: int


@dataclass(frozen=True, slots=True)
class Growth:
    """How a life's figures went after its warm-up: medians of its first and its last third."""

    first_mb: float
    last_mb: float
    slope_mb_per_min: float
    """Median of the slopes between all pairs of samples (Theil-Sen): one peak moves it little."""
    descriptors: tuple[int, int]
    threads: tuple[int, int]
    judged: bool


def measure(pid: int, age_s: float) -> Sample | None:
    """None for a process that has gone."""
    try:
        return Sample(age_s, resident_bytes(pid) / 1e6, _descriptors(pid), threads(pid))
    except (FileNotFoundError, ProcessLookupError):
        return None


def _descriptors(pid: int) -> int:
    counted = 0
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            counted += each.readlink().suffix != ".mkv"
    return counted


def waits(pid: int) -> dict[int, float]:
    """How long each of its threads has waited for a processor so far, in seconds; by thread."""
    waited = {}
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):
            waited[int(task.parent.name)] = int(task.read_text().split()[1]) / 1e9
    return waited


def growth(samples: list[Sample]) -> Growth | None:
    """Of one life; None if it ended before it was warm."""
    warm = [sample for sample in samples if sample.age_s >= WARM_UP_S]
    if len(warm) < 3:
        return None
    third = max(1, len(warm) // 3)
    first, last = warm[:third], warm[-third:]
    thinned = warm[:: max(1, len(warm) // 60)]
    slopes = [
        (b.resident_mb - a.resident_mb) / (b.age_s - a.age_s) * 60
        for a, b in combinations(thinned, 2)
    ]
    return Growth(
        median(each.resident_mb for each in first),
        median(each.resident_mb for each in last),
        median(slopes),
        (_middle(first, "descriptors"), _middle(last, "descriptors")),
        (_middle(first, "threads"), _middle(last, "threads")),
        judged=warm[-1].age_s >= JUDGED_S,
    )


def _middle(samples: list[Sample], what: str) -> int:
    values: list[int] = [getattr(sample, what) for sample in samples]
    return round(median(values))
