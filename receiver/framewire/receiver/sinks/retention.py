"""Which recordings have to go: too old, or too many. Pure."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from framewire.common.clock import NS

__all__ = ["Kept", "Steps", "doomed"]

_STEP_NS = 60 * NS
_CALM_NS = 3600 * NS


class Kept(NamedTuple):
    """A file as it was found."""

    path: Path
    size: int
    """Bytes."""
    written_ns: int
    """Wall clock of this machine when it was last written."""
    seen: int = 0
    """In which look at the folder it was first found. Clocks are set back; this is not."""


class Steps:
    """Whether the wall clock tells how old files are: not for an hour after it leapt forward.

    A clock that leaps makes everything look old at once. If that was a mistake, somebody has an hour
    to notice; nothing is removed for its age meanwhile.
    """

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None
        self._calm_ns: int | None = None

    def trusts(self, wall_ns: int, monotonic_ns: int) -> bool:
        """Ask it each time before files are removed for their age."""
        last, self._last = self._last, (wall_ns, monotonic_ns)
        if last is not None and (wall_ns - last[0]) - (monotonic_ns - last[1]) > _STEP_NS:
            self._calm_ns = monotonic_ns + _CALM_NS
        return self._calm_ns is None or monotonic_ns >= self._calm_ns


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
    oldest_first = sorted(files, key=lambda kept: (kept.seen, kept.written_ns, kept.path))
    left = sum(kept.size for kept in oldest_first)
    going = []
    for kept in oldest_first:
        old = keep_ns is not None and now_ns - kept.written_ns > keep_ns
        many = max_bytes is not None and left > max_bytes
        if (old or many) and kept.path not in open_paths:
            going.append(kept)
            left -= kept.size
    return going
