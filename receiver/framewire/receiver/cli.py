"""The receiving commands: `view`, `record`, `snapshot`, `stats`. What they need is loaded when they run."""

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from framewire.common.errors import Closed, ReceiveTimeout, UsageError
from framewire.common.monitoring import monitored
from framewire.common.options import (
    BindSenders,
    Count,
    Credits,
    Duration,
    Endpoints,
    Insecure,
    Json,
    Metrics,
    Quality,
    Scale,
    Switch,
    Topics,
    Verbose,
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
    from framewire.common.frame import Packet
    from framewire.receiver import Receiver

__all__ = ["record", "snapshot", "stats", "view"]

_ONCE_S = 2.0


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
    metrics: Metrics = None,
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
        receiver = _open(stack, endpoints, bind, topic, insecure=insecure, **asked)
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
    credits: Credits = None,
    metrics: Metrics = None,
    insecure: Insecure = False,
    json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Record every topic as it comes, without decoding: `replay` gives it back bit for bit.

    Parameters
    ----------
    out
        A file.mkv for one topic, or a folder for any number: FOLDER/TOPIC/TIME.mkv.
    format
        mkv, or images: each frame a JPEG file of its own in the folder.
    overwrite
        Replace the file if it is there.
    all
        Every frame is wanted: exit with 3 if one was lost. Over req-rep what was missed is fetched
        from the sender's history.
    """
    from framewire.receiver.metrics import RecorderFigures
    from framewire.receiver.sinks import open_sink

    set_up_logging(verbose=verbose)
    frames = 0
    with ExitStack() as stack:
        receiver = _open(
            stack, endpoints, bind, topic, insecure=insecure, keep="all", credits=credits
        )
        sink = open_sink(format, out, overwrite=overwrite)
        stack.callback(sink.close)
        figures = RecorderFigures(receiver, sink, out)
        told = stack.enter_context(
            monitored(metrics, "record", figures, insecure=insecure, json=json)
        )
        _say_where(receiver, told, json)

        def write(packet: "Packet") -> None:
            nonlocal frames
            sink.write(packet)
            frames += 1

        try:
            with closing(sink):
                watch(receiver, count=count, duration=duration, json=json, take=write)
        finally:  # also when the disk failed: what was lost until then is told
            print_summary(receiver.stats, json, recorded=frames, out=str(out))
    missing = receiver.stats.lost + receiver.stats.passed_by
    return EXIT_LOST if all and missing else EXIT_DONE


def snapshot(
    *endpoints: Endpoints,
    out: Path,
    bind: BindSenders = None,
    topic: Topics = None,
    timeout: Annotated[float, Parameter(validator=Number(gt=0))] = 10.0,
    quality: Quality = None,
    scale: Scale = None,
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
        receiver = _open(stack, endpoints, bind, topic, insecure=insecure, **asked)
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
        receiver = _open(stack, endpoints, bind, topic, insecure=insecure)
        if once:
            listen(receiver, duration=duration or _ONCE_S)
            if not receiver.stats.topics:
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
    **options: Any,
) -> "Receiver":
    from framewire.receiver import Receiver

    return stack.enter_context(
        Receiver(*endpoints, bind=bind or (), topics=topics or (), **options)
    )
