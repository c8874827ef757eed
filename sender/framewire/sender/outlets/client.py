"""Those who ask, and what they have asked for."""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from framewire.common.frame import Packet, Status
from framewire.common.level import OWN, Level
from framewire.common.request import Request
from framewire.common.topic import wire_topic
from framewire.common.transport import Dialogue, Peer
from framewire.sender.picture import Picture

__all__ = ["Ask", "Client"]

_MOST_GIVEN = 1024  # topics of which is known what a client had

Position = tuple[str, int]
"""A run and a number of it."""


@dataclass(slots=True)
class Ask:
    """A request that waits."""

    request: Request
    came_ns: int
    picture: Picture | None = None
    """The one that it gets, once it is encoded."""
    answer: Packet | Status | None = None
    """What it gets, while there is no room for it on its way."""

    def level(self, own_quality: int) -> Level:
        """What it asks of a sender of such a quality; of all frames, each comes as it is."""
        if self.request.after is not None:
            return OWN
        quality, scale = self.request.quality, self.request.scale
        return Level(None if quality == own_quality else quality, None if scale == 1 else scale)


@dataclass(slots=True)
class Client:
    """One connection that asks."""

    socket: Dialogue
    address: bytes
    heard_ns: int = 0
    peer: Peer | None = None
    """Its connection; None where that is not known."""
    asks: deque[Ask] = field(default_factory=deque)
    """Those that wait; of a bounded one, a further one replaces the oldest."""
    given: OrderedDict[str, Position] = field(default_factory=OrderedDict)
    """What it had last of each topic; the topic that was served longest ago comes first."""
    last: Request | None = None
    """What it asked for last."""
    told: int = 0
    """Statuses so far: topics take turns."""

    @property
    def weight(self) -> int:
        """Bytes of memory that its requests take, at most."""
        kept = 0 if self.last is None else self.last.weight
        return kept + sum(ask.request.weight for ask in self.asks)

    @property
    def is_gone(self) -> bool:
        """Whether its connection has ended."""
        return self.peer is not None and self.peer.gone

    def give(self, topic: str, position: Position) -> None:
        self.given[topic] = position
        self.given.move_to_end(topic)
        if len(self.given) > _MOST_GIVEN:
            self.given.popitem(last=False)

    def had(self, request: Request, topic: str) -> Position | None:
        """Where it stands: what this connection carried, or what it says of earlier ones."""
        given, said = self.given.get(topic), request.position(topic)
        if given and said and given[0] == said[0]:
            return max(given, said)
        return given or said

    def in_turn(self, request: Request, topics: Iterable[str]) -> Iterator[str]:
        """Those of `topics` that are asked for; the ones served longest ago come first."""
        asked = {name for name in topics if wire_topic(name).startswith(request.prefixes)}
        yield from sorted(asked - self.given.keys())
        yield from [name for name in self.given if name in asked]
