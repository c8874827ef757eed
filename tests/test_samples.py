"""Each sample program is run, and the clips are what they say."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytest

from framewire.common.testchart import read_number
from framewire.receiver import Receiver
from processes import CLIPS, Command, commands, free_port

SAMPLES = CLIPS.parent


@contextmanager
def sample(name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(SAMPLES / name), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


@pytest.fixture
def chart() -> Iterator[Command]:
    with commands() as start:
        yield start("send", "pattern:320x240@30", "--bind", "tcp://127.0.0.1:*", "--json")


@pytest.fixture
def framewire_at() -> Iterator[str]:
    """Where a sender answers requests, as ZeroMQ writes it."""
    with commands() as start:
        asked = start("send", "pattern:320x240@30", "--bind", "req-rep+tcp://127.0.0.1:*", "--json")
        yield asked.endpoint().removeprefix("req-rep+")


def test_publish_webcam() -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with (
        sample("publish_webcam.py", "pattern:320x240@30", endpoint),
        Receiver(endpoint, topics="lab/webcam", timeout=20) as receiver,
    ):
        frame = receiver.read()
        assert frame.image.shape == (240, 320, 3)
        assert frame.metadata["number"] == frame.sequence == read_number(frame.image)


def test_show_frames(chart: Command) -> None:
    if not (shutil.which("xvfb-run") and shutil.which("xdotool")):
        pytest.skip("xvfb-run and xdotool are not installed here: no window can be opened")
    script = (
        f"{sys.executable} {SAMPLES / 'show_frames.py'} {chart.endpoint()} & "
        "xdotool search --sync --name '^framewire$' >/dev/null; "
        "for i in $(seq 50); do kill -0 $! 2>/dev/null || break; "
        "xdotool search --name '^framewire$' key q 2>/dev/null; sleep 0.2; done; wait $!"
    )
    done = subprocess.run(
        ["xvfb-run", "-a", "bash", "-c", script],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ},
    )
    assert done.returncode == 0, done.stderr
    assert "frames, 0 lost" in done.stdout


def test_record(chart: Command, tmp_path: Path) -> None:
    file = tmp_path / "out.mkv"
    with sample("record.py", str(file), "20", chart.endpoint()) as process:
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "20 frames, 0 lost" in out
    capture = cv2.VideoCapture(str(file))
    numbers = []
    while (read := capture.read())[0]:
        numbers.append(read_number(read[1].astype("uint8")))
    capture.release()
    assert numbers == list(range(numbers[0] or 0, (numbers[0] or 0) + 20))


def test_replay_into_opencv() -> None:
    with sample("replay_into_opencv.py", str(CLIPS / "yard.mkv"), "8") as process:
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    sequences = [int(line.split()[0]) for line in out.splitlines()]
    assert sequences == [n for n in range(50) if n not in (20, 21)]
    assert "'gate': 'open'" in out.splitlines()[-1]


def test_a_program_that_is_stopped_says_nothing_but_that(chart: Command) -> None:
    chart.endpoint()
    chart.signal(signal.SIGINT)
    assert chart.wait() == 0
    assert chart.errors == []


@pytest.mark.parametrize("name", ["timecode.mp4", "yard.mkv"])
def test_frame_numbers_can_be_read_off_the_clips(name: str) -> None:
    capture = cv2.VideoCapture(str(CLIPS / name))
    numbers = []
    while (read := capture.read())[0]:
        half = cv2.imencode(".jpg", read[1], [cv2.IMWRITE_JPEG_QUALITY, 50])[1]
        again = cv2.imdecode(half, cv2.IMREAD_COLOR)
        assert again is not None
        numbers.append(read_number(again.astype("uint8")))
    capture.release()
    expected = range(143) if name == "timecode.mp4" else range(50)
    lost = () if name == "timecode.mp4" else (20, 21)
    assert numbers == [number for number in expected if number not in lost]


def test_the_clips_are_small() -> None:
    clips = [path for path in CLIPS.iterdir() if path.suffix != ".md"]
    assert len(clips) == 3
    assert sum(path.stat().st_size for path in clips) < 2_000_000


def test_ask(framewire_at: str) -> None:
    with sample("ask.py", framewire_at, "5") as process:
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    lines = out.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("pattern ")
    assert all("(240, 320, 3)" in line for line in lines)


def test_watch_web(chart: Command) -> None:
    with commands() as start:
        web = start("web", chart.endpoint(), "--listen", "127.0.0.1:0", "--json")
        address = web.event("ready")["url"].replace("http", "ws")
        with sample("watch_web.py", f"{address}ws/pattern", "5") as process:
            out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    lines = [line.split() for line in out.splitlines()]
    assert [line[0] for line in lines] == ["pattern"] * 5
    numbers = [int(line[1]) for line in lines]
    assert numbers == sorted(set(numbers))


def test_worker_and_collect() -> None:
    work, results = (f"push-pull+tcp://127.0.0.1:{free_port()}" for _ in range(2))
    with (
        commands() as start,
        sample("collect.py", results, "3") as collecting,
        sample("worker.py", work, results),
        sample("worker.py", work, results),
    ):
        sending = start("send", str(CLIPS / "meadow.mp4"), "--count", "100", "--bind", work)
        assert sending.wait() == 0
        out, err = collecting.communicate(timeout=40)
    assert out == "100 frames came back\n", err
