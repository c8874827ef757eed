"""The receiving commands: `view`, `record`, `snapshot`, `stats`. What they need is loaded when they run."""

import logging
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from framewire.common.amount import parse_bytes, parse_duration
from framewire.common.config import limits_from
from framewire.common.errors import Closed, ReceiveTimeout, RecordingError, UsageError
from framewire.common.monitoring import monitored
from framewire.common.options import (
    NO_KEYS,
    BindSenders,
    Count,
    Credits,
    Duration,
    Endpoints,
    Insecure,
    Json,
    KeyOptions,
    Length,
    MaxPixels,
    MaxTopics,
    Metrics,
    Quality,
    Scale,
    Switch,
    Topics,
    Verbose,
    WithKeys,
)
from framewire.common.terminal import (
    EXIT_DONE,
    EXIT_LOST,
    Stopper,
    print_json,
    set_up_logging,
)
from framewire.receiver.table import listen, print_figures, show_table
from framewire.receiver.watching import print_summary, show, watch

if TYPE_CHECKING:
    from framewire.receiver import Receiver

__all__ = ["record", "snapshot", "stats", "view"]

_ONCE_S = 2.0
_POST_S = 10.0
_RECORDER_S = 32.0
"""How long a disk may take at the end that is slow, and answers: see `Recorder`."""


def view(
    *endpoints: Endpoints,
    bind: BindSenders = None,
    topic: Topics = None,
    headless: Switch = False,
    quality: Quality = None,
    scale: Scale = None,
    credits: Credits = None,
    count: Count = None,
    duration: Duration = None,
    max_topics: MaxTopics = None,
    max_pixels: MaxPixels = None,
    metrics: Metrics = None,
    keys: WithKeys = NO_KEYS,
    insecure: Insecure = False,
    json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Show streams in a window; several topics tile into one.

    Keys: q closes, s saves a snapshot, space pauses, f is full screen, i shows fps, age and losses.

    Parameters
    ----------
    headless
        Open no window: count, and print figures.
    """
    from framewire.receiver.metrics import ReceiverFigures

    set_up_logging(verbose=verbose)
    with ExitStack() as stack:
        asked = {"quality": quality, "scale": scale, "credits": credits}
        limits = limits_from(max_topics, max_pixels)
        receiver = _open(
            stack, endpoints, bind, topic, keys, insecure=insecure, limits=limits, **asked
        )
        figures = ReceiverFigures()
        told = stack.enter_context(
            monitored(
                metrics, "view", lambda: figures(receiver.stats), insecure=insecure, json=json
            )
        )
        _say_where(receiver, told, json)
        if headless:
            watch(receiver, count=count, duration=duration, json=json)
        else:
            show(receiver, count=count, duration=duration, json=json)
    print_summary(receiver.stats, json)
    return EXIT_DONE


def record(
    *endpoints: Endpoints,
    out: Path,
    bind: BindSenders = None,
    topic: Topics = None,
    format: Literal["mkv", "images"] = "mkv",
    overwrite: Switch = False,
    count: Count = None,
    duration: Duration = None,
    all: Switch = False,
    segment: Length = None,
    keep: Length = None,
    max_size: str | None = None,
    pre: Length = None,
    post: Length = None,
    trigger: Annotated[list[str] | None, Parameter(negative="")] = None,
    credits: Credits = None,
    max_topics: MaxTopics = None,
    max_pixels: MaxPixels = None,
    metrics: Metrics = None,
    keys: WithKeys = NO_KEYS,
    insecure: Insecure = False,
    json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Record every topic as it comes, without decoding: `replay` gives it back bit for bit.

    With --pre or --trigger only events are recorded: around each SIGUSR1, and each other trigger.

    Parameters
    ----------
    out
        A file.mkv for one topic, or a folder for any number: FOLDER/TOPIC/TIME.mkv.
    format
        mkv, or images: each frame a JPEG file of its own in the folder.
    overwrite
        Replace the file if it is there.
    all
        Every frame is wanted: exit with 3 if one was lost, or could not be written. Over req-rep what
        was missed is fetched from the sender's history.
    segment
        Begin new files at multiples of this time of the clock (UTC), as in 10m.
    keep
        Remove recordings of the folder that are older than this, as in 7d.
    max_size
        Remove the oldest recordings of the folder when all together are larger, as in 50G.
    pre
        Time to record from before an event, as in 10s: at most 256 MiB.
    post
        Time to record after the last trigger of an event. Default: 10s.
    trigger
        What triggers an event besides SIGUSR1: stdin (any line), or http://127.0.0.1:PORT (POST
        /trigger); may be repeated.
    """
    from framewire.receiver.metrics import RecorderFigures
    from framewire.receiver.recording import Report, take_all
    from framewire.receiver.sinks import Plan, open_sink
    from framewire.receiver.sinks.files import Refused
    from framewire.receiver.triggers import Triggers

    set_up_logging(verbose=verbose)
    around_events = pre is not None or bool(trigger)
    if post is not None and not around_events:
        raise UsageError("--post belongs to events: use it with --pre or --trigger")
    plan = Plan(
        segment_s=_seconds(segment),
        keep_s=_seconds(keep),
        max_bytes=None if max_size is None else parse_bytes(max_size),
        pre_s=_seconds(pre) or (0.0 if around_events else None),
        post_s=_seconds(post) or _POST_S,
    )
    with ExitStack() as stack:
        stack.enter_context(Stopper(grace=_RECORDER_S))
        limits = limits_from(max_topics, max_pixels)
        asked = {"keep": "all", "credits": credits, "limits": limits}
        receiver = _open(stack, endpoints, bind, topic, keys, insecure=insecure, **asked)
        triggers = None
        if around_events:
            triggers = stack.enter_context(Triggers(trigger or (), insecure=insecure))
        report = Report(receiver, json, triggers, limited=max_size is not None)
        sink = open_sink(format, out, overwrite=overwrite, plan=plan, on_file=report.files.put)
        stack.callback(sink.close)
        report.of(sink)
        figures = RecorderFigures(receiver, sink, out)
        told = stack.enter_context(
            monitored(metrics, "record", figures, insecure=insecure, json=json)
        )
        _say_where(receiver, told, json)
        try:
            with closing(sink):
                take_all(receiver, sink, report, count=count, duration=duration)
        except RecordingError as error:
            if not all or isinstance(error, Refused) or not report.recovered:
                raise
            logging.getLogger("framewire.recorder").error("%s", error)
            return EXIT_LOST
        finally:  # also when the disk failed: what was lost until then is told
            report.end(out)
    missing = receiver.stats.lost + receiver.stats.passed_by
    return EXIT_LOST if all and missing else EXIT_DONE


def _seconds(text: str | None) -> float | None:
    return None if text is None else parse_duration(text)


def snapshot(
    *endpoints: Endpoints,
    out: Path,
    bind: BindSenders = None,
    topic: Topics = None,
    timeout: Annotated[float, Parameter(validator=Number(gt=0))] = 10.0,
    quality: Quality = None,
    scale: Scale = None,
    keys: WithKeys = NO_KEYS,
    insecure: Insecure = False,
    json: Json = False,
) -> int:
    """Save the newest frame as a JPEG file, with its header inside.

    Parameters
    ----------
    out
        The file to write, as in cam.jpg; an older one is replaced.
    timeout
        Seconds to wait for a frame.
    """
    from framewire.receiver.sinks.images import check_writable, write_jpeg

    set_up_logging(verbose=False)
    _check_saved_scale(scale, (*endpoints, *(bind or ())))
    check_writable(out)
    with ExitStack() as stack:
        asked = {"quality": quality, "scale": scale}
        receiver = _open(stack, endpoints, bind, topic, keys, insecure=insecure, **asked)
        stack.enter_context(Stopper(receiver.close))
        try:
            packet = receiver.read_packet(timeout)
        except Closed:
            return EXIT_DONE  # stopped by the user
    write_jpeg(out, packet)
    header = packet.header
    if json:
        print_json(
            event="snapshot",
            out=str(out),
            topic=header.topic,
            sequence=header.sequence,
            captured_ns=header.captured_ns,
            width=header.width,
            height=header.height,
            bytes=len(packet.payload),
        )
    else:
        size = f"{header.width}x{header.height}, {len(packet.payload) / 1e3:.0f} kB"
        print(f"{out}: {header.topic} frame {header.sequence}, {size}")
    return EXIT_DONE


def stats(
    *endpoints: Endpoints,
    bind: BindSenders = None,
    topic: Topics = None,
    once: Switch = False,
    duration: Duration = None,
    max_topics: MaxTopics = None,
    max_pixels: MaxPixels = None,
    keys: WithKeys = NO_KEYS,
    insecure: Insecure = False,
    json: Json = False,
) -> int:
    """Show a table of topics, renewed all the while: rates, ages, losses, what senders say.

    Parameters
    ----------
    once
        Listen for two seconds, or `duration`, print the figures and end; exit with 1 if nothing
        was heard.
    """
    set_up_logging(verbose=False)
    with ExitStack() as stack:
        limits = limits_from(max_topics, max_pixels)
        receiver = _open(stack, endpoints, bind, topic, keys, insecure=insecure, limits=limits)
        if once:
            stopped = listen(receiver, duration=duration or _ONCE_S)
            if not receiver.stats.topics:
                if stopped:
                    return EXIT_DONE
                raise ReceiveTimeout(f"nothing was heard from {', '.join(receiver.endpoints)}")
            print_figures(receiver.stats, json)
        else:
            show_table(receiver, duration=duration, json=json)
    return EXIT_DONE


def _say_where(receiver: "Receiver", told: dict[str, str], json: bool) -> None:
    """Tell machines where the metrics are, if they are anywhere."""
    if json and told:
        print_json(event="ready", endpoints=list(receiver.endpoints), **told)


def _check_saved_scale(scale: float | None, endpoints: tuple[str, ...]) -> None:
    """A file gets what was sent: nothing is decoded on the way."""
    asked = endpoints and all(endpoint.startswith("req-rep+") for endpoint in endpoints)
    if scale is not None and not asked:
        raise UsageError("the picture is saved as it was sent: for a scale, use a req-rep endpoint")


def _open(
    stack: ExitStack,
    endpoints: tuple[str, ...],
    bind: list[str] | None,
    topics: list[str] | None,
    keys: KeyOptions,
    **options: Any,
) -> "Receiver":
    from framewire.receiver import Receiver

    return stack.enter_context(
        Receiver(*endpoints, bind=bind or (), topics=topics or (), **keys.given, **options)
    )
