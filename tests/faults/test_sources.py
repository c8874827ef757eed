"""Cameras that fail, in every way that was thought of: each is told in three seconds, and comes back."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from faults.sending import LIMIT_S, FakeCamera, children, runs, with_fake_camera
from processes import Start, until
from websites import Website

# What the camera does, and what is said of it.
FAULTS = {
    "block": "it gives no picture for 2 s",
    "hang": "it gives no picture for 2 s",
    "false": "it gives no more pictures",
    "absent": "cannot open camera 0",
    "freeze": "it has shown the same picture for 2 s",
    "crash": "the capture process died by signal 11 (Segmentation fault) (the driver is confused)",
    "exit": "the capture process ended with code 3",
    "raise": "the capture process ended with code 1 (RuntimeError: the grabber is confused)",
    "short": "it gives no whole picture",
    "garbage": "it gives no whole picture",
}
BACK_S = 12
"""Until it is back: it is given up after 4 s at most, the next attempts come after 1 and 2 s more, and
to start a process takes a while on a busy machine."""


def gone_in(camera: FakeCamera, number: signal.Signals = signal.SIGINT) -> dict[str, object]:
    """End it; it must be gone in time, with exit code 0, a summary, and no process left."""
    pids = children(camera.command.process.pid)
    begun = time.monotonic()
    camera.command.signal(number)
    assert camera.command.wait(LIMIT_S) == 0
    assert time.monotonic() - begun < LIMIT_S
    until(lambda: not any(map(runs, pids)), 2)
    return next(e for e in camera.command.rest() if e["event"] == "summary")


def one_fault(framewire: Start, folder: Path, fault: str) -> None:
    reason = FAULTS[fault]
    good = "jpeg" if fault in ("short", "garbage") else "run"
    with FakeCamera(framewire, folder / fault, do=good) as camera:
        camera.until_live()
        camera.do(fault)
        told_s = camera.until_lost(reason)
        assert told_s < LIMIT_S, f"{fault} was told after {told_s:.2f} s"
        # Nothing old is shown as new, and the sender is there.
        assert camera.frames(1.2) == 0
        said = camera.said
        assert said
        assert said.silent_s < 1.5
        assert said.restarts == 0
        camera.do(good)
        back = camera.until_live()
        assert back < BACK_S, f"{fault} was back after {back:.2f} s"
        assert camera.frames(0.5) > 0
        summary = gone_in(camera)
        assert summary["captured"]
        log = "".join(camera.command.errors)
        assert f"cam: no signal: {reason}" in log.replace("camera0:", "cam:")
        assert "the signal is back" in log


@pytest.mark.parametrize(
    "faults",
    [("block", "hang", "false"), ("absent", "freeze", "short"), ("crash", "exit", "raise", "garbage")],
    ids="-".join,
)  # fmt: skip
def test_a_camera_that_fails_is_told_and_comes_back(
    framewire: Start, tmp_path: Path, faults: tuple[str, ...]
) -> None:
    with ThreadPoolExecutor(len(faults)) as side_by_side:
        running = {
            fault: side_by_side.submit(one_fault, framewire, tmp_path, fault) for fault in faults
        }
    failed = {fault: str(one.exception()) for fault, one in running.items() if one.exception()}
    assert not failed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_ended_whatever_the_camera_does(
    framewire: Start, tmp_path: Path, number: signal.Signals
) -> None:
    def end(fault: str) -> None:
        with FakeCamera(framewire, tmp_path / fault) as camera:
            camera.until_live()
            camera.do(fault)
            if fault != "block":
                camera.until_lost()
            gone_in(camera, number)

    with ThreadPoolExecutor(4) as side_by_side:
        for ended in [side_by_side.submit(end, f) for f in ("block", "hang", "absent", "freeze")]:
            ended.result()


def test_another_size_in_mid_stream_is_no_fault(framewire: Start, tmp_path: Path) -> None:
    with FakeCamera(framewire, tmp_path / "control", do="run 320x240") as camera:
        camera.until_live()
        for size in ("640x480", "160x120", "1280x720"):
            camera.do(f"run {size}")
            width, height = map(int, size.split("x"))
            until(lambda shape=(height, width, 3): camera.receiver.read().image.shape == shape)  # type: ignore[misc]
        assert camera.state == "live"
        gone_in(camera)
        assert "no signal" not in "".join(camera.command.errors)


def test_a_still_picture_can_be_as_it_should_be(framewire: Start, tmp_path: Path) -> None:
    with FakeCamera(framewire, tmp_path / "control", "--allow-still") as camera:
        camera.until_live()
        camera.do("freeze")
        time.sleep(4)
        assert camera.state == "live"
        assert camera.frames(1) > 3
        gone_in(camera)


def test_a_frozen_camera_stays_lost_when_it_is_opened_again(
    framewire: Start, tmp_path: Path
) -> None:
    """And the attempts are farther and farther apart."""
    with FakeCamera(framewire, tmp_path / "control") as camera:
        camera.until_live()
        camera.do("freeze")
        camera.until_lost("the same picture")
        pids = set()
        before = camera.said
        until_s = time.monotonic() + 8
        while time.monotonic() < until_s:
            pids.update(children(camera.command.process.pid))
            assert camera.state == "no-signal"
            time.sleep(0.05)
        assert before
        assert camera.said
        assert camera.said.received == before.received
        assert 1 <= len(pids) <= 3
        gone_in(camera)


# -- who else is told ---------------------------------------------------------------------------


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_reason_reaches_everybody(framewire: Start, tmp_path: Path) -> None:
    reason = "it gives no picture for 2 s"
    with FakeCamera(framewire, tmp_path / "control") as camera:
        site = Website(framewire, camera.endpoint)
        until(lambda: get(f"{site.url}healthz")[0] == 200)
        camera.until_live()
        camera.do("hang")
        begun = time.monotonic()
        until(lambda: get(f"{site.url}healthz") == (503, f"cam: no-signal, {reason}\n"))
        # The website is told at once; what it asks for is the last that it was told.
        assert time.monotonic() - begun < LIMIT_S + 1
        stream = json.loads(get(f"{site.url}api/streams")[1])["streams"][0]
        assert (stream["state"], stream["reason"]) == ("no-signal", reason)
        once = framewire("stats", camera.endpoint, "--once", "--json")
        assert once.wait() == 0
        figures = next(e for e in once.rest() if e.get("topic") == "cam")
        assert (figures["state"], figures["reason"]) == ("no-signal", reason)
        gone_in(camera)


def test_who_asks_is_answered_while_the_camera_hangs(framewire: Start, tmp_path: Path) -> None:
    asked = ("--bind", "req-rep+tcp://127.0.0.1:*", "--history", "8M")
    with FakeCamera(framewire, tmp_path / "control", *asked) as camera:
        camera.until_live()
        camera.do("hang")
        camera.until_lost()
        endpoints = camera.command.arguments
        assert "req-rep+tcp://127.0.0.1:*" in endpoints
        gone_in(camera)


# -- the capture process ------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["run", "hang"])
def test_no_process_is_left_when_the_sender_is_killed(
    framewire: Start, tmp_path: Path, fault: str
) -> None:
    with FakeCamera(framewire, tmp_path / "control") as camera:
        camera.until_live()
        camera.do(fault)
        pids = children(camera.command.process.pid)
        assert len(pids) == 1
        camera.command.process.kill()
        until(lambda: not any(map(runs, pids)), 2)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_capture_process_that_is_killed_or_stopped_by_others(
    framewire: Start, tmp_path: Path, number: signal.Signals
) -> None:
    with FakeCamera(framewire, tmp_path / "control") as camera:
        camera.until_live()
        (pid,) = children(camera.command.process.pid)
        os.kill(pid, number)
        assert camera.until_lost() < LIMIT_S
        killed = "the capture process died by signal 9 (Killed)"
        assert camera.reason == (
            killed if number == signal.SIGKILL else "it gives no picture for 2 s"
        )
        camera.until_live()
        assert not runs(pid)
        gone_in(camera)


def test_signals_to_the_whole_group_are_for_the_sender(framewire: Start, tmp_path: Path) -> None:
    """A service manager sends SIGTERM to every process: that is no fault of the camera."""
    with FakeCamera(framewire, tmp_path / "control") as camera:
        camera.until_live()
        (pid,) = children(camera.command.process.pid)
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(pid, number)
        assert camera.frames(1) > 3
        assert camera.state == "live"
        gone_in(camera)


def test_a_sender_that_was_stopped_does_not_blame_the_camera(
    framewire: Start, tmp_path: Path
) -> None:
    with FakeCamera(framewire, tmp_path / "control") as camera:
        camera.until_live()
        (pid,) = children(camera.command.process.pid)
        camera.command.signal(signal.SIGSTOP)
        time.sleep(6)
        camera.command.signal(signal.SIGCONT)
        camera.until_live()
        assert camera.frames(1) > 3
        assert children(camera.command.process.pid) == [pid]
        gone_in(camera)
        assert "no signal" not in "".join(camera.command.errors)


_PROGRAM = """
import sys, threading, time
from unittest.mock import patch
from framewire.sender import open_source
from framewire.sender.sources.grabber import Order
control = sys.argv[1]
def order(grabber, facts):
    return Order("fakecamera:Grabber", {**facts, "control": control})
with patch("framewire.sender.sources.camera.Order", order):
    source = open_source("camera:0")  # without `if __name__ == "__main__"`: most programs have none
frames = iter(source)
next(frames)
open(control, "w").write(sys.argv[2])
time.sleep(0.3)
iterating = threading.Thread(target=list, args=(frames,))
iterating.start()
begun = time.monotonic()
source.close()
iterating.join(3)
print(time.monotonic() - begun, iterating.is_alive(), threading.active_count())
"""


@pytest.mark.parametrize("fault", ["hang", "freeze"])
def test_close_from_another_thread(tmp_path: Path, fault: str) -> None:
    control = tmp_path / "control"
    control.write_text("run")
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(control), fault],
        capture_output=True, text=True, timeout=30, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )  # fmt: skip
    assert done.stderr == ""
    seconds, alive, threads = done.stdout.split()
    assert float(seconds) < LIMIT_S
    assert (alive, threads) == ("False", "1")


def test_a_camera_that_is_not_there_at_first(framewire: Start) -> None:
    command = framewire("send", "camera:97", "--bind", "tcp://127.0.0.1:*")
    assert command.wait() == 1
    assert command.errors == [
        (
            "framewire: cannot open camera 97: it is not there, in use, or not permitted; "
            "`framewire devices` lists what is\n"
        )
    ]


def test_a_camera_that_hangs_at_first_can_be_ended(framewire: Start, tmp_path: Path) -> None:
    control = tmp_path / "control"
    control.write_text("mute")
    command = framewire("send", "camera:0", within=with_fake_camera(control))
    until(lambda: bool(children(command.process.pid)))
    begun = time.monotonic()
    command.signal(signal.SIGINT)
    assert command.wait(LIMIT_S) == 0
    assert time.monotonic() - begun < LIMIT_S
