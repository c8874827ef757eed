"""The sending commands, run in this process as the program runs them."""

import json
import os
import re
import signal
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import pytest

import framewire.sender
from framewire.app.main import run
from framewire.common.clock import wall_ns
from framewire.common.errors import UsageError
from framewire.common.frame import Image
from framewire.common.jpeg import decode, encode
from framewire.common.testchart import read_number
from framewire.sender import Sender, open_source
from framewire.sender.cli import parse_metadata
from framewire.sender.sources import devices
from framewire.sender.sources.capture import Here
from framewire.sender.sources.devices import Camera
from framewire.sender.sources.grabber import Traits
from framewire.sender.sources.live import LiveSource
from framewire.sender.sources.source import SourceOptions
from processes import CLIPS
from sender.peers import DEADLINE_S, Listener

if TYPE_CHECKING:
    from sender.conftest import Chart, Listen, MakeClip, MakeMjpeg, MakePacket, Record

ADDRESS = "inproc://cli-test"
TO_LISTENER = ("--bind", ADDRESS, "--wait", "1", "--speed", "0")


@pytest.fixture(autouse=True)
def no_options_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("FRAMEWIRE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FRAMEWIRE_CONFIG", str(tmp_path / "none.toml"))


@pytest.fixture
def listener(listen: "Listen") -> Listener:
    """Subscribed to everything, waiting for a command that binds ADDRESS."""
    return listen(ADDRESS)


Output = pytest.CaptureFixture[str]


def _json_lines(capsys: Output) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def _failure(capsys: Output) -> str:
    """The one line that a failure prints; nothing else."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("framewire: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


# -- metadata -----------------------------------------------------------------------------------


def test_metadata_become_what_they_look_like() -> None:
    pairs = ["gain=4", "ev=-0.5", "on=true", "off=false", "site=yard", "eq=a=b", "none=", "x=1e3"]
    assert parse_metadata([*pairs, "gain=5"]) == {
        "gain": 5,
        "ev": -0.5,
        "on": True,
        "off": False,
        "site": "yard",
        "eq": "a=b",
        "none": "",
        "x": 1000.0,
    }
    assert parse_metadata([]) == {}
    assert type(parse_metadata(["n=4"])["n"]) is int
    assert parse_metadata(["t=True"])["t"] == "True"


@pytest.mark.parametrize("pair", ["gain", "=4", "", "="])
def test_what_is_no_metadata(pair: str) -> None:
    with pytest.raises(UsageError, match="use KEY=VALUE"):
        parse_metadata(["fine=1", pair])


# -- send ---------------------------------------------------------------------------------------


def test_send_a_pattern(listener: Listener, capsys: Output) -> None:
    options = ("--count", "5", "--topic", "lab/chart", "--json")
    more = ("--metadata", "gain=4", "--metadata", "site=yard")
    assert run(["send", "pattern:160x120", *TO_LISTENER, *options, *more]) == 0
    last = listener.until_ended()
    assert last.sequence == 5
    packets = listener.packets
    assert [p.sequence for p in packets] == list(range(5))
    assert [read_number(decode(p.payload)) for p in packets] == list(range(5))
    assert {p.topic for p in packets} == {"lab/chart"}
    assert {p.header.quality for p in packets} == {85}
    assert all(p.metadata == {"gain": 4, "site": "yard"} for p in packets)
    assert _json_lines(capsys) == [
        {"event": "ready", "endpoints": [ADDRESS]},
        {
            "event": "summary",
            "captured": 5,
            "sent": 5,
            "encoded": 5,
            "sent_bytes": sum(len(p.payload) for p in packets),
            "dropped": 0,
            "unwatched": 0,
        },
    ]


def test_send_a_clip_to_people(
    listener: Listener, tmp_path: Path, make_clip: "MakeClip", capsys: Output
) -> None:
    clip = make_clip(tmp_path / "yard.mp4", range(0, 200, 40))
    options = ("--quality", "50", "--size", "80x96", "--gray", "--start", "0.08")
    assert run(["send", clip, *TO_LISTENER, *options]) == 0
    listener.until_ended()
    assert [read_number(decode(p.payload)) for p in listener.packets] == [2, 3, 4]
    header = listener.packets[0].header
    assert (header.topic, header.quality) == ("yard", 50)
    assert (header.width, header.height, header.channels) == (80, 96, 1)
    assert header.metadata == {}
    out, err = capsys.readouterr()
    assert re.fullmatch(
        r"3 frames captured, 3 sent \(0\.0 MB\), 0 dropped, 0 while nobody listened\n", out
    )
    assert re.match(
        rf"{ADDRESS}: 1 frames, \d sent, 0 dropped, 1 receiver\(s\)"
        r"(, encoding \d+\.\d ms)?\n",
        err,
    )


def test_send_images_with_a_rate(
    listener: Listener, tmp_path: Path, chart: "Chart", capsys: Output
) -> None:
    (tmp_path / "shots").mkdir()
    for number in range(3):
        cv2.imwrite(str(tmp_path / "shots" / f"{number}.png"), chart(number))
    options = ("--fps", "50", "--loop", "--count", "7")
    assert run(["send", str(tmp_path / "shots"), *TO_LISTENER, *options]) == 0
    listener.until_ended()
    numbers = [read_number(decode(p.payload)) for p in listener.packets]
    assert numbers == [0, 1, 2, 0, 1, 2, 0]


def test_sending_to_nobody(tmp_path: Path, make_clip: "MakeClip", capsys: Output) -> None:
    clip = make_clip(tmp_path / "yard.mp4", range(0, 200, 40))
    assert run(["send", clip, "--bind", "tcp://127.0.0.1:*", "--speed", "0", "--json"]) == 0
    ready, summary = _json_lines(capsys)
    assert re.fullmatch(r"tcp://127\.0\.0\.1:\d+", ready["endpoints"][0])
    assert (summary["captured"], summary["sent"], summary["unwatched"]) == (5, 0, 5)


def test_sending_to_two_addresses_and_one_that_is_connected(
    listen: "Listen", capsys: Output
) -> None:
    bound = listen("tcp://127.0.0.1:*", bind=True)
    first, second = listen(ADDRESS), listen(ADDRESS + "2")
    where = ["--bind", ADDRESS, "--bind", ADDRESS + "2", "--connect", bound.endpoint]
    how = ["--wait", "3", "--speed", "0", "--count", "2", "--json"]
    assert run(["send", "pattern:160x120", *where, *how]) == 0
    for listener in (bound, first, second):
        listener.until_ended()
        assert listener.sequences() == [0, 1]
    assert len(_json_lines(capsys)[0]["endpoints"]) == 3


def test_nothing_is_also_a_number(listener: Listener, capsys: Output) -> None:
    assert run(["send", "pattern:160x120", *TO_LISTENER, "--count", "0"]) == 0
    assert listener.packets == []
    assert capsys.readouterr().out.startswith("0 frames captured")


@pytest.mark.parametrize(
    ("options", "untouched"),
    [
        ([], True),
        (["--metadata", "site=yard"], True),
        (["--quality", "85"], False),
        (["--gray"], False),
        (["--size", "80x96"], False),
    ],
)
def test_jpeg_is_passed_through_unless_it_is_to_change(
    listener: Listener,
    tmp_path: Path,
    make_mjpeg: "MakeMjpeg",
    chart: "Chart",
    options: list[str],
    untouched: bool,
    capsys: Output,
) -> None:
    jpegs = [encode(chart(number), 60) for number in range(4)]
    clip = make_mjpeg(tmp_path / "yard.avi", jpegs)
    assert run(["send", clip, *TO_LISTENER, *options]) == 0
    listener.until_ended()
    assert ([p.payload for p in listener.packets] == jpegs) is untouched
    assert len(listener.packets) == 4
    assert ("passed through" in capsys.readouterr().err) is untouched or not untouched
    site = {"site": "yard"} if "--metadata" in options else {}
    assert all(p.metadata == site for p in listener.packets)


def test_jpeg_that_has_the_size_already_is_passed_through(
    listener: Listener,
    tmp_path: Path,
    make_mjpeg: "MakeMjpeg",
    chart: "Chart",
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
) -> None:
    jpegs = [encode(chart(number), 60) for number in range(3)]
    source = open_source(make_mjpeg(tmp_path / "yard.avi", jpegs), speed=0)
    source.sized = True  # as a camera that gives what it was asked for
    monkeypatch.setattr(framewire.sender, "open_source", lambda *given, **options: source)
    assert run(["send", "camera:0", *TO_LISTENER, "--size", "160x96"]) == 0
    listener.until_ended()
    assert [p.payload for p in listener.packets] == jpegs


@pytest.mark.parametrize(
    ("source", "options", "policy"),
    [
        ("pattern:160x120@1000", [], "newest"),
        ("pattern:160x120", ["--speed", "0"], "block"),
        ("clip.mp4", [], "block"),
    ],
)
def test_a_file_is_slowed_and_a_camera_is_thinned(
    tmp_path: Path,
    make_clip: "MakeClip",
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    options: list[str],
    policy: str,
    capsys: Output,
) -> None:
    policies = []

    def noted(*bind: str, **arguments: Any) -> Sender:
        policies.append(arguments["when_full"])
        return Sender(*bind, **arguments)

    monkeypatch.setattr(framewire.sender, "Sender", noted)
    monkeypatch.chdir(tmp_path)
    make_clip(tmp_path / "clip.mp4", [0, 10])
    options = [*options, "--count", "2", "--bind", "tcp://127.0.0.1:*"]
    assert run(["send", source, *options]) == 0
    assert policies == [policy]


def test_sending_a_recording_adds_metadata_to_its_own(
    listener: Listener, tmp_path: Path, record: "Record", packet: "MakePacket", capsys: Output
) -> None:
    given = [packet(number, metadata={"gain": 1, "n": number}) for number in range(3)]
    recording = record(tmp_path / "a.mkv", given)
    assert run(["send", recording, *TO_LISTENER, "--metadata", "gain=2", "--topic", "again"]) == 0
    listener.until_ended()
    assert [p.payload for p in listener.packets] == [p.payload for p in given]
    assert [p.metadata for p in listener.packets] == [{"gain": 2, "n": n} for n in range(3)]
    assert {p.topic for p in listener.packets} == {"again"}
    assert all(p.header.replay for p in listener.packets)


def test_options_come_from_the_environment_too(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setenv("FRAMEWIRE_SEND_COUNT", "2")
    monkeypatch.setenv("FRAMEWIRE_SEND_QUALITY", "33")
    assert run(["send", "pattern:160x120", *TO_LISTENER]) == 0
    listener.until_ended()
    assert [p.header.quality for p in listener.packets] == [33, 33]


# -- waiting and stopping -----------------------------------------------------------------------


@pytest.fixture
def on_second_look(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Do something when the command has looked for receivers in vain."""

    def arrange(call: Callable[[], object]) -> None:
        looks = 0
        real = Sender.wait_for_receivers

        def look(sender: Sender, count: int = 1, timeout: float | None = None) -> bool:
            nonlocal looks
            looks += 1
            if looks == 2:
                call()
            return real(sender, count, timeout)

        monkeypatch.setattr(Sender, "wait_for_receivers", look)

    return arrange


def test_waiting_for_receivers(
    listen: "Listen",
    on_second_look: Callable[[Callable[[], object]], None],
    capsys: Output,
) -> None:
    listeners = [listen(ADDRESS)]
    on_second_look(lambda: listeners.append(listen(ADDRESS)))
    options = ["--bind", ADDRESS, "--wait", "2", "--speed", "0", "--count", "3"]
    assert run(["send", "pattern:160x120", *options]) == 0
    assert len(listeners) == 2
    for listener in listeners:
        listener.until_ended()
        assert listener.sequences() == [0, 1, 2]
    assert f"{ADDRESS}: waiting for 2 receiver(s)\n" in capsys.readouterr().err


def test_an_interrupt_ends_the_waiting(
    on_second_look: Callable[[Callable[[], object]], None], capsys: Output
) -> None:
    on_second_look(lambda: os.kill(os.getpid(), signal.SIGINT))
    options = ["--bind", "tcp://127.0.0.1:*", "--wait", "1"]
    assert run(["send", "pattern:160x120", *options]) == 0
    assert capsys.readouterr().out.startswith("0 frames captured, 0 sent")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_sending_cleanly(
    listener: Listener, threads: ThreadPoolExecutor, number: signal.Signals, capsys: Output
) -> None:
    before = signal.getsignal(number)

    def stop() -> None:
        listener.until_packets(3)
        os.kill(os.getpid(), number)

    stopping = threads.submit(stop)
    options = ["--bind", ADDRESS, "--wait", "1", "--json"]
    assert run(["send", "pattern:160x120@100", *options]) == 0
    stopping.result(DEADLINE_S)
    last = listener.until_ended()
    summary = _json_lines(capsys)[1]
    assert summary["captured"] == last.sequence >= 3
    assert signal.getsignal(number) == before


class Camera1:
    """A camera that gives three pictures and is then unplugged for good."""

    def __init__(self, images: Sequence[Image]) -> None:
        self._images = list(images)

    def open(self) -> Traits:
        return Traits()

    def grab(self, into: Image | None) -> Image | None:
        return self._images.pop(0) if self._images else None

    def release(self) -> None:
        pass


def test_a_camera_that_is_unplugged_is_announced(
    listener: Listener,
    chart: "Chart",
    threads: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
) -> None:
    monkeypatch.setattr("framewire.sender.sources.patience.RETRY_S", (0.01,))
    camera = Camera1([])
    source = LiveSource("camera0", SourceOptions(), Here(camera))
    monkeypatch.setattr(framewire.sender, "open_source", lambda *given, **options: source)

    def unplug() -> None:
        listener.until_packets(1)
        listener.until(lambda: any(s.state == "no-signal" for s in listener.statuses))
        os.kill(os.getpid(), signal.SIGINT)

    unplugging = threads.submit(unplug)
    camera._images += [chart(0), chart(1), chart(2)]
    assert run(["send", "camera:0", "--bind", ADDRESS, "--wait", "1"]) == 0
    unplugging.result(DEADLINE_S)
    listener.until_ended()
    reasons = {s.reason for s in listener.statuses if s.state == "no-signal"}
    assert reasons == {"it gives no more pictures"}


# -- failing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["no-such.mp4"], 1, "no such file: no-such.mp4"),
        (["ftp://cam/x"], 2, "unknown source"),
        (["pattern:1x1"], 2, "bad pattern"),
        (["pattern:", "--loop"], 2, "loop: not possible"),
        (["pattern:", "--speed", "-1"], 2, "speed -1.0 is not possible"),
        (["pattern:", "--fps", "0"], 2, "frames a second"),
        (["pattern:", "--start", "-1"], 2, "start -1.0 is not possible"),
        (["pattern:", "--size", "big"], 2, "bad size 'big'"),
        (["pattern:", "--quality", "0"], 2, "quality 0 is not possible"),
        (["pattern:", "--metadata", "gain"], 2, "bad metadata 'gain'"),
        (["pattern:", "--topic", "a b"], 2, "bad topic 'a b'"),
        (["pattern:", "--bind", "localhost:5555"], 2, "did you mean tcp://localhost:5555?"),
        (["pattern:", "--bind", "tcp://0.0.0.0:5555"], 2, "--insecure"),
        (["pattern:", "--connect", "tcp://127.0.0.1:*"], 2, "must be a number"),
        (["pattern:", "--count", "many"], 2, "--count"),
        (["pattern:", "--nonsense"], 2, "--nonsense"),
        ([], 2, "SOURCE"),
    ],
)
def test_send_fails_with_one_line(
    options: list[str], code: int, message: str, capsys: Output
) -> None:
    assert run(["send", *options]) == code
    assert message in _failure(capsys)


def test_a_port_that_is_taken(capsys: Output) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        assert run(["send", "pattern:160x120", "--bind", address]) == 1
    assert f"cannot bind {address}: another program has that address" in _failure(capsys)


def test_a_source_that_fails_on_the_way(tmp_path: Path, capsys: Output, chart: "Chart") -> None:
    (tmp_path / "shots").mkdir()
    cv2.imwrite(str(tmp_path / "shots" / "1.png"), chart(0))
    (tmp_path / "shots" / "2.png").write_bytes(b"no image")
    options = ["--bind", "tcp://127.0.0.1:*", "--speed", "0", "--json"]
    assert run(["send", str(tmp_path / "shots"), *options]) == 1
    err = capsys.readouterr().err
    assert "2.png: it is not an image" in err.splitlines()[-1]
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["send", "replay"])
def test_a_negative_count_is_refused(
    command: str, tmp_path: Path, record: "Record", packet: "MakePacket", capsys: Output
) -> None:
    recording = record(tmp_path / "a.mkv", [packet(0)])
    options = ["--bind", "tcp://127.0.0.1:*", "--count", "-1"]
    assert run([command, recording, *options]) == 2


YARD = str(CLIPS / "yard.mkv")

# -- replay -------------------------------------------------------------------------------------


def test_replay_recordings_together(
    listener: Listener, tmp_path: Path, record: "Record", packet: "MakePacket", capsys: Output
) -> None:
    left = [packet(number, topic="left", metadata={"n": number}) for number in range(3)]
    right = [packet(number, topic="right") for number in range(10, 13)]
    files = [record(tmp_path / "l.mkv", left), record(tmp_path / "r.mkv", right)]
    assert run(["replay", *files, *TO_LISTENER, "--json"]) == 0
    listener.until(lambda: sum(s.state == "ended" for s in listener.statuses) == 2)
    for given in (left, right):
        topic = given[0].topic
        played = [p for p in listener.packets if p.topic == topic]
        assert [p.payload for p in played] == [p.payload for p in given]
        assert [p.sequence for p in played] == [p.sequence for p in given]
        assert [p.metadata for p in played] == [p.metadata for p in given]
        assert [p.header.captured_ns for p in played] == [p.header.captured_ns for p in given]
        assert all(p.header.replay for p in played)
    ready, summary = _json_lines(capsys)
    assert (ready["event"], summary["event"], summary["sent"]) == ("ready", "summary", 6)


def test_replay_in_a_loop_with_another_topic(
    listener: Listener, tmp_path: Path, record: "Record", packet: "MakePacket", capsys: Output
) -> None:
    recording = record(tmp_path / "a.mkv", [packet(0), packet(1), packet(2)])
    options = ("--loop", "--count", "5", "--start", "0.04", "--topic", "again")
    assert run(["replay", recording, *TO_LISTENER, *options]) == 0
    listener.until_packets(5)
    listener.until(lambda: any(s.state == "ended" for s in listener.statuses))
    assert listener.sequences("again") == [1, 2, 1, 2, 1]
    assert len({p.header.sender for p in listener.packets}) == 3
    assert "5 sent" in capsys.readouterr().out


def test_replay_a_part_of_a_folder(
    listener: Listener, tmp_path: Path, record: "Record", packet: "MakePacket"
) -> None:
    """Frames are 40 ms apart, from 2020-09-13T12:26:40 UTC on."""
    record(tmp_path / "b.mkv", [packet(number) for number in range(3)])
    record(tmp_path / "a.mkv", [packet(number) for number in range(3, 6)])
    options = ["--start", "2020-09-13T12:26:40.04", "--end", "0.2", "--retime", "--skip-gaps"]
    before_ns = wall_ns()
    assert run(["replay", str(tmp_path), *TO_LISTENER, *options]) == 0
    listener.until_packets(4)
    assert listener.sequences("lab/cam1") == [1, 2, 3, 4]
    assert not any(p.header.replay for p in listener.packets)
    assert all(p.header.captured_ns >= before_ns for p in listener.packets)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "nothing to replay: name one recording or more"),
        (["no-such.mkv"], 1, "cannot read no-such.mkv"),
        (["no-such.mkv", "--speed", "-1"], 2, "speed"),
        (["no-such.mkv", "--quality", "5"], 2, "--quality"),
        ([YARD, "--start", "soon"], 2, "bad place 'soon'"),
        ([YARD, "--start", "2", "--end", "1"], 2, "is not after the start"),
    ],
)
def test_replay_fails_with_one_line(
    arguments: list[str], code: int, message: str, capsys: Output
) -> None:
    assert run(["replay", *arguments]) == code
    assert message in _failure(capsys)


def test_a_clip_is_not_replayed(tmp_path: Path, make_clip: "MakeClip", capsys: Output) -> None:
    assert run(["replay", make_clip(tmp_path / "clip.mp4", [0, 40])]) == 1
    assert "is not a framewire recording: send it as a clip instead" in _failure(capsys)


# -- devices ------------------------------------------------------------------------------------

CAMERAS = [
    Camera(0, "Integrated Camera", ("MJPG", "YUYV")),
    Camera(10, "USB", ("not readable: Permission denied",)),
]


@pytest.fixture
def cameras(monkeypatch: pytest.MonkeyPatch) -> list[Camera]:
    found = list(CAMERAS)
    monkeypatch.setattr(devices, "list_cameras", lambda: found)
    return found


@pytest.mark.usefixtures("cameras")
def test_devices_for_people(capsys: Output) -> None:
    assert run(["devices"]) == 0
    out = capsys.readouterr().out
    for text in (
        "index",
        "name",
        "formats",
        "Integrated Camera",
        "MJPG YUYV",
        "10",
        "not readable",
    ):
        assert text in out


@pytest.mark.usefixtures("cameras")
def test_devices_for_machines(capsys: Output) -> None:
    assert run(["devices", "--json"]) == 0
    assert _json_lines(capsys) == [
        {"index": 0, "name": "Integrated Camera", "formats": ["MJPG", "YUYV"]},
        {"index": 10, "name": "USB", "formats": ["not readable: Permission denied"]},
    ]


@pytest.mark.parametrize(("options", "out"), [([], "no cameras found\n"), (["--json"], "")])
def test_a_machine_without_cameras(
    cameras: list[Camera], options: list[str], out: str, capsys: Output
) -> None:
    cameras.clear()
    assert run(["devices", *options]) == 0
    assert capsys.readouterr().out == out
