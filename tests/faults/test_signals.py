"""Signals to every command, whatever it does just then."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import cycle
from pathlib import Path

import pytest

from at_work import AT_WORK, SMALL, YARD, wait_for_signals
from processes import Command, Start, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals of POSIX, and /proc")

GONE_S = 3.0
"""The stated limit."""
NOWHERE = "tcp://127.0.0.1:9"


def ended(command: Command, number: signal.Signals) -> int:
    """Its exit code, once it is gone within the limit."""
    began = time.monotonic()
    command.signal(number)
    code = command.wait(10)
    took_s = time.monotonic() - began
    assert took_s < GONE_S, f"{took_s:.2f} s: {command}"
    return code


def _in_turn(names: Iterable[str]) -> list[tuple[str, signal.Signals]]:
    """Each command with one of the signals: they all take the same way."""
    return list(zip(names, cycle((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)), strict=False))


@pytest.mark.parametrize("part", range(4))
def test_at_work_each_ends_with_its_summary(framewire: Start, tmp_path: Path, part: int) -> None:
    url = framewire("send", SMALL, "--bind", "tcp://127.0.0.1:*", "--json").endpoint()
    signals = dict(_in_turn(AT_WORK)[part::4])
    running = {name: AT_WORK[name].start(framewire, url, tmp_path) for name in signals}
    for name, command in running.items():
        command.event(AT_WORK[name].first)
    for name, command in running.items():
        worker = AT_WORK[name]
        assert ended(command, signals[name]) == 0, f"{name}: {command}"
        kinds = [event["event"] for event in command.rest()]
        assert not worker.summary or kinds[-1] == "summary", name
        assert "Traceback" not in "".join(command.errors), command
        assert worker.finished(tmp_path), name


NOTHING_THERE = (
    ("view", NOWHERE, "--headless"),
    ("record", NOWHERE, "--out", "none.mkv"),
    ("snapshot", NOWHERE, "--out", "cam.jpg"),
    ("stats", NOWHERE, "--once", "--duration", "30"),
    ("relay", "--from", NOWHERE, "--bind", "tcp://127.0.0.1:*"),
)


def test_while_nothing_is_there(framewire: Start, tmp_path: Path) -> None:
    waiting = [framewire(*arguments) for arguments in NOTHING_THERE]
    for command in waiting:
        wait_for_signals(command)
    time.sleep(2)  # for most of them to be at it; what is not is begun, and ends as well
    for command in waiting:
        assert ended(command, signal.SIGTERM) == 0, command
    assert not list(tmp_path.iterdir())


ALL = (
    *(each.arguments for each in AT_WORK.values()),
    *NOTHING_THERE,
    ("info", YARD, "--check"),
    ("export", YARD, "--to", "mp4", "--out", "film.mp4"),
    ("repair", YARD, "--out", "whole.mkv"),
    ("devices",),
    ("--help",),
)


@pytest.mark.parametrize("part", range(4))
def test_while_it_begins(framewire: Start, tmp_path: Path, part: int) -> None:
    chance = random.Random(part)
    names = [" ".join(arguments) for arguments in ALL]
    for name, number in _in_turn(names)[part::4]:
        command = framewire(*(NOWHERE if each == "URL" else each for each in name.split()))
        wait_for_signals(command)
        time.sleep(chance.uniform(0, 0.4))
        if command.process.poll() is None:
            code = ended(command, number)
            assert code == 0 or name.startswith("info"), f"{code} {command}"
        assert "Traceback" not in "".join(command.errors), command
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {"film.mp4", "whole.mkv", "folder", "events"}


SLOW_TO_END = """
import sys, time
from framewire.app import main, program
from framewire.common.terminal import Stopper, print_json
def work():
    with Stopper():
        print_json(event="ready")
        while True:
            time.sleep(1)
main.COMMANDS["send"] = ("__main__:work", "Nothing.")
sys.argv = ["framewire", "send"]
program.main()
"""


def _stubborn() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_TO_END],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["event"] == "ready"
    return process


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_ends_it_at_once(second: signal.Signals) -> None:
    with _stubborn() as process:
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        began = time.monotonic()
        process.send_signal(second)
        assert process.wait(10) == 128 + second
        assert time.monotonic() - began < 1


def test_what_does_not_end_is_left_after_three_seconds_with_one_line() -> None:
    with _stubborn() as process:
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 1
        assert GONE_S - 0.1 < time.monotonic() - began < GONE_S + 1
        assert process.stderr is not None
        assert process.stderr.read().count("\n") == 1


def test_nohup_keeps_it_running(framewire: Start) -> None:
    command = framewire(
        "send", SMALL, "--bind", "tcp://127.0.0.1:*", "--json", within=lambda argv: ["nohup", *argv]
    )
    command.event("ready")
    command.signal(signal.SIGHUP)
    time.sleep(0.3)
    assert command.process.poll() is None
    assert ended(command, signal.SIGTERM) == 0
    assert command.event("summary")


def test_a_signal_that_means_nothing_ends_nothing(framewire: Start) -> None:
    command = framewire("record", NOWHERE, "--out", "a.mkv")
    wait_for_signals(command)
    until(lambda: command.process.poll() is not None or _catches(command, signal.SIGUSR1))
    command.signal(signal.SIGUSR1)
    time.sleep(0.3)
    assert command.process.poll() is None
    assert ended(command, signal.SIGTERM) == 0


def _catches(command: Command, number: signal.Signals) -> bool:
    status = Path(f"/proc/{command.process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) & 1 << (number - 1))


def test_stopped_and_continued_all_goes_on(framewire: Start, tmp_path: Path) -> None:
    sender = framewire("send", SMALL, "--bind", "tcp://127.0.0.1:*", "--json")
    url = sender.endpoint()
    names = ("view", "record", "stats", "relay", "web")
    running = {name: AT_WORK[name].start(framewire, url, tmp_path) for name in names}
    for name, command in running.items():
        command.event(AT_WORK[name].first)
    for command in (sender, *running.values()):
        command.signal(signal.SIGTSTP if command is sender else signal.SIGSTOP)
    time.sleep(1)
    for command in (sender, *running.values()):
        command.signal(signal.SIGCONT)
    for name in ("view", "record", "stats"):
        before = running[name].event("figures")["received"]
        running[name].event("figures")
        until(lambda name=name, before=before: running[name].event("figures")["received"] > before)  # type: ignore[misc]
    for name, command in running.items():
        assert ended(command, signal.SIGTERM) == 0, command
        assert AT_WORK[name].finished(tmp_path)


# -- half files ---------------------------------------------------------------------------------


def _long_recording(folder: Path) -> Path:
    """One that takes a while to be exported."""
    from framewire.common.recording import Recording
    from framewire.common.recording_writer import RecordingWriter

    path = folder / "long.mkv"
    with Recording(YARD) as recording:
        packets = list(recording.packets())
    writer = RecordingWriter(path, packets[0].header)
    for number in range(100 * len(packets)):
        writer.write(packets[number % len(packets)])
    writer.close()
    return path


@pytest.mark.parametrize("command", ["export", "repair"])
def test_half_files_are_removed_and_those_of_a_killed_run_later(
    framewire: Start, tmp_path: Path, command: str
) -> None:
    source = _long_recording(tmp_path)
    out = tmp_path / "out" / ("film.mp4" if command == "export" else "whole.mkv")
    out.parent.mkdir()
    more = ("--to", "mp4") if command == "export" else ()
    arguments = (command, str(source), *more, "--out", str(out))

    def begun() -> bool:
        return any(out.parent.iterdir())

    first = framewire(*arguments)
    until(begun)
    assert ended(first, signal.SIGTERM) == 0
    assert "stopped: nothing was written" in "".join(first.errors)
    assert not list(out.parent.iterdir())

    second = framewire(*arguments)
    until(begun)
    second.process.kill()
    second.wait()
    assert [path.suffix for path in out.parent.iterdir()] == [".part"]

    third = framewire(*arguments)
    until(
        lambda: (
            [path.name.split(".")[-2] for path in out.parent.iterdir()] == [str(third.process.pid)]
        )
    )
    assert ended(third, signal.SIGINT) == 0
    assert not list(out.parent.iterdir())


# -- children -----------------------------------------------------------------------------------


def test_the_demos_senders_end_with_it_however_it_ends(framewire: Start) -> None:
    demo = framewire("demo", "--headless", "--source", SMALL, "--json")
    demo.event("ready")
    listed = Path(f"/proc/{demo.process.pid}/task/{demo.process.pid}/children").read_text()
    senders = [int(number) for number in listed.split()]
    assert len(senders) == 2
    demo.process.kill()
    demo.wait()
    until(lambda: not any(_runs(number) for number in senders), GONE_S + 1)


def _runs(number: int) -> bool:
    try:
        os.kill(number, 0)
        return "\tZ" not in Path(f"/proc/{number}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_ctrl_c_in_a_terminal_reaches_the_demo_only(framewire: Start) -> None:
    """The whole foreground group gets it; the senders are told by the demo, once."""
    demo = framewire(
        "demo",
        "--headless",
        "--source",
        SMALL,
        "--json",
        within=lambda argv: ["setsid", "-w", *argv],
    )
    while not demo.event("figures")["received"]:
        pass
    group = _group_of_the_demo(demo)
    os.killpg(group, signal.SIGINT)
    assert demo.event("summary")["received"] > 0
    assert demo.wait() == 0


def _group_of_the_demo(demo: Command) -> int:
    return (
        os.getpgid(demo.process.pid)
        if os.getpgid(demo.process.pid) != os.getpgid(0)
        else _child(demo)
    )


def _child(demo: Command) -> int:
    listed = Path(f"/proc/{demo.process.pid}/task/{demo.process.pid}/children").read_text()
    return int(listed.split()[0])


# -- while it finishes, and in a window ---------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may freeze a disk")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_files_are_finished_leaves_them_to_that(
    framewire: Start, tmp_path: Path, number: signal.Signals
) -> None:
    """`--count` is reached, the disk does not answer for a moment, and then somebody presses Ctrl-C."""
    from framewire.common.recording import Recording
    from system.recording import Cameras, frozen, real_disk

    with real_disk(tmp_path / "disk") as disk, Cameras({"a": 0.01}) as cameras:
        recorder = framewire(
            "record", cameras.endpoint, "--out", str(disk / "a.mkv"), "--count", "200", "--json"
        )
        while recorder.event("figures")["received"] < 80:
            continue
        with frozen(disk) as thaw:
            until(lambda: len(cameras.sent["a"]) > 210)
            time.sleep(0.3)  # it has them all, and waits for the disk to write the rest
            recorder.signal(number)
            time.sleep(0.4)
            assert recorder.process.poll() is None
            thaw()
        assert recorder.wait(10) == 0
        assert recorder.event("summary")["recorded"] == 200
        with Recording(disk / "a.mkv") as recording:
            assert recording.finished
            assert len(recording) == 200


@pytest.fixture
def display() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The name of a screen that nobody looks at, and the process that shows it."""
    if not shutil.which("Xvfb"):
        pytest.skip("Xvfb is not installed here: no window can be opened")
    reader, writer = os.pipe()
    with subprocess.Popen(
        [
            "Xvfb",
            "-displayfd",
            str(writer),
            "-screen",
            "0",
            "640x480x24",
            "-nolisten",
            "tcp",
            "-noreset",
        ],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    ) as screen:
        os.close(writer)
        try:
            yield f":{os.read(reader, 10).decode().strip()}", screen
        finally:
            screen.send_signal(signal.SIGCONT)
            screen.kill()
            os.close(reader)


def test_in_a_window_also_where_the_screen_does_not_answer(
    framewire: Start, display: tuple[str, subprocess.Popen[bytes]]
) -> None:
    name, screen = display
    url = framewire("send", SMALL, "--bind", "tcp://127.0.0.1:*", "--json").endpoint()
    windows = [
        framewire("view", url, "--json", within=lambda argv: ["env", f"DISPLAY={name}", *argv])
        for _ in range(2)
    ]
    for window in windows:
        window.event("figures")
    assert ended(windows[0], signal.SIGINT) == 0
    assert windows[0].event("summary")["received"] > 0
    screen.send_signal(signal.SIGSTOP)
    time.sleep(0.5)  # it waits inside OpenCV now
    began = time.monotonic()
    windows[1].signal(signal.SIGTERM)
    assert windows[1].wait(10) == 1
    assert time.monotonic() - began < GONE_S + 1
    assert "did not end within 3 s" in windows[1].errors[-1]
