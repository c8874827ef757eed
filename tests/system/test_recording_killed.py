"""What a recorder leaves that is killed at any moment."""

import random
import signal
from pathlib import Path

import pytest

from framewire.common.clock import monotonic_ns
from processes import Start, until
from system.recording import RUNS, Cameras, check

PERIODS_S = {"fast": 1 / 30, "slow": 1.0}  # a slow camera's last frame must not wait for its next


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no such signal")
@pytest.mark.parametrize("run", range(RUNS))
def test_every_file_of_a_killed_recorder_holds_all_that_was_recorded(
    framewire: Start, tmp_path: Path, run: int
) -> None:
    moment = random.Random(run)
    with Cameras(PERIODS_S) as cameras:
        recorder = framewire(
            "record", cameras.endpoint, "--out", "shelf", "--segment", "1s", "--json"
        )
        until(lambda: all(any(tmp_path.glob(f"shelf/{topic}/*.mkv")) for topic in PERIODS_S))
        count = len(cameras.sent["fast"]) + moment.randrange(90)
        until(lambda: len(cameras.sent["fast"]) > count)
        killed_ns = monotonic_ns()
        recorder.signal(signal.SIGKILL)
        recorder.wait()
    claimed = dict.fromkeys(PERIODS_S, 0)
    for event in recorder.rest():
        if event["event"] == "figures":
            claimed[event["topic"]] = event["recorded"]
    for topic in PERIODS_S:
        files = (tmp_path / "shelf" / topic).glob("*.mkv")
        # One that was killed between its name and its first frame is empty.
        parts = [check(path, cut=True) for path in files if path.stat().st_size]
        found = [number for part in sorted(parts) for number in part]
        assert found == list(range(found[0], found[0] + len(found)))
        assert len(found) >= claimed[topic]
        missing = [at_ns for at_ns in cameras.sent[topic][found[-1] + 1 :] if at_ns < killed_ns]
        missing_ms = (killed_ns - min(missing, default=killed_ns)) / 1e6
        print(f"{topic}: {len(found)} frames, {missing_ms:.1f} ms missing")  # how busy we were
