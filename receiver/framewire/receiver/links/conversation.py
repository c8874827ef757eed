"""What a receiver asks one sender, and what it makes of the answers. Pure: the time is an argument."""

from collections import OrderedDict

from framewire.common.clock import NS
from framewire.common.frame import Packet, Status
from framewire.common.request import MOST_TOPICS, Request
from framewire.common.wire import Answer
from framewire.receiver.links.steering import Steering

__all__ = ["Conversation", "Had"]

_PATIENCE_NS = 3 * NS // 2
"""Senders answer within a second, if only with a status."""
_PINGS = 3
"""The path's time is asked for at most so often: the first answer may have been late by chance."""
_NEAR_MS = 3.0
"""A path as short as this is believed at once."""
_REMEMBERED = 32


class Had:
    """What came last of each topic, from any sender: where to go on after a connection was lost."""

    def __init__(self) -> None:
        self._positions: OrderedDict[str, tuple[str, int]] = OrderedDict()

    def note(self, packet: Packet) -> None:
        self._positions[packet.topic] = packet.header.sender, packet.sequence
        self._positions.move_to_end(packet.topic)
        if len(self._positions) > MOST_TOPICS:
            self._positions.popitem(last=False)

    def positions(self) -> dict[str, tuple[str, int]]:
        return dict(self._positions)


class Conversation:
    """The requests to one sender: when each is due, which are out, and what came of them.

    Where every frame is wanted, each request says what the receiver `had` last of each topic, so
    that the sender gives what follows, also after the connection was lost.
    """

    def __init__(self, steering: Steering, had: Had | None = None) -> None:
        self.steering = steering
        self._had = had
        self._out: OrderedDict[int, int] = OrderedDict()  # id, when it was sent
        self._given_up: OrderedDict[int, int] = OrderedDict()
        self._patience_ns = _PATIENCE_NS
        self._serial = 0
        self._resumes = True
        self._pings = 0

    @property
    def waits(self) -> bool:
        """Whether an answer is to come."""
        return bool(self._out)

    def due_ns(self, now_ns: int) -> int | None:
        """When the next request is due; None: not before an answer comes."""
        if self._is_pinging:
            return None if self._out else now_ns
        return self.steering.ready_ns(len(self._out), now_ns)

    @property
    def _is_pinging(self) -> bool:
        far = not self.steering.round_trip_ms < _NEAR_MS
        return not self._pings or (far and self._pings < _PINGS)

    def next(self, topics: tuple[str, ...], now_ns: int) -> Request:
        """The next request, sent at `now_ns`. The first on a connection only ask for a status: the
        time that it takes is that of the path."""
        pings = self._is_pinging
        self._pings += pings
        self._serial += 1
        self._out[self._serial] = now_ns
        level = self.steering.level
        request = Request(
            topic=topics[0] if len(topics) == 1 else topics or "",
            after=None if self._had is None else self._had.positions(),
            quality=level.quality,
            scale=level.scale,
            status=pings,
            resume=self._resumes,
            id=self._serial,
        )
        self._resumes = False
        return request

    def answered(
        self, answer: Answer, message: Packet | Status | None, size: int, now_ns: int
    ) -> None:
        """A message came; None if it was not valid."""
        if isinstance(message, Packet) and self._had is not None:
            self._had.note(message)
        number = -1 if answer.request is None else answer.request
        late_ns = self._given_up.pop(number, None)
        if late_ns is not None:
            self._patience_ns = max(self._patience_ns, 2 * (now_ns - late_ns))
        asked_ns = self._out.pop(number, None)
        if asked_ns is None:
            return  # to a request of a connection before this one
        self._patience_ns = max(_PATIENCE_NS, 3 * (now_ns - asked_ns))
        if message is None:
            return  # there is nothing to learn from what was damaged
        self.steering.answered(
            asked_ns=asked_ns,
            now_ns=now_ns,
            waited_ns=answer.waited_us * 1000,
            size=size,
            header=message.header if isinstance(message, Packet) else None,
        )

    def take_back(self, request: Request) -> None:
        """It could not be sent; it is due again."""
        if request.id is not None:
            self._out.pop(request.id, None)
        self._pings -= request.status
        self._resumes = self._resumes or request.resume

    def is_overdue(self, now_ns: int) -> bool:
        """Whether an answer did not come in time: then `reset`."""
        oldest = next(iter(self._out.values()), now_ns)
        return now_ns - oldest > self._patience_ns

    def reset(self) -> None:
        """Answers that did not come will not: begin anew from what is here."""
        self._given_up.update(self._out)
        while len(self._given_up) > _REMEMBERED:
            self._given_up.popitem(last=False)
        self._out.clear()
        self._resumes = True
        self._pings = 0
        self.steering.reset()
