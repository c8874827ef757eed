"""`push-pull`: PUSH and PULL sockets. Each message goes to one of those who pull."""

from collections.abc import Sequence

import zmq

from framewire.common.endpoint import Endpoint
from framewire.common.keytext import Keys
from framewire.common.transport.sockets import Socket

__all__ = ["Puller", "Pusher"]

WORK_MARK = 2
"""Messages that may wait at either end of a worker's connection: it dies with those."""
_BUFFER_BYTES = 64 * 1024
_PARTS = 3


class Pusher(Socket):
    """A PUSH socket: gives each message to the next worker that has room."""

    def __init__(
        self, bind: Sequence[Endpoint], connect: Sequence[Endpoint], keys: Keys | None = None
    ) -> None:
        options: dict[int, int] = {
            zmq.SNDHWM: WORK_MARK,
            zmq.SNDBUF: _BUFFER_BYTES,
            zmq.IMMEDIATE: 1,  # nothing waits for a worker that is not there
            # Workers say nothing, and nobody reads what is said all the same. Behind a full queue of
            # it libzmq would never see that the connection has ended, and keep its descriptor for ever.
            zmq.RCVHWM: 0,
            zmq.MAXMSGSIZE: 1024,  # a handshake with keys has 500; and `Connections` cuts who says much
            zmq.BACKLOG: 512,
        }
        super().__init__(zmq.PUSH, options, (*bind, *connect), keys)
        self.awaits_message = False
        self.endpoints = self._attach(bind, connect)

    @property
    def has_room(self) -> bool:
        """Whether some worker is there and can take a message."""
        return bool(int(self.socket.getsockopt(zmq.EVENTS)) & zmq.POLLOUT)

    def send(self, parts: Sequence[bytes]) -> bool:
        """Hand a message to a worker; False if none has room. Does not wait."""
        try:
            self.socket.send_multipart(parts, zmq.DONTWAIT, copy=False)
        except zmq.Again:
            return False
        return True


class Puller(Socket):
    """A PULL socket at one address, bound or connected."""

    def __init__(
        self,
        bind: Sequence[Endpoint],
        connect: Sequence[Endpoint],
        max_message_bytes: int,
        keys: Keys | None = None,
    ) -> None:
        options: dict[int, int] = {
            zmq.RCVHWM: WORK_MARK,
            zmq.RCVBUF: _BUFFER_BYTES,
            zmq.MAXMSGSIZE: max_message_bytes,
        }
        super().__init__(zmq.PULL, options, (*bind, *connect), keys)
        self.endpoints = self._attach(bind, connect)

    def receive(self) -> list[bytes] | None:
        """The parts of one message, or None if none has arrived; does not wait."""
        return self._receive(_PARTS)
