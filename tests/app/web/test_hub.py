"""The hub: who looks gets the newest packet, and nothing is taken for nobody."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from app.web.viewing import (
    DEADLINE_S,
    EVERYTHING,
    NOTHING,
    TOPIC,
    WANTED,
    Camera,
    number_of,
    packets_alive,
    soon,
    until,
)
from framewire.app.web import hub as hub_module
from framewire.app.web.hub import Hub, Look, Stream
from framewire.common.clock import NS, wall_ns
from framewire.common.errors import Closed
from framewire.receiver import Receiver
from receiver.publishing import Station, packet, status

Story = Callable[[Hub], Awaitable[None]]


def receiving(url: str) -> Receiver:
    """A receiver as a hub wants it."""
    return Receiver(url, topics=None, keep="newest")


def play(source: str | Receiver, story: Story, *, warm: bool = False) -> None:
    """Let something happen at a hub, in an event loop of its own."""

    async def main() -> None:
        with (
            receiving(source) if isinstance(source, str) else source as receiver,
            Hub(receiver, warm=warm) as hub,
        ):
            async with asyncio.timeout(2 * DEADLINE_S):
                await story(hub)

    asyncio.run(main())


@pytest.fixture
def station(nothing_is_left: None) -> Iterator[Station]:
    """A sender that says nothing by itself."""
    with Station() as station:
        yield station


@pytest.fixture
def soon_stale(monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr(hub_module, "STALE_S", 0.5)
    return 0.5


async def subscribed(camera: Camera) -> None:
    await soon(lambda: camera.demand == WANTED, "subscribed")


async def arrives(hub: Hub, camera: Camera, number: int) -> None:
    """Show a picture, and wait until the hub has it."""
    camera.show(number)

    def is_there() -> bool:
        newest = hub.newest(TOPIC)
        return newest is not None and number_of(newest.payload) == number

    await soon(is_there, f"{number} arrived")


async def number(look: Look) -> int:
    packet = await look.next(DEADLINE_S)
    assert packet is not None, "no frame came"
    return number_of(packet.payload)


def the_stream(hub: Hub) -> Stream:
    (stream,) = hub.streams()
    return stream


# -- what is taken --------------------------------------------------------------------------------


def test_nothing_is_taken_while_nobody_looks(camera: Camera) -> None:
    async def story(hub: Hub) -> None:
        for _ in range(2):
            with hub.look(TOPIC):
                await soon(lambda: camera.demand == WANTED, "subscribed")
                assert camera.sender.receivers == 1
            await soon(lambda: camera.demand == NOTHING, "unsubscribed")

    play(camera.url, story)
    until(lambda: camera.demands == [WANTED, NOTHING, WANTED, NOTHING])


def test_only_the_topic_that_is_looked_at_is_taken(camera: Camera) -> None:
    async def story(hub: Hub) -> None:
        with hub.look(TOPIC) as look:
            await subscribed(camera)
            camera.show(1, "lab/cam10")
            camera.show(2)
            assert await number(look) == 2
            assert [stream.topic for stream in hub.streams()] == [TOPIC]

    play(camera.url, story)


def test_what_is_looked_at_is_one_topic_without_those_below_it(camera: Camera) -> None:
    async def story(hub: Hub) -> None:
        with hub.look("lab") as look:
            await soon(lambda: camera.demand == {b"lab/"}, "subscribed")
            camera.show(1, TOPIC)
            camera.show(2, "lab")
            assert await number(look) == 2
            assert await look.next(0.1) is None

    play(camera.url, story)


def test_kept_warm_everything_is_taken_all_the_time(camera: Camera) -> None:
    async def story(hub: Hub) -> None:
        await soon(lambda: camera.demand == EVERYTHING, "subscribed")
        camera.show(1)
        camera.show(2, "lab/cam2")
        await soon(lambda: hub.newest(TOPIC) and hub.newest("lab/cam2"), "both there")
        for _ in range(2):
            with hub.look("lab/cam2") as look:
                assert await number(look) == 2
        assert hub.newest("lab/cam2")

    play(camera.url, story, warm=True)
    assert camera.demands[0] == EVERYTHING


def test_a_glance_takes_a_topic_or_all_for_a_while(
    camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "_GLANCE_S", 0.2)

    async def story(hub: Hub) -> None:
        hub.glance(TOPIC)
        await subscribed(camera)
        await soon(lambda: camera.demand == NOTHING, "unsubscribed")
        hub.glance()
        hub.glance()
        await soon(lambda: camera.demand == EVERYTHING, "subscribed")
        await soon(lambda: camera.demand == NOTHING, "unsubscribed")

    play(camera.url, story)


# -- what those who look get ----------------------------------------------------------------------


def test_who_was_busy_gets_the_newest_frame_and_no_other(camera: Camera) -> None:
    async def story(hub: Hub) -> None:
        with hub.look(TOPIC) as look:
            await subscribed(camera)
            await arrives(hub, camera, 0)
            assert await number(look) == 0
            for each in range(1, 5):
                await arrives(hub, camera, each)
            assert await number(look) == 4
            assert await look.next(0.1) is None
            await arrives(hub, camera, 5)
            assert await number(look) == 5

    play(camera.url, story)


def test_viewers_of_a_topic_share_what_comes(camera: Camera) -> None:
    async def story(hub: Hub) -> None:
        with hub.look(TOPIC) as first:
            with hub.look(TOPIC) as second:
                assert hub.viewers == 2
                await subscribed(camera)
                waiting = asyncio.gather(first.next(), second.next())
                camera.show(1)
                one, other = await waiting
                assert one is other
                await arrives(hub, camera, 2)
                await arrives(hub, camera, 3)
                assert await number(second) == 3
            assert hub.viewers == 1
            assert hub.newest(TOPIC), "it went with one of its viewers"
            assert await number(first) == 3
            camera.show(4)
            assert await number(first) == 4
        assert hub.viewers == 0

    play(camera.url, story)
    until(lambda: camera.demands == [WANTED, NOTHING])


def test_who_comes_later_gets_the_newest_at_once(camera: Camera) -> None:
    async def story(hub: Hub) -> None:
        with hub.look(TOPIC):
            await subscribed(camera)
            await arrives(hub, camera, 1)
            with hub.look(TOPIC) as late:
                assert await number(late) == 1

    play(camera.url, story)


def test_after_a_pause_no_old_picture_is_shown(camera: Camera) -> None:
    async def story(hub: Hub) -> None:
        with hub.look(TOPIC) as look:
            await subscribed(camera)
            camera.show(1)
            assert await number(look) == 1
        assert hub.newest(TOPIC) is None
        await soon(lambda: camera.demand == NOTHING, "unsubscribed")
        camera.show(2)
        with hub.look(TOPIC) as look:
            await subscribed(camera)
            assert await look.next(0.1) is None
            camera.show(3)
            assert await number(look) == 3

    play(camera.url, story)


def test_an_acknowledgement_counts_once(camera: Camera) -> None:
    async def story(hub: Hub) -> None:
        with hub.look(TOPIC) as look:
            waiting = asyncio.create_task(look.acknowledged())
            await asyncio.sleep(0.05)
            assert not waiting.done()
            look.acknowledge()
            await waiting
            again = asyncio.create_task(look.acknowledged())
            await asyncio.sleep(0.05)
            assert not again.done()
            look.acknowledge()
            await again

    play(camera.url, story)


def test_raw_pixels_are_no_picture_for_a_browser(station: Station) -> None:
    raw = packet(1, payload=b"\0" * (160 * 96 * 3), codec="raw")

    async def story(hub: Hub) -> None:
        with hub.look(TOPIC) as look:
            station.wait_for_subscriptions()
            station.send(raw)
            await soon(lambda: hub.streams() and the_stream(hub).received.delivered, "received")
            assert await look.next(0.1) is None
            station.send(packet(2))
            assert await number(look) == 2

    play(station.url, story)


def test_a_busy_event_loop_piles_nothing_up(camera: Camera) -> None:
    async def story(hub: Hub) -> None:
        def delivered() -> int:
            return the_stream(hub).received.delivered

        others = packets_alive()  # other tests may keep some
        with hub.look(TOPIC) as look:
            await subscribed(camera)
            with camera.streaming():
                await look.next()
                before = delivered()
                until(lambda: delivered() > before + 100, "many came")  # the loop stands still
                assert packets_alive() < others + 50
            await asyncio.sleep(0)
            assert await number(look) >= before + 100

    play(camera.url, story)


# -- states ---------------------------------------------------------------------------------------


def test_what_a_sender_says_of_its_topic(camera: Camera) -> None:
    async def story(hub: Hub) -> None:
        async def becomes(state: str, reason: str = "") -> Stream:
            await soon(lambda: hub.streams() and the_stream(hub).state == state, state)
            stream = the_stream(hub)
            assert stream.reason == reason
            assert began_ns <= stream.since_ns <= wall_ns()
            assert the_stream(hub).since_ns == stream.since_ns, "it began anew"
            return stream

        began_ns = wall_ns()
        with hub.look(TOPIC):
            await subscribed(camera)
            camera.show(1)
            first = await becomes("live")
            camera.sender.announce("no-signal", "the cable is out", topic=TOPIC)
            second = await becomes("no-signal", "the cable is out")
            assert second.since_ns > first.since_ns
            assert second.newest is None, "an old picture is shown as new"
            camera.sender.announce("no-signal", "the camera is gone", topic=TOPIC)
            await soon(lambda: the_stream(hub).reason == "the camera is gone")
            assert the_stream(hub).since_ns > second.since_ns
            camera.show(2)
            third = await becomes("live")
            assert third.since_ns > second.since_ns
            camera.sender.announce("ended", topic=TOPIC)
            await becomes("ended")

    play(camera.url, story)


def test_a_change_is_noticed_when_it_comes_about(camera: Camera) -> None:
    """And not when somebody asks for it."""
    receiver = receiving(camera.url)

    async def story(hub: Hub) -> None:
        with hub.look(TOPIC) as look:
            await subscribed(camera)
            camera.show(1)
            await look.next()
            await soon(lambda: the_stream(hub).state == "live")
            camera.sender.announce("no-signal", topic=TOPIC)
            await soon(lambda: receiver.stats.topics[TOPIC].state == "no-signal")
            await asyncio.sleep(2 * hub_module._TICK_S)
            asked_ns = wall_ns()
            assert the_stream(hub).since_ns < asked_ns

    play(receiver, story)


def test_streams_come_by_name_with_what_was_received(camera: Camera) -> None:
    async def story(hub: Hub) -> None:
        assert hub.streams() == []
        hub.glance()
        await soon(lambda: camera.demand == EVERYTHING)
        for name in ("yard", "lab/cam2", "lab/cam1"):
            camera.show(7, name)
            camera.show(8, name)
        await soon(lambda: len(hub.streams()) == 3)
        await soon(lambda: all(each.received.received == 2 for each in hub.streams()))
        await soon(lambda: all(each.newest is not None for each in hub.streams()))
        assert [each.topic for each in hub.streams()] == ["lab/cam1", "lab/cam2", "yard"]

    play(camera.url, story)


def test_a_sender_that_is_not_heard_any_more(station: Station, soon_stale: float) -> None:
    async def story(hub: Hub) -> None:
        def speaks() -> bool:
            station.send(status(0))
            return bool(hub.streams()) and the_stream(hub).state == "live"

        with hub.look(TOPIC):
            station.wait_for_subscriptions()
            for _ in range(2):
                began_ns = wall_ns()
                await soon(speaks, "live")
                await soon(lambda: the_stream(hub).state == "stale", "stale")
                stream = the_stream(hub)
                assert stream.reason == ""
                assert began_ns <= stream.since_ns + NS // 20
                assert stream.since_ns <= wall_ns()

    play(station.url, story)


def test_what_ended_is_not_stale(station: Station, soon_stale: float) -> None:
    async def story(hub: Hub) -> None:
        with hub.look(TOPIC):
            station.wait_for_subscriptions()
            station.send(status(0, "ended"))
            await soon(lambda: hub.streams() and the_stream(hub).state == "ended")
            await soon(lambda: the_stream(hub).received.silent_s > 2 * soon_stale)
            assert the_stream(hub).state == "ended"

    play(station.url, story)


def test_what_was_not_asked_for_is_not_stale(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "STALE_S", 1.0)

    async def story(hub: Hub) -> None:
        with hub.look(TOPIC):
            station.wait_for_subscriptions()
            station.send(status(0))
            await soon(lambda: hub.streams() and the_stream(hub).state == "live")
        await soon(lambda: the_stream(hub).received.silent_s > 1.1)
        assert the_stream(hub).state == "live"
        with hub.look(TOPIC):
            assert the_stream(hub).state == "live", "it had no time to say anything"
            await soon(lambda: the_stream(hub).state == "stale", "stale")

    play(station.url, story)


# -- the end --------------------------------------------------------------------------------------


def test_closing_ends_those_who_wait(camera: Camera) -> None:
    async def story(hub: Hub) -> None:
        with hub.look(TOPIC) as one, hub.look("lab/cam2") as other:
            await soon(lambda: len(camera.demand) == 2)
            waiting = [asyncio.create_task(look.next()) for look in (one, one, other)]
            await asyncio.sleep(0)
            hub.close()
            hub.close()
            for each in waiting:
                with pytest.raises(Closed):
                    await each
        with hub.look(TOPIC) as late:
            with pytest.raises(Closed):
                await late.next()
            assert late  # and leaving is allowed, too
        hub.glance()

    play(camera.url, story)


def test_who_waits_for_a_while_does_not_wait_beyond_the_end(camera: Camera) -> None:
    async def story(hub: Hub) -> None:
        await hub.wait(0.01)
        waiting = asyncio.create_task(hub.wait(1000))
        await asyncio.sleep(0)
        assert not waiting.done()
        hub.close()
        await waiting

    play(camera.url, story)


def test_what_came_before_the_end_is_still_given(camera: Camera) -> None:
    async def story(hub: Hub) -> None:
        with hub.look(TOPIC) as look:
            await subscribed(camera)
            await arrives(hub, camera, 1)
            hub.close()
            assert await number(look) == 1
            with pytest.raises(Closed):
                await look.next()

    play(camera.url, story)


def test_a_receiver_that_ends_by_itself_ends_the_looks(camera: Camera) -> None:
    receiver = receiving(camera.url)

    async def story(hub: Hub) -> None:
        with hub.look(TOPIC) as look:
            await subscribed(camera)
            waiting = asyncio.create_task(look.next())
            await asyncio.sleep(0)
            receiver.close()
            with pytest.raises(Closed):
                await asyncio.wait_for(waiting, DEADLINE_S)

    play(receiver, story)
