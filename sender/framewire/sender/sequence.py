"""Frame numbers of one topic. Pure."""

__all__ = ["LARGEST", "Sequence"]

LARGEST = 2**63 - 1
"""What a number on the wire can be (`framewire.common.frame.Uint`)."""


class Sequence:
    """Numbers the frames that are given to a sender, leaving a hole for each that was dropped.

    A source counts what it dropped before the frame in hand (`Header.dropped`); those holes open
    here, so that receivers count the losses of a camera's side too. Frames that the program between
    source and sender chose not to send leave none.
    """

    __slots__ = ("_source_dropped", "dropped", "next")

    def __init__(self) -> None:
        self.next = 0
        """The number that the next frame gets."""
        self.dropped = 0
        """Frames lost on the sender's side so far."""
        self._source_dropped = 0

    def take(self, source_dropped: int = 0) -> int:
        """The number of a frame whose source had dropped `source_dropped` before it."""
        fresh = source_dropped - self._source_dropped
        if fresh < 0:  # another source, or the same one opened again
            fresh = source_dropped
        self._source_dropped = source_dropped
        self.dropped += fresh
        number = self.next + fresh
        self.next = number + 1
        return number

    def follow(self, number: int) -> None:
        """Take the number of a packet that is passed on as it is."""
        self.next = min(number + 1, LARGEST)  # statuses tell it
