"""Playing stored frames at their own pace, on this machine's clocks."""

import threading

from framewire.common.clock import NS, monotonic_ns, wall_ns
from framewire.sender.pacing import PATIENCE_NS, Pacer, Thinner
from framewire.sender.sources.remote import Remote
from framewire.sender.sources.source import Moment, SourceOptions

__all__ = ["Playback"]

_STEP_S = 0.2


class Playback:
    """Decides which frames of a file to show, waits until each is due, and stamps it.

    A frame's capture time is the moment when it was due, not the one when this thread woke up: so
    the intervals are those of the file, to the nanosecond, as long as the machine keeps up.
    """

    def __init__(
        self,
        options: SourceOptions,
        stop: threading.Event,
        remote: Remote | None = None,
        patience_ns: int = PATIENCE_NS,
    ) -> None:
        self._remote = remote
        self._jumped = False
        self._pacer = Pacer(options.speed, patience_ns)
        self._thinner = Thinner(options.fps)
        self._stop = stop

    def keep(self, media_ns: int) -> bool:
        """Whether the frame at `media_ns` is one to show (`fps`)."""
        return self._thinner.keep(media_ns)

    def wait(self, media_ns: int) -> Moment | None:
        """Wait for the frame's turn; None if the source was closed meanwhile.

        Or if `remote` asks for the frame before: the next one waited for is then shown at once.
        """
        due_ns = self._pacer.due_ns(media_ns, monotonic_ns())
        while not self._stop.is_set():
            now_ns = monotonic_ns()
            if self._jumped:
                self._jumped = False
                return Moment(wall_ns(), now_ns)
            if self._remote is not None and self._remote.paused:
                wish = self._remote.wish(_STEP_S)
                moved_ns = monotonic_ns() - (due_ns if wish == "step" else now_ns)
                self._pacer.shift(moved_ns)  # a pause is no delay to be made up for
                due_ns += moved_ns
                if wish == "step":
                    return Moment(wall_ns(), due_ns)
                if wish == "back":
                    self._pacer.restart()
                    self._jumped = True
                    return None
                continue
            if now_ns >= due_ns:
                return Moment(wall_ns() - (now_ns - due_ns), due_ns)
            self._stop.wait(min(_STEP_S, (due_ns - now_ns) / NS))
        return None
