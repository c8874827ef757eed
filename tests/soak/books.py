"""A second set of books about one topic, kept by its own rules and compared with the receiver's. Pure."""

from dataclasses import dataclass, field

__all__ = ["Book", "Run"]


@dataclass(slots=True)
class Run:
    """What was seen of one run of a sender: frames, and what its statuses say is next."""

    low: int
    high: int
    """The first number that was seen of it, and the one that is next."""
    seen: set[int] = field(default_factory=set)
    shown: int = 0
    """Number in the last picture."""

    @property
    def lost(self) -> int:
        return self.high - self.low - len(self.seen)


class Book:
    """Of one topic. What is wrong comes back as text, for whoever keeps it."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.newest: Run | None = None

    @property
    def lost(self) -> int:
        """Numbers between the first and the last of each run that did not come."""
        return sum(run.lost for run in self.runs.values())

    @property
    def received(self) -> int:
        return sum(len(run.seen) for run in self.runs.values())

    def frame(self, sender: str, sequence: int) -> str:
        """Take a frame; what is wrong with it, if anything."""
        run = self._run(sender, sequence)
        again = sequence in run.seen
        run.seen.add(sequence)
        run.low, run.high = min(run.low, sequence), max(run.high, sequence + 1)
        return f"frame {sequence} of run {sender} came twice" if again else ""

    def status(self, sender: str, sequence: int) -> None:
        """Take a sender's word that `sequence` is next."""
        run = self._run(sender, sequence)
        run.high = max(run.high, sequence)

    def picture(self, sender: str, sequence: int, number: int | None, rule: str) -> str:
        """Hold the number in a picture against its frame's; what is wrong, if anything.

        `rule`: ``equal``; ``cycle N`` for a clip of N frames; ``rising`` for a camera, whose pictures
        have numbers of their own: one may come again, where it is frozen, but none goes back.
        """
        if number is None:
            return f"the picture of frame {sequence} of run {sender} is damaged"
        if rule == "rising":
            run = self._run(sender, sequence)
            right, run.shown = number >= run.shown, number
        elif rule.startswith("cycle "):
            right = number == sequence % int(rule.split()[1])
        else:
            right = number == sequence
        return "" if right else f"frame {sequence} of run {sender} has the picture of {number}"

    def _run(self, sender: str, sequence: int) -> Run:
        self.newest = self.runs.setdefault(sender, Run(sequence, sequence))
        return self.newest
