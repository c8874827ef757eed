"""The receiving commands: `view`, `record`, `snapshot`. What they need is loaded when they run."""

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from framewire.common.errors import Closed
from framewire.common.terminal import (
    EXIT_DONE,
    EXIT_LOST,
    Count,
    Repeated,
    Seconds,
    Stopper,
    Switch,
    print_json,
    set_up_logging,
)
from framewire.receiver.watching import print_summary, show, watch

if TYPE_CHECKING:
    from framewire.common.frame import Packet
    from framewire.receiver import Receiver

__all__ = ["record", "snapshot", "view"]


def view(
    *endpoints: str,
    bind: Repeated = None,
    topic: Repeated = None,
    headless: Switch = False,
    count: Count = None,
    duration: Seconds = None,
    insecure: Switch = False,
    json: Switch = False,
    verbose: Switch = False,
) -> int:
    """Show streams in a window; several topics tile into one.

    Keys: q closes, s saves a snapshot, space pauses, f is full screen, i shows fps, age and losses.

    Parameters
    ----------
    endpoints
        Senders to connect to; tcp://127.0.0.1:5555 if none is given.
    bind
        Address to bind for senders that connect; may be repeated.
    topic
        Topic to watch, with all below it; may be repeated. Default: all.
    headless
        Open no window: count, and print figures.
    count
        End after so many frames.
    duration
        End after so many seconds.
    insecure
        Allow to bind an address that other machines can reach, without keys.
    json
        Print figures once a second and a summary as JSON lines on stdout.
    verbose
        Log more.
    """
    set_up_logging(verbose=verbose)
    with ExitStack() as stack:
        receiver = _open(stack, endpoints, bind, topic, insecure=insecure)
        if headless:
            watch(receiver, count=count, duration=duration, json=json)
        else:
            show(receiver, count=count, duration=duration, json=json)
    print_summary(receiver.stats, json)
    return EXIT_DONE


def record(
    *endpoints: str,
    out: Path,
    bind: Repeated = None,
    topic: Repeated = None,
    format: Literal["mkv", "images"] = "mkv",
    overwrite: Switch = False,
    count: Count = None,
    duration: Seconds = None,
    all: Switch = False,
    insecure: Switch = False,
    json: Switch = False,
    verbose: Switch = False,
) -> int:
    """Record every topic as it comes, without decoding: `replay` gives it back bit for bit.

    Parameters
    ----------
    endpoints
        Senders to connect to; tcp://127.0.0.1:5555 if none is given.
    out
        A file.mkv for one topic, or a folder for any number: FOLDER/TOPIC/TIME.mkv.
    bind
        Address to bind for senders that connect; may be repeated.
    topic
        Topic to record, with all below it; may be repeated. Default: all.
    format
        mkv, or images: each frame a JPEG file of its own in the folder.
    overwrite
        Replace the file if it is there.
    count
        End after so many frames.
    duration
        End after so many seconds.
    all
        Every frame is wanted: exit with 3 if one was lost.
    insecure
        Allow to bind an address that other machines can reach, without keys.
    json
        Print figures once a second and a summary as JSON lines on stdout.
    verbose
        Log more.
    """
    from framewire.receiver.sinks import open_sink

    set_up_logging(verbose=verbose)
    frames = 0
    with ExitStack() as stack:
        sink = open_sink(format, out, overwrite=overwrite)
        receiver = _open(stack, endpoints, bind, topic, insecure=insecure, keep="all")

        def write(packet: "Packet") -> None:
            nonlocal frames
            sink.write(packet)
            frames += 1

        try:
            with closing(sink):
                watch(receiver, count=count, duration=duration, json=json, take=write)
        finally:  # also when the disk failed: what was lost until then is told
            print_summary(receiver.stats, json, recorded=frames, out=str(out))
    return EXIT_LOST if all and receiver.stats.lost else EXIT_DONE


def snapshot(
    *endpoints: str,
    out: Path,
    bind: Repeated = None,
    topic: Repeated = None,
    timeout: Seconds = 10.0,
    insecure: Switch = False,
    json: Switch = False,
) -> int:
    """Save the newest frame as a JPEG file, with its header inside.

    Parameters
    ----------
    endpoints
        Senders to connect to; tcp://127.0.0.1:5555 if none is given.
    out
        The file to write, as in cam.jpg; an older one is replaced.
    bind
        Address to bind for senders that connect; may be repeated.
    topic
        Topic to take, with all below it; may be repeated. Default: whichever comes first.
    timeout
        Seconds to wait for a frame.
    insecure
        Allow to bind an address that other machines can reach, without keys.
    json
        Print what was saved as a JSON object on stdout.
    """
    from framewire.receiver.sinks.images import check_writable, write_jpeg

    set_up_logging(verbose=False)
    check_writable(out)
    with ExitStack() as stack:
        receiver = _open(stack, endpoints, bind, topic, insecure=insecure)
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


def _open(
    stack: ExitStack,
    endpoints: tuple[str, ...],
    bind: list[str] | None,
    topics: list[str] | None,
    *,
    insecure: bool,
    keep: Literal["newest", "all"] = "newest",
) -> "Receiver":
    from framewire.receiver import Receiver

    return stack.enter_context(
        Receiver(*endpoints, bind=bind or (), topics=topics or (), keep=keep, insecure=insecure)
    )
