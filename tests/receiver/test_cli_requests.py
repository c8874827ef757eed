"""The commands `view`, `record` and `snapshot` at senders that are asked, and at those that push."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from framewire.app.main import run
from framewire.common.container import RecordingReader
from framewire.common.endpoint import parse_endpoint
from framewire.common.request import Request
from framewire.common.transport import Pusher
from framewire.receiver import sinks
from receiver.answering import Desk
from receiver.publishing import DEADLINE_S, packet, parts_of, status


@contextmanager
def _meanwhile(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Do this in a thread until the block is over, which `work` is told."""
    over = threading.Event()
    thread = threading.Thread(target=work, args=(over,))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


class Counter:
    """A desk that answers on its own: each request with the next of these numbers."""

    def __init__(self, *numbers: int) -> None:
        self.requests: list[Request] = []
        self._numbers = list(numbers)
        self._desk = Desk()
        self.url = self._desk.url

    @contextmanager
    def open(self) -> Iterator[None]:
        with self._desk, _meanwhile(self._serve):
            yield

    def _serve(self, over: threading.Event) -> None:
        while not over.wait(0.002):
            asked = self._desk.look()
            if asked is None:
                continue
            self.requests.append(asked.request)
            if asked.request.status:
                self._desk.answer(asked, status(0))
            elif self._numbers:
                self._desk.answer(asked, packet(self._numbers.pop(0)))


def test_a_snapshot_is_asked_for_as_it_is_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counter, out = Counter(7), tmp_path / "cam.jpg"
    with counter.open():
        arguments = ["--out", str(out), "--quality", "40", "--scale", "0.5", "--topic", "lab"]
        assert run(["snapshot", counter.url, *arguments]) == 0
    assert out.is_file()
    assert "lab/cam1 frame 7" in capsys.readouterr().out
    asked = counter.requests[1]
    assert (asked.topic, asked.quality, asked.scale) == ("lab", 40, 0.5)


def test_view_asks_again_and_again(capsys: pytest.CaptureFixture[str]) -> None:
    counter = Counter(0, 1, 5)
    with counter.open():
        arguments = ["--headless", "--count", "3", "--json", "--quality", "auto", "--credits", "1"]
        assert run(["view", counter.url, *arguments]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["received"] == 3
    assert (summary["lost"], summary["passed_by"]) == (0, 3)
    assert len(counter.requests) >= 4  # one more was the ping


@pytest.mark.parametrize(("numbers", "code"), [((0, 1, 2), 0), ((0, 1, 4), 3)])
def test_a_recording_of_all_frames_says_whether_one_was_lost(
    numbers: tuple[int, ...], code: int, tmp_path: Path
) -> None:
    counter, out = Counter(*numbers), tmp_path / "all.mkv"
    with counter.open():
        arguments = ["--out", str(out), "--all", "--count", "3", "--credits", "1"]
        assert run(["record", counter.url, *arguments]) == code
    with closing(RecordingReader(out)) as reader:
        assert [each.sequence for each in reader.packets()] == list(numbers)
    assert counter.requests[-1].after is not None


def test_a_recording_of_all_frames_is_not_complete_where_others_took_some(tmp_path: Path) -> None:
    out = tmp_path / "share.mkv"
    with closing(Pusher([parse_endpoint("push-pull+inproc://jobs", bind=True)], [])) as pusher:

        def push(over: threading.Event) -> None:
            numbers = [0, 3]
            while numbers and not over.wait(0.002):
                if pusher.send(parts_of(packet(numbers[0]))):
                    del numbers[0]

        with _meanwhile(push):
            arguments = ["--out", str(out), "--all", "--count", "2"]
            assert run(["record", pusher.endpoints[0], *arguments]) == 3


@pytest.mark.parametrize(
    "command",
    [
        ["view", "--headless", "--quality", "50"],
        ["snapshot", "--out", "cam.jpg", "--scale", "0.5"],
        ["view", "--headless", "--credits", "2"],
        ["snapshot", "--out", "cam.jpg", "--quality", "auto"],
    ],
)
def test_what_nobody_can_be_asked_for_is_a_mistake(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run([command[0], "tcp://127.0.0.1:9", *command[1:]]) == 2
    assert "use a req-rep endpoint" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []  # nothing was begun


@pytest.mark.parametrize("mistake", [["tcp://*:5555"], ["tcp://127.0.0.1:9", "--credits", "2"]])
def test_a_mistake_costs_no_recording(
    mistake: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []

    def open_sink(*arguments: object, **options: object) -> None:
        opened.append(arguments)

    monkeypatch.setattr(sinks, "open_sink", open_sink)
    arguments = ["--out", str(tmp_path / "old.mkv"), "--overwrite"]
    assert run(["record", *mistake, *arguments]) == 2
    assert opened == []
