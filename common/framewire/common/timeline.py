"""The media time of recorded frames, from the clocks in their headers. Pure."""

from framewire.common.frame import Header

__all__ = ["Timeline"]


class Timeline:
    """Nanoseconds since the first frame of a topic, never running backwards. Not thread-safe.

    Within one run of a sender its monotonic clock counts, which nobody can step. Between runs the
    wall clock bridges; where that goes backwards (it was set, or a replay began again) the next
    frame follows at once.
    """

    __slots__ = ("_last", "_position_ns")

    def __init__(self) -> None:
        self._last: Header | None = None
        self._position_ns = 0

    def at(self, header: Header) -> int:
        """Media time of the next frame in the file."""
        last, self._last = self._last, header
        if last is not None:
            if header.sender == last.sender and header.monotonic_ns and last.monotonic_ns:
                step = header.monotonic_ns - last.monotonic_ns
            else:
                step = header.captured_ns - last.captured_ns
            self._position_ns += max(0, step)
        return self._position_ns
