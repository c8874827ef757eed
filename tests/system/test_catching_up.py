"""Recording all through a link that is cut, and with a recorder that is stopped."""

import signal
import time
from contextlib import closing
from pathlib import Path

import pytest

from framewire.common.container import RecordingReader
from namespaces import Link, skip_reason
from processes import Command, Start, until

CUT_S, STOPPED_S, STEADY_S = 10, 5, 2
PORTS = {"pub-sub": 21571, "req-rep": 21572}

pytestmark = [
    pytest.mark.skipif(bool(skip_reason()), reason=skip_reason() or "possible here"),
    pytest.mark.timeout(120),
]


def hear(recorder: Command, state: str) -> None:
    """Wait until the recorder has heard that the topic's state is this."""
    heard: list[object] = []

    def is_told() -> bool:
        heard.append(recorder.event("figures"))
        return state in str(heard[-1])

    try:
        until(is_told)
    except AssertionError:
        raise AssertionError(f"{recorder}: {heard[-3:]}") from None


def numbers(folder: Path) -> list[int]:
    """The sequence numbers in the one recording of a folder."""
    (file,) = folder.glob("*/*.mkv")
    with closing(RecordingReader(file)) as recording:
        return [packet.sequence for packet in recording.packets()]


def test_the_history_fills_what_the_link_lost(framewire: Start, tmp_path: Path) -> None:
    with Link() as link:
        where = {p: f"{p}+tcp://{link.address['a']}:{port}" for p, port in PORTS.items()}
        binds = [argument for endpoint in where.values() for argument in ("--bind", endpoint)]
        sender = framewire("send", "pattern:320x240@30", *binds, "--history", "64M", "--insecure",
                           "--json", within=lambda argv: link.at("a", argv))  # fmt: skip
        sender.event("ready")
        recorders = {
            pattern: framewire("record", endpoint, "--all", "--out", str(tmp_path / pattern),
                               "--json", within=lambda argv: link.at("b", argv))
            for pattern, endpoint in where.items()
        }  # fmt: skip
        for recorder in recorders.values():
            until(lambda recorder=recorder: recorder.event("figures")["received"] > 0)  # type: ignore[misc]
        time.sleep(STEADY_S)
        link.down()
        time.sleep(CUT_S)
        link.up()
        time.sleep(STEADY_S)
        for recorder in recorders.values():
            recorder.signal(signal.SIGSTOP)
        time.sleep(STOPPED_S)
        for recorder in recorders.values():
            recorder.signal(signal.SIGCONT)
        time.sleep(2 * STEADY_S)
        sender.signal(signal.SIGTERM)
        captured = sender.event("summary")["captured"]
        summaries, codes = {}, {}
        for pattern, recorder in recorders.items():
            hear(recorder, "ended")
            recorder.signal(signal.SIGTERM)
            codes[pattern] = recorder.wait()
            summaries[pattern] = recorder.event("summary")
    complete = numbers(tmp_path / "req-rep")
    assert complete == list(range(complete[0], captured))
    assert (codes["req-rep"], summaries["req-rep"]["lost"]) == (0, 0)
    holey = numbers(tmp_path / "pub-sub")
    lost = captured - holey[0] - len(holey)
    assert lost > 30 * CUT_S // 2
    assert (codes["pub-sub"], summaries["pub-sub"]["lost"]) == (3, lost)
