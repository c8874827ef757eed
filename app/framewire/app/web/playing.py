"""`Player`: which frame is due when somebody plays, pauses, jumps and steps. Pure."""

from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from framewire.common.clock import NS

__all__ = [
    "Command",
    "Jump",
    "Order",
    "Pause",
    "Play",
    "Player",
    "Skip",
    "Speed",
    "Step",
    "command",
]

SLOWEST: Final = 0.1
FASTEST: Final = 16.0
_HOLE_NS = NS // 10
"""Of a gap that is skipped so much is kept: the eye sees that there was something."""

_Turn = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class _Command(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="do", forbid_unknown_fields=True
):
    turn: _Turn
    """Comes back with the frames that answer it: a number that the browser counts up."""


class Jump(_Command, frozen=True, tag="jump"):
    """Show the frame that was to be seen at `to_ns` of the time line."""

    to_ns: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Play(_Command, frozen=True, tag="play"):
    """Go on."""


class Pause(_Command, frozen=True, tag="pause"):
    """Stand still."""


class Step(_Command, frozen=True, tag="step"):
    """Stand still `by` frames further."""

    by: Annotated[int, msgspec.Meta(ge=-1000, le=1000)]


class Speed(_Command, frozen=True, tag="speed"):
    """So many times as fast as it happened."""

    speed: Annotated[float, msgspec.Meta(ge=SLOWEST, le=FASTEST)]


class Skip(_Command, frozen=True, tag="skip"):
    """Whether to pass over the time between two files."""

    gaps: bool


Command = Jump | Play | Pause | Step | Speed | Skip
_decoder: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)


def command(text: str) -> Command:
    """A command from its JSON. `ValueError` if it is none."""
    return _decoder.decode(text)


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """A frame that is wanted: the one at `at_ns`, or on the screen if that is None; and `by` further."""

    at_ns: int | None
    by: int = 0
    turn: int = 0
    """Of the last command before it."""


class Player:
    """Where on the time line somebody is. Not thread-safe.

    `now_ns` is a monotonic clock. After a jump time stands still until its frame is there. Otherwise
    it goes on while frames are on their way, so the next one may be several further.
    """

    def __init__(self) -> None:
        self.paused = True
        self.speed = 1.0
        self.skips = True
        self.turn = 0
        self.next_ns: int | None = None
        """When the next frame is due, on the time line; None behind the last."""
        self._wanted: Order | None = Order(0)
        self._position_ns = 0
        self._since_ns: int | None = None  # when it was there, if time goes on

    def position_ns(self, now_ns: int) -> int:
        """Where it is on the time line; no further than to the last frame."""
        if self._since_ns is None or self.next_ns is None:
            return self._position_ns
        return self._position_ns + round((now_ns - self._since_ns) * self.speed)

    def obey(self, command: Command, now_ns: int) -> None:
        """Take a command."""
        self.turn = command.turn
        self._position_ns = self.position_ns(now_ns)
        wanted = self._wanted
        match command:
            case Jump():
                wanted = Order(command.to_ns)
            case Step():
                self.paused = True
                wanted = wanted or Order(None)
                wanted = Order(wanted.at_ns, wanted.by + command.by)
            case Pause():
                self.paused = True
                wanted = wanted or Order(None)  # the frame on the screen once more: the answer
            case Play():
                self.paused = False
            case Speed():
                self.speed = command.speed
            case Skip():
                self.skips = command.gaps
        self._wanted = Order(wanted.at_ns, wanted.by, self.turn) if wanted else None
        self._since_ns = None if self.paused or wanted else now_ns

    def order(self, now_ns: int) -> Order | None:
        """What is to be shown now, if it is not on the screen; it stays wanted until `shown`."""
        if self._wanted is not None:
            return self._wanted
        position_ns = self.position_ns(now_ns)
        if self.paused or self.next_ns is None or position_ns < self.next_ns:
            return None
        return Order(position_ns, turn=self.turn)

    def is_current(self, order: Order) -> bool:
        """Whether nothing else was asked for meanwhile."""
        return order is self._wanted or (self._wanted is None and order.turn == self.turn)

    def shown(
        self, order: Order, time_ns: int, next_ns: int | None, now_ns: int, *, hole: bool = False
    ) -> None:
        """A frame of the time `time_ns` goes out for `order`; what comes behind it."""
        self.next_ns = next_ns
        if order is self._wanted:
            self._wanted = None
            inside = order.at_ns is not None and not order.by and order.at_ns >= time_ns
            self._position_ns = order.at_ns if inside and order.at_ns is not None else time_ns
            self._since_ns = None if self.paused else now_ns
        if next_ns is None:
            self._position_ns = time_ns
        elif hole and self.skips and not self.paused:
            self._position_ns = max(self.position_ns(now_ns), next_ns - _HOLE_NS)
            self._since_ns = now_ns

    def more(self, next_ns: int, now_ns: int) -> None:
        """There is a frame behind the last one now."""
        self.next_ns = next_ns
        self._since_ns = None if self.paused else now_ns

    def wait_s(self, now_ns: int) -> float | None:
        """How long nothing is due; None: until something is asked for."""
        if self.paused or self.next_ns is None:
            return None
        return max(0, self.next_ns - self.position_ns(now_ns)) / self.speed / NS
