"""`Loans`: recordings that are open, a bounded number of them."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from framewire.common.closing import Closing
from framewire.common.recording import Recording

__all__ = ["Loans"]

_MOST = 32
"""The index of an hour at 30 frames a second takes 7 MB."""


class _Loan:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._recording: Recording | None = None
        self.users = 0
        self.dropped = False

    def open(self) -> Recording:
        with self._lock:
            if self._recording is None:
                self._recording = Recording(self._path)
            return self._recording

    def close(self) -> None:
        if self._recording is not None:
            self._recording.close()


class Loans(Closing):
    """Opens recordings and keeps those that were used last. Any thread may borrow.

    One that is in use is closed when it is given back.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._loans: OrderedDict[Path, _Loan] = OrderedDict()

    def __len__(self) -> int:
        return len(self._loans)

    def __contains__(self, path: Path) -> bool:
        return path in self._loans

    @contextmanager
    def borrow(self, path: Path) -> Iterator[Recording]:
        """The recording, open as long as the block lasts. `RecordingError` if it cannot be read."""
        with self._lock:
            loan = self._loans.setdefault(path, _Loan(path))
            self._loans.move_to_end(path)
            loan.users += 1
            while len(self._loans) > self._most:
                self._drop(next(iter(self._loans)))
        try:
            try:
                recording = loan.open()
            except BaseException:
                self.drop(path)
                raise
            yield recording
        finally:
            with self._lock:
                loan.users -= 1
                if loan.dropped and not loan.users:
                    loan.close()

    def drop(self, path: Path) -> None:
        """It is another file now, or none: open it anew the next time."""
        with self._lock:
            self._drop(path)

    def _drop(self, path: Path) -> None:
        loan = self._loans.pop(path, None)
        if loan is not None:
            loan.dropped = True
            if not loan.users:
                loan.close()

    def close(self) -> None:
        """Close all; those in use, when they are given back."""
        with self._lock:
            for path in list(self._loans):
                self._drop(path)
