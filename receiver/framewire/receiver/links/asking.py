"""`req-rep`: a link that asks."""

from collections.abc import Sequence

from framewire.common.clock import NS, monotonic_ns
from framewire.common.endpoint import Endpoint
from framewire.common.errors import ProtocolError, TopicError
from framewire.common.frame import Packet, Status
from framewire.common.request import MOST_TOPICS, encode_request
from framewire.common.topic import check_topic
from framewire.common.transport import Dialogue
from framewire.common.wire import Answer, decode_answer
from framewire.receiver.links.conversation import Conversation, Had
from framewire.receiver.links.link import Want
from framewire.receiver.links.steering import Steering
from framewire.receiver.links.watched import WatchedLink

__all__ = ["Asking"]

_FORGET_NS = 30 * NS
_BURST = 32  # greetings before the other links have their turn
_AGAIN_NS = 2_000_000  # ZeroMQ looks for room in a queue only now and then


class Asking(WatchedLink[Dialogue]):
    """A link to those who answer; see `Link`. Bound, it asks every sender that connects."""

    asks = True
    is_work = False

    def __init__(self, endpoint: Endpoint, want: Want, *, bind: bool) -> None:
        self.partial = not want.everything
        self._want = want
        self._topics: tuple[str, ...] | None = None
        self._had = Had()
        self._peers: dict[bytes, Conversation] = {}
        self._heard_ns: dict[bytes, int] = {}
        self._last: tuple[bytes, Answer, int] = (b"", Answer(), 0)
        if not bind:
            self._meet(b"", monotonic_ns())
        super().__init__(
            endpoint,
            lambda to_bind, to_connect: Dialogue(
                to_bind, to_connect, want.max_message_bytes, want.keys
            ),
            bind=bind,
        )

    def _meet(self, peer: bytes, now_ns: int) -> None:
        want = self._want
        steering = Steering(quality=want.quality, scale=want.scale, credits=want.credits)
        self._peers[peer] = Conversation(steering, self._had if want.everything else None)
        self._heard_ns[peer] = now_ns

    def select(self, prefixes: frozenset[bytes]) -> None:
        self._topics = _topics(prefixes)

    # -- asking -------------------------------------------------------------------------------

    def step(self, now_ns: int, *, room: bool) -> int | None:
        if self._topics is None or not room:
            self._watch.pause(now_ns)
        elif self._is_deaf(now_ns):
            self._replace(now_ns)
            self._peers[b""].reset()
        connected = self._socket.connected
        self._socket.awaits_room = not connected
        if not connected:
            self._lost_connection()
            return None
        self._forget_peers(now_ns)
        if self._topics is None or not room:
            return None
        dues = [self._ask(peer, self._topics, now_ns) for peer in list(self._peers)]
        return min((due for due in dues if due is not None), default=None)

    def _lost_connection(self) -> None:
        for conversation in self._peers.values():
            if conversation.waits:
                conversation.reset()

    def _ask(self, peer: bytes, topics: tuple[str, ...], now_ns: int) -> int | None:
        """Send the requests that are due; when the next one is."""
        conversation = self._peers[peer]
        if conversation.is_overdue(now_ns):
            conversation.reset()
        while (due_ns := conversation.due_ns(now_ns)) is not None and due_ns <= now_ns:
            request = conversation.next(topics, now_ns)
            sent = self._socket.send(peer, (encode_request(request),))
            if sent == "full":
                conversation.take_back(request)
                return now_ns + _AGAIN_NS
            if sent == "gone":
                self._forget(peer)
                return None
        return due_ns

    def _forget_peers(self, now_ns: int) -> None:
        if self._connects:
            return
        for peer, heard_ns in list(self._heard_ns.items()):
            if now_ns - heard_ns > _FORGET_NS:
                self._forget(peer)

    def _forget(self, peer: bytes) -> None:
        if not self._connects:
            del self._peers[peer], self._heard_ns[peer]

    # -- what comes -----------------------------------------------------------------------------

    def receive(self) -> Sequence[bytes] | None:
        for _ in range(_BURST):
            message = self._socket.receive()
            if message is None:
                return None
            peer, parts = message
            now_ns = monotonic_ns()
            if peer not in self._peers:
                if len(self._peers) >= self._want.most_peers:
                    continue
                self._meet(peer, now_ns)
            self._heard_ns[peer] = now_ns
            if parts == [b""]:
                continue  # a sender says that it is there
            self._last = peer, _facts(parts), len(parts[-1])
            return parts
        return None

    def took(self, message: Packet | Status | None, now_ns: int) -> None:
        peer, answer, size = self._last
        if peer in self._peers:
            self._peers[peer].answered(answer, message, size, now_ns)
        super().took(message, now_ns)


def _facts(parts: Sequence[bytes]) -> Answer:
    try:
        return decode_answer(parts[1] if len(parts) == 3 else b"")
    except ProtocolError:
        return Answer()  # the message is refused by whoever decodes it


def _topics(prefixes: frozenset[bytes]) -> tuple[str, ...] | None:
    """The topics to ask for; none stands for all, None for that nothing is wanted.

    A subscription may end within a segment, a request may not: then all that lies above is asked
    for. What no topic begins with is left out.
    """
    above = {prefix.rpartition(b"/")[0] for prefix in prefixes}
    topics = {topic.decode() for topic in above if topic and _is_topic(topic)}
    if b"" in above or len(topics) > MOST_TOPICS:
        return ()
    return tuple(sorted(topics)) or None


def _is_topic(name: bytes) -> bool:
    try:
        return check_topic(name.decode()).encode() == name
    except (TopicError, UnicodeDecodeError):
        return False
