"""The books of a receiver: what it saw of each topic. Pure; the caller locks."""

from dataclasses import dataclass, field

from framewire.common.clock import NS
from framewire.common.frame import Packet, State, Status
from framewire.common.gaps import GapCounter, Missing
from framewire.common.stats import Distribution, Histogram, Quantiles, Rate

__all__ = ["AGE_BOUNDS_S", "STALE_S", "ReceiverStats", "TopicAccount", "TopicReceived"]

STALE_S = 2.2
"""Senders say something every second: two missed say that one is gone, and who looks knows it within
three seconds."""

AGE_BOUNDS_S = (0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Where ages are told apart, seconds: on one machine they are some milliseconds, one frame at 30 fps
lasts 0.033, what people notice begins at 0.1, and above 10 all is too late."""


@dataclass(frozen=True, slots=True)
class TopicReceived:
    """What a receiver saw of one topic so far; counts since it began.

    For one run of a sender: captured = received + lost + passed_by, and received = delivered +
    skipped + what still waits + what did not decode (`ReceiverStats.malformed`).
    """

    received: int
    """Frames that arrived whole."""
    received_bytes: int
    """Payload bytes of those."""
    delivered: int
    """Frames that the caller got."""
    skipped: int
    """Frames that newer ones replaced before the caller took them (`keep="newest"`)."""
    lost: int
    """Frames that have not arrived, counted from gaps in the sequence; one that comes late, behind
    its successors, is lost no more."""
    passed_by: int
    """As `lost`, which does not count these: not meant for this receiver, because they were not
    asked for while the link was busy (`req-rep`, newest), or other workers took them (`push-pull`).
    To a collector that takes the results of all workers, these are the losses."""
    missing: tuple[Missing, ...]
    """The numbers of those, oldest first, as far as they are remembered."""
    repeated: int
    """Frames that came again, and were dropped."""
    restarts: int
    """How often the sender was replaced by a new run."""
    state: State
    """What the sender said last."""
    reason: str
    silent_s: float
    """Seconds since anything of this topic arrived; senders say something every second."""
    quality: int
    """JPEG quality of the last frame; 0 if unknown."""
    fps: float
    """Frames a second that arrived, over the last two seconds."""
    bits_per_s: float
    """Payload bits a second that arrived, over the last two seconds."""
    age_ms: tuple[float, float]
    """Age at hand-over of the last frames, p50 and p95, milliseconds; nan before the first."""
    ages: Distribution = field(default_factory=Distribution)
    """Ages at hand-over of all frames, seconds."""

    @property
    def stale(self) -> bool:
        """Whether nothing is heard of it any more, though it did not end."""
        return self.silent_s > STALE_S and self.state != "ended"


@dataclass(frozen=True, slots=True)
class ReceiverStats:
    """A snapshot of a receiver's figures."""

    topics: dict[str, TopicReceived]
    malformed: int
    """Messages that were none of the protocol's, and pictures that did not decode."""
    age_ms: tuple[float, float]
    """Age at hand-over of the last frames of all topics, p50 and p95; nan before the first."""

    @property
    def received(self) -> int:
        return sum(topic.received for topic in self.topics.values())

    @property
    def received_bytes(self) -> int:
        return sum(topic.received_bytes for topic in self.topics.values())

    @property
    def delivered(self) -> int:
        return sum(topic.delivered for topic in self.topics.values())

    @property
    def skipped(self) -> int:
        return sum(topic.skipped for topic in self.topics.values())

    @property
    def lost(self) -> int:
        return sum(topic.lost for topic in self.topics.values())

    @property
    def passed_by(self) -> int:
        return sum(topic.passed_by for topic in self.topics.values())

    @property
    def restarts(self) -> int:
        return sum(topic.restarts for topic in self.topics.values())


@dataclass(slots=True)
class TopicAccount:
    """What a receiver keeps of one topic."""

    gaps: GapCounter = field(default_factory=GapCounter)
    received: int = 0
    received_bytes: int = 0
    delivered: int = 0
    skipped: int = 0
    state: State = "live"
    reason: str = ""
    heard_ns: int = 0
    quality: int = 0
    partial: bool = False
    """Whether what is missing was not meant for this receiver."""
    rate: Rate = field(default_factory=Rate)
    ages: Quantiles = field(default_factory=Quantiles)
    all_ages: Histogram = field(default_factory=lambda: Histogram(AGE_BOUNDS_S))

    def take(self, packet: Packet, now_ns: int, *, partial: bool = False) -> int | None:
        """Count a packet that arrived; return how many before it are newly missing.

        None if it came before, which is all that is counted of it then.
        """
        header, size = packet.header, len(packet.payload)
        self.heard_ns = now_ns
        missing = self.gaps.frame(
            header.sender, header.sequence, captured_ns=header.captured_ns, replay=header.replay
        )
        if missing is None:
            return None
        self.partial = partial
        self.received += 1
        self.received_bytes += size
        self.quality = header.quality
        self.rate.add(now_ns, size)
        if self.state != "live":
            self.state, self.reason = "live", ""
        return missing

    @property
    def is_late(self) -> bool:
        """Whether a newer frame of its run came before the one that was taken last."""
        return self.gaps.late

    def hear(
        self, status: Status, now_ns: int, *, partial: bool = False, marks: bool = True
    ) -> int:
        """Take what the sender says; return how many frames are newly missing.

        `marks`: whether it says at which number frames begin, too.
        """
        self.heard_ns = now_ns
        self.partial = partial
        self.state, self.reason = status.state, status.reason
        return self.gaps.status(status.sender, status.sequence, marks=marks)

    def deliver(self, age_ms: float) -> None:
        """The caller got a frame of that age."""
        self.delivered += 1
        self.ages.add(age_ms)
        self.all_ages.add(age_ms / 1000)

    def snapshot(self, now_ns: int) -> TopicReceived:
        p50, p95 = self.ages(0.5, 0.95)
        return TopicReceived(
            received=self.received,
            received_bytes=self.received_bytes,
            delivered=self.delivered,
            skipped=self.skipped,
            lost=0 if self.partial else self.gaps.lost,
            passed_by=self.gaps.lost if self.partial else 0,
            missing=self.gaps.missing(),
            repeated=self.gaps.repeated,
            restarts=self.gaps.restarts,
            state=self.state,
            reason=self.reason,
            quality=self.quality,
            silent_s=(now_ns - self.heard_ns) / NS,
            fps=self.rate.events(now_ns),
            bits_per_s=8 * self.rate.amount(now_ns),
            age_ms=(p50, p95),
            ages=self.all_ages.snapshot(),
        )
