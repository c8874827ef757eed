"""Which recordings have to go: too old, or too many. Pure."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

__all__ = ["Kept", "doomed"]


class Kept(NamedTuple):
    """A file as it was found."""

    path: Path
    size: int
    """Bytes."""
    written_ns: int
    """Wall clock of this machine when it was last written."""


def doomed(
    files: Iterable[Kept],
    open_paths: Collection[Path],
    *,
    now_ns: int,
    keep_ns: int | None = None,
    max_bytes: int | None = None,
) -> list[Kept]:
    """The files that are older than `keep_ns`, and the oldest beyond `max_bytes`; oldest first.

    What is open is counted and never goes.
    """
    oldest_first = sorted(files, key=lambda kept: (kept.written_ns, kept.path))
    left = sum(kept.size for kept in oldest_first)
    going = []
    for kept in oldest_first:
        old = keep_ns is not None and now_ns - kept.written_ns > keep_ns
        many = max_bytes is not None and left > max_bytes
        if (old or many) and kept.path not in open_paths:
            going.append(kept)
            left -= kept.size
    return going
