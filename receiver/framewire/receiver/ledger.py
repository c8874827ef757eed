"""The books of a receiver: the accounts of its topics, and what it refused. Any thread may use them."""

import logging
import threading
from collections.abc import Collection

from framewire.common.frame import Packet, Status
from framewire.common.stats import Quantiles, Throttle
from framewire.common.topic import wire_topic
from framewire.receiver.account import ReceiverStats, TopicAccount

__all__ = ["Ledger"]

_log = logging.getLogger("framewire.receiver")

_SAID_ONCE = 16  # complaints that are not repeated; a peer must not fill memory with them


class Ledger:
    """Counts what arrives and what is handed over, of at most `most` topics.

    One thread adds topics: the receiving one. The time (monotonic) is an argument.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._topics: dict[str, TopicAccount] = {}
        self._ages = Quantiles()
        self._malformed = 0
        self._complaints, self._losses = Throttle(), Throttle()
        self._said_once: set[str] = set()

    def snapshot(self, now_ns: int) -> ReceiverStats:
        """The figures so far."""
        with self._lock:
            topics = {name: topic.snapshot(now_ns) for name, topic in self._topics.items()}
            p50, p95 = self._ages(0.5, 0.95)
            return ReceiverStats(topics, self._malformed, (p50, p95))

    def has_room_for(self, name: str) -> bool:
        """Whether there is an account of a topic, or room for one."""
        return name in self._topics or len(self._topics) < self._most

    def take(self, packet: Packet, now_ns: int, *, partial: bool) -> int | None:
        """A packet has arrived: how many before it are missing; None: it came before.

        `partial`: that others get what is missing, or that it was not asked for.
        """
        with self._lock:
            return self._account(packet.topic).take(packet, now_ns, partial=partial)

    def hear(self, status: Status, now_ns: int, *, partial: bool, marks: bool) -> int | None:
        """A status has arrived: how many packets are missing before what it tells of.

        `marks`: whether those before it have been sent here.
        """
        with self._lock:
            account = self._account(status.topic)
            return account.hear(status, now_ns, partial=partial, marks=marks)

    def _account(self, name: str) -> TopicAccount:
        account = self._topics.get(name)
        if account is None:
            account = self._topics[name] = TopicAccount()
        return account

    def is_late(self, name: str) -> bool:
        """Whether the last packet of a topic is older than one before it."""
        with self._lock:
            return self._topics[name].is_late

    def skip(self, name: str) -> None:
        """A packet was passed over for a newer one."""
        with self._lock:
            self._topics[name].skipped += 1

    def deliver(self, name: str, age_ms: float) -> None:
        """A packet was handed over."""
        with self._lock:
            self._topics[name].deliver(age_ms)
            self._ages.add(age_ms)

    def rejoin(self, selected: Collection[bytes], before: Collection[bytes]) -> None:
        """Other topics are subscribed to: what was sent of the new ones meanwhile is no loss."""
        with self._lock:
            for name, topic in self._topics.items():
                part = wire_topic(name)
                if part.startswith(tuple(selected)) and not part.startswith(tuple(before)):
                    topic.gaps.rejoin()

    def tell_loss(self, topic: str, first: int, last: int, now_ns: int) -> None:
        """Say, now and then, that frames are lost where all are wanted."""
        with self._lock:
            said = self._losses(now_ns)
        if said:
            _log.warning("%s: %d frame(s) lost, %d to %d", topic, last - first + 1, first, last)

    def refuse(self, reason: str, now_ns: int, *, once: bool = False) -> None:
        """Count a message that is none, and say so: now and then, or once for all."""
        with self._lock:
            self._malformed += 1
            said = 0 if reason in self._said_once else self._complaints(now_ns)
            if once and said and len(self._said_once) < _SAID_ONCE:
                self._said_once.add(reason)
        if said:
            _log.warning("refused %d message(s): %s", said, reason)
