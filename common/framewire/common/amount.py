"""Amounts as people write and read them. Pure."""

import re
from itertools import pairwise

from framewire.common.errors import UsageError

__all__ = ["bytes_text", "duration_text", "parse_bytes", "parse_duration"]

_NUMBER = r"\A([0-9]{1,12}(?:\.[0-9]{1,3})?) ?"
_BYTES = re.compile(_NUMBER + r"([KMGT]?)(?:i?B)?\Z", re.IGNORECASE)
_FACTORS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_DURATION = re.compile(_NUMBER + r"(ms|s|m|min|h|d|w|)\Z")
_SECONDS = {"ms": 0.001, "": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST_S = 1e10  # three centuries
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def parse_bytes(text: str) -> int:
    """Bytes from ``64M``, ``1.5G`` or ``300000``; K, M, G and T are powers of 1,024."""
    match = _BYTES.match(text)
    if not match:
        raise UsageError(
            f"bad size {text!r}: use a number of bytes, or one with K, M, G, as in 64M"
        )
    return round(float(match[1]) * _FACTORS[match[2].upper()])


def parse_duration(text: str) -> float:
    """Seconds from ``300ms``, ``10s``, ``10m``, ``1.5h``, ``7d``, ``2w`` or ``90``; never 0."""
    match = _DURATION.match(text)
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if not 0 < seconds <= _LONGEST_S:
        raise UsageError(
            f"bad duration {text!r}: use seconds, or a number with ms, s, m, h, d or w, as in 10m"
        )
    return seconds


def bytes_text(amount: float) -> str:
    """An amount of bytes in three digits, as disks are sold: ``12.3 GB``."""
    for name, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if amount >= 0.9995 * size:
            shown = amount / size
            return f"{shown:.0f} {name}" if shown >= 99.95 else f"{shown:.1f} {name}"
    return f"{amount:.0f} B"


def duration_text(seconds: float) -> str:
    """A duration in its two largest units: ``3 h 20 min``, ``45 s``, ``12 d 4 h``."""
    whole = max(0, int(seconds))
    for (size, name), (smaller, rest_name) in pairwise(_UNITS):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name}" + (f" {rest} {rest_name}" if rest else "")
    return f"{whole} s"
