"""What a source is, and what every source is given."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from framewire.common.clock import NS, monotonic_ns
from framewire.common.closing import Closing
from framewire.common.config import DEFAULT_LIMITS
from framewire.common.errors import UsageError
from framewire.common.frame import Frame, Header, Image, Packet, State
from framewire.common.jpeg_syntax import inspect, trimmed, with_huffman_tables
from framewire.common.wire import checksum
from framewire.sender.sources.patience import QUIET_NS

__all__ = ["Moment", "Source", "SourceOptions", "jpeg_packet", "picture_header"]

_log = logging.getLogger("framewire.source")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How to play a source. Checked here for sense, and by `Source` for what a source can do."""

    loop: bool = False
    """Begin again at the end."""
    speed: float = 1.0
    """Times the original pace; 0: as fast as possible."""
    start: float = 0.0
    """Seconds of media time to begin at."""
    fps: float | None = None
    """At most so many frames a second; for images, the rate to show them at."""
    size: tuple[int, int] | None = None
    """(width, height) to ask a camera for."""
    allow_still: bool = False
    """A picture that does not change is as it should be; else a camera counts as broken then."""

    def __post_init__(self) -> None:
        if self.speed and not 0.001 <= self.speed <= 1000:
            raise UsageError(
                f"speed {self.speed} is not possible: 0 (as fast as possible) or 0.001 to 1000"
            )
        if not 0 <= self.start < 1e9:
            raise UsageError(f"start {self.start} is not possible: seconds from the beginning")
        if self.fps is not None and not 0 < self.fps <= 1000:
            raise UsageError(f"{self.fps} frames a second are not possible: above 0, up to 1000")

    def given(self) -> set[str]:
        """Names of the options that differ from their defaults."""
        default = SourceOptions()
        return {name for name in self.__slots__ if getattr(self, name) != getattr(default, name)}


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on both clocks, nanoseconds."""

    wall_ns: int
    monotonic_ns: int


class Source(Closing):
    """Where frames come from. Iterate once for `Frame` objects, or over `packets()`.

    One thread iterates; `close` may be called from any, and ends the iteration. To add a source,
    write a class like this in a file of its own and a row in the table of this package.
    """

    name: str
    """Default topic: ``camera0``, a file's stem."""
    live = False
    """Whether it runs by itself, so that frames nobody takes are dropped and counted."""
    encoded = False
    """Whether `packets()` gives pictures that are JPEG already, so that no encoder is needed."""
    sized = False
    """Whether its pictures have the `size` that was asked for."""
    takes: ClassVar[frozenset[str]] = frozenset()
    """The options of `SourceOptions` that mean something here, beside `size`."""

    def __init__(self, name: str, options: SourceOptions) -> None:
        self.check(options)
        self.name = name
        self.options = options
        self._stop = threading.Event()
        self._state: tuple[State, str] = ("live", "")
        self._on_state: Callable[[State, str], None] = lambda state, reason: None
        self._reads_since_ns = 0

    @classmethod
    def check(cls, options: SourceOptions) -> None:
        """`UsageError` for options that mean nothing here."""
        foreign = options.given() - cls.takes - {"size"}
        if foreign:
            kind = cls.__name__.removesuffix("Source").lower()
            raise UsageError(f"{', '.join(sorted(foreign))}: not possible with this {kind} source")

    def __iter__(self) -> Iterator[Frame]:
        """Frames with pixels; each array is new and the caller's own. `SourceError` if it fails."""
        raise NotImplementedError

    def packets(self) -> Iterator[Packet]:
        """The pictures as they are encoded already; `UsageError` where `encoded` is False."""
        raise UsageError(f"{self.name} has no encoded pictures: iterate over its frames")

    @property
    def on_state(self) -> Callable[[State, str], None]:
        """Hears (state, reason) when there is no signal, and when there is again; from any thread.

        For a sender of this source alone: ``source.on_state = sender.announce``.
        """
        return self._on_state

    @on_state.setter
    def on_state(self, hears: Callable[[State, str], None]) -> None:
        self._on_state = hears
        if self._state[0] != "live":  # it may have happened before
            hears(*self._state)

    def _tell(self, state: State, reason: str = "") -> None:
        """Say what has become of the source, unless that was said; also in the log."""
        if (state, reason) == self._state:
            return
        told = f"no signal: {reason}" if state == "no-signal" else reason or "the signal is back"
        _log.warning("%s: %s", self.name, told)
        self._state = state, reason
        self._on_state(state, reason)

    @contextmanager
    def _read(self) -> Iterator[None]:
        """Around what waits for a disk, a mount or a server: `look_after` sees how long it takes."""
        self._reads_since_ns = monotonic_ns()
        try:
            yield
        finally:
            self._reads_since_ns = 0
            if self._state[0] == "no-signal":
                self._tell("live")

    def _each(self, items: Iterable[T]) -> Iterator[T]:
        """Items that are read as they are asked for."""
        iterator = iter(items)
        while True:
            with self._read():
                item = next(iterator, None)
            if item is None:
                return
            yield item

    def look_after(self, now_ns: int) -> None:
        """Tell `on_state` of a read that does not come back. To be called now and then, while another
        thread iterates."""
        since_ns = self._reads_since_ns
        if since_ns and now_ns - since_ns >= QUIET_NS:
            self._tell(
                "no-signal",
                "it cannot be read: its disk, mount or server has given nothing for "
                f"{QUIET_NS // NS} s",
            )

    def close(self) -> None:
        """End the iteration and free the device or file. May be called again."""
        self._stop.set()


def picture_header(
    name: str, sequence: int, moment: Moment, picture: Image, *, dropped: int = 0
) -> Header:
    """The header of pixels that have not been sent yet."""
    return Header(
        topic=name,
        sender="",
        sequence=sequence,
        dropped=dropped,
        captured_ns=moment.wall_ns,
        monotonic_ns=moment.monotonic_ns,
        sent_ns=0,
        width=picture.shape[1],
        height=picture.shape[0],
        channels=1 if picture.ndim == 2 else 3,
        codec="raw",
    )


def jpeg_packet(
    name: str, sequence: int, moment: Moment, jpeg: bytes, *, dropped: int = 0
) -> Packet:
    """A packet of a JPEG that a device or file gave, repaired where webcams fall short.

    Padding behind the picture goes, missing Huffman tables come. `JpegError` if it is none.
    """
    jpeg = trimmed(jpeg)
    info = inspect(jpeg, DEFAULT_LIMITS.picture_pixels)
    jpeg = with_huffman_tables(jpeg, info)
    header = Header(
        topic=name,
        sender="",
        sequence=sequence,
        dropped=dropped,
        captured_ns=moment.wall_ns,
        monotonic_ns=moment.monotonic_ns,
        sent_ns=0,
        width=info.width,
        height=info.height,
        channels=1 if info.channels == 1 else 3,
        codec="jpeg",
        crc32=checksum(jpeg),
    )
    return Packet(header, jpeg)
