"""What waits for a disk waits alone, and not without end."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import closing
from typing import Any

import pytest

from app.web.viewing import DEADLINE_S
from framewire.app.web.disk import Disk, DiskSilent
from framewire.app.web.limits import Limits

LIMITS = Limits(disk_threads=2, disk_waiting=3, disk_s=0.3)


def run(scenario: Callable[[Disk], Coroutine[Any, Any, None]], limits: Limits = LIMITS) -> None:
    async def within() -> None:
        with closing(Disk(limits)) as disk:
            await scenario(disk)

    asyncio.run(asyncio.wait_for(within(), DEADLINE_S))


def _fail() -> None:
    raise TimeoutError("of its own")


def test_answers_and_errors_come_back() -> None:
    async def scenario(disk: Disk) -> None:
        assert await disk.ask(divmod, 7, 2) == (3, 1)
        with pytest.raises(TimeoutError, match="of its own"):
            await disk.ask(_fail)

    run(scenario)


def test_a_disk_that_stalls_is_told_and_answers_again() -> None:
    async def scenario(disk: Disk) -> None:
        thawed = threading.Event()
        for _ in range(3):
            asked = [disk.ask(thawed.wait, DEADLINE_S) for _ in range(3)]
            told = await asyncio.gather(*asked, return_exceptions=True)
            assert [type(each) for each in told] == [DiskSilent] * 3
        thawed.set()
        assert await disk.ask(sum, (1, 2)) == 3

    run(scenario)


def test_so_many_wait_and_no_more() -> None:
    async def scenario(disk: Disk) -> None:
        thawed = threading.Event()
        asked = [asyncio.ensure_future(disk.ask(thawed.wait, DEADLINE_S)) for _ in range(2)]
        while disk._waiting or disk._threads < 2:
            await asyncio.sleep(0.01)
        asked += [asyncio.ensure_future(disk.ask(thawed.wait, DEADLINE_S)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(DiskSilent, match="too much to do"):
            await disk.ask(sum, (1, 2))
        thawed.set()
        assert await asyncio.gather(*asked) == [True] * 5

    run(scenario, Limits(disk_threads=2, disk_waiting=3, disk_s=DEADLINE_S))


def test_what_is_known_to_be_long_may_be() -> None:
    async def scenario(disk: Disk) -> None:
        await disk.ask(time.sleep, 0.6, patient=True)
        with pytest.raises(DiskSilent):
            await disk.ask(time.sleep, 0.6)

    run(scenario)


def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    async def scenario(disk: Disk) -> None:
        thawed, begun = threading.Event(), threading.Event()
        for function in (thawed.wait, thawed.wait, begun.set):
            with pytest.raises(DiskSilent):
                await disk.ask(function)
        thawed.set()
        assert await disk.ask(sum, (1, 2)) == 3
        assert not begun.is_set()

    run(scenario)


def test_it_closes_while_the_disk_is_silent() -> None:
    thawed = threading.Event()

    async def scenario(disk: Disk) -> None:
        with pytest.raises(DiskSilent):
            await disk.ask(thawed.wait, DEADLINE_S)

    run(scenario)
    thawed.set()
