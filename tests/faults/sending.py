"""A real `framewire send`, watched by a receiver: when it says what, and why."""

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from framewire.receiver import Receiver, TopicReceived
from processes import Command, Start, until

FAKE = Path(__file__).parent / "fakecamera.py"
LIMIT_S = 3.0
"""From a fault to the status that tells of it."""


def with_fake_camera(control: Path) -> Callable[[list[str]], list[str]]:
    """The command line of a command whose cameras do what `control` says."""
    return lambda argv: [argv[0], str(FAKE), str(control), *argv[3:]]


class Sending:
    """`send SOURCE --topic cam`, and a receiver of it."""

    def __init__(self, framewire: Start, source: str, *options: str, **facts: Any) -> None:
        self.command: Command = framewire(
            "send", source, "--bind", "tcp://127.0.0.1:*", "--topic", "cam", "--json",
            *options, **facts,
        )  # fmt: skip
        self.endpoint, *self.others = self.command.event("ready")["endpoints"]
        self.receiver = Receiver(self.endpoint, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.receiver.close()

    @property
    def said(self) -> TopicReceived | None:
        return self.receiver.stats.topics.get("cam")

    @property
    def state(self) -> str:
        said = self.said
        return said.state if said else ""

    @property
    def reason(self) -> str:
        said = self.said
        return said.reason if said else ""

    def until_live(self) -> float:
        """Until it says so, and a picture has come after that; seconds."""
        begun = time.monotonic()
        until(lambda: self.state == "live")
        while self.receiver.read() is None:
            continue
        return time.monotonic() - begun

    def until_lost(self, reason: str = "") -> float:
        """Until it says that there is no signal, for that reason; seconds."""
        begun = time.monotonic()
        until(lambda: self.state == "no-signal" and reason in self.reason, LIMIT_S + 10)
        return time.monotonic() - begun

    def frames(self, seconds: float) -> int:
        """Frames that come in that time."""
        before = self.said
        time.sleep(seconds)
        after = self.said
        assert before
        assert after
        return after.received - before.received


class FakeCamera(Sending):
    """`send camera:0` with a camera that does what the test says."""

    def __init__(self, framewire: Start, control: Path, *options: str, do: str = "run") -> None:
        self.control = control
        self.do(do)
        super().__init__(framewire, "camera:0", *options, within=with_fake_camera(control))

    def do(self, what: str) -> None:
        """From the camera's next read on."""
        new = self.control.with_suffix(".new")
        new.write_text(what)
        new.replace(self.control)


def children(pid: int) -> list[int]:
    """Processes that a process has started (Linux)."""
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").glob("*/children")
        for child in task.read_text().split()
    ]


def runs(pid: int) -> bool:
    """Whether there is such a process; one that only waits to be counted as ended is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
