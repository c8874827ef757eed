"""Memory for pictures, used again once nobody holds it.

The system hands out memory in pages that are empty until they are touched: at 1920x1080 that takes
about as long as copying the picture, where the allocator does not keep what threads give back to it.
All functions may be called from any thread.
"""

import math
from collections import deque
from typing import Any

import numpy as np

from framewire.common.frame import Image

__all__ = ["new_image"]

SPARE_BYTES = 64 << 20
"""What is kept for later at most: ten pictures of 1920x1080."""
MOST_SPARE = 16
LEAST_BYTES = 1 << 16
"""Below, the allocator is good enough."""

_spare: deque[Image] = deque(maxlen=MOST_SPARE)


class _Loan:
    """Owns the memory of an array. All arrays that share it hold this object; the last one to go
    lets it give the memory back."""

    def __init__(self, memory: Image, shape: tuple[int, ...]) -> None:
        self._memory = memory
        self.__array_interface__: dict[str, Any] = {**memory.__array_interface__, "shape": shape}

    def __del__(self) -> None:
        _give_back(self._memory)


def new_image(shape: tuple[int, ...]) -> Image:
    """An uninitialised uint8 array: writable, contiguous, and the caller's for as long as it likes.

    Its memory is used again when neither it nor any array or buffer made of it is left.
    """
    size = math.prod(shape)
    if size < LEAST_BYTES:
        return np.empty(shape, np.uint8)
    return np.asarray(_Loan(_spare_or_new(size), shape))


def _spare_or_new(size: int) -> Image:
    for _ in range(len(_spare)):
        try:
            memory = _spare.pop()
        except IndexError:  # another thread was faster
            break
        if memory.nbytes == size:
            return memory
        _spare.appendleft(memory)
    return np.empty(size, np.uint8)


def _give_back(memory: Image) -> None:
    """Takes no lock: it runs wherever the last array goes, also in the middle of another call."""
    _spare.append(memory)
    while sum(each.nbytes for each in tuple(_spare)) > SPARE_BYTES:
        try:
            _spare.popleft()
        except IndexError:
            return
