"""Who stands at the other end of a sender: one who subscribes, one who asks, one who works."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import sleep

import zmq

from framewire.common import transport, wire
from framewire.common.clock import NS, monotonic_ns
from framewire.common.endpoint import parse_endpoint
from framewire.common.frame import Packet, Status
from framewire.common.gaps import GapCounter
from framewire.common.request import Request, encode_request
from framewire.common.transport import Dialogue, Puller, Subscriber, Waker
from framewire.common.wire import Answer

ADDRESS = "inproc://sender-test"
"""Where the `listener` of a test waits for a sender."""
DEADLINE_S = 20
MAX_BYTES = 64 << 20


def until(condition: Callable[[], object], what: str = "so") -> None:
    """Wait until a condition holds; fail after a deadline."""
    deadline_ns = monotonic_ns() + DEADLINE_S * NS
    while not condition():
        assert monotonic_ns() < deadline_ns, f"in {DEADLINE_S} s: not {what}"
        sleep(0.002)


def lost(messages: Iterable[Packet | Status], topic: str | None = None) -> int:
    """What a receiver of these would count as lost."""
    counters: dict[str, GapCounter] = {}
    for message in messages:
        counter = counters.setdefault(message.topic, GapCounter())
        if isinstance(message, Packet):
            counter.frame(message.header.sender, message.sequence, replay=message.header.replay)
        else:
            counter.status(message.sender, message.sequence)
    return sum(each.lost for name, each in counters.items() if topic in (None, name))


class Listener:
    """A SUB socket in a thread of its own, and every message that came, decoded, in its order."""

    def __init__(self, address: str, prefixes: Sequence[bytes], *, bind: bool) -> None:
        endpoint = parse_endpoint(address, bind=bind)
        both = ([endpoint], []) if bind else ([], [endpoint])
        self._socket = Subscriber(*both, prefixes, MAX_BYTES)
        self.endpoint = self._socket.endpoints[0]
        self.messages: list[Packet | Status] = []
        self.error: Exception | None = None
        self._waker = Waker()
        self._stop = False
        self._thread = threading.Thread(target=self._listen, name="listener")
        self._thread.start()

    @property
    def packets(self) -> list[Packet]:
        return [each for each in list(self.messages) if isinstance(each, Packet)]

    @property
    def statuses(self) -> list[Status]:
        return [each for each in list(self.messages) if isinstance(each, Status)]

    def sequences(self, topic: str | None = None) -> list[int]:
        return [p.sequence for p in self.packets if topic is None or p.topic == topic]

    def until(self, condition: Callable[[], object], what: str = "so") -> None:
        until(lambda: self.error or condition(), f"{what}; {len(self.messages)} messages came")
        if self.error is not None:
            raise self.error

    def until_packets(self, count: int) -> list[Packet]:
        self.until(lambda: len(self.packets) >= count, f"{count} packets")
        return self.packets

    def until_ended(self) -> Status:
        """The last word of a sender that carries one topic."""
        self.until(lambda: any(s.state == "ended" for s in self.statuses), "ended")
        assert isinstance(self.messages[-1], Status), "something came after the last word"
        return self.messages[-1]

    def _listen(self) -> None:
        try:
            while not self._stop:
                transport.wait([self._socket], self._waker)
                while (parts := self._socket.receive()) is not None:
                    self.messages.append(wire.decode(parts))
        except Exception as error:  # noqa: BLE001 - handed to the test
            self.error = error
        finally:
            self._socket.close()

    def close(self) -> None:
        """May be called again."""
        self._stop = True
        self._waker.wake()
        self._thread.join(DEADLINE_S)
        self._waker.close()
        assert not self._thread.is_alive()


class Asker:
    """One connection that asks, in the test's own thread.

    Bound, it hears only what peers say first; their addresses come with what it `hears`.
    """

    def __init__(self, address: str, *, bind: bool = False) -> None:
        endpoint = parse_endpoint(address, bind=bind)
        both = ([endpoint], []) if bind else ([], [endpoint])
        self._socket = Dialogue(*both, MAX_BYTES)
        self.endpoint = self._socket.endpoints[0]
        self.peer = b""
        until(lambda: self._socket.connected, "connected")

    def say(self, *parts: bytes) -> None:
        """Any parts at all, behind the delimiter; waits for room."""
        until(lambda: self._socket.send(self.peer, parts) == "sent", "sent")

    def ask(self, request: Request | None = None) -> None:
        self.say(encode_request(request) if request is not None else b"")

    def poll(self) -> list[bytes] | None:
        """The parts of what came next, if anything did."""
        message = self._socket.receive()
        if message is None:
            return None
        self.peer, parts = message
        return parts

    def hears(self) -> list[bytes]:
        """The parts of what comes next."""
        found: list[list[bytes]] = []

        def came() -> bool:
            parts = self.poll()
            found.extend([] if parts is None else [parts])
            return bool(found)

        until(came, "an answer")
        return found[0]

    def answer(self) -> tuple[Packet | Status, Answer]:
        """The next answer, checked as a receiver does, and what it says of its request."""
        parts = self.hears()
        return wire.decode(parts), wire.decode_answer(parts[1])

    def packet(self) -> Packet:
        """The next answer, which is a picture."""
        message, _ = self.answer()
        assert isinstance(message, Packet), message
        return message

    def status(self) -> Status:
        """The next answer, which is a status."""
        message, _ = self.answer()
        assert isinstance(message, Status), message.header
        return message

    def gets(self, request: Request | None = None) -> Packet:
        """Ask, and get a picture."""
        self.ask(request)
        return self.packet()

    def ping(self, topic: str | tuple[str, ...] = "") -> Status:
        """What the sender says of a topic. It has then read all that was asked before, and nothing
        of that was answered by a picture meanwhile."""
        self.ask(Request(topic=topic, status=True, id=1 << 40))
        message, answer = self.answer()
        assert isinstance(message, Status), message.header
        assert answer.request == 1 << 40
        return message

    def close(self) -> None:
        """May be called again."""
        self._socket.close()


@contextmanager
def plain(kind: int, address: str) -> Iterator["zmq.Socket[bytes]"]:
    """A socket of a program that knows nothing of framewire; it gives up waiting by itself."""
    with zmq.Context() as context, context.socket(kind) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVTIMEO, DEADLINE_S * 1000)
        socket.connect(parse_endpoint(address, bind=False).url)
        yield socket


class Worker:
    """A PULL socket in the test's own thread."""

    def __init__(self, address: str, *, bind: bool = False) -> None:
        endpoint = parse_endpoint(address, bind=bind)
        both = ([endpoint], []) if bind else ([], [endpoint])
        self._socket = Puller(*both, MAX_BYTES)
        self.endpoint = self._socket.endpoints[0]

    def take(self) -> Packet | Status | None:
        """What is there now, if anything."""
        parts = self._socket.receive()
        return None if parts is None else wire.decode(parts)

    def packet(self) -> Packet:
        """The next piece of work; waits."""
        found: list[Packet | Status] = []

        def came() -> bool:
            message = self.take()
            if message is not None:
                found.append(message)
            return message is not None

        until(came, "a piece of work")
        assert isinstance(found[0], Packet)
        return found[0]

    def close(self) -> None:
        """May be called again. What waits for it here and on the way is lost."""
        self._socket.close()
