"""Sinks for packets, and the one table that finds them. To add one: a file, its test, a row here.

`window.Window` is the sink for frames: it is made by the program that owns the main thread.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from framewire.common.errors import SinkError
from framewire.receiver.sinks.sink import PacketSink, Sink

__all__ = ["SINKS", "PacketSink", "Sink", "open_sink"]


def _recorder(path: Path, overwrite: bool) -> PacketSink:
    from framewire.receiver.sinks.recorder import Recorder

    return Recorder(path, overwrite=overwrite)


def _images(path: Path, overwrite: bool) -> PacketSink:
    from framewire.receiver.sinks.images import Images

    return Images(path)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A row: its name on the command line, and what opens it, loaded only then."""

    name: str
    open: Callable[[Path, bool], PacketSink]


SINKS = (_Kind("mkv", _recorder), _Kind("images", _images))


def open_sink(name: str, path: Path, *, overwrite: bool = False) -> PacketSink:
    """The sink `name` (see `SINKS`) writing to `path`; `SinkError` if it cannot."""
    for kind in SINKS:
        if kind.name == name:
            return kind.open(path, overwrite)
    raise SinkError(f"unknown format {name!r}: use {' or '.join(kind.name for kind in SINKS)}")
