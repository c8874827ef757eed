"""Every command of framewire that runs for a while, with what it says once it works."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from processes import CLIPS, Command, Start, until

__all__ = ["AT_WORK", "Worker", "takes_signals"]

SMALL = "pattern:320x240@15"
YARD = str(CLIPS / "yard.mkv")


@dataclass(frozen=True)
class Worker:
    """How to start a command that works until it is ended, with frames of a sender at `url`."""

    arguments: tuple[str, ...]
    first: str
    """The first event that shows it at work."""
    summary: bool = True
    """Whether the last line is one."""
    finished: Callable[[Path], bool] = field(default=lambda folder: True)

    def start(self, start: Start, url: str, folder: Path) -> Command:
        words = {"URL": url, "FOLDER": str(folder)}
        return start(*(words.get(each, each) for each in self.arguments), "--json")


def _finished(file: str) -> Callable[[Path], bool]:
    """Whether the recordings that a pattern names are whole, with an index."""

    def check(folder: Path) -> bool:
        from framewire.common.recording import Recording

        paths = list(folder.glob(file))
        for path in paths:
            with Recording(path) as recording:
                assert recording.finished
                assert len(recording) > 0
        return bool(paths)

    return check


_BIND = ("--bind", "tcp://127.0.0.1:*")

AT_WORK = {
    "send": Worker(("send", SMALL, *_BIND), "ready"),
    "send a file": Worker(("send", str(CLIPS / "timecode.mp4"), "--loop", *_BIND), "ready"),
    "send to nobody": Worker(("send", SMALL, *_BIND, "--wait", "1"), "ready"),
    "view": Worker(("view", "URL", "--headless"), "figures"),
    "record": Worker(
        ("record", "URL", "--out", "one.mkv"), "figures", finished=_finished("one.mkv")
    ),
    "record into a folder": Worker(
        ("record", "URL", "--out", "folder"), "figures", finished=_finished("folder/pattern/*.mkv")
    ),
    "record events": Worker(
        ("record", "URL", "--out", "events", "--pre", "1s", "--trigger", "stdin"), "figures"
    ),
    "replay": Worker(("replay", YARD, "--loop", *_BIND), "ready"),
    "stats": Worker(("stats", "URL"), "figures", summary=False),
    "web": Worker(("web", "URL", "--listen", "127.0.0.1:0"), "ready", summary=False),
    "web with recordings": Worker(
        ("web", "URL", "--listen", "127.0.0.1:0", "--recordings", str(CLIPS)),
        "ready",
        summary=False,
    ),
    "relay": Worker(("relay", "--from", "URL", *_BIND), "ready"),
    "demo": Worker(("demo", "--headless", "--source", SMALL), "figures"),
}


def takes_signals(command: Command) -> bool:
    """Whether it has got so far that signals are its own business (Linux)."""
    caught = 0
    for line in Path(f"/proc/{command.process.pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            caught = int(line.split()[1], 16)
    return bool(caught & (1 << 14) and caught & 1)  # SIGTERM, and SIGHUP, which it takes last


def wait_for_signals(command: Command) -> None:
    """Until it takes signals, or has ended."""
    until(lambda: command.process.poll() is not None or takes_signals(command))
