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

_FARTHEST = 1 << 24
"""A number so far ahead (a week at 30 frames a second) is believed when the next one follows it ..."""
_FOLLOWS = 1024
"""... within so many. So no single forged message can make all that comes after it late."""
_LATE = 8
"""Frames behind the newest, each after the one before and no newer one among them: then it is the
newest that was out of place."""
_AGAIN = 256
"""Frames in a row that came before, each after the one before: then the run has begun again. Where two
relays bring the same, new ones come in between."""

_first = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Missing:
    """Numbers of one sender's run that have not come: from `first` to `last`, both included."""

    sender: str
    first: int
    last: int


class _Run:
    """What came of one sender's run: all from `low` to `expected` but for the holes."""

    __slots__ = (
        "captured_ns",
        "expected",
        "holes",
        "joining",
        "late",
        "leap",
        "low",
        "mark",
        "newest",
        "repeats",
        "started",
    )

    def __init__(self, mark: int) -> None:
        self.mark = self.low = self.expected = mark
        self.holes: list[tuple[int, int]] = []  # ascending; none lies on both sides of `mark`
        self.started = False  # a frame came, not only statuses
        self.joining = False  # nothing was asked for until now
        self.leap = -1  # a number that is too far ahead to be believed yet
        self.newest = -1  # of the frames that came
        self.captured_ns = -1  # the latest of those
        self.late = _Series()  # frames behind the newest
        self.repeats = _Series()


class _Series:
    """Numbers of which each is above the one before; one that is not begins it anew."""

    __slots__ = ("_last", "length")

    def __init__(self) -> None:
        self._last = -1
        self.length = 0

    def add(self, number: int) -> int:
        """Its length with this one."""
        self.length = self.length + 1 if number > self._last else 1
        self._last = number
        return self.length

    def end(self) -> None:
        self._last, self.length = -1, 0


class GapCounter:
    """What one topic lost and how often its sender restarted. Not thread-safe.

    The first number seen of a run only sets the mark: what was sent before the receiver came is no
    loss of its. A number below the mark is new all the same: it was overtaken.

    Numbers are what a peer says. Whatever they are, what it sends next is not taken for late or for
    a repetition for ever: a number far ahead is not believed before another follows it, and a run
    whose numbers go back has begun again.
    """

    __slots__ = ("_ranges", "_runs", "late", "lost", "repeated", "restarts")

    def __init__(self) -> None:
        self.lost = 0
        """Numbers that are missing now, over all runs, forgotten ones included."""
        self.repeated = 0
        """Frames that came again."""
        self.restarts = 0
        self.late = False
        """Whether a newer frame of its run came before the last one."""
        self._runs: OrderedDict[str, _Run] = OrderedDict()
        self._ranges = 0  # holes in all the runs

    def frame(
        self, sender: str, sequence: int, *, captured_ns: int = 0, replay: bool = False
    ) -> int | None:
        """Count a frame that arrived; return how many before it are newly missing.

        None says that it came before: drop it. A late frame that was counted as lost is lost no
        more, and gives 0. One that was captured after all others of its run is no repetition,
        whatever its number: the run has begun again.
        """
        run = self._run(sender, sequence)
        missing = 0
        if self._leaps(run, sequence):
            if sequence == run.leap:
                self.repeated += 1
                return None
            run.leap = sequence
        elif sequence >= run.expected:
            missing = self._reach(run, sequence)
            run.expected = sequence + 1
        elif not self._fill(run, sequence):
            if captured_ns <= run.captured_ns and run.repeats.add(sequence) < _AGAIN:
                self.repeated += 1
                return None
            run = self._begin_again(sender, sequence, replay=replay)
        run.repeats.end()
        run.captured_ns = max(run.captured_ns, captured_ns)
        self.late = self._is_late(run, sequence)
        if not run.started:
            self.restarts += not replay and any(each.started for each in self._runs.values())
            run.started = True
        return missing

    def _begin_again(self, sender: str, sequence: int, *, replay: bool) -> _Run:
        """The same id counts anew. What was missing stays lost, and is forgotten."""
        self._ranges -= len(self._runs[sender].holes)
        run = self._runs[sender] = _Run(sequence)
        run.expected, run.started = sequence + 1, True
        self.restarts += not replay
        return run

    def _leaps(self, run: _Run, sequence: int) -> bool:
        """Whether a number is too far ahead to be believed yet."""
        if sequence - run.expected < _FARTHEST:
            return False
        if not 0 < sequence - run.leap <= _FOLLOWS:
            return True
        if not run.joining:
            self._reach(run, run.leap)
        run.expected, run.newest, run.joining = run.leap + 1, run.leap, False
        return False

    def _is_late(self, run: _Run, sequence: int) -> bool:
        if sequence == run.leap:
            return False
        if sequence < run.newest and run.late.add(sequence) < _LATE:
            return True
        run.newest = sequence
        run.late.end()
        return False

    def status(self, sender: str, sequence: int, *, marks: bool = True) -> int:
        """Take a sender's word that its next frame is `sequence`; return how many are missing.

        Without `marks` it sets no mark for a run that nothing came of yet: where frames are asked
        for, the first one does.
        """
        if not marks and sender not in self._runs:
            return 0
        run = self._run(sender, sequence)
        if sequence - run.expected >= _FARTHEST:
            return 0  # frames will tell
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
            if run.joining and sequence - run.expected < _FARTHEST:
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
