"""What cameras and network streams share: a thread that captures, and the newest picture of it."""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

from framewire.common.clock import monotonic_ns, wall_ns
from framewire.common.errors import Closed, JpegError, SourceError, UsageError
from framewire.common.frame import Frame, Image, Packet, State
from framewire.common.jpeg import decode
from framewire.common.mailbox import Mailbox
from framewire.sender.pacing import Thinner
from framewire.sender.sources.source import (
    Moment,
    Source,
    SourceOptions,
    jpeg_packet,
    picture_header,
)

__all__ = ["Grabber", "LiveSource"]

_log = logging.getLogger("framewire.source")

_RETRY_S = (1, 2, 4, 8, 16, 30)
_JOIN_S = 3.0


class Grabber(Protocol):
    """A device or stream; all its methods are called from one thread at a time."""

    encoded: bool
    """Whether `grab` gives JPEG files; known once `open` has returned."""

    def open(self) -> None:
        """Connect; raises `SourceError` that says why not."""

    def grab(self) -> Image | bytes | None:
        """Wait for the next picture: pixels, or a JPEG file; None when there will be no more."""

    def release(self) -> None:
        """Let go of the device."""


@dataclass(frozen=True, slots=True)
class _Shot:
    """One picture as the grabber gave it."""

    picture: Image | bytes
    sequence: int
    moment: Moment


class LiveSource(Source):
    """Captures in a thread of its own; whoever iterates gets the newest picture, never a backlog.

    When the stream breaks it is opened again, after 1, 2, 4 ... 30 seconds; `on_state` (state,
    reason) hears of it, from the capturing thread.
    """

    live = True
    takes: ClassVar[frozenset[str]] = frozenset({"fps"})

    def __init__(self, name: str, options: SourceOptions, grabber: Grabber) -> None:
        super().__init__(name, options)
        grabber.open()
        self.encoded = grabber.encoded
        self.on_state: Callable[[State, str], None] = lambda state, reason: None
        self._grabber = grabber
        self._thinner = Thinner(options.fps)
        self._shots: Mailbox[_Shot] = Mailbox("newest")
        self._captured = self._taken = 0
        self._damaged = 0
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._capture, name=f"{name}-capture", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Frame]:
        for shot, dropped in self._newest():
            picture = shot.picture
            if isinstance(picture, bytes):
                try:
                    packet = self._packet(shot, picture, dropped)
                    yield Frame(decode(packet.payload), packet.header)
                except JpegError:
                    self._damaged += 1
            else:
                header = picture_header(
                    self.name, shot.sequence, shot.moment, picture, dropped=dropped
                )
                yield Frame(picture, header)

    def packets(self) -> Iterator[Packet]:
        if not self.encoded:
            raise UsageError(f"{self.name} does not give JPEG: iterate over its frames")
        for shot, dropped in self._newest():
            if isinstance(shot.picture, bytes):
                try:
                    yield self._packet(shot, shot.picture, dropped)
                except JpegError:
                    self._damaged += 1

    def close(self) -> None:
        super().close()
        self._shots.close()
        self._thread.join(_JOIN_S)
        if self._thread.is_alive():
            _log.warning("%s does not answer: its capture was left to end by itself", self.name)

    def _packet(self, shot: _Shot, jpeg: bytes, dropped: int) -> Packet:
        dropped += self._damaged
        return jpeg_packet(self.name, shot.sequence, shot.moment, jpeg, dropped=dropped)

    def _newest(self) -> Iterator[tuple[_Shot, int]]:
        """Each shot, with how many before it were replaced by newer ones."""
        try:
            while True:
                shot = self._shots.get()
                if shot is not None:
                    dropped = shot.sequence - self._taken
                    self._taken += 1
                    yield shot, dropped
        except Closed:
            if self._failure is not None:
                raise SourceError(f"{self.name} failed: {self._failure}") from self._failure

    # -- the capturing thread: the only one that touches the grabber once it runs -------------

    def _capture(self) -> None:
        try:
            self._capture_again_and_again()
        except Exception as error:  # noqa: BLE001 - the top of this thread: whoever iterates gets it
            self._failure = error
            self._shots.close()

    def _capture_again_and_again(self) -> None:
        attempt = 0
        while not self._stop.is_set():
            if self._run():
                attempt = 0
            while not self._stop.is_set():
                self._stop.wait(_RETRY_S[min(attempt, len(_RETRY_S) - 1)])
                attempt += 1
                if self._reopened():
                    break

    def _reopened(self) -> bool:
        if self._stop.is_set():
            return False
        try:
            self._grabber.open()
        except SourceError as error:
            self.on_state("no-signal", str(error))
            return False
        return True

    def _run(self) -> bool:
        """Capture until the stream breaks; whether any picture came."""
        came = False
        try:
            while not self._stop.is_set():
                picture = self._grabber.grab()
                if picture is None:
                    break
                now = Moment(wall_ns(), monotonic_ns())
                if not came:
                    came = True
                    self.on_state("live", "")
                self._hand_over(picture, now)
        finally:
            self._grabber.release()
        if not self._stop.is_set():
            reason = f"{self.name} gives no more pictures"
            _log.warning("%s; trying again", reason)
            self.on_state("no-signal", reason)
        return came

    def _hand_over(self, picture: Image | bytes, now: Moment) -> None:
        if not self._thinner.keep(now.monotonic_ns):
            return
        shot = _Shot(picture, self._captured, now)
        self._captured += 1
        try:
            self._shots.put(shot)
        except Closed:
            self._stop.set()
