"""The books of a sender: what became of the frames of each topic. Pure; the caller locks."""

from dataclasses import dataclass, field

from framewire.common.frame import Packet, State, Status
from framewire.common.stats import Distribution
from framewire.sender.sequence import Sequence

__all__ = ["SenderStats", "TopicAccount", "TopicSent"]


@dataclass(frozen=True, slots=True)
class TopicSent:
    """What a sender did for one topic so far: all are counts since it began."""

    captured: int
    """Frames that were given to the sender, and those that their source dropped before."""
    sent: int
    """Messages with a frame that were handed to ZeroMQ: one for all who subscribe, one for each who
    asked, one for a worker."""
    sent_bytes: int
    """Payload bytes of those."""
    dropped: int
    """Frames that newer ones replaced, in the source or here."""
    unwatched: int
    """Frames that nobody wanted; they are not encoded."""
    state: State = "live"
    """What receivers are told of it."""


@dataclass(frozen=True, slots=True)
class SenderStats:
    """A snapshot of a sender's figures."""

    topics: dict[str, TopicSent]
    receivers: int
    """Who listens now: connections that subscribed (over inproc: subscriptions), those who asked in the
    last seconds, and one for all who share work. Who is gone counts no more."""
    encoded: int
    """Encodings; frames that are JPEG already take none."""
    encode_ms: tuple[float, float]
    """Encoding time of the last frames, p50 and p95, milliseconds; nan before the first."""
    encodings: Distribution = field(default_factory=Distribution)
    """Encoding times of all frames, seconds."""

    @property
    def captured(self) -> int:
        return sum(topic.captured for topic in self.topics.values())

    @property
    def sent(self) -> int:
        return sum(topic.sent for topic in self.topics.values())

    @property
    def sent_bytes(self) -> int:
        return sum(topic.sent_bytes for topic in self.topics.values())

    @property
    def dropped(self) -> int:
        return sum(topic.dropped for topic in self.topics.values())

    @property
    def unwatched(self) -> int:
        return sum(topic.unwatched for topic in self.topics.values())


@dataclass(slots=True)
class TopicAccount:
    """What a sender keeps of one topic."""

    own_run: str
    """The sender's own id. Packets of other runs may be passed on in between."""
    own: Sequence = field(default_factory=Sequence)
    run: str = ""
    """The run that frames are taken from now."""
    numbers: Sequence = field(default_factory=Sequence)
    """The numbers of that run."""
    captured: int = 0
    sent: int = 0
    sent_bytes: int = 0
    dropped: int = 0
    unwatched: int = 0
    pending: int = 0
    """Frames between `send` and the socket."""
    reached_run: str = ""
    """While frames are pending: the run that has reached the socket ..."""
    reached: int = 0
    """... and the number after the last of it that went out."""
    state: State = "live"
    reason: str = ""
    hops: int = 0
    """Relays that the last frame or status came through."""
    status_due_ns: int = 0
    """When the next status is to be sent, on the monotonic clock."""

    def begin(self, run: str) -> None:
        """Frames of `run` follow. Another run than the sender's own is numbered for itself."""
        if run != self.run:
            self.run = run
            self.numbers = self.own if run == self.own_run else Sequence()

    def number(self, source_dropped: int) -> int:
        """The number of a frame of the sender's own, whose source dropped so many before it."""
        before = self.numbers.next
        number = self.numbers.take(source_dropped)
        self._count(before)
        return number

    def follow(self, packet: Packet) -> None:
        """Take the numbers of a packet that is passed on."""
        before = self.numbers.next
        self.numbers.follow(packet.sequence)
        self.numbers.dropped = packet.header.dropped
        self.hops = max(self.hops, packet.header.hops)
        if self.run == self.own_run:
            self._count(before)
        else:  # the holes of a recording are history, not this sender's
            self.captured += 1

    def _count(self, before: int) -> None:
        passed = max(1, self.numbers.next - before)
        self.captured += passed
        self.dropped += passed - 1

    def repeat(self, status: Status) -> None:
        """Say what another sender said."""
        said = (self.state, self.reason)
        self.numbers.next = max(self.numbers.next, status.sequence)
        self.numbers.dropped = status.dropped
        self.state, self.reason, self.hops = status.state, status.reason, status.hops
        if said != (self.state, self.reason):
            self.status_due_ns = 0

    def accept(self, sequence: int) -> None:
        """A frame is on its way."""
        if not self.pending:
            self.reached_run, self.reached = self.run, sequence
        self.pending += 1

    def settle(self, packet: Packet) -> None:
        """It has gone where statuses go."""
        self.pending = max(0, self.pending - 1)  # it may have been given up before
        self.reached_run, self.reached = packet.header.sender, packet.sequence + 1

    def count_sent(self, packet: Packet) -> None:
        """It was handed to ZeroMQ."""
        self.sent += 1
        self.sent_bytes += len(packet.payload)

    def lose(self) -> None:
        """It was replaced by a newer one, or could not be encoded."""
        if self.pending:  # else it was given up before
            self.pending -= 1
            self.drop()

    def drop(self) -> None:
        """It was dropped after statuses had passed it."""
        self.numbers.dropped += 1
        self.dropped += 1

    def status(self, name: str, now_ns: int) -> Status:
        """What to tell receivers at `now_ns` of the wall clock."""
        return Status(
            topic=name,
            sender=self.reached_run if self.pending else self.run,
            sequence=self.reached if self.pending else self.numbers.next,
            dropped=self.numbers.dropped,
            sent_ns=now_ns,
            state=self.state,
            reason=self.reason,
            hops=self.hops,
        )

    def snapshot(self) -> TopicSent:
        return TopicSent(
            self.captured, self.sent, self.sent_bytes, self.dropped, self.unwatched, self.state
        )
