"""Sinks for packets, and the one table that finds them. To add one: a file, its test, a row here.

`window.Window` is the sink for frames: it is made by the program that owns the main thread.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from framewire.common.errors import SinkError, UsageError
from framewire.receiver.sinks.books import FileEvent
from framewire.receiver.sinks.plan import Plan
from framewire.receiver.sinks.sink import PacketSink, Sink

__all__ = ["SINKS", "PacketSink", "Plan", "Sink", "open_sink"]


OnFile = Callable[[FileEvent], None]


def _recorder(path: Path, overwrite: bool, plan: Plan, on_file: OnFile) -> PacketSink:
    from framewire.receiver.sinks.recorder import Recorder

    return Recorder(
        path,
        overwrite=overwrite,
        segment=plan.segment_s,
        keep=plan.keep_s,
        max_bytes=plan.max_bytes,
        pre=plan.pre_s,
        post=plan.post_s,
        on_file=on_file,
    )


def _images(path: Path, overwrite: bool, plan: Plan, on_file: OnFile) -> PacketSink:
    from framewire.receiver.sinks.images import Images

    if plan != Plan():
        raise UsageError("images have no segments, limits or events: use --format mkv for those")
    return Images(path)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A row: its name on the command line, and what opens it, loaded only then."""

    name: str
    open: Callable[[Path, bool, Plan, OnFile], PacketSink]


SINKS = (_Kind("mkv", _recorder), _Kind("images", _images))


def open_sink(
    name: str,
    path: Path,
    *,
    overwrite: bool = False,
    plan: Plan | None = None,
    on_file: OnFile = lambda event: None,
) -> PacketSink:
    """The sink `name` (see `SINKS`) writing to `path`; `SinkError` if it cannot."""
    for kind in SINKS:
        if kind.name == name:
            return kind.open(path, overwrite, plan or Plan(), on_file)
    raise SinkError(f"unknown format {name!r}: use {' or '.join(kind.name for kind in SINKS)}")
