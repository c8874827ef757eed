"""docs/RELIABILITY.md names its tests, and they exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = [
    line
    for line in (ROOT / "docs/RELIABILITY.md").read_text().splitlines()
    if line.startswith("|") and not line.startswith(("| fault |", "| --- |"))
]
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


@pytest.mark.parametrize("row", ROWS)
def test_each_fault_names_tests_that_exist(row: str) -> None:
    named = NAMED.findall(row)
    assert named, "no test is named"
    for file, name in named:
        tree = ast.parse((ROOT / "tests" / file).read_text())
        assert name in {
            node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
        }, f"{file} has no {name}"
