"""Losses, counted from sequence numbers, also where frames overtake each other. Pure."""

from bisect import bisect
from collections import OrderedDict
from dataclasses import dataclass
from operator import itemgetter

__all__ = ["GapCounter", "Missing"]

_REMEMBERED = 8
"""Sender runs remembered for a topic. Two senders on one topic alternate; that is no restart."""

_MAX_RANGES = 1024
"""Ranges of missing numbers that a counter remembers, over all runs: about 150 KB."""

_first = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Missing:
    """Numbers of one sender's run that have not come: from `first` to `last`, both included."""

    sender: str
    first: int
    last: int


class _Run:
    """What came of one sender's run: all from `low` to `expected` but for the holes."""

    __slots__ = ("expected", "holes", "joining", "low", "mark", "started")

    def __init__(self, mark: int) -> None:
        self.mark = self.low = self.expected = mark
        self.holes: list[tuple[int, int]] = []  # ascending; none lies on both sides of `mark`
        self.started = False  # a frame came, not only statuses
        self.joining = False  # nothing was asked for until now


class GapCounter:
    """What one topic lost and how often its sender restarted. Not thread-safe.

    The first number seen of a run only sets the mark: what was sent before the receiver came is no
    loss of its. A number below the mark is new all the same: it was overtaken.
    """

    __slots__ = ("_ranges", "_runs", "lost", "repeated", "restarts")

    def __init__(self) -> None:
        self.lost = 0
        """Numbers that are missing now, over all runs, forgotten ones included."""
        self.repeated = 0
        """Frames that came again."""
        self.restarts = 0
        self._runs: OrderedDict[str, _Run] = OrderedDict()
        self._ranges = 0  # holes in all the runs

    def frame(self, sender: str, sequence: int, *, replay: bool = False) -> int | None:
        """Count a frame that arrived; return how many before it are newly missing.

        None says that it came before: drop it. A late frame that was counted as lost is lost no
        more, and gives 0.
        """
        run = self._run(sender, sequence)
        missing = 0
        if sequence >= run.expected:
            missing = self._reach(run, sequence)
            run.expected = sequence + 1
        elif not self._fill(run, sequence):
            self.repeated += 1
            return None
        if not run.started:
            self.restarts += not replay and any(each.started for each in self._runs.values())
            run.started = True
        return missing

    def status(self, sender: str, sequence: int, *, marks: bool = True) -> int:
        """Take a sender's word that its next frame is `sequence`; return how many are missing.

        Without `marks` it sets no mark for a run that nothing came of yet: where frames are asked
        for, the first one does.
        """
        if not marks and sender not in self._runs:
            return 0
        run = self._run(sender, sequence)
        return self._reach(run, sequence) if sequence > run.expected else 0

    def rejoin(self) -> None:
        """Nothing was asked for until now: what lies before the next number is no loss."""
        for run in self._runs.values():
            run.joining = True

    def missing(self) -> tuple[Missing, ...]:
        """The numbers counted in `lost`, as far as they are remembered.

        Ascending in each run; the run that was heard last comes last.
        """
        return tuple(
            Missing(sender, first, last)
            for sender, run in self._runs.items()
            for first, last in run.holes
            if first >= run.mark
        )

    def _run(self, sender: str, sequence: int) -> _Run:
        run = self._runs.get(sender)
        if run is not None:
            self._runs.move_to_end(sender)  # the run unheard for longest is forgotten first
            if run.joining:
                run.expected, run.joining = max(run.expected, sequence), False
            return run
        run = self._runs[sender] = _Run(sequence)
        if len(self._runs) > _REMEMBERED:
            self._ranges -= len(self._runs.popitem(last=False)[1].holes)
        return run

    def _reach(self, run: _Run, sequence: int) -> int:
        """Expect `sequence` next, which is no step back; what lies between is missing."""
        first, run.expected = run.expected, sequence
        if sequence == first:
            return 0
        self.lost += sequence - first
        if run.holes and run.holes[-1][1] == first - 1 and first > run.mark:
            run.holes[-1] = (run.holes[-1][0], sequence - 1)
        else:
            self._put(run, len(run.holes), (first, sequence - 1))
        return sequence - first

    def _fill(self, run: _Run, sequence: int) -> bool:
        """Take a late number; False if it came before (or was forgotten, and stays lost)."""
        if sequence < run.low:
            above, run.low = (sequence + 1, run.low - 1), sequence
            self._put(run, 0, above)
            return True
        at = bisect(run.holes, sequence, key=_first) - 1
        if at < 0 or run.holes[at][1] < sequence:
            return False
        first, last = run.holes.pop(at)
        self._ranges -= 1
        self._put(run, at, (sequence + 1, last))
        self._put(run, at, (first, sequence - 1))
        self.lost -= sequence >= run.mark
        return True

    def _put(self, run: _Run, at: int, hole: tuple[int, int]) -> None:
        if hole[0] > hole[1]:
            return
        run.holes.insert(at, hole)
        self._ranges += 1
        if self._ranges > _MAX_RANGES:
            next(each for each in self._runs.values() if each.holes).holes.pop(0)
            self._ranges -= 1
