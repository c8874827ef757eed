"""Results of a benchmark: a table in Markdown and a plot, with the machine named.

Both go to benchmarks/results/ too, under the benchmark's name.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ends import machine

__all__ = ["Column", "Table", "publish"]

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("framewire", "simplejpeg", "opencv-python", "pyzmq", "imagezmq", "vidgear")
PACKAGES += ("eclipse-zenoh", "av", "websockets", "uvicorn")
INCHES_A_BAR, INCHES_A_TITLE, WIDTH_INCHES, DPI = 0.34, 1.1, 9, 110


@dataclass(frozen=True)
class Column:
    """A figure that was taken of every system."""

    title: str
    digits: int = 2
    goal: str = ""
    """As text, in the table's head: ``<= 0.62``."""


@dataclass(frozen=True)
class Table:
    """Figures of some systems, one value a round: shown as median, least and most."""

    title: str
    columns: Sequence[Column]
    plot: int = 0
    """Number of the column that is drawn."""
    rows: dict[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    """By system: for each column its values, of every round."""

    def add(self, system: str, *columns: Sequence[float]) -> None:
        """The values of one system, those of each column together."""
        assert len(columns) == len(self.columns)
        self.rows[system] = columns


def publish(name: str, tables: Sequence[Table]) -> None:
    """Print the tables, and leave them and their plot in benchmarks/results/."""
    RESULTS.mkdir(exist_ok=True)
    text = f"{machine(*PACKAGES)}\n\n" + "\n".join(map(_markdown, tables))
    (RESULTS / f"{name}.md").write_text(text)
    print(text, flush=True)
    _draw(RESULTS / f"{name}.png", tables)


def ratios(of: Sequence[float], to: Sequence[float]) -> list[float]:
    """Round by round."""
    return [a / b for a, b in zip(of, to, strict=True)]


def _markdown(table: Table) -> str:
    heads = [c.title + (f" (goal {c.goal})" if c.goal else "") for c in table.columns]
    lines = [f"| {table.title} | {' | '.join(heads)} |", "| --- " * (len(heads) + 1) + "|"]
    for system, columns in table.rows.items():
        cells = [_cell(values, c.digits) for values, c in zip(columns, table.columns, strict=True)]
        lines.append(f"| {system} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(values: Sequence[float], digits: int) -> str:
    if not values:
        return "-"
    median, least, most = (f(values) for f in (statistics.median, min, max))
    if len(values) == 1:
        return f"{median:.{digits}f}"
    return f"{median:.{digits}f} ({least:.{digits}f} to {most:.{digits}f})"


def _draw(path: Path, tables: Sequence[Table]) -> None:
    """Bars from zero, with whiskers from the least to the most."""
    from matplotlib.figure import Figure

    drawn = [_bars(table) for table in tables]
    heights = [INCHES_A_TITLE + INCHES_A_BAR * len(bars) for bars in drawn]
    figure = Figure((WIDTH_INCHES, sum(heights) + 0.4), DPI, layout="constrained")
    for table, bars, axes in zip(
        tables, drawn, figure.subplots(len(tables), height_ratios=heights, squeeze=False)[:, 0],
        strict=True,
    ):  # fmt: skip
        medians = [statistics.median(values) for values in bars.values()]
        spreads = [
            [median - min(values) for median, values in zip(medians, bars.values(), strict=True)],
            [max(values) - median for median, values in zip(medians, bars.values(), strict=True)],
        ]
        colours = ["#2a7f62" if "framewire" in system else "#b8bfc6" for system in bars]
        axes.barh(list(bars), medians, xerr=spreads, color=colours, ecolor="#444", capsize=2)
        axes.invert_yaxis()
        axes.set_xlim(left=0)
        axes.set_title(table.title, loc="left", fontsize=10, fontweight="bold")
        axes.set_xlabel(table.columns[table.plot].title, fontsize=9)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(machine(*PACKAGES), fontsize=6, wrap=True)
    figure.savefig(path)


def _bars(table: Table) -> Mapping[str, Sequence[float]]:
    return {
        name: columns[table.plot] for name, columns in table.rows.items() if columns[table.plot]
    }
