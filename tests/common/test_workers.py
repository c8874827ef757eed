"""The pool: order, errors, tasks within tasks, callers side by side, forks."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial

import pytest

from framewire.common import workers
from framewire.common.workers import Pool, Rest, run, share

DEADLINE_S = 20
CAN_PIN = hasattr(os, "sched_setaffinity")


@pytest.fixture(autouse=True)
def _never_rests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test sees must not hang on what else the machine does."""
    if "judged" not in request.fixturenames:
        monkeypatch.setattr(workers, "_computing_ns", lambda: 0)


@pytest.fixture
def judged() -> None:
    """The test is about what the pool makes of the time that jobs take."""


@pytest.fixture(params=["pinned", "free"])
def pool(request: pytest.FixtureRequest) -> Pool:
    """Two workers, even on a machine of one core."""
    numbers = workers._allowed()
    return Pool([numbers[0], numbers[-1]], pinned=request.param == "pinned" and CAN_PIN)


@pytest.fixture
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_allowed", lambda: [0])
    monkeypatch.setattr(workers, "_pool", None)


def _meet(barrier: threading.Barrier) -> int:
    """Returns only if as many tasks run at once as the barrier takes."""
    return barrier.wait(DEADLINE_S)


def _thread() -> int:
    return threading.get_ident()


def _fail(error: BaseException) -> None:
    raise error


def _settle(pool: Pool) -> None:
    """Until all workers are idle: one that found all tasks taken may still be waking up."""
    for worker in pool._workers:
        assert worker._free.acquire(timeout=DEADLINE_S)
        worker._free.release()


def test_results_come_in_the_order_of_the_tasks(pool: Pool) -> None:
    for count in range(40):
        assert pool.run([partial(pow, number, 2) for number in range(count)]) == [
            number**2 for number in range(count)
        ]


def test_the_shared_pool_works_too() -> None:
    assert run([partial(pow, number, 2) for number in range(9)]) == [n**2 for n in range(9)]
    assert run([]) == []
    assert share() in (1, len(workers._allowed()))  # 1 while it rests, as other tests may make it


def test_tasks_run_at_once(pool: Pool) -> None:
    barrier = threading.Barrier(2)
    for _ in range(50):
        assert sorted(pool.run([partial(_meet, barrier)] * 2)) == [0, 1]


def test_one_task_stays_in_its_thread(pool: Pool) -> None:
    assert pool.run([_thread]) == [threading.get_ident()]


@pytest.mark.usefixtures("one_core")
def test_one_core_needs_no_threads() -> None:
    before = threading.active_count()
    assert share() == 1
    assert run([_thread] * 5) == [threading.get_ident()] * 5
    assert threading.active_count() == before


def test_the_first_error_comes_when_all_have_ended(pool: Pool) -> None:
    ended: list[int] = []
    first, second = ValueError("first"), KeyError("second")
    tasks: list[Callable[[], None]] = [
        partial(ended.append, 0),
        partial(_fail, first),
        partial(ended.append, 2),
        partial(_fail, second),
        partial(ended.append, 4),
    ]
    for _ in range(20):
        ended.clear()
        with pytest.raises(ValueError, match="first") as raised:
            pool.run(tasks)
        assert raised.value is first
        assert sorted(ended) == [0, 2, 4]
    assert pool.run([int, int]) == [0, 0]  # the workers have survived


def test_what_is_no_exception_is_raised_too(pool: Pool) -> None:
    with pytest.raises(SystemExit):
        pool.run([partial(_fail, SystemExit(3)), partial(_fail, KeyError())])
    assert pool.run([int, int]) == [0, 0]


def test_tasks_within_tasks_stay_in_their_thread(pool: Pool) -> None:
    def outer() -> bool:
        return pool.run([_thread] * 4) == [_thread()] * 4

    assert pool.run([outer] * 8) == [True] * 8


@pytest.mark.usefixtures("one_core")
def test_tasks_within_tasks_on_one_core() -> None:
    assert run([partial(run, [int] * 3)] * 3) == [[0] * 3] * 3
    assert not workers._here.in_task


def test_who_finds_the_workers_busy_works_alone(pool: Pool) -> None:
    """A frame never waits for another caller's."""
    started, go_on = threading.Barrier(3), threading.Event()

    def hold() -> bool:
        started.wait(DEADLINE_S)
        return go_on.wait(DEADLINE_S)

    other = threading.Thread(target=pool.run, args=([hold, hold],))
    other.start()
    started.wait(DEADLINE_S)
    try:
        assert pool.run([_thread] * 4) == [threading.get_ident()] * 4
    finally:
        go_on.set()
        other.join(DEADLINE_S)
    assert not other.is_alive()


def test_who_finds_one_worker_busy_works_along(pool: Pool) -> None:
    _settle(pool)
    started, go_on = threading.Event(), threading.Event()
    busy = pool._workers[0]

    def hold() -> None:
        started.set()
        go_on.wait(DEADLINE_S)

    assert busy.offer(workers._Job([hold]))
    assert started.wait(DEADLINE_S)
    assert not busy.offer(workers._Job([]))
    try:
        barrier = threading.Barrier(2)
        assert sorted(pool.run([partial(_meet, barrier)] * 2)) == [0, 1]
    finally:
        go_on.set()


def test_many_callers(pool: Pool) -> None:
    wrong: list[object] = []

    def call(base: int) -> None:
        for round_ in range(100):
            numbers = range(base + round_, base + round_ + 5)
            results = pool.run([partial(int, number) for number in numbers])
            if results != list(numbers):
                wrong.append(results)

    callers = [threading.Thread(target=call, args=(1000 * i,)) for i in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(DEADLINE_S)
    assert not any(caller.is_alive() for caller in callers)
    assert wrong == []


def test_an_idle_worker_holds_nothing(pool: Pool) -> None:
    """A picture must be gone when its user lets go of it."""

    class Picture:
        gone = threading.Event()

        def __del__(self) -> None:
            self.gone.set()

    barrier = threading.Barrier(2)
    picture = Picture()

    def task(_: Picture) -> None:
        barrier.wait(DEADLINE_S)

    pool.run([partial(task, picture)] * 2)
    del picture
    assert Picture.gone.wait(DEADLINE_S)


@pytest.mark.skipif(not CAN_PIN, reason="no affinity on this system")
def test_pinned_workers_are_on_their_cores_and_the_caller_stays_free() -> None:
    numbers = workers._allowed()
    own = os.sched_getaffinity(0)
    barrier = threading.Barrier(2)

    def where() -> frozenset[int]:
        barrier.wait(DEADLINE_S)
        return frozenset(os.sched_getaffinity(0))

    pinned = Pool([numbers[0], numbers[-1]], pinned=True)
    assert set(pinned.run([where] * 2)) == {frozenset({numbers[0]}), frozenset({numbers[-1]})}
    assert os.sched_getaffinity(0) == own
    free = Pool(numbers[:1] * 2, pinned=False)
    assert free.run([where] * 2) == [frozenset(own)] * 2


@pytest.mark.skipif(not CAN_PIN, reason="no affinity on this system")
def test_a_core_that_is_not_ours_any_more() -> None:
    barrier = threading.Barrier(2)
    assert sorted(Pool([100_000] * 2, pinned=True).run([partial(_meet, barrier)] * 2)) == [0, 1]


def test_cores_where_the_system_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert workers._allowed() == [0, 1, 2]
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert workers._allowed() == [0]


FORK = """
import os, threading, warnings
from framewire.common import workers

warnings.simplefilter("ignore")  # Python 3.12 and later dislike forks of threaded processes
workers._allowed = lambda: [0, 0]
names = lambda: threading.current_thread().name
together = lambda: (barrier.wait(20), names())[1]
barrier = threading.Barrier(2)
assert workers.run([together] * 2) == ["framewire worker"] * 2
child = os.fork()
if child == 0:
    barrier = threading.Barrier(2)
    os._exit(workers.run([together] * 2) != ["framewire worker"] * 2)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_makes_its_own_workers() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=40, env=environment)


# -- rest ---------------------------------------------------------------------------------------

GOOD, BAD = (10, 18), (20, 18)  # ns: by the clock, computing


def _judged(rest: Rest, times: tuple[int, int]) -> int:
    """How many jobs the callers do alone before one goes to the pool, which takes `times`."""
    alone = 0
    while not rest.over():
        alone += 1
    rest.judge(*times)
    return alone


def test_a_pool_rests_after_a_first_job_that_was_late() -> None:
    rest = Rest()
    assert [_judged(rest, times) for times in (BAD, BAD, GOOD, GOOD)] == [0, 64, 64, 0]


def test_a_late_job_among_good_ones_is_chance() -> None:
    rest = Rest()
    assert [_judged(rest, times) for times in [GOOD] * 20 + [(90, 18), GOOD]] == [0] * 22


def test_many_late_jobs_are_none() -> None:
    rest = Rest()
    alone = [_judged(rest, times) for times in [GOOD] * 100 + [BAD] * 40]
    assert alone[:105] == [0] * 105
    assert alone[-3:] == [64] * 3


def test_a_system_that_does_not_say_what_was_computed() -> None:
    rest = Rest()
    assert [_judged(rest, (10, 0)) for _ in range(9)] == [0] * 9


@pytest.mark.usefixtures("judged")
def test_callers_do_not_divide_while_the_pool_rests(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    barrier = threading.Barrier(2)
    monkeypatch.setattr(workers, "_computing_ns", lambda: threading.get_native_id())
    assert pool.share() == 2
    pool.run([partial(_meet, barrier)] * 2)  # computed nothing, says that clock: not judged
    assert pool.share() == 2
    ticks = iter(range(1000))
    monkeypatch.setattr(workers, "_computing_ns", lambda: next(ticks))
    _settle(pool)
    pool.run([partial(_meet, barrier)] * 2)  # a few nanoseconds
    assert [pool.share() for _ in range(65)] == [1] * 64 + [2]
