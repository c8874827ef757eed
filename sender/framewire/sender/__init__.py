"""The sending side: sources of frames, and the `Sender` that publishes them.

Each name is loaded when it is asked for: a capture process needs none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framewire.sender.account import SenderStats, TopicSent
    from framewire.sender.sender import Sender
    from framewire.sender.sources import Source, open_source

__all__ = ["Sender", "SenderStats", "Source", "TopicSent", "open_source"]

_WHERE = {
    "Sender": "sender",
    "SenderStats": "account",
    "Source": "sources",
    "TopicSent": "account",
    "open_source": "sources",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value
