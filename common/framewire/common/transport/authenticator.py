"""Who may come in: the handler that libzmq asks about each key, and the doors that it keeps."""

import logging
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import count
from pathlib import Path

import zmq

from framewire.common.allowed import AllowList
from framewire.common.clock import NS, monotonic_ns, pause
from framewire.common.errors import ProtocolError
from framewire.common.stats import Throttle
from framewire.common.transport.refusals import Refusals
from framewire.common.transport.waking import Waker
from framewire.common.transport.zap import Question, Verdict, read_question, write_answer

__all__ = ["OPEN_DOMAIN", "Authenticator", "Door"]

_log = logging.getLogger("framewire.keys")

OPEN_DOMAIN = b"framewire-open"
"""Of sockets without keys. Whoever comes there may come in; but libzmq lets nobody speak ZMTP 1 and 2 where
there is a domain. Those peers need no handshake, and libzmq 4.3.5 can lose sight of one that has gone: its
descriptor stays open for ever."""

_ADDRESS = "inproc://zeromq.zap.01"
_LOOK_MS = 1000
"""Between two looks at the folders of allowed keys."""
_FRESH_NS = NS // 5
"""Who is not allowed as of a look longer ago than this is worth another."""
_AGAIN_S = 0.2
_JOIN_S = 1.0


class Door:
    """A bound socket as the handler knows it: whom it lets in. Closed with its socket."""

    def __init__(
        self, domain: bytes, allow: Path, place: str, on_revoked: Callable[[], None]
    ) -> None:
        self.domain = domain
        self.place = place
        """Its address, for people."""
        self._allowed = AllowList(allow)
        self._looked_ns = monotonic_ns()
        self._inside: set[str] = set()
        self._on_revoked = on_revoked
        self._refusals = Refusals()

    def look(self) -> None:
        """Take in what has changed in the folder; who was let in with a key that is gone, is cut off."""
        self._looked_ns = monotonic_ns()
        revoked = self._allowed.look() & self._inside
        if revoked:
            self._inside -= revoked
            for key in revoked:
                name = self._allowed.former_name_of(key)
                _log.warning("%s: the key %s (%s) is not allowed any more", self.place, key, name)
            self._on_revoked()

    def judge(self, question: Question) -> Verdict:
        """Whether the owner of a key may come in."""
        now_ns = monotonic_ns()
        if now_ns - self._looked_ns > _FRESH_NS:
            self.look()
        name = self._allowed.name_of(question.key) if question.key else None
        if name is None:
            self._tell(question, now_ns)
            return "refused"
        self._inside.add(question.key)
        self._refusals.forget(question.key)
        _log.debug("%s: %s (%s) came in", self.place, name, question.address or "this machine")
        return "allowed"

    def _tell(self, question: Question, now_ns: int) -> None:
        times = self._refusals.count(now_ns, question.key, question.address)
        if not times:
            return
        former = self._allowed.former_name_of(question.key)
        _log.warning(
            "%s: refused the key %s%s from %s%s: to let it in, copy its .key file into %s",
            self.place,
            question.key,
            f" ({former} before)" if former else "",
            question.address or "this machine",
            f" ({times} times)" if times > 1 else "",
            self._allowed.folder,
        )


class Authenticator:
    """The only handler of a context (ZAP, RFC 27): one thread for all doors.

    libzmq asks it during each handshake with a bound socket that has keys; where it does not answer,
    nobody comes in. If its thread fails it starts again by itself.
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        self._context = context
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._doors: dict[bytes, Door] = {}
        self._closing = False
        self._complaints = Throttle()
        self._waker = Waker()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="framewire-keys", daemon=True)
        self._thread.start()
        self._ready.wait(_LOOK_MS / 1000)

    def open(self, allow: Path, place: str, on_revoked: Callable[[], None]) -> Door:
        """A door for a socket bound at `place`.

        `on_revoked` is called by the handler's thread when a key with which somebody came in is not
        allowed any more, and must not wait.
        """
        door = Door(b"framewire-%d" % next(self._numbers), allow, place, on_revoked)
        with self._lock:
            self._doors[door.domain] = door
        return door

    def forget(self, door: Door) -> None:
        """Its socket is closed."""
        with self._lock:
            self._doors.pop(door.domain, None)

    def close(self) -> bool:
        """Stop, before the context ends; False if it does not: a folder's disk does not answer."""
        self._closing = True
        self._waker.wake()
        self._thread.join(_JOIN_S)
        return not self._thread.is_alive()

    # -- the handler's thread -----------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing:
            try:
                with closing(self._context.socket(zmq.ROUTER)) as handler:
                    handler.bind(_ADDRESS)
                    self._ready.set()
                    self._serve(handler)
            except BaseException as error:  # noqa: BLE001 - whatever it was: nobody else would start it again
                _log.error(
                    "the handler of keys failed (%s): nobody is let in until it runs again, in a moment",
                    repr(error),
                )
                pause(_AGAIN_S)
        self._waker.close()

    def _serve(self, handler: "zmq.Socket[bytes]") -> None:
        look_ns = monotonic_ns()
        while not self._closing:
            left_ms = max(0, (look_ns - monotonic_ns()) // 1_000_000)
            self._waker.poll([(handler, zmq.POLLIN)], min(_LOOK_MS, left_ms))
            with suppress(zmq.Again):
                while True:
                    self._answer(handler, handler.recv_multipart(zmq.DONTWAIT))
            if monotonic_ns() >= look_ns:
                look_ns = monotonic_ns() + _LOOK_MS * 1_000_000
                for door in self._all():
                    door.look()

    def _all(self) -> list[Door]:
        with self._lock:
            return list(self._doors.values())

    def _answer(self, handler: "zmq.Socket[bytes]", message: list[bytes]) -> None:
        peer, _, *parts = message
        try:
            question = read_question(parts)
        except ProtocolError as error:
            self._complain(error)
            return
        verdict = self._judge(question)
        handler.send_multipart([peer, b"", *write_answer(question, verdict)], zmq.DONTWAIT)

    def _judge(self, question: Question) -> Verdict:
        if question.domain == OPEN_DOMAIN:
            return "allowed"
        with self._lock:
            door = self._doors.get(question.domain)
        try:
            return "later" if door is None else door.judge(question)
        except Exception as error:  # noqa: BLE001 - one stranger must not end it for the others
            self._complain(error)
            return "later"

    def _complain(self, error: Exception) -> None:
        if self._complaints(monotonic_ns()):
            _log.error("somebody was not let in, because the handler of keys failed: %r", error)
