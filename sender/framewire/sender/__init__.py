"""The sending side: sources of frames, and the `Sender` that publishes them."""

from framewire.sender.account import SenderStats, TopicSent
from framewire.sender.sender import Sender
from framewire.sender.sources import Source, open_source

__all__ = ["Sender", "SenderStats", "Source", "TopicSent", "open_source"]
