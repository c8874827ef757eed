"""Losses, counted from sequence numbers. Pure."""

from collections import OrderedDict

__all__ = ["GapCounter"]

_REMEMBERED = 8
"""Sender runs remembered for a topic. Two senders on one topic alternate; that is no restart."""


class GapCounter:
    """What one topic lost and how often its sender restarted. Not thread-safe.

    The first number seen of a run only sets the mark: what was sent before the receiver came is no
    loss of its.
    """

    __slots__ = ("_expected", "_started", "lost", "restarts")

    def __init__(self) -> None:
        self.lost = 0
        self.restarts = 0
        self._expected: OrderedDict[str, int] = OrderedDict()
        self._started: set[str] = set()  # those of the runs above that a frame came from

    def frame(self, sender: str, sequence: int, *, replay: bool = False) -> int:
        """Count a frame that arrived; return how many before it did not."""
        missing = self._reach(sender, sequence)
        if sender not in self._started:
            self.restarts += bool(self._started) and not replay
            self._started.add(sender)
        self._expected[sender] = max(self._expected[sender], sequence + 1)
        return missing

    def status(self, sender: str, sequence: int) -> int:
        """Take a sender's word that its next frame is `sequence`; return how many are missing."""
        return self._reach(sender, sequence)

    def _reach(self, sender: str, sequence: int) -> int:
        expected = self._expected.get(sender)
        if expected is None:
            self._expected[sender] = sequence
            if len(self._expected) > _REMEMBERED:
                self._started.discard(self._expected.popitem(last=False)[0])
            return 0
        self._expected.move_to_end(sender)  # the run unheard for longest is forgotten first
        missing = max(0, sequence - expected)
        self.lost += missing
        self._expected[sender] = max(expected, sequence)
        return missing
