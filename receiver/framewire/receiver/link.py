"""One address of a receiver, and the watch over its socket."""

from collections.abc import Callable

from framewire.common.clock import NS
from framewire.common.transport import Subscriber

__all__ = ["Link"]

SILENCE_NS = 3 * NS
"""Senders say something every second; three missed are a fault."""


class Link:
    """One address: its socket, and when something valid last came through it."""

    def __init__(
        self, open_socket: Callable[[], Subscriber], now_ns: int, *, connects: bool
    ) -> None:
        self._open = open_socket
        self._connects = connects
        self.subscriber = open_socket()
        self._heard_ns = now_ns
        self._interval_ns = 0

    def heard(self, now_ns: int) -> None:
        self._interval_ns, self._heard_ns = now_ns - self._heard_ns, now_ns

    def excuse(self, busy_ns: int) -> None:
        """Nobody looked at the socket for so long: that is no silence."""
        self._heard_ns += busy_ns

    def replace_if_deaf(self, now_ns: int) -> bool:
        """Open a new socket if nothing valid came for 3 s, or three times as long as usual.

        A connecting socket dies for ever, without a word, when it meets what is no sender of ours:
        garbage, another service at the port, a message above the limit. Senders say something once
        a second, so silence means a fault, if only that nobody is there.
        """
        deaf = now_ns - self._heard_ns > max(SILENCE_NS, 3 * self._interval_ns)
        if deaf and self._connects:
            self.subscriber.close()
            self.subscriber = self._open()
            self._heard_ns, self._interval_ns = now_ns, 0
        return deaf and self._connects
