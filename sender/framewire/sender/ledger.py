"""What the threads of a sender share: the books and the newest picture of each topic."""

import threading
from collections.abc import Callable

from framewire.common.clock import NS
from framewire.common.frame import Packet, State, Status
from framewire.common.stats import Distribution, Histogram, Quantiles
from framewire.sender.account import TopicAccount, TopicSent
from framewire.sender.picture import Picture

__all__ = ["ENCODE_BOUNDS_S", "Ledger"]

ENCODE_BOUNDS_S = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.016, 0.033, 0.066, 0.1, 0.25)
"""Where encoding times are told apart, seconds: 480p takes 0.0005 and 1080p 0.003 on one core; one
frame at 60 fps lasts 0.016, at 30 fps 0.033."""

_STATUS_NS = NS
"""Between two statuses of a topic."""

Wanted = Callable[[], bool]


class Ledger:
    """The books of a sender. Any thread may use it; nothing here waits."""

    def __init__(self, run: str) -> None:
        self.run = run
        """The id of this sender's run."""
        self._lock = threading.Lock()
        self._accounts: dict[str, TopicAccount] = {}
        self._newest: dict[str, Picture] = {}
        self._encode_ms = Quantiles()
        self._encodings = Histogram(ENCODE_BOUNDS_S)
        self._encoded = 0

    # -- frames come in -----------------------------------------------------------------------

    def open(self, name: str) -> None:
        """Have books for `name`: receivers are told of it from now on."""
        with self._lock:
            if name not in self._accounts:
                self._begin(name, self.run)

    def number(self, name: str, source_dropped: int, wanted: Wanted) -> tuple[int, int, bool]:
        """(sequence, dropped so far, whether somebody wants it) of a new frame of this sender."""
        with self._lock:
            account = self._begin(name, self.run)
            sequence = account.number(source_dropped)
            is_wanted = wanted()
            if is_wanted:
                account.accept(sequence)
            return sequence, account.numbers.dropped, is_wanted

    def follow(self, packet: Packet, wanted: Wanted) -> bool:
        """Take the numbers of a packet that is passed on; whether somebody wants it."""
        with self._lock:
            account = self._begin(packet.topic, packet.header.sender)
            account.follow(packet)
            is_wanted = wanted()
            if is_wanted:
                account.accept(packet.sequence)
            return is_wanted

    def repeat(self, status: Status) -> None:
        """Say from now on what another sender said of its topic."""
        with self._lock:
            self._begin(status.topic, status.sender).repeat(status)

    def hold(self, picture: Picture) -> None:
        """Keep a picture as the newest of its topic."""
        with self._lock:
            name = picture.header.topic
            before = self._newest.get(name)
            if before is not None and not before.used:
                self._accounts[name].unwatched += 1
            self._newest[name] = picture

    def pass_over(self, name: str) -> None:
        """Nobody wanted a frame."""
        with self._lock:
            self._accounts[name].unwatched += 1

    def newest(self) -> dict[str, Picture]:
        """The newest picture of each topic that has one."""
        with self._lock:
            return dict(self._newest)

    def _begin(self, name: str, run: str) -> TopicAccount:
        account = self._accounts.setdefault(name, TopicAccount(self.run))
        account.begin(run)
        return account

    # -- frames go out ------------------------------------------------------------------------

    def encoded(self, packet: Packet) -> None:
        with self._lock:
            self._encoded += 1
            self._encode_ms.add(packet.header.encode_us / 1000)
            self._encodings.add(packet.header.encode_us / 1e6)

    def settle(self, packet: Packet) -> None:
        """A frame that somebody wanted has gone where statuses go: they may speak of it."""
        with self._lock:
            self._accounts[packet.topic].settle(packet)

    def sent(self, packet: Packet) -> None:
        """It was handed to ZeroMQ."""
        with self._lock:
            self._accounts[packet.topic].count_sent(packet)

    def lose(self, name: str) -> None:
        """A frame that somebody wanted was replaced by a newer one, or could not be encoded."""
        with self._lock:
            self._accounts[name].lose()

    def drop(self, name: str) -> None:
        """It was dropped on a way that statuses do not go."""
        with self._lock:
            self._accounts[name].drop()

    # -- what is said -------------------------------------------------------------------------

    def announce(self, state: State, reason: str, only: str | None) -> None:
        """Set the state of a topic, or of all that there are; it is told at once."""
        with self._lock:
            for name, account in self._accounts.items():
                if only in (None, name):
                    account.state, account.reason, account.status_due_ns = state, reason, 0

    def tell_again(self) -> None:
        """Somebody new listens: the next statuses are due now."""
        with self._lock:
            for account in self._accounts.values():
                account.status_due_ns = 0

    def due(self, now_ns: int, wall_ns: int) -> list[Status]:
        """The statuses that are due at `now_ns` of the monotonic clock."""
        with self._lock:
            due = []
            for name, account in self._accounts.items():
                if account.status_due_ns <= now_ns:
                    account.status_due_ns = now_ns + _STATUS_NS
                    due.append(account.status(name, wall_ns))
            return due

    def status(self, name: str, wall_ns: int) -> Status:
        """What there is to say of a topic now. KeyError for an unknown one."""
        with self._lock:
            return self._accounts[name].status(name, wall_ns)

    def drop_pending(self) -> None:
        """Nothing goes out any more: what is still on its way is dropped."""
        with self._lock:
            for account in self._accounts.values():
                while account.pending:
                    account.lose()

    def last_words(self, wall_ns: int) -> list[Status]:
        """That every topic ended."""
        with self._lock:
            for account in self._accounts.values():
                if account.state != "ended":
                    account.state, account.reason = "ended", ""
            return [each.status(name, wall_ns) for name, each in self._accounts.items()]

    # -- figures ------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(self._accounts)

    def snapshot(self) -> tuple[dict[str, TopicSent], int, tuple[float, float]]:
        """Figures of each topic, how many encodings there were, and their ms (p50, p95)."""
        with self._lock:
            topics = {name: account.snapshot() for name, account in self._accounts.items()}
            p50, p95 = self._encode_ms(0.5, 0.95)
            return topics, self._encoded, (p50, p95)

    def encodings(self) -> Distribution:
        """Encoding times of all frames, seconds."""
        with self._lock:
            return self._encodings.snapshot()
