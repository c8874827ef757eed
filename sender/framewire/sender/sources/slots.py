"""Memory that a capture process writes pictures into, and its parent reads them from.

It has no name, so that nothing is left behind however the two end. Nobody waits: the writer takes
the slots in turn, and the reader sees by a number whether what it has read was overwritten meanwhile.
Pictures are numbered from 1 on.
"""

import mmap
import os
import tempfile

import numpy as np

from framewire.common.arrays import new_image
from framewire.common.frame import Image

__all__ = ["SLOTS", "ReadSlots", "WriteSlots"]

SLOTS = 3
"""One is written, one is read, and one is the newest that is whole."""

_PAGE = mmap.PAGESIZE


def _layout(memory: mmap.mmap, capacity: int) -> tuple[np.ndarray, list[Image]]:
    """The number of the picture that each slot holds, and the slots' bytes."""
    whole: Image = np.frombuffer(memory, np.uint8)
    numbers = whole[: SLOTS * 8].view(np.uint64)
    return numbers, [whole[_PAGE + i * capacity :][:capacity] for i in range(SLOTS)]


class WriteSlots:
    """The capture process's side; room for pictures of `size` bytes, or somewhat more."""

    def __init__(self, size: int) -> None:
        self.capacity = -(-size // _PAGE) * _PAGE
        self.fd = _nameless(_PAGE + SLOTS * self.capacity)
        """To be given to the reader, and then closed."""
        self._memory = mmap.mmap(self.fd, _PAGE + SLOTS * self.capacity)
        self._numbers, self._slots = _layout(self._memory, self.capacity)

    def begin(self, number: int, size: int) -> Image:
        """The bytes for picture `number`; whoever still reads what was there sees that it goes."""
        self._numbers[number % SLOTS] = 0
        return self._slots[number % SLOTS][:size]

    def end(self, number: int) -> None:
        """It is whole."""
        self._numbers[number % SLOTS] = number


class ReadSlots:
    """The parent's side of memory that the capture process has made. Takes `fd` over."""

    def __init__(self, fd: int, capacity: int) -> None:
        try:
            self._memory = mmap.mmap(fd, _PAGE + SLOTS * capacity, access=mmap.ACCESS_READ)
        finally:
            os.close(fd)
        self._numbers, self._slots = _layout(self._memory, capacity)

    def jpeg(self, number: int, size: int) -> bytes | None:
        """A copy of picture `number`, a file of `size` bytes; None if it is overwritten."""
        copied = self._slots[number % SLOTS][:size].tobytes()
        return copied if self._numbers[number % SLOTS] == number else None

    def pixels(self, number: int, shape: tuple[int, ...]) -> Image | None:
        """A copy of picture `number`, pixels of that shape; None if it is overwritten."""
        copied = new_image(shape)
        np.copyto(copied, self._slots[number % SLOTS][: copied.size].reshape(shape))
        return copied if self._numbers[number % SLOTS] == number else None


def _nameless(size: int) -> int:
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("framewire-capture")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.truncate(fd, size)
    return fd
