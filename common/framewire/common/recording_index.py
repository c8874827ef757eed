"""What is known of every frame of a recording without its picture: where, when, which. Pure."""

from array import array
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

from framewire.common.clock import NS
from framewire.common.frame import Header
from framewire.common.matroska import Block
from framewire.common.timeline import Timeline

__all__ = ["Gap", "Index"]


@dataclass(frozen=True, slots=True)
class Gap:
    """Frames of one sender's run that a recording does not hold, and where it does not.

    They were lost before they were recorded, or are damaged now.
    """

    sender: str
    """Id of the run."""
    first: int
    """The first number that is missing."""
    last: int
    """The last one."""
    index: int
    """Position of the frame in the recording that has the next number."""
    start_s: float
    """Media time of the frame before, seconds."""
    end_s: float
    """Media time of the frame behind, seconds; before `start_s` where frames came out of order."""

    @property
    def frames(self) -> int:
        """How many are missing."""
        return self.last - self.first + 1


class Index:
    """A table of frames, in the order of the file; 60 bytes each. Only `add` changes it.

    One thread may add while others look up: a frame counts once all of its row is there.
    """

    def __init__(self) -> None:
        self.offsets = array("q")
        self.sizes = array("q")
        self.times_ms = array("q")
        """Media time as the file has it, and players: never running backwards."""
        self.exact_ns = array("q")
        """Media time by the clocks in the headers, since the first frame: see `Timeline`."""
        self.sequences = array("q")
        self.runs = array("L")
        """Which of `senders` sent it."""
        self.captured_ns = array("q")
        self.senders: list[str] = []
        self._numbers: dict[str, int] = {}
        self._timeline = Timeline()
        self._order: list[int] = []  # by time of capture, made when first asked for

    def __len__(self) -> int:
        return len(self.captured_ns)  # filled last

    def add(self, block: Block, header: Header) -> None:
        """Append a frame."""
        run = self._numbers.get(header.sender)
        if run is None:
            run = self._numbers[header.sender] = len(self.senders)
            self.senders.append(header.sender)
        self.offsets.append(block.offset)
        self.sizes.append(block.size)
        self.times_ms.append(self._in_order(block.time_ms))
        self.exact_ns.append(min(self._timeline.at(header), 2**63 - 1))
        self.sequences.append(header.sequence)
        self.runs.append(run)
        self.captured_ns.append(header.captured_ns)

    def _in_order(self, time_ms: int) -> int:
        """`time_ms`, put right where it, or the one before it, is out of order: a damaged one."""
        times = self.times_ms
        if not times or time_ms >= times[-1]:
            return time_ms
        before = times[-2] if len(times) > 1 else 0
        if time_ms < before:
            return times[-1]
        times[-1] = before
        return time_ms

    def at_ms(self, time_ms: float) -> int:
        """The last frame at `time_ms` or before; -1 if there is none."""
        return bisect_right(self.times_ms, time_ms, hi=len(self)) - 1

    def captured_at(self, captured_ns: int) -> int:
        """The last frame captured then or before; -1 if there is none.

        Last by the wall clock, also where that was set back while the recording was made.
        """
        order = self._order
        if len(order) != len(self):
            order = self._order = sorted(range(len(self)), key=self.captured_ns.__getitem__)
        at = bisect_right(order, captured_ns, key=self.captured_ns.__getitem__) - 1
        return order[at] if at >= 0 else -1

    def find(self, sequence: int, sender: str | None) -> int:
        """The first frame with that number (of that run); -1 if there is none."""
        run = None if sender is None else self._numbers.get(sender, -1)
        at = -1
        while True:
            try:
                at = self.sequences.index(sequence, at + 1)
            except (ValueError, OverflowError):
                return -1
            if at >= len(self):
                return -1
            if run is None or self.runs[at] == run:
                return at

    def gaps(self) -> tuple[list[Gap], int]:
        """(the gaps in the order of the file, how many frames came twice).

        As `GapCounter` counts: what lies before the first number of a run is no loss, and what came
        late is none either.
        """
        runs: dict[int, dict[int, int]] = {}
        marks: dict[int, int] = {}
        repeated = 0
        for at in range(len(self)):
            run, sequence = self.runs[at], self.sequences[at]
            seen = runs.setdefault(run, {})
            marks.setdefault(run, sequence)
            repeated += sequence in seen
            seen.setdefault(sequence, at)
        found = [
            self._gap(run, low, high, seen)
            for run, seen in runs.items()
            for low, high in pairwise(sorted(seen))
            if high > low + 1 and low >= marks[run]
        ]
        return sorted(found, key=lambda gap: gap.index), repeated

    def _gap(self, run: int, low: int, high: int, seen: dict[int, int]) -> Gap:
        start_s, end_s = (self.times_ms[seen[each]] / 1000 for each in (low, high))
        return Gap(self.senders[run], low + 1, high - 1, seen[high], start_s, end_s)

    @property
    def duration_s(self) -> float:
        """From the first frame to the last, seconds, by the clocks in the headers."""
        return self.exact_ns[len(self) - 1] / NS if len(self) else 0.0
