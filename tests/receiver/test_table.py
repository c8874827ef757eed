"""`framewire stats`: the table, once or all the while."""

import io
import json
import math
from dataclasses import replace

import pytest
from rich.console import Console

from framewire.app.main import run
from framewire.receiver import Receiver
from framewire.receiver.account import ReceiverStats, TopicAccount
from framewire.receiver.table import table
from receiver.publishing import Station, free_port, packet, status, until

BOOKS = TopicAccount().snapshot(0)


def text(stats: ReceiverStats) -> list[list[str]]:
    """The words of each line of the table."""
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(table(stats))
    return [line.split() for line in console.export_text().splitlines() if line.strip()]


def test_a_row_for_each_topic() -> None:
    chart = replace(
        BOOKS, received=61, lost=3, restarts=1, fps=30.04, bits_per_s=4.4e6, age_ms=(2.2, 3.04)
    )
    silent = replace(BOOKS, silent_s=7.4, age_ms=(math.nan, math.nan))
    gone = replace(BOOKS, state="no-signal", reason="unplugged")
    stats = ReceiverStats({"lab/b": silent, "lab/a": chart, "lab/c": gone}, 0, (1, 2))
    head, *rows = [line for line in text(stats) if "─" not in line[0]]
    assert head[0] == "topic"
    assert rows == [
        ["lab/a", "30.0", "4.4", "2.2", "ms", "3.0", "ms", "61", "3", "1", "live"],
        ["lab/b", "0.0", "0.0", "0", "0", "0", "no", "signal", "for", "7", "s"],
        ["lab/c", "0.0", "0.0", "0", "0", "0", "no", "signal:", "unplugged"],
    ]


def test_a_topics_name_is_never_cut() -> None:
    name = "a-very-long-name/of-a-topic/" * 6 + "end"
    words = text(ReceiverStats({name: BOOKS}, 0, (1, 2)))
    assert "".join(line[0] for line in words[2:]) == name


def test_once_for_machines(station: Station, capsys: pytest.CaptureFixture[str]) -> None:
    with station.streaming(("lab/cam1", "lab/cam2")):
        assert run(["stats", station.url, "--once", "--duration", "0.5", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(line["topic"] for line in lines) == ["lab/cam1", "lab/cam2"]
    assert all(line["received"] > 0 and line["fps"] > 0 for line in lines)


def test_once_for_people(station: Station, capsys: pytest.CaptureFixture[str]) -> None:
    with station.streaming():
        assert run(["stats", station.url, "--once", "--duration", "0.5"]) == 0
    assert "lab/cam1" in capsys.readouterr().out


def test_nothing_to_hear(capsys: pytest.CaptureFixture[str]) -> None:
    url = f"tcp://127.0.0.1:{free_port()}"
    assert run(["stats", url, "--once", "--duration", "0.2"]) == 1
    captured = capsys.readouterr()
    assert captured.err == f"framewire: nothing was heard from {url}\n"
    assert captured.out == ""


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_all_the_while(
    station: Station, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with station.streaming():
        assert run(["stats", station.url, "--duration", "0.6", *options]) == 0
    out = capsys.readouterr().out
    assert "lab/cam1" in out
    assert not options or all(json.loads(line)["topic"] == "lab/cam1" for line in out.splitlines())


def test_what_a_sender_says_without_frames(station: Station) -> None:
    with Receiver(station.url) as receiver:
        station.wait_for_subscriptions()
        station.send(packet(0), status(1, "ended"))
        until(
            lambda: (
                bool(receiver.stats.topics) and receiver.stats.topics["lab/cam1"].state == "ended"
            )
        )
        assert text(receiver.stats)[-1][-1] == "ended"
