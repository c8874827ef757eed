"""A receiver's figures for Prometheus. To add one: a row here, and in docs/guide/monitoring.md."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING, get_args

from framewire.common.frame import State
from framewire.common.metrics import Family, Highest, Metric, Row, Value, by_topic
from framewire.receiver.account import ReceiverStats, TopicReceived

if TYPE_CHECKING:
    from framewire.receiver import Receiver
    from framewire.receiver.sinks import PacketSink

__all__ = ["METRICS", "RECORDING", "STATES", "ReceiverFigures", "RecorderFigures"]

STATES = (*get_args(State), "stale")
"""What a sender says of a topic; or that nothing is heard of it."""

_TOPIC = ("topic",)
_TOPICS: tuple[Row[TopicReceived], ...] = (
    Row(
        Metric("framewire_frames_total", "counter", "Frames that arrived whole", _TOPIC),
        lambda topic: topic.received,
    ),
    Row(
        Metric("framewire_bytes_total", "counter", "Payload of those", _TOPIC),
        lambda topic: topic.received_bytes,
    ),
    Row(
        Metric(
            "framewire_delivered_frames_total", "counter", "Frames that were taken here", _TOPIC
        ),
        lambda topic: topic.delivered,
    ),
    Row(
        Metric(
            "framewire_skipped_frames_total",
            "counter",
            "Frames that newer ones replaced before they were taken here",
            _TOPIC,
        ),
        lambda topic: topic.skipped,
    ),
    Row(
        Metric(
            "framewire_repeated_frames_total",
            "counter",
            "Frames that came again, and were dropped",
            _TOPIC,
        ),
        lambda topic: topic.repeated,
    ),
    Row(
        Metric(
            "framewire_sender_restarts_total",
            "counter",
            "How often the sender was replaced by a new run",
            _TOPIC,
        ),
        lambda topic: topic.restarts,
    ),
    Row(
        Metric(
            "framewire_silence_seconds",
            "gauge",
            "Time since anything of the topic arrived; senders say something every second",
            _TOPIC,
        ),
        lambda topic: topic.silent_s,
    ),
    Row(
        Metric(
            "framewire_jpeg_quality",
            "gauge",
            "JPEG quality of the last frame, 1 to 100; 0 if unknown",
            _TOPIC,
        ),
        lambda topic: topic.quality,
    ),
    Row(
        Metric(
            "framewire_frame_age_seconds",
            "histogram",
            "Age of frames when they were taken here; between machines with their clocks' difference",
            _TOPIC,
        ),
        lambda topic: topic.ages,
    ),
)
_FALLING: tuple[Row[TopicReceived], ...] = (
    Row(
        Metric(
            "framewire_lost_frames_total",
            "counter",
            "Frames that did not arrive, from gaps in their numbers",
            _TOPIC,
        ),
        lambda topic: topic.lost,
    ),
    Row(
        Metric(
            "framewire_passed_by_frames_total",
            "counter",
            "Frames that did not arrive because they were not asked for, or were another worker's",
            _TOPIC,
        ),
        lambda topic: topic.passed_by,
    ),
)
"""Of a snapshot these may fall: a frame may come late."""
_STATE = Metric(
    "framewire_topic_state",
    "gauge",
    "1 for what is true of a topic now, 0 for the other states",
    ("topic", "state"),
)
_MALFORMED = Metric(
    "framewire_malformed_total",
    "counter",
    "Messages that were none of the protocol's, and pictures that did not decode",
)

METRICS = (*(row.metric for row in (*_TOPICS, *_FALLING)), _STATE, _MALFORMED)
"""All that `ReceiverFigures` gives."""


class ReceiverFigures:
    """Makes families of a receiver's snapshots, whose counters never fall. Not thread-safe."""

    def __init__(self) -> None:
        self._highest = Highest()

    def __call__(
        self, stats: ReceiverStats, states: Mapping[str, str] | None = None
    ) -> Iterator[Family]:
        """The families of a snapshot; `states` of topics, where somebody knows better."""
        yield from by_topic(_TOPICS, stats.topics)
        yield from map(self._highest, by_topic(_FALLING, stats.topics))
        known = states or {}
        yield Family(
            _STATE,
            [
                ((name, state), float(known.get(name, _state(topic)) == state))
                for name, topic in stats.topics.items()
                for state in STATES
            ],
        )
        yield Family(_MALFORMED, [((), stats.malformed)])


def _state(topic: TopicReceived) -> str:
    return "stale" if topic.stale else topic.state


# -- recording ------------------------------------------------------------------------------------

_RECORDED = Metric("framewire_recorded_frames_total", "counter", "Frames written to disk")
_UNWRITTEN = Metric(
    "framewire_unwritten_frames_total",
    "counter",
    "Frames that should have been written to disk, and could not be",
)
_RECORDED_BYTES = Metric("framewire_recorded_bytes_total", "counter", "Payload of those")
_FREE = Metric("framewire_disk_free_bytes", "gauge", "What is free where recordings are written")

RECORDING = (_RECORDED, _RECORDED_BYTES, _UNWRITTEN, _FREE)
"""What `RecorderFigures` gives beside."""


class RecorderFigures:
    """All families of a receiver whose packets go to a `sink` at `out`. Not thread-safe."""

    def __init__(self, receiver: "Receiver", sink: "PacketSink", out: Path) -> None:
        self._receiver, self._sink = receiver, sink
        self._folder = out if out.is_dir() else out.absolute().parent
        self._received = ReceiverFigures()
        self._highest = Highest()  # frames whose file somebody removed are recorded no more

    def __call__(self) -> Iterator[Family]:
        yield from self._received(self._receiver.stats)
        yield self._highest(Family(_RECORDED, [((), self._sink.frames)]))
        yield Family(_RECORDED_BYTES, [((), self._sink.written_bytes)])
        yield Family(_UNWRITTEN, [((), self._sink.unwritten)])
        yield Family(_FREE, self._free())

    def _free(self) -> list[tuple[tuple[str, ...], Value]]:
        try:
            return [((), disk_usage(self._folder).free)]
        except OSError:  # the folder is gone: nobody knows
            return []
