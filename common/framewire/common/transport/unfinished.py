"""Messages that do not end: how much a connection has sent since its last whole one.

ZeroMQ limits each part of a message, and how many messages wait, but not how many parts a message has; and
it hands none over before the last has come. So a peer that always announces one more part fills the memory
of this process, 600 MB in a second, and nothing of it is ever seen here. The kernel counts, though.
"""

from collections.abc import Callable, Iterable, Iterator

from framewire.common.clock import NS
from framewire.common.transport.traffic import KNOWN, received_bytes

__all__ = ["SLACK_BYTES", "Unfinished"]

SLACK_BYTES = 1 << 20
"""What may have come besides one message of the largest size: what the kernel holds, and small ones."""
_AGAIN_NS = NS // 10


class Unfinished:
    """Of the connections of one socket, whose largest part is `most_bytes`; 0 or less: any.

    While whole messages wait in it, they may be this connection's: `queue` of them at most. Linux,
    TCP: elsewhere nobody is ever found.
    """

    def __init__(self, most_bytes: int, queue: int, slack_bytes: int = SLACK_BYTES) -> None:
        self._most_bytes = most_bytes + slack_bytes if most_bytes > 0 else 0
        self._waiting_bytes = self._most_bytes + max(0, most_bytes) * queue
        self._taken: dict[int, int] = {}
        self._again_ns = 0

    def begun(self, descriptor: int) -> None:
        """A connection is new; the number may have been another's."""
        self._taken[descriptor] = 0

    def ended(self, descriptor: int) -> None:
        """It is gone."""
        self._taken.pop(descriptor, None)

    def whole(self, descriptor: int) -> None:
        """A message of it has come to its end."""
        if descriptor in self._taken:
            self._taken[descriptor] = max(0, received_bytes(descriptor))

    def too_long(
        self, descriptors: Iterable[int], now_ns: int, messages_wait: Callable[[], bool]
    ) -> Iterator[int]:
        """Those whose message has grown longer than any may be; looked for ten times a second.

        `messages_wait` is asked once the bytes were counted, or the last of them would not be in
        what it says.
        """
        if now_ns < self._again_ns or not self._most_bytes or not KNOWN:
            return
        self._again_ns = now_ns + _AGAIN_NS
        for each in descriptors:
            size = received_bytes(each) - self._taken.get(each, 0)
            if size > self._waiting_bytes or (size > self._most_bytes and not messages_wait()):
                yield each
