"""CSV and JSON lines."""

import csv
import json
from pathlib import Path

import pytest

from app.exporting.making import TIMES_MS, packets, record
from framewire.app.exporting.listing import COLUMNS
from framewire.app.main import run


def test_csv_parses_and_says_all(tmp_path: Path) -> None:
    given = [each for each in packets() if each.sequence not in (4, 5)]
    yard, out = record(tmp_path / "yard.mkv", given), tmp_path / "out.csv"
    assert run(["export", str(yard), "--to", "csv", "--out", str(out)]) == 0
    with out.open(newline="") as file:
        table = csv.DictReader(file)
        rows = list(table)
    assert tuple(table.fieldnames or ()) == COLUMNS
    for each, row in zip(given, rows, strict=True):
        header = each.header
        for name in ("sequence", "captured_ns", "sent_ns", "width", "height", "quality"):
            assert int(row[name]) == getattr(header, name)
        assert (row["topic"], row["sender"]) == (header.topic, header.sender)
        assert int(row["bytes"]) == len(each.payload)
        assert float(row["media_s"]) == TIMES_MS[header.sequence] / 1000
        assert int(row["lost_before"]) == (2 if header.sequence == 6 else 0)
        metadata = json.loads(row["metadata"])
        assert metadata == {"n": header.sequence, "who": 'a "b", c', "raw": "AP8="}


def test_json_lines(tmp_path: Path) -> None:
    given = packets(metadata={"not": float("nan"), "ünï": [1, None]})
    yard, out = record(tmp_path / "yard.mkv", given), tmp_path / "out.jsonl"
    assert run(["export", str(yard), "--to", "jsonl", "--out", str(out)]) == 0
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert all(tuple(row) == COLUMNS for row in rows)
    assert rows[3]["metadata"] == {"not": None, "ünï": [1, None]}
    assert [row["media_s"] for row in rows] == [at / 1000 for at in TIMES_MS]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_on_standard_output_there_are_rows_only(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    yard = record(tmp_path / "yard.mkv", packets())
    assert run(["export", str(yard), "--to", kind, "--out", "-"]) == 0
    output = capsys.readouterr()
    assert len(output.out.splitlines()) == len(TIMES_MS) + (kind == "csv")
    assert "-: 10 frames, 1.333 s, 0 lost" in output.err
