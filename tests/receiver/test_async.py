"""`async for` over a receiver: the same frames, in an event loop that goes on meanwhile."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from framewire.common.errors import ReceiveTimeout
from framewire.receiver import Receiver
from receiver.publishing import DEADLINE_S, Station, packet, undecodable


def within_deadline(coroutine: "Callable[[], object]") -> object:
    async def bounded() -> object:
        async with asyncio.timeout(DEADLINE_S):
            return await coroutine()  # type: ignore[misc]

    return asyncio.run(bounded())


def test_frames_come_while_other_tasks_run(station: Station) -> None:
    with Receiver(station.url, keep="all") as receiver:
        station.wait_for_subscriptions()
        turns = 0

        async def tick() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async def collect() -> list[int]:
            other = asyncio.create_task(tick())
            got = []
            async for frame in receiver:
                got.append(frame.sequence)
                before = turns
                while turns == before:
                    await asyncio.sleep(0)
                if len(got) < 4:
                    station.send(packet(len(got)))  # only now: the loop waits without blocking
                else:
                    break
            other.cancel()
            return got

        station.send(packet(0))
        assert within_deadline(collect) == [0, 1, 2, 3]
        assert receiver.stats.delivered == 4


def test_close_from_another_thread_ends_it(station: Station) -> None:
    receiver = Receiver(station.url)
    begun = threading.Event()

    def close() -> None:
        assert begun.wait(DEADLINE_S)
        receiver.close()

    closer = threading.Thread(target=close)
    closer.start()

    async def collect() -> int:
        count = 0
        asyncio.get_running_loop().call_later(0.05, begun.set)
        async for _ in receiver:
            count += 1
        return count

    assert within_deadline(collect) == 0
    closer.join(DEADLINE_S)


def test_the_receivers_own_timeout(station: Station) -> None:
    async def collect() -> None:
        async for _ in receiver:
            raise AssertionError("there is no frame")

    with (
        Receiver(station.url, timeout=0.05) as receiver,
        pytest.raises(ReceiveTimeout, match=r"no frame in 0\.05 s from tcp://"),
    ):
        within_deadline(collect)


def test_a_cancelled_reader_loses_no_frame(station: Station) -> None:
    with Receiver(station.url, keep="all", timeout=DEADLINE_S) as receiver:
        station.wait_for_subscriptions()

        async def first() -> int:
            async for frame in receiver:
                return frame.sequence
            raise AssertionError("it ended")

        async def cancelled() -> int:
            task = asyncio.create_task(first())
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            station.send(packet(0), packet(1))
            return await first()

        assert within_deadline(cancelled) == 0
        assert receiver.read().sequence == 1
        assert receiver._listeners == set()


def test_what_does_not_decode_is_passed_over(station: Station) -> None:
    with Receiver(station.url, keep="all") as receiver:
        station.wait_for_subscriptions()
        station.send(packet(0, payload=undecodable()), packet(1))

        async def first() -> int:
            async for frame in receiver:
                return frame.sequence
            raise AssertionError("it ended")

        assert within_deadline(first) == 1
        assert receiver.stats.malformed == 1
