"""The receiving side: the `Receiver`, and sinks for what it gets."""

from framewire.common.recording import Recording
from framewire.receiver.account import ReceiverStats, TopicReceived
from framewire.receiver.decoder import decode
from framewire.receiver.receiver import Receiver
from framewire.receiver.sinks.images import Images
from framewire.receiver.sinks.recorder import Recorder
from framewire.receiver.sinks.sink import Sink

__all__ = [
    "Images",
    "Receiver",
    "ReceiverStats",
    "Recorder",
    "Recording",
    "Sink",
    "TopicReceived",
    "decode",
]
