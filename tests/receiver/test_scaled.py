"""Frames that come small or gray: who scales, what stays as it was, what is a mistake."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from framewire.common.endpoint import parse_endpoint
from framewire.common.errors import UsageError
from framewire.common.transport import Pusher
from framewire.receiver import Receiver
from receiver.answering import Desk
from receiver.publishing import (
    DEADLINE_S,
    HEIGHT,
    WIDTH,
    Station,
    packet,
    parts_of,
    picture,
    status,
    undecodable,
    until,
)
from receiver.reading import Connect

HALF = (HEIGHT // 2, WIDTH // 2, 3)
SUB, ASK, PULL = (f"{pattern}tcp://127.0.0.1:9" for pattern in ("", "req-rep+", "push-pull+"))


@pytest.fixture
def desk(nothing_is_left: None) -> Iterator[Desk]:
    with Desk() as desk:
        yield desk


# -- decoded so -----------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", ["newest", "all"])
@pytest.mark.parametrize(
    ("asked", "shape"),
    [
        ({"scale": 1}, (HEIGHT, WIDTH, 3)),
        ({"scale": 1 / 2}, HALF),
        ({"scale": 1 / 4}, (HEIGHT // 4, WIDTH // 4, 3)),
        ({"scale": 1 / 8}, (HEIGHT // 8, WIDTH // 8, 3)),
        ({"gray": True}, (HEIGHT, WIDTH)),
        ({"scale": 1 / 2, "gray": True}, HALF[:2]),
    ],
)
def test_frames_come_small_and_gray(
    station: Station, connect: Connect, keep: str, asked: dict[str, Any], shape: tuple[int, ...]
) -> None:
    receiver = connect(keep=keep, **asked)
    sent = packet(7)
    station.send(sent)
    frame = receiver.read()
    assert frame.image.shape == shape
    assert frame.image.flags.writeable
    assert frame.header == sent.header  # with the size and the channels that were sent
    assert receiver.decode_scale == asked.get("scale", 1)


def test_packets_are_not_touched(station: Station, connect: Connect) -> None:
    receiver = connect(scale=1 / 4, gray=True)
    station.send(packet(7))
    assert receiver.read_packet().payload == picture(7)


def test_what_does_not_decode_is_passed_over(station: Station, connect: Connect) -> None:
    receiver = connect(keep="all", scale=1 / 2)
    station.send(packet(0, payload=undecodable()), packet(1))
    frame = receiver.read()
    assert (frame.sequence, frame.image.shape) == (1, HALF)
    assert receiver.stats.malformed == 1


def test_async_frames_come_small(station: Station, connect: Connect) -> None:
    receiver = connect(scale=1 / 2)

    async def first() -> tuple[int, ...]:
        async for frame in receiver:
            return frame.image.shape
        raise AssertionError("no frame")

    station.send(packet(0))
    assert asyncio.run(first()) == HALF


def test_a_workers_frames_come_small(nothing_is_left: None) -> None:
    place = parse_endpoint("push-pull+inproc://small", bind=True)
    with (
        closing(Pusher([place], [])) as pusher,
        Receiver(pusher.endpoints[0], timeout=DEADLINE_S, scale=1 / 2) as worker,
    ):
        until(lambda: pusher.send(parts_of(packet(0))))
        assert worker.read().image.shape == HALF


# -- asked for ------------------------------------------------------------------------------------


def _answer(desk: Desk) -> float | None:
    """Give a frame of full size to who asks; what scale was asked for."""
    ping = desk.next()
    desk.answer(ping, status(0))
    asked = desk.next()
    desk.answer(asked, packet(0))
    return asked.request.scale


@pytest.mark.parametrize("scale", [0.5, 0.3])
def test_who_is_asked_for_it_is_believed(desk: Desk, scale: float) -> None:
    """The sender scales: the picture is not made smaller again, whatever its size."""
    with Receiver(desk.url, credits=1, timeout=DEADLINE_S, scale=scale, gray=True) as receiver:
        assert _answer(desk) == scale
        assert receiver.read().image.shape == (HEIGHT, WIDTH)  # gray is left to the decoder
        assert receiver.decode_scale == 1


def test_all_frames_are_asked_for_as_they_are(desk: Desk) -> None:
    with Receiver(desk.url, credits=1, timeout=DEADLINE_S, scale=1 / 2, keep="all") as receiver:
        assert _answer(desk) is None
        assert receiver.read().image.shape == HALF


def test_where_only_some_can_be_asked_nobody_is(desk: Desk, station: Station) -> None:
    """So every frame is of the same scale, wherever it came from."""
    urls = (desk.url, station.url)
    with Receiver(*urls, credits=1, timeout=DEADLINE_S, scale=1 / 2) as receiver:
        station.wait_for_subscriptions()
        assert _answer(desk) is None
        station.send(packet(1, "yard"))
        frames = [receiver.read() for _ in range(2)]
    assert {frame.topic for frame in frames} == {"lab/cam1", "yard"}
    assert [frame.image.shape for frame in frames] == [HALF, HALF]


# -- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoints", "keep"),
    [((SUB,), "newest"), ((PULL,), "newest"), ((ASK,), "all"), ((SUB, ASK), "newest"), ((), "all")],
)
@pytest.mark.parametrize("scale", [0.3, 3 / 8, 1 / 16])
def test_scales_that_no_decoder_knows(endpoints: tuple[str, ...], keep: Any, scale: float) -> None:
    with pytest.raises(UsageError, match="use 1/2, 1/4 or 1/8"):
        Receiver(*endpoints, keep=keep, scale=scale)


@pytest.mark.parametrize("endpoint", [SUB, ASK, PULL])
@pytest.mark.parametrize("scale", [0, 1.5, -0.5, float("nan")])
def test_scales_that_nobody_knows(endpoint: str, scale: float) -> None:
    with pytest.raises(UsageError, match="scale"):
        Receiver(endpoint, scale=scale)
