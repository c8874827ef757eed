"""What a figure for Prometheus is: its definition, and its values at one moment. Pure.

Each side defines its own from its snapshots; `exposition.py` alone knows how they are written.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from framewire.common.stats import Distribution

__all__ = ["Collect", "Family", "Highest", "Metric", "Row", "Value", "by_topic"]

Value = float | Distribution
"""What a sample is: a number, or for a histogram all that was counted."""

T_contra = TypeVar("T_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Metric:
    """A name that Prometheus knows. It ends in its unit, if it has one; counters in ``_total``.

    docs/guide/monitoring.md holds the same table; a test compares them.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """``seconds``, ``bytes`` or nothing."""
        last = self.name.removesuffix("_total").rpartition("_")[2]
        return last if last in ("seconds", "bytes") else ""


@dataclass(frozen=True, slots=True)
class Family:
    """A metric and its samples: the values of its labels, and the value."""

    metric: Metric
    samples: Sequence[tuple[tuple[str, ...], Value]]


Collect = Callable[[], Iterable[Family]]
"""Gives all figures of a process as they are now; called from threads of a server."""


@dataclass(frozen=True, slots=True)
class Row(Generic[T_contra]):
    """A metric of each topic, and where it stands in the topic's snapshot."""

    metric: Metric
    value: Callable[[T_contra], Value]


def by_topic(rows: Iterable[Row[T_contra]], topics: dict[str, T_contra]) -> Iterator[Family]:
    """The families of `rows`, each with a sample of every topic."""
    for row in rows:
        yield Family(row.metric, [((name,), row.value(topic)) for name, topic in topics.items()])


class Highest:
    """Keeps counters from going back. Not thread-safe.

    A figure may fall, as `lost` does when a frame comes late; Prometheus takes a counter that falls
    for one that began again at zero, and would see a thousand losses in it.
    """

    def __init__(self) -> None:
        self._highest: dict[tuple[str, tuple[str, ...]], float] = {}

    def __call__(self, family: Family) -> Family:
        """The same family, its numbers as high as they ever were."""
        name = family.metric.name
        return Family(family.metric, [(of, self._keep((name, of), v)) for of, v in family.samples])

    def _keep(self, key: tuple[str, tuple[str, ...]], value: Value) -> Value:
        if isinstance(value, Distribution):
            return value
        self._highest[key] = highest = max(value, self._highest.get(key, value))
        return highest
