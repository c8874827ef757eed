"""Cameras that fail, in every way that was thought of: each is told in three seconds, and comes back."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from faults.sending import LIMIT_S, FakeCamera, children, runs, with_fake_camera
from framewire.receiver import Receiver, TopicReceived
from framewire.sender import Sender
from framewire.sender.sources.apart import Apart
from framewire.sender.sources.camera import CameraSource
from framewire.sender.sources.grabber import Order
from framewire.sender.sources.source import SourceOptions
from processes import Start, until
from websites import Website

# What the camera does, and what is said of it.
FAULTS = {
    "block": "it gives no picture for 2 s",
    "hang": "it gives no picture for 2 s",
    "false": "it gives no more pictures",
    "absent": "it gives no more pictures",
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


class Shelf:
    """A fake camera for each fault, and one that works: all through one sender of this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self.sender = self._stack.enter_context(
            Sender("tcp://127.0.0.1:*", when_full="newest", queue=len(FAULTS) + 1)
        )
        self.receiver = self._stack.enter_context(Receiver(self.sender.endpoints[0]))
        self._threads = []
        for fault in (*FAULTS, "well"):
            self.do(fault, good(fault))
            source = CameraSource("camera:0", SourceOptions(), fake(folder / fault))
            self._stack.callback(source.close)
            self._threads.append(threading.Thread(target=self._send, args=(source, fault)))
            self._threads[-1].start()

    def _send(self, source: CameraSource, topic: str) -> None:
        self.sender.announce("live", topic=topic)
        source.on_state = lambda state, reason: self.sender.announce(state, reason, topic=topic)
        for packet in source.packets() if source.encoded else ():
            self.sender.forward(packet, topic=topic)
        for frame in () if source.encoded else source:
            self.sender.send(frame, topic=topic)

    def do(self, camera: str, what: str) -> None:
        new = self._folder / "new"
        new.write_text(what)
        new.replace(self._folder / camera)

    def close(self) -> None:
        """Cameras first, each in whatever state it is; then who iterated over them."""
        self._stack.close()
        for thread in self._threads:
            thread.join(LIMIT_S)
            assert not thread.is_alive()

    @property
    def topics(self) -> dict[str, TopicReceived]:
        return self.receiver.stats.topics

    def when(self, state: str, deadline_s: float, reasons: dict[str, str]) -> dict[str, float]:
        """Seconds until each of those cameras has that state for its reason, and nothing else."""
        begun, at = time.monotonic(), dict[str, float]()
        while len(at) < len(reasons) and time.monotonic() < begun + deadline_s:
            for name, reason in reasons.items():
                said = self.topics[name]
                if said.state == state and reason in said.reason:
                    at.setdefault(name, time.monotonic() - begun)
            time.sleep(0.02)
        assert len(at) == len(reasons), {n: self.topics[n].reason for n in reasons if n not in at}
        return at


def good(fault: str) -> str:
    return "jpeg" if fault in ("short", "garbage") else "run"


def fake(control: Path) -> Apart:
    return Apart(Order("faults.fakecamera:Grabber", {"spec": "0", "control": str(control)}))


def test_cameras_that_fail_are_told_and_come_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Shelf(tmp_path)) as shelf:
        until(lambda: all(t in shelf.topics and shelf.topics[t].received > 3 for t in FAULTS))
        for fault in FAULTS:
            shelf.do(fault, fault)
        told = shelf.when("no-signal", LIMIT_S + 3, FAULTS)
        assert max(told.values()) < LIMIT_S, told

        # Nothing old is shown as new, statuses go on, and so does who has nothing to do with it.
        before = shelf.topics
        time.sleep(1.5)
        after = shelf.topics
        assert {f: after[f].received - before[f].received for f in FAULTS} == dict.fromkeys(
            FAULTS, 0
        )
        assert all(after[fault].silent_s < 1.5 for fault in FAULTS)
        assert after["well"].received > before["well"].received + 5

        for fault in FAULTS:
            shelf.do(fault, good(fault))
        shelf.when("live", BACK_S, dict.fromkeys(FAULTS, ""))
        until(lambda: all(shelf.topics[f].received > after[f].received for f in FAULTS), LIMIT_S)
        assert shelf.topics["well"].state == "live"
        assert all(topic.restarts == 0 for topic in shelf.topics.values())
    for reason in FAULTS.values():
        assert f"camera0: no signal: {reason}" in caplog.text
    assert "camera0: no signal: cannot open camera 0: it is not there" in caplog.text
    assert caplog.text.count("the signal is back") == len(FAULTS)


@pytest.mark.parametrize(
    ("number", "faults"),
    [(signal.SIGINT, ("hang", "absent")), (signal.SIGTERM, ("block", "freeze"))],
)
def test_it_can_be_ended_whatever_the_camera_does(
    framewire: Start, tmp_path: Path, number: signal.Signals, faults: tuple[str, ...]
) -> None:
    def end(fault: str) -> None:
        with FakeCamera(framewire, tmp_path / fault) as camera:
            camera.until_live()
            camera.do(fault)
            if fault != "block":
                camera.until_lost()
            gone_in(camera, number)

    with ThreadPoolExecutor(2) as side_by_side:
        for ended in [side_by_side.submit(end, fault) for fault in faults]:
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
        time.sleep(3)
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
        until_s = time.monotonic() + 5
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
    reasons = ("it gives no picture for 2 s", "it opens, but gives no picture for 2 s")
    with FakeCamera(framewire, tmp_path / "control") as camera:
        site = Website(framewire, camera.endpoint)
        until(lambda: get(f"{site.url}healthz")[0] == 200)
        camera.until_live()
        camera.do("hang")
        begun = time.monotonic()

        def stream() -> dict[str, str]:
            found: dict[str, str] = json.loads(get(f"{site.url}api/streams")[1])["streams"][0]
            return found

        until(lambda: stream()["state"] == "no-signal")
        assert time.monotonic() - begun < LIMIT_S
        assert stream()["reason"] in reasons
        assert get(f"{site.url}healthz") in [(503, f"cam: no-signal, {each}\n") for each in reasons]
        once = framewire("stats", camera.endpoint, "--once", "--json")
        assert once.wait() == 0
        figures = next(e for e in once.rest() if e.get("topic") == "cam")
        assert figures["state"] == "no-signal"
        assert figures["reason"] in reasons
        gone_in(camera)


def test_who_asks_is_answered_while_the_camera_hangs(framewire: Start, tmp_path: Path) -> None:
    asked = ("--bind", "req-rep+tcp://127.0.0.1:*", "--history", "8M")
    with FakeCamera(framewire, tmp_path / "control", *asked) as camera:
        camera.until_live()
        camera.do("hang")
        camera.until_lost()
        with Receiver(*camera.others) as receiver:
            until(lambda: "cam" in receiver.stats.topics)
            until(lambda: receiver.stats.topics["cam"].state == "no-signal", LIMIT_S)
            assert receiver.stats.topics["cam"].reason == "it gives no picture for 2 s"
            camera.do("run")
            assert receiver.read(BACK_S).topic == "cam"
        gone_in(camera)


# -- the capture process ------------------------------------------------------------------------


def test_no_process_is_left_when_the_sender_is_killed(framewire: Start, tmp_path: Path) -> None:
    with FakeCamera(framewire, tmp_path / "control") as camera:
        camera.until_live()
        camera.do("hang")
        pids = children(camera.command.process.pid)
        assert len(pids) == 1
        camera.command.process.kill()
        until(lambda: not any(map(runs, pids)), 2)


def test_a_capture_process_that_is_stopped_by_somebody(framewire: Start, tmp_path: Path) -> None:
    """It does not even notice that it is to end: only SIGKILL helps."""
    with FakeCamera(framewire, tmp_path / "control") as camera:
        camera.until_live()
        (pid,) = children(camera.command.process.pid)
        os.kill(pid, signal.SIGSTOP)
        assert camera.until_lost("it gives no picture for 2 s") < LIMIT_S
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
        time.sleep(5)
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


def test_close_from_another_thread(tmp_path: Path) -> None:
    control = tmp_path / "control"
    control.write_text("run")
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(control), "hang"],
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
