"""Sources, and the one table that finds them. To add one: a file, its test, a row here."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

from framewire.common.errors import SourceError, UsageError
from framewire.sender.sources.source import Source, SourceOptions

__all__ = ["SOURCES", "Source", "SourceOptions", "open_source"]


def _is_image_place(spec: str) -> bool:
    from framewire.sender.sources.images import IMAGE_SUFFIXES

    is_glob = not os.path.exists(spec) and any(mark in spec for mark in "*?[")
    return os.path.isdir(spec) or is_glob or Path(spec).suffix.lower() in IMAGE_SUFFIXES


def _is_pipe(spec: str) -> bool:
    from framewire.sender.sources.pipe import is_pipe

    return is_pipe(spec)


def _is_recording(spec: str) -> bool:
    from framewire.common.container import is_recording

    return is_recording(Path(spec))


@dataclass(frozen=True, slots=True)
class _Kind:
    """A row: which specs it takes, and what opens them, loaded only then."""

    takes: Callable[[str], bool]
    opener: str


SOURCES = (
    _Kind(
        lambda spec: spec.isdecimal() or spec.startswith("camera:"),
        "framewire.sender.sources.camera:CameraSource",
    ),
    _Kind(
        lambda spec: spec.startswith("pattern:"),
        "framewire.sender.sources.pattern:PatternSource",
    ),
    _Kind(
        lambda spec: spec.startswith(("rtsp://", "rtsps://", "http://", "https://")),
        "framewire.sender.sources.network:open_url",
    ),
    _Kind(_is_pipe, "framewire.sender.sources.pipe:PipeSource"),
    _Kind(_is_image_place, "framewire.sender.sources.images:ImagesSource"),
    _Kind(_is_recording, "framewire.sender.sources.recording:RecordingSource"),
    _Kind(lambda spec: True, "framewire.sender.sources.video:VideoSource"),
)
"""Asked in this order; the first that takes a spec opens it."""


def open_source(
    spec: str,
    *,
    loop: bool = False,
    speed: float = 1.0,
    start: float = 0.0,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
    allow_still: bool = False,
) -> Source:
    """Open a source of frames.

    `spec` is ``camera:0``, ``camera:NAME`` or ``0``; a video file; a recording; a named
    pipe; a folder or glob of images; an ``rtsp://`` or ``http://`` URL; or ``pattern:WxH@FPS``. Files play at the pace of
    their own time stamps, `speed` times as fast (0: as fast as they are taken), from `start`
    seconds on, and again if `loop`. `fps` thins to at most so many frames a second; for images it
    is the rate. `size` (width, height) is asked of a camera; elsewhere `Sender(size=...)` scales.

    Cameras and streams that break, block or show one picture for ever are opened again and again, and
    `Source.on_state` hears of it; `allow_still` is for those whose picture may stay the same. They
    run in a process of their own, which ends with the source.

    Raises `UsageError` for options that make no sense with it, `SourceError` if it cannot be opened.
    """
    options = SourceOptions(
        loop=loop, speed=speed, start=start, fps=fps, size=size, allow_still=allow_still
    )
    kind = next(kind for kind in SOURCES if kind.takes(spec))
    if kind is SOURCES[-1] and not os.path.exists(spec):
        if "://" in spec:
            raise UsageError(f"unknown source {spec!r}: URLs begin with rtsp:// or http://")
        raise SourceError(f"no such file: {spec} (and no camera, pattern: or URL by that name)")
    module, _, name = kind.opener.partition(":")
    opener = cast(Callable[[str, SourceOptions], Source], getattr(import_module(module), name))
    return opener(spec, options)
