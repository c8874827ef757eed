"""docs/guide/monitoring.md and the dashboard name the metrics that there are, and no others."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from framewire.app import metrics as app
from framewire.app.main import _app
from framewire.common.exposition import BUILD
from framewire.common.metrics import Metric
from framewire.receiver import metrics as receiver
from framewire.sender import metrics as sender

DOCS = Path(__file__).parent.parent / "docs"
GUIDE = (DOCS / "guide" / "monitoring.md").read_text()
DASHBOARD = json.loads((DOCS / "grafana-dashboard.json").read_text())

SECTIONS: dict[str, Sequence[Metric]] = {
    "By every process": (BUILD,),
    "By who receives: `view`, `record`, `relay`, `web`": receiver.METRICS,
    "By who sends: `send`, `replay`, `relay`": sender.METRICS,
    "By `record`": receiver.RECORDING,
    "By `relay`": app.RELAY,
    "By `web`": app.WEB,
}
ALL = [metric for metrics in SECTIONS.values() for metric in metrics]
NAMES = {
    name
    for metric in ALL
    for name in (
        [f"{metric.name}_{end}" for end in ("bucket", "count", "sum")]
        if metric.kind == "histogram"
        else [metric.name]
    )
}


def rows(text: str) -> list[list[str]]:
    """The cells of each row about a metric."""
    lines = re.findall(r"^\|( `framewire_.*)\|$", text, re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def section(heading: str) -> str:
    return GUIDE.split(f"\n### {heading}\n")[1].split("\n#")[0]


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_guide_has_a_row_for_each_metric(heading: str) -> None:
    listed = [
        (name.strip("`"), kind, tuple(re.findall(r"`(\w+)`", labels)), unit)
        for name, kind, labels, unit, meaning in rows(section(heading))
        if meaning
    ]
    assert listed == [(m.name, m.kind, m.labels, m.unit) for m in SECTIONS[heading]]


def test_the_guide_has_no_other_rows() -> None:
    assert len(rows(GUIDE)) == GUIDE.count("\n| `framewire_") == len(ALL)


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_names_are_as_prometheus_wants_them(metric: Metric) -> None:
    assert re.fullmatch(r"framewire(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.kind != "histogram" or metric.unit
    assert metric.help
    assert not metric.help.endswith(".")


def test_no_name_stands_for_two() -> None:
    assert len({metric.name for metric in ALL}) == len(ALL)


def unknown(expression: str) -> set[str]:
    return set(re.findall(r"\bframewire_\w+", expression)) - NAMES


def balanced(expression: str) -> bool:
    """Whether each bracket closes what it should."""
    plain = re.sub(r'"[^"]*"', "", expression)
    while (shorter := re.sub(r"\(\)|\[\]|\{\}", "", re.sub(r"[^][(){}]", "", plain))) != plain:
        plain = shorter
    return not plain


def test_the_alerts_speak_of_what_there_is() -> None:
    expressions = re.findall(r"expr: (?:>-\n)?(.*?)\n\s+for:", GUIDE, re.DOTALL)
    assert len(expressions) == GUIDE.count("- alert:") >= 3
    for expression in expressions:
        assert balanced(expression), expression
        assert "framewire_" in expression
        assert not unknown(expression)


@pytest.mark.parametrize("line", re.findall(r"^framewire (.*)$", GUIDE, re.MULTILINE))
def test_the_commands_are_some(line: str) -> None:
    command, *_ = _app().parse_args(shlex.split(line), exit_on_error=False, print_error=False)
    assert command.__name__ == line.split()[0]


# -- the dashboard --------------------------------------------------------------------------------


def panels() -> Iterator[dict[str, Any]]:
    yield from DASHBOARD["panels"]


def variables() -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in DASHBOARD["templating"]["list"]}


def test_the_dashboard_can_be_imported_anywhere() -> None:
    assert DASHBOARD["schemaVersion"] >= 36
    assert DASHBOARD["title"] == "framewire"
    assert "id" not in DASHBOARD
    assert variables()["datasource"]["type"] == "datasource"
    for each in [*panels(), variables()["topic"], variables()["instance"]]:
        assert each["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_each_panel_asks_for_what_there_is() -> None:
    for panel in panels():
        assert panel["targets"]
        for target in panel["targets"]:
            expression = target["expr"]
            assert balanced(expression), expression
            assert "framewire_" in expression
            assert not unknown(expression), panel["title"]
            used = set(re.findall(r"\$(\w+)", expression))
            assert used <= {"topic", "instance", "__rate_interval"}
    for name in ("topic", "instance"):
        assert not unknown(variables()[name]["query"]["query"])


def test_it_shows_what_matters() -> None:
    shown = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    kinds = {panel["type"] for panel in panels()}
    assert {"timeseries", "heatmap", "state-timeline", "stat"} <= kinds
    for metric in ("frames", "bytes", "lost_frames", "dropped_frames"):
        assert f"rate(framewire_{metric}_total" in shown
    assert shown.count("histogram_quantile(") >= 3
    assert "framewire_receivers" in shown
    assert "framewire_viewers" in shown


def test_panels_lie_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(list(panels()))
