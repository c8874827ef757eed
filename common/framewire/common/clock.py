"""The only place where clocks are read; what is pure takes the time as an argument.

Two clocks, both in nanoseconds. The *wall* clock (Unix epoch) names a moment that another machine
understands; it can be stepped by NTP or by hand. The *monotonic* clock only measures intervals on
this machine; it is never stepped, and its zero means nothing.
"""

import time

__all__ = ["NS", "monotonic_ns", "pause", "thread_ns", "wall_ns"]

NS = 1_000_000_000
"""Nanoseconds in a second."""


def pause(seconds: float) -> None:
    """Do nothing for a moment."""
    time.sleep(seconds)


def wall_ns() -> int:
    """Unix time in nanoseconds; differs between machines by their clocks' error."""
    return time.time_ns()


def monotonic_ns() -> int:
    """Nanoseconds of this machine's monotonic clock."""
    return time.monotonic_ns()


def thread_ns() -> int:
    """Nanoseconds that the calling thread has spent computing."""
    return time.thread_time_ns()
