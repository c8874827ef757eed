"""What a link is: one address of a receiver, in the pattern that is spoken there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from framewire.common.config import DEFAULT_LIMITS
from framewire.common.frame import Packet, Status
from framewire.common.keytext import Keys
from framewire.common.transport import Socket

__all__ = ["Link", "Want"]


@dataclass(frozen=True, slots=True)
class Want:
    """What a receiver wants of all its links, and how."""

    everything: bool
    """Every frame in its order, not only the newest."""
    max_message_bytes: int
    most_peers: int = DEFAULT_LIMITS.connections
    """Senders that connect to one address and are asked; a further one is not heard."""
    quality: int | Literal["auto"] | None = None
    scale: float | None = None
    credits: int | None = None
    keys: Keys | None = None
    """The keys that sockets use; None: all is in the open."""


class Link(Protocol):
    """One address. All of it belongs to the receiving thread."""

    partial: bool
    """Whether frames that do not come are meant for others, or were not asked for: no losses."""

    asks: bool
    """Whether nothing comes that was not asked for."""
    is_work: bool
    """Whether each of its frames is to be handed out, one at a time."""

    @property
    def sockets(self) -> Sequence[Socket]: ...

    @property
    def endpoints(self) -> tuple[str, ...]: ...

    def select(self, prefixes: frozenset[bytes]) -> None:
        """The topics (as prefixes of wire topics) that are wanted from now on."""

    def step(self, now_ns: int, *, room: bool) -> int | None:
        """Do what is due; when the next thing is. `room`: whether frames that come can be kept."""

    def receive(self) -> Sequence[bytes] | None:
        """The parts of one message, or None if none has arrived; does not wait."""

    def took(self, message: Packet | Status | None, now_ns: int) -> None:
        """What `receive` gave last came to this; None: it was no valid message."""

    def excuse(self, busy_ns: int) -> None:
        """Nobody looked at it for so long."""

    def close(self) -> None: ...
