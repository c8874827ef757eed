"""A part of a topic's recordings as a file of its own."""

import tempfile
import threading
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from framewire.common.errors import RecordingError
from framewire.common.frame import Packet
from framewire.common.recording_writer import RecordingWriter

__all__ = ["MOST_BYTES", "GivenUp", "Nothing", "TooLong", "cut"]

Packets = Generator[Packet, None, None]

MOST_BYTES = 2 << 30
"""Of pictures in one cut."""


class Nothing(RecordingError):
    """There are no frames in that time."""


class TooLong(RecordingError):
    """The cut would be larger than is allowed."""


class GivenUp(RecordingError):
    """Nobody wants it any more."""


def cut(packets: Packets, given_up: threading.Event, *, most_bytes: int = MOST_BYTES) -> Path:
    """Write `packets` to a file of its own in a new temporary folder; who asked removes both.

    They are closed in any case: so the file that they are read from is given back.

    `RecordingError` if there are none, if it grows too large, or if the disk is full; then, and if
    it is `given_up`, nothing is left.
    """
    with closing(packets):
        return _cut(packets, given_up, most_bytes)


def _cut(packets: Packets, given_up: threading.Event, most_bytes: int) -> Path:
    try:
        folder = Path(tempfile.mkdtemp(prefix="framewire-cut-"))
    except OSError as error:
        raise RecordingError(f"cannot make a temporary folder: {error}") from error
    path = folder / "cut.mkv"
    try:
        _write(packets, path, given_up, most_bytes)
    except BaseException:
        path.unlink(missing_ok=True)
        folder.rmdir()
        raise
    return path


def _write(packets: Packets, path: Path, given_up: threading.Event, most_bytes: int) -> None:
    first = next(packets, None)
    if first is None:
        raise Nothing("there are no frames in that time")
    written = 0
    with closing(RecordingWriter(path, first.header)) as writer:
        packet: Packet | None = first
        while packet is not None:
            if given_up.is_set():
                raise GivenUp("nobody waits for the cut")
            written += len(packet.payload)
            if written > most_bytes:
                raise TooLong(f"a cut holds {most_bytes >> 20} MiB of pictures at most")
            writer.write(packet)
            packet = next(packets, None)
