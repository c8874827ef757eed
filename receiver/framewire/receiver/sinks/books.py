"""What a recorder counts, by topic."""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Books", "FileEvent", "RecorderStats"]


@dataclass(frozen=True, slots=True)
class FileEvent:
    """Something happened to a file."""

    state: str
    """``begun`` (with its first frame), ``finished``, ``failed`` (it stays as it is, readable) or ``removed`` (too old, or
    too much)."""
    path: Path
    topic: str
    frames: int = 0
    """In the file; 0 where it was removed."""
    bytes: int = 0
    """Its size."""
    event: int = 0
    """Number of the event that it belongs to; 0 where all is recorded."""


@dataclass(frozen=True, slots=True)
class RecorderStats:
    """A snapshot of a recorder."""

    recorded: Mapping[str, int] = field(default_factory=dict)
    """Frames written, by topic."""
    unwritten: Mapping[str, int] = field(default_factory=dict)
    """Frames that should have been written and could not be, by topic."""
    payload_bytes: int = 0
    """Bytes of the pictures written."""
    disk_free_bytes: int | None = None
    """Room on the disk for this user, as of about a second ago; None if it is not known yet."""
    trouble: str = ""
    """What keeps frames from being written now; empty if nothing does."""
    events: int = 0
    """Events that were triggered."""


class Books:
    """Counts of frames. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recorded: Counter[str] = Counter()
        self._unwritten: Counter[str] = Counter()
        self._frames = 0
        self._bytes = 0
        self.disk_free_bytes: int | None = None

    @property
    def frames(self) -> int:
        """Frames written."""
        return self._frames

    @property
    def payload_bytes(self) -> int:
        """Bytes of their pictures."""
        return self._bytes

    @property
    def missing(self) -> int:
        """Frames not written."""
        with self._lock:
            return self._unwritten.total()

    def wrote(self, topic: str, size: int) -> None:
        with self._lock:
            self._recorded[topic] += 1
            self._frames += 1
            self._bytes += size

    def missed(self, topics: Iterable[str]) -> None:
        with self._lock:
            self._unwritten.update(topics)

    def gone(self, topic: str, frames: int) -> None:
        """What was written was removed with its file."""
        with self._lock:
            self._recorded[topic] -= frames
            self._frames -= frames
            self._unwritten[topic] += frames

    def snapshot(self, trouble: str, events: int) -> RecorderStats:
        with self._lock:
            return RecorderStats(
                dict(self._recorded),
                dict(self._unwritten),
                self._bytes,
                self.disk_free_bytes,
                trouble,
                events,
            )

    def __str__(self) -> str:
        """Frames not written, for people: ``3 frames were not written (lab/cam1 1, yard 2)``."""
        with self._lock:
            total, by_topic = self._unwritten.total(), dict(self._unwritten)
        each = ", ".join(f"{topic} {frames}" for topic, frames in by_topic.items())
        return f"{total} frame{'' if total == 1 else 's'} not written ({each})"
