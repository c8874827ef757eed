"""`Disk`: what may wait for a disk is done in threads of its own, and not waited for without end."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from framewire.app.web.limits import LIMITS, Limits
from framewire.common.closing import Closing

__all__ = ["Disk", "DiskSilent"]

T = TypeVar("T")


class DiskSilent(Exception):
    """The disk did not answer in time, or so many wait for it that it will not."""


class Disk(Closing):
    """Calls functions that read a disk, for one event loop.

    A disk that stalls holds its threads up and nothing else: who asks is told so after
    `limits.disk_s` seconds, and at once when too many wait already. The threads are daemons: one
    that is never answered does not keep the program from ending.
    """

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[asyncio.Future[Any], Callable[[], Any]]] = deque()
        self._changed = threading.Condition()
        self._threads = 0
        self._idle = 0
        self._closed = False

    async def ask(self, function: Callable[..., T], *arguments: Any, patient: bool = False) -> T:
        """What `function` returns or raises; `DiskSilent` if that takes too long.

        It goes on then, unheard. `patient`: wait as long as it takes, for what is known to be long.
        """
        answer: asyncio.Future[T] = self._loop.create_future()
        self._queue(answer, lambda: function(*arguments))
        try:
            async with asyncio.timeout(None if patient else self._limits.disk_s) as limit:
                return await answer
        except TimeoutError:
            if limit.expired():
                raise DiskSilent("the disk with the recordings does not answer") from None
            raise  # the function's own

    def later(self, function: Callable[[], object]) -> None:
        """Have it called some time, and hear nothing of it."""
        with suppress(DiskSilent):
            self._queue(self._loop.create_future(), function)

    def _queue(self, answer: asyncio.Future[Any], call: Callable[[], Any]) -> None:
        with self._changed:
            while self._waiting and self._waiting[0][0].done():
                self._waiting.popleft()  # nobody waits for it any more
            if len(self._waiting) >= self._limits.disk_waiting:
                raise DiskSilent("the disk with the recordings has too much to do")
            self._waiting.append((answer, call))
            if self._idle < len(self._waiting) and self._threads < self._limits.disk_threads:
                self._threads += 1
                threading.Thread(target=self._run, name="framewire-disk", daemon=True).start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                self._changed.wait_for(lambda: self._closed or self._waiting)
                self._idle -= 1
                if self._closed:
                    self._threads -= 1
                    return
                answer, call = self._waiting.popleft()
            if not answer.done():
                self._answer(answer, call)

    def _answer(self, answer: asyncio.Future[Any], call: Callable[[], Any]) -> None:
        give: Callable[[Any], None] = answer.set_result
        try:
            value = call()
        except Exception as error:  # noqa: BLE001 - raised again where it was asked for
            give, value = answer.set_exception, error

        def tell() -> None:
            if not answer.done():
                give(value)

        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(tell)

    def close(self) -> None:
        """Let the threads go that have nothing to do, the others when they have. At once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
