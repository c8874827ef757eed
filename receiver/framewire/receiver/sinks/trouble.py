"""What is wrong with the disk: said once when it begins and once when it ends."""

import logging
import threading
from collections.abc import Callable

__all__ = ["DISK", "Trouble"]

_log = logging.getLogger("framewire.recorder")

DISK = ""
"""Stands for all topics: the disk does not answer."""


class Trouble:
    """Topics that cannot be written now, and why. Any thread may call.

    One log line when the first topic fails, one when all go on: with `missing`, how many frames were
    not written so far.
    """

    def __init__(self, missing: Callable[[], int]) -> None:
        self._missing = missing
        self._lock = threading.Lock()
        self._reasons: dict[str, str] = {}
        self._last = ""
        self._before = 0
        self._silent = False

    def begin(self, topic: str, reason: str) -> None:
        """A topic (or DISK) cannot be written."""
        with self._lock:
            first = not self._reasons
            if first:
                self._before = self._missing()
            self._reasons[topic] = self._last = reason
        if first:
            _log.error(
                "%s; frames that cannot be written are counted, and it is tried again", reason
            )

    def end(self, topic: str) -> None:
        """A topic is written again."""
        if topic not in self._reasons or self._silent:
            return
        with self._lock:
            self._reasons.pop(topic, None)
            if self._reasons:
                return
            lost = self._missing() - self._before
        _log.warning("recording goes on; %d frames were not written meanwhile", lost)

    def close(self) -> None:
        """What becomes of the disk from here on is of no interest: nothing more is said."""
        self._silent = True

    @property
    def now(self) -> str:
        """What is wrong now; nothing if all is well."""
        return next(iter(self._reasons.values()), "")

    @property
    def last(self) -> str:
        """What was wrong last."""
        return self._last
