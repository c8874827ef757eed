"""Numbers that both sides agree on, each with its unit and its reason."""

from dataclasses import dataclass

from framewire.common.errors import UsageError

__all__ = ["DEFAULT_ENDPOINT", "DEFAULT_LIMITS", "Limits"]

DEFAULT_ENDPOINT = "tcp://127.0.0.1:5555"
"""Where a sender binds and a receiver connects if nothing is said: this machine only. Below 32768,
because a subscriber to a closed ephemeral port can connect to itself."""

_KIB, _MIB = 1 << 10, 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What a message may hold; checked before anything is decoded or allocated."""

    header_bytes: int = 128 * _KIB
    payload_bytes: int = 64 * _MIB
    picture_pixels: int = 64 * _MIB
    """Width times height, 64 Mi: 8192 x 8192."""
    metadata_bytes: int = 64 * _KIB
    metadata_depth: int = 16
    """Containers inside each other, the metadata map itself included."""

    topics: int = 1024
    """Topics that a receiver keeps figures of; messages of further ones are refused."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise UsageError(f"limit {name} must be above 0, not {getattr(self, name)}")


DEFAULT_LIMITS = Limits()
