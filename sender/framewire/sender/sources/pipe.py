"""Named pipes and the like: video that another program writes, taken live."""

import os
import stat
from pathlib import Path

from framewire.common.topic import topic_from_name
from framewire.sender.sources.capture import Capture, capture
from framewire.sender.sources.grabber import Order
from framewire.sender.sources.live import LiveSource
from framewire.sender.sources.network import GRABBER
from framewire.sender.sources.source import SourceOptions

__all__ = ["PipeSource", "is_pipe"]


def is_pipe(spec: str) -> bool:
    """Whether it is neither file nor folder: opening it may wait for another program, for ever."""
    try:
        mode = os.stat(spec).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


class PipeSource(LiveSource):
    """A named pipe. When its writer ends, it waits for another one."""

    def __init__(self, spec: str, options: SourceOptions, device: Capture | None = None) -> None:
        order = Order(GRABBER, {"url": spec, "shown": spec, "twice": False})
        super().__init__(topic_from_name(Path(spec).stem), options, device or capture(order))
