"""When a camera counts as lost, when it is opened again, and when it shows an old picture. Pure."""

import zlib
from collections.abc import Callable

import numpy as np

from framewire.common.clock import NS
from framewire.common.frame import Image

__all__ = ["FIRST_NS", "LOST_NS", "QUIET_NS", "RETRY_S", "BackOff", "Patience", "Stillness"]

QUIET_NS = 2 * NS
"""Without a picture for so long there is no signal. A status says so within three seconds also on a
busy machine."""

LOST_NS = 4 * NS
"""Then it is opened again. A network that hiccups has time until then to go on as if nothing were."""

FIRST_NS = 10 * NS
"""How long it may take to open, and until it is known how often pictures come: an encoder may send
a whole picture every ten seconds only, and before the first one nothing can be shown."""

_USUAL = 3
"""Times the usual interval: what gives a picture every two seconds is not lost after two."""
_LONGEST_NS = 60 * NS
_LEAST_ALIKE = 3

RETRY_S: tuple[float, ...] = (1, 2, 4, 8, 16, 30)


class BackOff:
    """How long to wait before each further attempt."""

    def __init__(self) -> None:
        self._failed = 0

    def worked(self) -> None:
        self._failed = 0

    def next_s(self) -> float:
        """Seconds before the next attempt; longer each time, until one has `worked`."""
        wait_s = RETRY_S[min(self._failed, len(RETRY_S) - 1)]
        self._failed += 1
        return wait_s


class Patience:
    """Watches for pictures that do not come. All times are of the monotonic clock, nanoseconds."""

    def __init__(self) -> None:
        self._since_ns = 0
        self._usual_ns = 0
        self._pictures = 0
        self._trouble = ""

    def opened(self, now_ns: int) -> None:
        """It was opened: pictures are expected from now on."""
        self._since_ns, self._usual_ns, self._pictures, self._trouble = now_ns, 0, 0, ""

    def picture(self, now_ns: int) -> None:
        """A picture came that can be shown."""
        if self._pictures:
            interval_ns = now_ns - self._since_ns
            self._usual_ns = max(interval_ns, self._usual_ns - self._usual_ns // 8)
        self._since_ns, self._trouble = now_ns, ""
        self._pictures += 1

    def paused(self, for_ns: int) -> None:
        """Nobody could look for so long: this process was stopped, or the machine was too busy."""
        self._since_ns += for_ns

    def damaged(self, why: str) -> None:
        """Something came that cannot be shown."""
        self._trouble = why

    def quiet(self, now_ns: int) -> str:
        """Why there is no signal; empty while there is."""
        if now_ns - self._since_ns < self._quiet_ns():
            return ""
        opens = "it gives" if self._pictures else "it opens, but gives"
        return self._trouble or f"{opens} no picture for {self._quiet_ns() / NS:.3g} s"

    def over(self, now_ns: int) -> bool:
        """Whether it is time to open it again."""
        least_ns = FIRST_NS if self._pictures < 2 else LOST_NS
        return now_ns - self._since_ns >= max(least_ns, self._quiet_ns())

    def _quiet_ns(self) -> int:
        return min(_LONGEST_NS, max(QUIET_NS, _USUAL * self._usual_ns))


class Stillness:
    """Tells a camera that shows the same picture for ever: no two pictures of a sensor are alike.

    It remembers, so that a camera which is opened again and still shows that picture is told too.
    """

    def __init__(self) -> None:
        self.frozen = False
        self._sample = b""
        self._checksum: int | None = None
        self._since_ns = 0
        self._alike = 0

    def see(self, picture: Image | bytes, now_ns: int, limit_ns: int) -> bool:
        """Whether `picture` has been the same for `limit_ns` or longer."""
        if self._differs(_sample(picture), lambda: zlib.crc32(_flat(picture))):
            self._since_ns, self._alike, self.frozen = now_ns, 0, False
        else:
            self._alike += 1
            is_long = now_ns - self._since_ns >= limit_ns and self._alike >= _LEAST_ALIKE
            self.frozen = self.frozen or is_long
        return self.frozen

    def _differs(self, sample: bytes, checksum: Callable[[], int]) -> bool:
        """A sample tells most pictures apart; only where it does not, all is looked at."""
        if sample != self._sample:
            self._sample, self._checksum = sample, None
            return True
        before, self._checksum = self._checksum, checksum()
        return before is not None and before != self._checksum


def _sample(picture: Image | bytes) -> bytes:
    if isinstance(picture, bytes):
        return picture[-4096:] + len(picture).to_bytes(8)
    rows = picture[:: max(1, picture.shape[0] // 8)]
    return rows.tobytes() + repr(picture.shape).encode()


def _flat(picture: Image | bytes) -> bytes | memoryview:
    return picture if isinstance(picture, bytes) else np.ascontiguousarray(picture).data
