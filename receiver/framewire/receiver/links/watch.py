"""When a socket has gone deaf. Pure: the time is an argument."""

from framewire.common.clock import NS

__all__ = ["Watch"]

SILENCE_NS = 3 * NS
"""Senders say something every second; three missed are a fault."""

_MOST_NS = 30 * NS
_FADE = 0.8  # what the longest interval counts for one message later


class Watch:
    """The watch over one connecting socket.

    Such a socket dies for ever, without a word, when it meets what is no sender of ours: garbage,
    another service at the port, a message above the limit. Senders say something once a second, so
    silence means a fault, if only that nobody is there, and the socket is to be replaced.

    On a slow link a picture may take longer than that to come. So more is allowed where messages
    came slowly, and where a sender was heard but no picture of it came in time.
    """

    def __init__(self, now_ns: int, silence_ns: int = SILENCE_NS) -> None:
        self._silence_ns = self._allowed_ns = silence_ns
        self._heard_ns = now_ns
        self._interval_ns = 0
        self._heard_frame = self._heard_any = False

    def heard(self, now_ns: int, *, frame: bool) -> None:
        """Something valid came."""
        gap_ns, self._heard_ns = now_ns - self._heard_ns, now_ns
        self._interval_ns = max(gap_ns, int(_FADE * self._interval_ns))
        self._heard_any = True
        if frame and not self._heard_frame:
            self._heard_frame, self._allowed_ns = True, self._silence_ns

    def excuse(self, busy_ns: int) -> None:
        """Nobody looked at the socket for so long: that is no silence."""
        self._heard_ns += busy_ns

    def pause(self, now_ns: int) -> None:
        """Nothing is expected now."""
        self._heard_ns = now_ns

    def is_deaf(self, now_ns: int) -> bool:
        """Whether nothing valid came for 3 s, or three times as long as usual."""
        return now_ns - self._heard_ns > max(self._allowed_ns, 3 * self._interval_ns)

    def renew(self, now_ns: int) -> None:
        """The socket was replaced."""
        too_slow = self._heard_any and not self._heard_frame
        self._allowed_ns = min(2 * self._allowed_ns, _MOST_NS) if too_slow else self._silence_ns
        self._heard_ns, self._interval_ns = now_ns, 0
        self._heard_frame = self._heard_any = False
