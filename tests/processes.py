"""Commands of framewire as real processes: started, waited for with a deadline, and always ended."""

import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, Queue
from typing import Any

CLIPS = Path(__file__).parent.parent / "samples" / "clips"
DEADLINE_S = 30.0

Event = dict[str, Any]


class Command:
    """`framewire ARGUMENTS` in a process of its own.

    `within` makes the command line that runs another one somewhere else, as in a network namespace.
    """

    def __init__(
        self,
        *arguments: str,
        cwd: Path | None = None,
        within: Callable[[list[str]], list[str]] = lambda argv: argv,
    ) -> None:
        self.arguments = arguments
        self.process = subprocess.Popen(
            within([sys.executable, "-m", "framewire", *arguments]),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
        )
        self._lines: Queue[str | None] = Queue()
        self.errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read_output, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read_output(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr
        self.errors.extend(self.process.stderr)

    def event(self, kind: str, deadline_s: float = DEADLINE_S) -> Event:
        """The next JSON line of that kind."""
        until = time.monotonic() + deadline_s
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, until - time.monotonic()))
            except Empty:
                raise AssertionError(f"no {kind!r} in {deadline_s} s: {self}") from None
            assert line is not None, f"it ended without {kind!r}: {self}"
            event: Event = json.loads(line)
            if event["event"] == kind:
                return event

    def rest(self) -> list[Event]:
        """All further JSON lines of a command that has ended; one that was cut off is none."""
        events = []
        while (line := self._lines.get(timeout=DEADLINE_S)) is not None:
            with suppress(json.JSONDecodeError):
                events.append(json.loads(line))
        return events

    def endpoint(self) -> str:
        """The first address of a `send` or `replay` that was started with --json."""
        return str(self.event("ready")["endpoints"][0])

    def url(self) -> str:
        """Where a `web` is that was started with --json."""
        return str(self.event("ready")["url"])

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, deadline_s: float = DEADLINE_S) -> int:
        """Its exit code."""
        try:
            code = self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end in {deadline_s} s: {self}") from None
        for reader in self._readers:
            reader.join(deadline_s)
        return code

    def end(self) -> None:
        """Kill it if it still runs, and leave nothing open."""
        with suppress(ProcessLookupError):
            self.process.kill()
        self.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    def resident_bytes(self) -> int:
        """Memory that it holds now (Linux)."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * 4096

    def __repr__(self) -> str:
        return f"framewire {' '.join(self.arguments)}: {''.join(self.errors)}"


Start = Callable[..., Command]


@contextmanager
def commands(cwd: Path | None = None) -> Iterator[Start]:
    """Gives a function that starts commands; ends them all when the block is left."""
    started: list[Command] = []

    def start(*arguments: str, **options: Any) -> Command:
        started.append(Command(*arguments, cwd=cwd, **options))
        return started[-1]

    try:
        yield start
    finally:
        for command in started:
            command.end()


def free_port() -> int:
    """A free port below 32768: a subscriber to a closed ephemeral port can connect to itself."""
    for number in random.sample(range(20000, 32000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", number))
            return number
    raise AssertionError("no free port")


def until(condition: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """Wait for a condition; fail when the time is over."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"not so within {deadline_s} s"
        time.sleep(0.01)
