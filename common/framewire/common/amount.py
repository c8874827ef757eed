"""Amounts as people write them. Pure."""

import re

from framewire.common.errors import UsageError

__all__ = ["parse_bytes"]

_BYTES = re.compile(r"\A([0-9]{1,12}(?:\.[0-9]{1,3})?) ?([KMGT]?)(?:i?B)?\Z", re.IGNORECASE)
_FACTORS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_bytes(text: str) -> int:
    """Bytes from ``64M``, ``1.5G`` or ``300000``; K, M, G and T are powers of 1,024."""
    match = _BYTES.match(text)
    if not match:
        raise UsageError(
            f"bad size {text!r}: use a number of bytes, or one with K, M, G, as in 64M"
        )
    return round(float(match[1]) * _FACTORS[match[2].upper()])
