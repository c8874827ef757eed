"""What a caller wishes to receive, checked. Pure."""

from collections.abc import Collection, Iterable
from typing import Literal

from framewire.common.errors import UsageError
from framewire.common.request import MOST_TOPICS
from framewire.common.topic import check_topic, wire_topic
from framewire.receiver.links.steering import Steering

__all__ = ["Keep", "check_asking", "prefixes_of"]

Keep = Literal["newest", "all"]


def prefixes_of(topics: str | Iterable[str] | None) -> frozenset[bytes]:
    """What wire topics begin with that are these `topics` or below them; nothing stands for all."""
    if topics is None:
        return frozenset()
    names = (topics,) if isinstance(topics, str) else tuple(topics)
    if len(names) > MOST_TOPICS:
        raise UsageError(
            f"{len(names)} topics are too many to name, at most {MOST_TOPICS}: name one above them"
        )
    return frozenset(wire_topic(check_topic(name)) for name in names) or frozenset((b"",))


def check_asking(
    patterns: Collection[str],
    keep: Keep,
    quality: int | Literal["auto"] | None,
    scale: float | None,
    credits: int | None,
) -> None:
    """Whether these can be asked for; `UsageError` says why not."""
    Steering(quality=quality, scale=scale, credits=credits)
    if "req-rep" not in patterns and (quality, credits) != (None, None):
        raise UsageError("quality and credits are asked of a sender: use a req-rep endpoint")
    if keep == "all" and quality is not None:
        raise UsageError("quality is for the newest frame: all frames come as they were sent")
