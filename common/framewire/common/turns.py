"""Work that threads do side by side, handed on in the order in which it was taken."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Turns"]


class Turns:
    """Lets the holders of numbers 0, 1, 2 ... go one after the other. Any thread may use it.

    Whoever has a number must take its turn, also with nothing to hand on: the next one waits for it.
    """

    def __init__(self) -> None:
        self._now = 0
        self._moved = threading.Condition()

    def is_on(self, number: int) -> bool:
        """Whether all before `number` have had their turn."""
        return self._now == number

    @contextmanager
    def turn(self, number: int) -> Iterator[None]:
        """Wait until all before `number` have had their turn; it ends with the block."""
        with self._moved:
            self._moved.wait_for(lambda: self._now == number)
        try:
            yield
        finally:
            with self._moved:
                self._now += 1
                self._moved.notify_all()
