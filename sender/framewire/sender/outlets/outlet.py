"""What an outlet is: the side of a sender that speaks one pattern."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from framewire.common.clock import wall_ns
from framewire.common.config import DEFAULT_LIMITS, Limits
from framewire.common.frame import Packet, Status
from framewire.common.keytext import Keys
from framewire.common.level import Level
from framewire.common.mailbox import WhenFull
from framewire.common.transport import Socket
from framewire.sender.ledger import Ledger
from framewire.sender.picture import Picture

__all__ = ["Desk", "Outlet", "stamped"]


@dataclass(frozen=True, slots=True)
class Desk:
    """What a sender gives to its outlets."""

    ledger: Ledger
    wake: Callable[[], None]
    """Ends the wait of the thread that the outlets are worked in."""
    audience_changed: Callable[[], None]
    """Somebody came or left."""
    encode: Callable[[Picture, Level], None]
    """Have a picture encoded; `wake` follows."""
    quality: int
    """JPEG quality of those who ask for none."""
    when_full: WhenFull
    """What becomes of frames that nobody has room for."""
    queue: int = 1
    """Frames that may wait for each who subscribed; one of each topic."""
    history: int = 0
    """Bytes of recent packets to keep for those who ask for all; 0: none."""
    keys: Keys | None = None
    """The keys that sockets use; None: all is in the open."""
    limits: Limits = DEFAULT_LIMITS
    repeat: bool = False
    """Send the last frame of a topic again when somebody subscribes to it."""


class Outlet(Protocol):
    """Takes packets from other threads; its sockets belong to the thread that calls `step`."""

    carries_statuses: bool
    """Whether the statuses that `tell` gives it reach all that its frames reach, in their order."""

    @property
    def sockets(self) -> Sequence[Socket]: ...

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The addresses in use."""

    # -- any thread --------------------------------------------------------------------------

    @property
    def receivers(self) -> int:
        """How many listen now, as far as this pattern can tell."""

    @property
    def demand(self) -> frozenset[bytes]:
        """Prefixes of the topics that somebody listens to."""

    def wants(self, topic: bytes) -> bool:
        """Whether frames of a topic (as on the wire) should be encoded and given to it."""

    def give(self, packet: Packet) -> None:
        """Take a packet to send; may wait for room. `Closed` after `finish`."""

    def finish(self) -> None:
        """No more will be given."""

    # -- the thread of the sockets -------------------------------------------------------------

    def step(self, now_ns: int) -> bool:
        """Read what came and send what can be sent; whether there may be more at once."""

    @property
    def drained(self) -> bool:
        """Whether everything was sent after `finish`."""

    def tell(self, status: Status) -> None:
        """A status that is due."""

    def drop_rest(self) -> None:
        """Drop what is still here, after `finish`."""

    def close(self, last_words: Sequence[Status], linger_ms: int) -> None:
        """Say the last words and close, within `linger_ms`."""


def stamped(packet: Packet) -> Packet:
    """It with the time at which it is handed to ZeroMQ: that of its sender, not of a relay."""
    if packet.header.hops:
        return packet
    return Packet(msgspec.structs.replace(packet.header, sent_ns=wall_ns()), packet.payload)
