"""Short tasks on all cores at once: one bounded pool of threads in a process.

For work that releases the GIL and takes a millisecond or so. Linux puts a thread that is woken on
the core of the thread that woke it, more often than not: at 30 frames a second, both then take
turns there beside an idle core, and nothing is gained. So one worker is pinned to each core and the
caller waits (benchmarks/jpeg_engine.py compares the two).

Three things keep cores that are busy with something else from being waited for. A task belongs to
the worker that gets to run first, not to one that was woken. Who finds a worker busy with another
caller's job works along instead. And where jobs take longer than on one free core, on average,
`share` says so, and callers leave their work undivided for a while.

That gets one job done soon. For many jobs that is not the way to get most of them done: to divide
and wait costs, and they fill all cores undivided. `submit` runs such jobs side by side, in threads
that the system places as it likes; and `undivided` keeps whole what other threads do so.

Any thread may call these, also inside a task.
"""

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, TypeVar

from framewire.common.clock import monotonic_ns
from framewire.common.clock import thread_ns as _computing_ns

__all__ = ["Pool", "Rest", "cores", "run", "share", "submit", "undivided"]

T = TypeVar("T")

REST = 64
"""Jobs: two seconds of 30 frames a second. A try on a busy machine can cost 20 ms."""

WEIGHT = 1 / 16
"""Of the last job in the average: one that another process got in the way of is no reason yet."""


class Rest:
    """Decides, job by job, whether a pool is of use. Not exact between threads, and needs not be.

    It is of no use while jobs take longer, on average, than the time that their tasks spent
    computing: one free core would be as fast. After a rest the first job decides anew.
    """

    def __init__(self) -> None:
        self._slowness = 1.0
        self._left = 0

    def over(self) -> bool:
        """Whether the next job, which begins now, is one for the pool."""
        if self._left:
            self._left -= 1
            return False
        return True

    def judge(self, took_ns: int, computing_ns: int) -> None:
        """What a job in the pool took by the clock and, all its tasks together, of computing."""
        if not computing_ns:  # this system does not say
            return
        self._slowness += (took_ns / computing_ns - self._slowness) * WEIGHT
        if self._slowness > 1:
            self._slowness, self._left = 1.0, REST


class _Job:
    """Tasks of one caller, and their outcomes."""

    def __init__(self, tasks: Sequence[Callable[[], Any]]) -> None:
        self._todo = deque(enumerate(tasks))
        self._outcomes: list[tuple[Any, BaseException | None, int]] = [(None, None, 0)] * len(tasks)
        self._left = deque(range(len(tasks)))
        self._ended: SimpleQueue[None] = SimpleQueue()
        self.computing_ns = 0
        """What the tasks spent computing; known after `results`."""

    def work(self) -> None:
        """Do tasks until all are taken."""
        while self._todo:
            try:
                number, task = self._todo.popleft()
            except IndexError:  # somebody was faster
                return
            start_ns = _computing_ns()
            result, error = _outcome(task)
            self._outcomes[number] = result, error, _computing_ns() - start_ns
            self._left.pop()
            if not self._left:
                self._ended.put(None)  # the last one; two may think so

    def results(self) -> list[Any]:
        """Wait for all; raises what the first task that failed, in their order, had raised."""
        if self._outcomes:
            self._ended.get()
        self.computing_ns = sum(computing_ns for _, _, computing_ns in self._outcomes)
        for _, error, _ in self._outcomes:
            if error is not None:
                raise error
        return [result for result, _, _ in self._outcomes]


def _outcome(task: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return task(), None
    except BaseException as error:  # noqa: BLE001 - the caller's, who gets it in `results`
        return None, error


class _Worker:
    """A thread. It has one job at most; who finds it busy goes without it."""

    def __init__(self, core: int | None) -> None:
        self._core = core
        self._free = threading.Lock()
        self._inbox: SimpleQueue[_Job] = SimpleQueue()
        threading.Thread(target=self._serve, name="framewire worker", daemon=True).start()

    def offer(self, job: _Job) -> bool:
        """Whether it was free; it takes part in `job` then."""
        free = self._free.acquire(blocking=False)
        if free:
            self._inbox.put(job)
        return free

    def _serve(self) -> None:
        _here.in_task = True
        if self._core is not None:
            _pin(self._core)
        while True:
            self._inbox.get().work()  # bound to no name: an idle worker holds no pictures
            self._free.release()


class _Here(threading.local):
    in_task = False
    """Whether this thread does a task just now, so that what it calls stays in it."""


_here = _Here()


class Pool:
    """A worker for each of some cores. Never closed: idle threads that end with the process.

    `run` is the shared one; others are for measurements and tests.
    """

    def __init__(self, numbers: Sequence[int], *, pinned: bool) -> None:
        self._workers = [_Worker(number if pinned else None) for number in numbers]
        self._rest = Rest()

    def share(self) -> int:
        """As the function `share`."""
        if _here.in_task or len(self._workers) < 2:
            return 1
        return len(self._workers) if self._rest.over() else 1

    def run(self, tasks: Sequence[Callable[[], T]]) -> list[T]:
        """As the function `run`."""
        job = _Job(tasks)
        wanted = min(len(tasks), len(self._workers))
        if wanted < 2 or _here.in_task:
            return self._alone(job)
        start_ns = monotonic_ns()
        if self._wake(job, wanted) < wanted:
            return self._alone(job)
        results = job.results()
        self._rest.judge(monotonic_ns() - start_ns, job.computing_ns)
        return results

    def _wake(self, job: _Job, wanted: int) -> int:
        """How many workers were free, `wanted` at most; they take part in `job`."""
        woken = 0
        for worker in self._workers:
            woken += woken < wanted and worker.offer(job)
        return woken

    def _alone(self, job: _Job) -> list[Any]:
        """In the calling thread, and in those that were woken before one was found busy."""
        with undivided():
            job.work()
        return job.results()


@contextlib.contextmanager
def undivided() -> Iterator[None]:
    """What the calling thread does in this block stays in it, whole."""
    before, _here.in_task = _here.in_task, True
    try:
        yield
    finally:
        _here.in_task = before


_lock = threading.Lock()
_pool: Pool | None = None
_executor: ThreadPoolExecutor | None = None


def cores() -> int:
    """How many cores this process may use."""
    return len(_allowed())


def submit(task: Callable[[], T]) -> Future[T]:
    """Do a task in another thread, whole; as many run side by side as there are cores.

    They begin in the order in which they were submitted. Who submits sees to it that not too many
    wait.
    """
    global _executor
    with _lock:
        if _executor is None:
            _executor = ThreadPoolExecutor(cores(), "framewire side by side")
        return _executor.submit(_whole, task)


def _whole(task: Callable[[], T]) -> T:
    with undivided():
        return task()


def share() -> int:
    """Into how many tasks to divide the next job: as many as cores, or 1 if that does not pay.

    It does not on one core, inside a task, and while the machine is so busy that jobs came back
    late.
    """
    return _shared().share()


def run(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Do all tasks, on as many cores as are free, and return their results in order.

    Returns when all have ended, then raises the error of the first that failed. Inside a task, on
    one core and for one task, all is done in the calling thread.
    """
    return _shared().run(tasks)


def _shared() -> Pool:
    global _pool
    with _lock:
        if _pool is None:
            numbers = _allowed()
            can_pin = hasattr(os, "sched_setaffinity")
            _pool = Pool(numbers if len(numbers) > 1 else [], pinned=can_pin)
        return _pool


def _forget() -> None:
    """In a forked child, only the thread that forked goes on: the pool is another process's."""
    global _pool, _executor, _lock
    _pool, _executor, _lock = None, None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _allowed() -> list[int]:
    """Numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(os.getpid()))  # 0 would be the calling thread's
    return list(range(os.cpu_count() or 1))


def _pin(core: int) -> None:
    """Keep the calling thread on one core, unless that was taken from the process meanwhile."""
    with contextlib.suppress(OSError):
        os.sched_setaffinity(threading.get_native_id(), {core})
