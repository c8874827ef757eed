"""Numbers that both sides agree on, each with its unit and its reason."""

from dataclasses import dataclass, replace

from framewire.common.errors import UsageError

__all__ = ["DEFAULT_ENDPOINT", "DEFAULT_LIMITS", "Limits", "limits_from"]

DEFAULT_ENDPOINT = "tcp://127.0.0.1:5555"
"""Where a sender binds and a receiver connects if nothing is said: this machine only. Below 32768,
because a subscriber to a closed ephemeral port can connect to itself."""

_KIB, _MIB = 1 << 10, 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one end takes from the other; checked before anything is decoded, allocated or kept.

    One table for both sides: a receiver heeds the first part, a sender the second. Immutable.
    `UsageError` for a limit that is no whole number above 0. docs/guide/limits.md has these and all
    others, with what is seen where one is reached.
    """

    header_bytes: int = 128 * _KIB
    payload_bytes: int = 64 * _MIB
    picture_pixels: int = 64 * _MIB
    """Width times height, 64 Mi: 8192 x 8192."""
    metadata_bytes: int = 64 * _KIB
    metadata_depth: int = 16
    """Containers inside each other, the metadata map itself included."""
    topics: int = 1024
    """Topics that a receiver keeps figures of; messages of further ones are refused."""

    requests: int = 8
    """Requests of one connection that wait at a sender; a further one replaces the oldest."""
    waiting_bytes: int = 16 * _MIB
    """Requests that wait at a sender, of all connections together; further ones are refused."""
    connections: int = 1024
    """Who may ask at a time: receivers at a sender, and senders at a receiver that is bound."""
    subscriptions: int = 1024
    """Different prefixes that a sender tells apart; while there are more, every topic is taken to be
    wanted."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if type(value) is not int or value <= 0:
                raise UsageError(f"limit {name} must be a whole number above 0, not {value!r}")


DEFAULT_LIMITS = Limits()


def limits_from(max_topics: int | None, max_pixels: int | None) -> Limits:
    """The default limits, but for those that a command was given."""
    given = {"topics": max_topics, "picture_pixels": max_pixels}
    return replace(DEFAULT_LIMITS, **{name: each for name, each in given.items() if each})
