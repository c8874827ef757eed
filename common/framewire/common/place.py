"""Places in a recording, as people write them. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from framewire.common.errors import UsageError

__all__ = ["Place", "parse_place"]

_NS = 1_000_000_000

_SECONDS = re.compile(r"\A[0-9]{1,9}(?:\.[0-9]{0,9})?\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a recording."""

    ns: int
    """Nanoseconds from its beginning, or of the Unix epoch."""
    wall: bool
    """Whether of the Unix epoch."""


def parse_place(text: str) -> Place:
    """A place in a recording from ``90``, ``12.5`` (seconds) or ``2026-01-31T14:05:00`` (UTC).

    Another zone can be named, as in ``2026-01-31T14:05:00+01:00``.
    """
    try:
        if not _SECONDS.match(text):
            moment = datetime.fromisoformat(text)
            since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
            return Place(
                (since.days * 86400 + since.seconds) * _NS + since.microseconds * 1000, True
            )
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"bad place {text!r}: use seconds from the beginning, as in 12.5, or a time in UTC, as "
            "in 2026-01-31T14:05:00"
        ) from error
    return Place(round(float(text) * _NS), False)
