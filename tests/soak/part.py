"""One process of the soak, over all its lives: started, killed and started again, and what it said."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

__all__ = ["MARK", "Heard", "Life", "Part"]

MARK = "FRAMEWIRE_SOAK"
"""In the environment of all processes of a soak, and of their children."""

_READY_S = 30.0
_PIPE_BYTES = 4096
_SET_PIPE = getattr(fcntl, "F_SETPIPE_SZ", 1031)


def _paths() -> list[str]:
    """Where modules lie, this one's first."""
    given = os.environ.get("PYTHONPATH")
    return [str(Path(__file__).parents[1]), *([given] if given else [])]


How = Literal["", "killed", "ended"]


@dataclass(slots=True)
class Heard:
    """What a part said last of a topic."""

    figures: dict[str, Any] = field(default_factory=dict)
    grew_s: float = 0.0
    """When it last told of more frames than before; monotonic clock."""
    told_s: float = 0.0
    """When it told of it at all."""
    agreed_s: float = 0.0
    """When last its own books and the receiver's said the same: they may not where a frame is on its
    way from one to the other, which shows what was lost."""

    def take(self, figures: dict[str, Any]) -> None:
        self.told_s = time.monotonic()
        if figures["received"] > self.figures.get("received", 0):
            self.grew_s = self.told_s
        self.figures = figures
        own = figures.get("own_received"), figures.get("own_lost")
        if own == (figures.get("delivered"), figures["lost"]) or not self.agreed_s:
            self.agreed_s = self.told_s


@dataclass(slots=True)
class Life:
    """From one start of a part to its end."""

    process: "subprocess.Popen[str]"
    began_s: float
    told: dict[str, Any] = field(default_factory=dict)
    """What it said when it was ready."""
    topics: dict[str, Heard] = field(default_factory=dict)
    ready: threading.Event = field(default_factory=threading.Event)
    how: How = ""
    """What this program did to end it; else nothing."""
    code: int | None = None
    took_s: float = 0.0
    """From SIGTERM to its end."""
    summary: dict[str, Any] = field(default_factory=dict)
    dropped: float = 0.0
    """Frames that it dropped as a sender, as its metrics told last ..."""
    dropped_s: float = 0.0
    """... then."""


class Part:
    """`python -m ARGUMENTS`, which tells JSON lines, of which `ready` is the first.

    Starting and ending belong to one thread; what it says may be read by any.
    """

    def __init__(
        self,
        name: str,
        *arguments: str,
        folder: Path,
        mark: str,
        codes: tuple[int, ...] = (0,),
        complain: Callable[[str, str], None],
    ) -> None:
        self.name, self.arguments, self.codes = name, arguments, codes
        """`codes`: how it may exit. `mark`: what MARK is in its environment."""
        self.log = folder / f"{name}.log"
        self.lives: list[Life] = []
        self.reading = threading.Event()
        """Cleared: nobody reads what it says, until it is set again."""
        self.reading.set()
        self._folder, self._mark = folder, mark
        self._complain = complain

    @property
    def life(self) -> Life:
        return self.lives[-1]

    @property
    def pid(self) -> int:
        return self.life.process.pid

    @property
    def alive(self) -> bool:
        return bool(self.lives) and not self.life.how and self.life.process.poll() is None

    def start(self) -> None:
        with self.log.open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=self._folder,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(_paths()),
                    MARK: self._mark,
                },
            )
        life = Life(process, time.monotonic())
        self.lives.append(life)
        assert process.stdout
        fcntl.fcntl(process.stdout, _SET_PIPE, _PIPE_BYTES)
        threading.Thread(target=self._read, args=(life,), daemon=True).start()

    def wait(self, deadline_s: float = _READY_S) -> bool:
        """Until it is ready; False if it is not in time, or has ended."""
        end_s = time.monotonic() + deadline_s
        while not self.life.ready.wait(0.05):
            if time.monotonic() > end_s or self.life.process.poll() is not None:
                return False
        return True

    def kill(self) -> None:
        self.life.how = "killed"
        self.life.process.kill()
        self.life.code = self.life.process.wait()

    def signal(self, number: signal.Signals) -> None:
        self.life.process.send_signal(number)

    def end(self, deadline_s: float) -> None:
        """SIGTERM; and SIGKILL for one that does not end."""
        life = self.life
        began_s, life.how = time.monotonic(), "ended"
        life.process.terminate()
        try:
            life.code = life.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            life.process.kill()
            life.process.wait()
        life.took_s = time.monotonic() - began_s

    def _read(self, life: Life) -> None:
        assert life.process.stdout
        with life.process.stdout as lines:
            for line in lines:
                self.reading.wait()
                try:
                    self._take(life, json.loads(line))
                except json.JSONDecodeError:  # cut off by a kill, or where it was full
                    continue

    def _take(self, life: Life, event: dict[str, Any]) -> None:
        match event["event"]:
            case "ready":
                life.told = event
                life.ready.set()
            case "figures":
                life.topics.setdefault(event["topic"], Heard()).take(event)
            case "violation":
                self._complain(event["invariant"], f"{self.name}: {event['what']}")
            case "summary":
                life.summary = event
