"""What cameras and network streams share: a thread that captures, and the newest picture of it."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import ClassVar

import msgspec

from framewire.common.clock import NS, monotonic_ns
from framewire.common.errors import Closed, JpegError, SourceError, UsageError
from framewire.common.frame import Frame, Image, Packet
from framewire.common.jpeg import decode
from framewire.common.mailbox import Mailbox
from framewire.sender.pacing import Thinner
from framewire.sender.sources.capture import Capture, Shot
from framewire.sender.sources.grabber import Traits
from framewire.sender.sources.patience import QUIET_NS, BackOff, Patience, Stillness
from framewire.sender.sources.source import Source, SourceOptions, jpeg_packet, picture_header

__all__ = ["LiveSource"]

_log = logging.getLogger("framewire.source")

_TICK_S = 0.1
_STOPPED_NS = NS
"""A wait of a tick that takes so long says nothing of the camera: this process was stopped."""
_JOIN_S = 2.5

_STILL_NS = {True: QUIET_NS, False: 10 * NS}
"""How long a picture may be the same, by `Traits.alone`. Of a still scene a camera's own encoder may
send nothing new from one whole picture to the next, and those are seconds apart."""


_FROZEN = (
    "it has shown the same picture for {:g} s: the camera hangs or is covered (if a still picture is "
    "as it should be: --allow-still)"
)


@dataclass(frozen=True, slots=True)
class _Picture:
    """One that can be shown."""

    content: Packet | Frame
    """With nothing yet in `dropped`."""
    sequence: int


class LiveSource(Source):
    """Captures in a thread of its own; whoever iterates gets the newest picture, never a backlog.

    A stream that breaks, is silent, or gives nothing that can be shown is closed and opened again,
    after 1, 2, 4 ... 30 seconds; so is one whose picture does not change, unless `allow_still`.
    `on_state` hears of it, from the capturing thread. The first opening fails in the caller's face.
    """

    live = True
    takes: ClassVar[frozenset[str]] = frozenset({"fps", "allow_still"})

    def __init__(self, name: str, options: SourceOptions, device: Capture) -> None:
        super().__init__(name, options)
        self._device = device
        self._thinner = Thinner(options.fps)
        self._pictures: Mailbox[_Picture] = Mailbox("newest")
        self._captured = self._taken = 0
        self._back_off = BackOff()
        self._patience, self._stillness = Patience(), Stillness()
        self._still_ns = 0
        self._failure: Exception | None = None
        self._opening: Future[Traits] = Future()
        self._thread = threading.Thread(target=self._capture, name=f"{name}-capture", daemon=True)
        self._thread.start()
        try:
            traits = self._opening.result()
        except BaseException:
            self.close()
            raise
        self.encoded, self.sized, self.finite = traits.encoded, traits.sized, traits.finite

    def __iter__(self) -> Iterator[Frame]:
        damaged = 0
        for content in self._newest():
            if isinstance(content, Frame):
                yield content
                continue
            try:
                image = decode(content.payload)
            except JpegError:  # its head was good, its data are not
                damaged += 1
                continue
            yield Frame(image, _with_dropped(content, content.header.dropped + damaged).header)

    def packets(self) -> Iterator[Packet]:
        if not self.encoded:
            raise UsageError(f"{self.name} does not give JPEG: iterate over its frames")
        for content in self._newest():
            if isinstance(content, Packet):
                yield content

    def close(self) -> None:
        super().close()
        self._pictures.close()
        if self._thread is not threading.current_thread():
            self._thread.join(_JOIN_S)
        if self._thread.is_alive():
            _log.warning("%s does not answer: its capture was left to end by itself", self.name)

    def _newest(self) -> Iterator[Packet | Frame]:
        """Each picture, with how many before it were replaced by newer ones or damaged."""
        try:
            while True:
                picture = self._pictures.get()
                if picture is not None:
                    dropped = picture.sequence - self._taken
                    self._taken += 1
                    yield _with_dropped(picture.content, dropped)
        except Closed:
            if self._failure is not None:
                raise SourceError(f"{self.name} failed: {self._failure}") from self._failure

    # -- the capturing thread: the only one that touches the device ---------------------------

    def _capture(self) -> None:
        try:
            while not self._stop.is_set():
                reason = self._until_it_breaks()
                if self._stop.is_set():
                    break
                if not self._opening.done():
                    raise SourceError(reason)
                self._tell("no-signal", reason)
                self._wait(self._back_off.next_s())
        except Closed:  # while it was opened
            pass
        except Exception as error:  # noqa: BLE001 - the top of this thread: whoever iterates gets it
            self._failure = error
        self._pictures.close()
        if not self._opening.done():
            self._opening.set_exception(self._failure or Closed(f"{self.name} was closed"))

    def _wait(self, seconds: float) -> None:
        """Until the next attempt, or the end."""
        self._stop.wait(seconds)

    def _until_it_breaks(self) -> str:
        """Open and capture; why that ended."""
        try:
            traits = self._device.open(self._stop)
            self._accept(traits)
            while not self._stop.is_set():
                asked_ns = monotonic_ns()
                shot = self._device.take(_TICK_S)
                waited_ns = monotonic_ns() - asked_ns
                if waited_ns > _STOPPED_NS:
                    self._patience.paused(waited_ns)
                if shot is not None:
                    self._look(shot)
                self._worry(monotonic_ns())
        except SourceError as error:
            return str(error)
        finally:
            self._device.close()
        return ""

    def _accept(self, traits: Traits) -> None:
        """It is open; packets that were promised must go on."""
        if traits.remark:
            _log.warning("%s: %s", self.name, traits.remark)
        if not self._opening.done():
            self._opening.set_result(traits)
        elif self._opening.result().encoded and not traits.encoded:
            raise SourceError(f"{self.name} no longer gives JPEG")
        self._still_ns = _STILL_NS[traits.alone]
        self._patience.opened(monotonic_ns())

    def _worry(self, now_ns: int) -> None:
        """Tell of pictures that do not come; `SourceError` when there is no hope."""
        reason = self._patience.quiet(now_ns)
        if reason and self._patience.over(now_ns):
            raise SourceError(reason)
        if reason:
            self._tell("no-signal", reason)

    def _look(self, shot: Shot) -> None:
        if not self.options.allow_still and self._is_frozen(shot.picture):
            return
        kept = self._thinner.keep(shot.moment.monotonic_ns)
        if self.options.fps is None:  # else nobody knows which of those would have been kept
            self._captured += shot.missed
        sequence, self._captured = self._captured, self._captured + kept
        try:
            content = _content(self.name, sequence, shot)
        except JpegError as error:
            self._patience.damaged(f"it gives no whole picture: {error}")
            return
        self._patience.picture(monotonic_ns())
        self._back_off.worked()
        self._tell("live")
        try:
            if kept:
                self._pictures.put(_Picture(content, sequence))
        except Closed:
            self._stop.set()

    def _is_frozen(self, picture: Image | bytes) -> bool:
        """Whether it is an old picture, not to be shown as a new one."""
        before = self._stillness.frozen
        frozen = self._stillness.see(picture, monotonic_ns(), self._still_ns)
        if frozen:
            self._patience.damaged(reason := _FROZEN.format(self._still_ns / NS))
            if not before:
                raise SourceError(reason)
        return frozen


def _content(name: str, sequence: int, shot: Shot) -> Packet | Frame:
    if isinstance(shot.picture, bytes):
        return jpeg_packet(name, sequence, shot.moment, shot.picture)
    return Frame(shot.picture, picture_header(name, sequence, shot.moment, shot.picture))


def _with_dropped(content: Packet | Frame, dropped: int) -> Packet | Frame:
    return replace(content, header=msgspec.structs.replace(content.header, dropped=dropped))
