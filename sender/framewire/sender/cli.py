"""The sending commands: `send`, `replay`, `devices`. What they need is loaded when they run."""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import islice
from math import isnan
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from framewire.common.amount import parse_bytes
from framewire.common.clock import NS, monotonic_ns
from framewire.common.errors import Closed, UsageError
from framewire.common.monitoring import monitored
from framewire.common.options import (
    NO_KEYS,
    BindTo,
    ConnectTo,
    Count,
    From,
    History,
    Insecure,
    Json,
    Loop,
    Metrics,
    Speed,
    Start,
    Switch,
    Until,
    Verbose,
    Wait,
    WithKeys,
)
from framewire.common.terminal import LiveLine, Stopper, print_json, set_up_logging
from framewire.sender.keyboard import Keyboard

if TYPE_CHECKING:
    from framewire.common.frame import Frame, Packet
    from framewire.sender import Sender, Source
    from framewire.sender.sources.recording import RecordingSource
    from framewire.sender.sources.remote import Remote

__all__ = ["devices", "replay", "send"]

_LINGER_S = 60.0
"""How long it may take, at the end of a file, until busy workers and those who catch up have all."""

_LOOK_S, _LEFT_S = 0.2, 1.0
"""How often to look how long a read has taken, and how long to wait for it at the end."""

_WAIT_EACH, _MOST_WAIT = 8, 1024
"""Frames of each topic of a replay that may wait for a receiver: after a hiccup of the machine several
are due at once, and where all of them are to come again, one that waits is better than one that is
lost. `Sender` takes no more than the other in all."""


def parse_metadata(pairs: list[str]) -> dict[str, Any]:
    """``k=v`` pairs to metadata: true, false and numbers become what they look like."""
    metadata: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise UsageError(f"bad metadata {pair!r}: use KEY=VALUE, as in gain=4")
        metadata[key] = _plain(value)
    return metadata


def _plain(text: str) -> bool | int | float | str:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def send(
    source: str,
    /,
    *,
    bind: BindTo = None,
    connect: ConnectTo = None,
    topic: str | None = None,
    quality: int | None = None,
    fps: float | None = None,
    size: str | None = None,
    gray: Switch = False,
    loop: Loop = False,
    speed: Speed = 1.0,
    start: Start = 0.0,
    count: Count = None,
    allow_still: Switch = False,
    metadata: Annotated[list[str] | None, Parameter(negative="")] = None,
    wait: Wait = 0,
    history: History = None,
    metrics: Metrics = None,
    keys: WithKeys = NO_KEYS,
    insecure: Insecure = False,
    json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Capture or read frames, encode them as JPEG and publish them.

    Parameters
    ----------
    source
        camera:0, camera:NAME or 0; a video file; a recording; a folder or glob of images; an
        rtsp:// or http:// URL; or pattern:WxH@FPS, a moving test chart.
    topic
        Name of the stream, as in lab/cam1. Default: the source's name.
    quality
        JPEG quality, 1 to 100; 85 if not given. JPEG from a camera, file or recording is passed
        through untouched unless quality, size or gray is given.
    fps
        At most so many frames a second; asked of a camera; for images, the rate to show them at.
    size
        WIDTHxHEIGHT to scale to; asked of a camera first.
    gray
        Send gray pictures.
    allow_still
        The picture of this camera or stream may stay the same (a screen, a drawing): else it counts
        as broken then, and is opened again.
    metadata
        KEY=VALUE to put into every frame's metadata; may be repeated.
    """
    from framewire.sender import Sender, open_source
    from framewire.sender.encoder import parse_size
    from framewire.sender.metrics import sent

    set_up_logging(verbose=verbose)
    scaled = parse_size(size) if size else None
    extra = parse_metadata(metadata or [])
    with ExitStack() as stack:
        opened = stack.enter_context(
            open_source(
                source,
                loop=loop,
                speed=speed,
                start=start,
                fps=fps,
                size=scaled,
                allow_still=allow_still,
            )
        )
        sender = stack.enter_context(
            Sender(
                *(bind or ()),
                connect=connect or (),
                topic=topic,
                quality=85 if quality is None else quality,
                size=scaled,
                gray=gray,
                when_full="newest" if opened.live else "block",
                history=parse_bytes(history) if history else 0,
                **keys.given,
                insecure=insecure,
            )
        )
        told = stack.enter_context(
            monitored(metrics, "send", lambda: sent(sender.stats), insecure=insecure, json=json)
        )
        untouched = quality is None and not gray and (scaled is None or opened.sized)
        run = _Run(sender, opened, topic=topic, json=json, wait=wait, told=told)
        if opened.encoded and untouched:
            run.packets(count, extra)
        else:
            run.frames(count, extra)
    run.summary()
    return 0


def replay(
    *files: str,
    bind: BindTo = None,
    connect: ConnectTo = None,
    topic: str | None = None,
    loop: Loop = False,
    speed: Speed = 1.0,
    start: From = "0",
    end: Until = None,
    skip_gaps: Switch = False,
    retime: Switch = False,
    count: Count = None,
    wait: Wait = 0,
    history: History = None,
    metrics: Metrics = None,
    keys: WithKeys = NO_KEYS,
    insecure: Insecure = False,
    json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Publish recordings as they happened: original timing, metadata and JPEG bytes.

    In a terminal, space pauses and resumes, `.` or the right arrow shows the next frame, the left
    arrow the one before, and `q` ends.

    Parameters
    ----------
    files
        Recordings in any order, or folders of them: topics play together, files of one topic one
        after the other, all in step by their capture times.
    topic
        Another topic than the recorded one.
    skip_gaps
        Where nothing was recorded for more than two seconds, wait half a second instead.
    retime
        Say that each frame is captured now, as a camera would; its number and metadata stay.
    """
    from framewire.common.session import Session
    from framewire.sender import Sender
    from framewire.sender.metrics import sent
    from framewire.sender.sources.recording import NO_RECORDING, RecordingSource
    from framewire.sender.sources.remote import Remote
    from framewire.sender.sources.source import SourceOptions

    set_up_logging(verbose=verbose)
    if not files:
        raise UsageError("nothing to replay: name one recording or more")
    options = SourceOptions(loop=loop, speed=speed)
    session, remote = Session(files, instead=NO_RECORDING), Remote()
    start_ns, end_ns = session.span_ns(start, end)
    with ExitStack() as stack:
        opened = stack.enter_context(
            RecordingSource(
                session,
                replace(options, start=start_ns / NS),
                end=None if end_ns is None else end_ns / NS,
                skip_gaps=skip_gaps,
                retime=retime,
                remote=remote,
            )
        )
        sender = stack.enter_context(
            Sender(
                *(bind or ()),
                connect=connect or (),
                topic=topic,
                queue=min(_MOST_WAIT, _WAIT_EACH * len(session.topics)),
                history=parse_bytes(history) if history else 0,
                **keys.given,
                insecure=insecure,
            )
        )
        told = stack.enter_context(
            monitored(metrics, "replay", lambda: sent(sender.stats), insecure=insecure, json=json)
        )
        player = _Player(opened, session.duration_ns, speed, remote)
        run = _Run(sender, opened, topic=topic, json=json, wait=wait, told=told, player=player)
        run.packets(count, {})
    run.summary()
    return 0


def devices(*, json: Json = False) -> int:
    """List the cameras of this machine: index, name, formats.

    Parameters
    ----------
    """
    from framewire.sender.sources.devices import list_cameras

    cameras = list_cameras()
    if json:
        for camera in cameras:
            print_json(index=camera.index, name=camera.name, formats=list(camera.formats))
        return 0
    if not cameras:
        print("no cameras found")
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table("index", "name", "formats")
    for camera in cameras:
        table.add_row(str(camera.index), camera.name, " ".join(camera.formats))
    Console().print(table)
    return 0


class _Player:
    """The keys of a replay, and what it says of itself."""

    def __init__(
        self, source: "RecordingSource", duration_ns: int, speed: float, remote: "Remote"
    ) -> None:
        self._source, self._remote = source, remote
        self._duration_ns = duration_ns
        self._speed = speed

    def on_key(self, key: str) -> None:
        if key == " ":
            self._remote.toggle()
        elif key in (".", "right"):
            self._remote.ask("step")
        elif key == "left":
            self._remote.ask("back")
        elif key == "q":
            signal.raise_signal(signal.SIGINT)  # ends it as Ctrl-C does

    def figures(self) -> str:
        position_s, duration_s = self._source.position_ns / NS, self._duration_ns / NS
        pace = f"x{self._speed:g}" if self._speed else "as fast as possible"
        paused = ", paused" if self._remote.paused else ""
        return f"{position_s:.2f} / {duration_s:.2f} s, {pace}{paused}; "


class _Run:
    """One source into one sender, with figures on stderr and a summary on stdout."""

    def __init__(
        self,
        sender: "Sender",
        source: "Source",
        *,
        topic: str | None,
        json: bool,
        wait: int,
        told: dict[str, str],
        player: _Player | None = None,
    ) -> None:
        self._player = player
        self._sender, self._source = sender, source
        self._topic = topic or source.name
        self._untouched = False
        self._json, self._wait, self._told = json, wait, told
        self._waiting = True
        self._line = LiveLine(quiet=json)

    def frames(self, count: int | None, metadata: dict[str, Any]) -> None:
        def give(frame: "Frame") -> None:
            self._sender.send(frame, metadata=metadata or None, copy=False)

        self._pump(iter(self._source), count, give)

    def packets(self, count: int | None, metadata: dict[str, Any]) -> None:
        def give(packet: "Packet") -> None:
            self._sender.forward(packet, metadata=metadata)

        self._untouched = True
        self._pump(self._source.packets(), count, give)

    def _pump(self, items: Iterator[Any], count: int | None, give: Any) -> None:
        self._sender.announce("live", topic=self._topic)  # receivers hear of it while it waits
        self._source.on_state = self._sender.announce
        # The terminal first: a second Ctrl-C ends the process at once. And a frame may wait for
        # workers that never come: closing the sender ends that, too.
        with (
            self._line,
            self._keyboard() as keys,
            Stopper(keys.close, self._source.close, self._sender.close) as stop,
            suppress(Closed),
        ):
            # Where keys are read their thread tells, also in a pause.
            tell: Callable[[], object] = bool if keys.active else self._tell
            if self._json:
                print_json(event="ready", endpoints=list(self._sender.endpoints), **self._told)
            while not self._sender.wait_for_receivers(self._wait, 0.2):
                tell()
                if stop.requested:
                    return
            self._waiting = False

            def take() -> None:
                for item in islice(items, count):
                    give(item)
                    tell()

            self._look_after(take, stop)
            self._finish(stop)

    def _look_after(self, take: Callable[[], None], stop: Stopper) -> None:
        """Take all there is in another thread: a read from a disk or server may never come back."""
        taking: Future[None] = Future()

        def work() -> None:
            try:
                take()
                taking.set_result(None)
            except BaseException as error:  # noqa: BLE001 - it is the main thread's
                taking.set_exception(error)

        Thread(target=work, name="framewire-source", daemon=True).start()
        while not taking.done():
            stopped = stop.requested
            wait([taking], _LEFT_S if stopped else _LOOK_S)
            self._source.look_after(monotonic_ns())
            if stopped and not taking.done():
                return  # to itself: what it waits for may never come
        taking.result()

    def _keyboard(self) -> Keyboard:
        if self._player is None or self._json:
            return Keyboard(lambda key: None, wanted=False)
        return Keyboard(self._player.on_key, self._tell)

    def _tell(self) -> None:
        self._line.update(lambda: f"{', '.join(self._sender.endpoints)}: {self._figures()}")

    def _finish(self, stop: Stopper) -> None:
        """Give receivers the time that they need for what is theirs; the user may end that."""
        closing = Thread(target=self._sender.close, args=(_LINGER_S,), daemon=True)
        closing.start()
        while closing.is_alive() and not stop.wait(0.05):
            continue

    def _figures(self) -> str:
        if self._waiting:
            return f"waiting for {self._wait} receiver(s)"
        stats = self._sender.stats
        encoding = stats.encode_ms[0]
        return (
            (self._player.figures() if self._player else "")
            + f"{stats.captured} frames, {stats.sent} sent, {stats.dropped} dropped, "
            f"{stats.receivers} receiver(s)"
            + (", passed through" if self._untouched else "")
            + ("" if isnan(encoding) else f", encoding {encoding:.1f} ms")
        )

    def summary(self) -> None:
        stats = self._sender.stats
        if self._json:
            print_json(
                event="summary",
                captured=stats.captured,
                sent=stats.sent,
                encoded=stats.encoded,
                sent_bytes=stats.sent_bytes,
                dropped=stats.dropped,
                unwatched=stats.unwatched,
            )
            return
        print(
            f"{stats.captured} frames captured, {stats.sent} sent "
            f"({stats.sent_bytes / 1e6:.1f} MB), {stats.dropped} dropped, "
            f"{stats.unwatched} while nobody listened"
        )
