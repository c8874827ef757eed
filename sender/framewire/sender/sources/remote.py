"""`Remote`: what a person asks of a replay while it plays."""

import threading
from collections import deque
from typing import Literal

__all__ = ["Remote", "Wish"]

Wish = Literal["step", "back"]

_WISHES = 16
"""A key that is held down repeats faster than frames are shown; older wishes go."""


class Remote:
    """Pauses a replay and moves it frame by frame. Any thread may ask; the player's own takes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._wishes: deque[Wish] = deque(maxlen=_WISHES)
        self._paused = False

    @property
    def paused(self) -> bool:
        """Whether the player holds."""
        return self._paused

    def toggle(self) -> None:
        """Pause, or go on."""
        with self._changed:
            self._paused = not self._paused
            self._wishes.clear()
            self._changed.notify_all()

    def ask(self, wish: Wish) -> None:
        """Pause, and show the next frame or the one before."""
        with self._changed:
            self._paused = True
            self._wishes.append(wish)
            self._changed.notify_all()

    def wish(self, timeout_s: float) -> Wish | None:
        """The next wish, waited for; None if there is none in that time, or the pause ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._wishes or not self._paused, timeout_s)
            return self._wishes.popleft() if self._wishes else None
