"""`Shelf`: the recordings of a folder, kept within its limits.

Only what framewire wrote is counted and removed: a plain file that lies and is called as a segment
does, that begins with our mark (`framewire.common.matroska_writing.MARK`), and that nobody has locked.
"""

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from framewire.common.errors import TopicError
from framewire.common.recording_writer import is_being_written, is_ours_on_disk
from framewire.common.topic import check_topic
from framewire.receiver.sinks.retention import Kept, Steps, doomed
from framewire.receiver.sinks.segments import is_segment_name

__all__ = ["Shelf"]


class Shelf:
    """Keeps a folder within its limits. Not thread-safe; the disk may hold it up."""

    def __init__(self, folder: Path, *, keep_ns: int | None, max_bytes: int | None) -> None:
        self._folder, self._keep_ns, self._max_bytes = folder, keep_ns, max_bytes
        self._ours: dict[tuple[Path, int], int] = {}  # in which look each was first found
        self._looks = 0
        self._steps = Steps()

    @property
    def limited(self) -> bool:
        """Whether there is a limit."""
        return self._keep_ns is not None or self._max_bytes is not None

    def tidy(self, open_paths: Collection[Path], now_ns: int, monotonic_ns: int) -> list[Kept]:
        """Remove what has to go; return what went. `now_ns` is of the wall clock."""
        if not self._steps.trusts(now_ns, monotonic_ns):
            now_ns = 0  # nothing is old
        files, staying, gone = self._found(), set(open_paths), []
        while going := [kept for kept in self._doomed(files, staying, now_ns) if kept not in gone]:
            for kept in going:
                if self._remove(kept):
                    gone.append(kept)
                else:
                    staying.add(kept.path)
            files = [kept for kept in files if kept not in gone]
        return gone

    def _doomed(self, files: list[Kept], staying: set[Path], now_ns: int) -> list[Kept]:
        return doomed(
            files, staying, now_ns=now_ns, keep_ns=self._keep_ns, max_bytes=self._max_bytes
        )

    def _found(self) -> list[Kept]:
        """Files that framewire wrote. That of each is looked up once."""
        files, ours = [], {}
        self._looks += 1
        for path, entry in _walk(self._folder, ""):
            with suppress(OSError):  # gone meanwhile
                facts = entry.stat(follow_symlinks=False)
                name = path, facts.st_ino
                if stat.S_ISREG(facts.st_mode) and (name in self._ours or is_ours_on_disk(path)):
                    ours[name] = self._ours.get(name, self._looks)
                    files.append(Kept(path, facts.st_size, facts.st_mtime_ns, ours[name]))
        self._ours = ours
        return files

    def _remove(self, kept: Kept) -> bool:
        """Remove a file that is open nowhere, and the folders that this leaves empty."""
        if is_being_written(kept.path):
            return False
        try:
            kept.path.unlink()
        except OSError:
            return False
        with suppress(OSError):  # not empty
            for parent in kept.path.parents:
                if parent == self._folder:
                    break
                parent.rmdir()
        return True


def _walk(folder: Path, topic: str) -> Iterator[tuple[Path, os.DirEntry[str]]]:
    """What lies and is called as ours: TOPIC/2026-01-31T14-05-00.mkv. No link is followed."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                below = f"{topic}/{entry.name}".lstrip("/")
                if _is_topic(below):
                    yield from _walk(folder / entry.name, below)
            elif topic and is_segment_name(entry.name):
                yield folder / entry.name, entry


def _is_topic(name: str) -> bool:
    try:
        check_topic(name)
    except TopicError:
        return False
    return True
