"""What a target of the fuzzer is, and what the targets share."""

import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["SEPARATOR", "Target", "folder", "joined", "split"]

SEPARATOR = b"\xc1|\xc1|"
"""Between the parts of an input that has several. msgpack never uses the byte C1."""


@dataclass(frozen=True, slots=True)
class Target:
    """Something that takes bytes from outside. fuzz/table.py lists them."""

    check: Callable[[bytes], bool]
    """Feeds it any bytes and asserts what always holds; whether they were taken, not refused. Only
    the error that it documents is caught: whatever else comes out of it is a finding."""
    seeds: Callable[[], Iterable[bytes]]
    """Inputs to begin with, most of which are taken."""
    words: tuple[bytes, ...] = ()
    """What its language is made of, for the fuzzer to put in."""
    most_bytes: int = 4096
    """Longest input that is tried."""
    close: Callable[[], None] = lambda: None
    """Ends what its checks have started."""


def joined(parts: Iterable[bytes]) -> bytes:
    """One input from several parts."""
    return SEPARATOR.join(parts)


def split(data: bytes) -> list[bytes]:
    """The parts of an input: one at least."""
    return data.split(SEPARATOR)


@cache
def folder() -> Path:
    """A folder in memory where there is one, for inputs that must be files; for this process."""
    import atexit

    memory = Path("/dev/shm")
    path = Path(tempfile.mkdtemp(prefix="framewire-fuzz-", dir=memory if memory.is_dir() else None))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
