"""A sender's figures for Prometheus. To add one: a row here, and in docs/guide/monitoring.md. Pure."""

from collections.abc import Iterator
from typing import get_args

from framewire.common.frame import State
from framewire.common.metrics import Family, Metric, Row, by_topic
from framewire.sender.account import SenderStats, TopicSent

__all__ = ["METRICS", "sent"]

_TOPIC = ("topic",)
_TOPICS: tuple[Row[TopicSent], ...] = (
    Row(
        Metric(
            "framewire_captured_frames_total",
            "counter",
            "Frames given to the sender, and those that their source dropped before",
            _TOPIC,
        ),
        lambda topic: topic.captured,
    ),
    Row(
        Metric(
            "framewire_sent_frames_total",
            "counter",
            "Messages with a frame that were sent: one for all subscribers, one for each who asked",
            _TOPIC,
        ),
        lambda topic: topic.sent,
    ),
    Row(
        Metric("framewire_sent_bytes_total", "counter", "Payload of those", _TOPIC),
        lambda topic: topic.sent_bytes,
    ),
    Row(
        Metric(
            "framewire_dropped_frames_total",
            "counter",
            "Frames that newer ones replaced, in the source or in the sender",
            _TOPIC,
        ),
        lambda topic: topic.dropped,
    ),
    Row(
        Metric("framewire_unwatched_frames_total", "counter", "Frames that nobody wanted", _TOPIC),
        lambda topic: topic.unwatched,
    ),
)
_STATE = Metric(
    "framewire_source_state",
    "gauge",
    "1 for what the sender says of a topic, 0 for the other states",
    ("topic", "state"),
)
_RECEIVERS = Metric("framewire_receivers", "gauge", "Who listens now")
_ENCODE = Metric("framewire_encode_seconds", "histogram", "Time to encode a frame")

METRICS = (*(row.metric for row in _TOPICS), _STATE, _RECEIVERS, _ENCODE)
"""All that `sent` gives."""


def sent(stats: SenderStats) -> Iterator[Family]:
    """The families of a sender's snapshot."""
    yield from by_topic(_TOPICS, stats.topics)
    yield Family(
        _STATE,
        [
            ((name, state), float(topic.state == state))
            for name, topic in stats.topics.items()
            for state in get_args(State)
        ],
    )
    yield Family(_RECEIVERS, [((), stats.receivers)])
    yield Family(_ENCODE, [((), stats.encodings)])
