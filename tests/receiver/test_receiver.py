"""A receiver against real publishers: what it delivers, of which topics, and to whom."""

from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import msgspec
import numpy as np
import pytest

from framewire.common.config import Limits
from framewire.common.errors import (
    ReceiveTimeout,
)
from framewire.common.frame import Packet
from framewire.common.testchart import read_number
from framewire.receiver import Receiver
from receiver.publishing import (
    DEADLINE_S,
    Station,
    packet,
    picture,
    status,
    until,
)
from receiver.reading import Connect, books_of, until_taken

# -- the newest -----------------------------------------------------------------------------------


def test_a_slow_reader_gets_the_newest_frame(station: Station, connect: Connect) -> None:
    receiver = connect()
    station.send(*(packet(number) for number in range(50)))
    until_taken(receiver, 50, skipped=49)
    frame = receiver.read()
    assert (frame.sequence, read_number(frame.image)) == (49, 49)
    station.send(packet(50), packet(51))
    until_taken(receiver, 52, skipped=50)
    assert receiver.read_packet().sequence == 51
    figures = books_of(receiver)
    assert (figures.received, figures.delivered, figures.skipped) == (52, 2, 50)
    assert (figures.lost, receiver.stats.malformed) == (0, 0)
    with pytest.raises(ReceiveTimeout):
        receiver.read(timeout=0)


def test_each_topic_has_its_own_newest_frame_and_its_turn(
    station: Station, connect: Connect
) -> None:
    receiver = connect()
    for number in range(30):
        station.send(packet(number, "busy"))
        if number % 10 == 0:
            station.send(packet(number, "calm"))
        if number == 5:
            station.send(packet(0, "rare"))
    until_taken(receiver, 34, skipped=31)
    taken = [receiver.read_packet() for _ in range(3)]
    assert [(each.topic, each.sequence) for each in taken] == [
        ("busy", 29),
        ("calm", 20),
        ("rare", 0),
    ]
    assert receiver.stats.topics["busy"].skipped == 29
    assert receiver.stats.topics["calm"].skipped == 2
    assert receiver.stats.topics["rare"].skipped == 0


def test_a_busy_topic_starves_no_other(station: Station, connect: Connect) -> None:
    receiver = connect()
    for rounds in range(1, 6):
        station.send(*(packet(number, "busy") for number in range(rounds * 5, rounds * 5 + 5)))
        station.send(packet(rounds, "calm"))
        until_taken(receiver, rounds * 6, skipped=rounds * 4)
        assert {receiver.read_packet().topic for _ in range(2)} == {"busy", "calm"}


def test_received_is_delivered_and_skipped_and_waiting(station: Station, connect: Connect) -> None:
    receiver = connect()
    for number in range(40):
        station.send(packet(number, "a"), packet(number, "b"))
        if number % 7 == 3:
            receiver.read_packet()
    until(lambda: receiver.stats.received == 80)
    waiting = 0
    while True:
        try:
            receiver.read_packet(timeout=0)
        except ReceiveTimeout:
            break
        waiting += 1
    assert waiting in (1, 2)
    for figures in receiver.stats.topics.values():
        assert figures.received == 40 == figures.delivered + figures.skipped


# -- all ------------------------------------------------------------------------------------------


def test_all_means_every_frame_in_its_order(station: Station, connect: Connect) -> None:
    receiver = connect(keep="all")
    for number in range(200):
        station.send(packet(number, "a", picture(number % 9)))
        if number % 2:
            station.send(packet(number // 2, "b", picture(3)))
    taken = [receiver.read_packet() for _ in range(300)]
    for topic, count in (("a", 200), ("b", 100)):
        numbers = [each.sequence for each in taken if each.topic == topic]
        assert numbers == list(range(count))
    assert [each.topic for each in taken[:6]] == ["a", "a", "b", "a", "a", "b"]
    stats = receiver.stats
    assert (stats.received, stats.delivered, stats.skipped, stats.lost) == (300, 300, 0, 0)


# -- topics ---------------------------------------------------------------------------------------

SENT = ["lab", "lab/cam1", "lab/cam1/left", "lab/cam10", "lab2", "yard", "lab/cam"]


@pytest.mark.parametrize(
    ("topics", "expected"),
    [
        ((), set(SENT)),
        ("lab/cam1", {"lab/cam1", "lab/cam1/left"}),
        ("lab/cam1/", {"lab/cam1", "lab/cam1/left"}),
        ("lab", {"lab", "lab/cam1", "lab/cam1/left", "lab/cam10", "lab/cam"}),
        (["yard", "lab2"], {"yard", "lab2"}),
        (["lab", "lab/cam1"], {"lab", "lab/cam1", "lab/cam1/left", "lab/cam10", "lab/cam"}),
    ],
)
def test_a_topic_and_what_is_below_it(
    station: Station, topics: str | list[str], expected: set[str]
) -> None:
    count = len(topics) if isinstance(topics, list) else 1
    with Receiver(station.url, topics=topics, keep="all", timeout=DEADLINE_S) as receiver:
        station.wait_for_subscriptions(count)
        station.send(*(packet(0, topic) for topic in SENT))
        last = "yard" if "yard" in expected else "lab/cam" if "lab" in expected else "lab/cam1"
        station.send(packet(1, last))
        taken = [receiver.read_packet() for _ in range(len(expected) + 1)]
        assert (taken[-1].topic, taken[-1].sequence) == (last, 1)
        assert {each.topic for each in taken} == expected == set(receiver.stats.topics)


def test_more_topics_than_the_limit_are_refused(
    station: Station, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = connect(keep="all", limits=Limits(topics=2))
    station.send(*(packet(number, topic) for number, topic in enumerate("abca")))
    station.send(status(5, topic="d"), packet(9, "b"))
    assert [receiver.read_packet().topic for _ in range(4)] == ["a", "b", "a", "b"]
    assert set(receiver.stats.topics) == {"a", "b"}
    assert receiver.stats.malformed == 2
    assert "more than 2 topics: c is refused" in caplog.text


# -- reading --------------------------------------------------------------------------------------


def test_read_gives_up_when_its_time_is_over(station: Station) -> None:
    with Receiver(station.url, timeout=0.01) as receiver:
        with pytest.raises(ReceiveTimeout, match=rf"^no frame in 0\.01 s from {station.url}: is a"):
            receiver.read()
        with pytest.raises(ReceiveTimeout, match=r"no frame in 0\.02 s"):
            receiver.read_packet(0.02)
        with pytest.raises(TimeoutError):  # Python's own, too
            receiver.read(timeout=0)
        with pytest.raises(ReceiveTimeout):
            next(iter(receiver))


def test_several_readers_share_the_frames(station: Station, connect: Connect) -> None:
    receiver = connect(keep="all")

    def iterate() -> list[int]:
        return [each.sequence for each in receiver.packets()]

    with ThreadPoolExecutor(3) as threads:
        readers = [threads.submit(iterate) for _ in range(3)]
        station.send(*(packet(number, payload=picture(number % 5)) for number in range(200)))
        until(lambda: receiver.stats.delivered == 200)
        receiver.close()
        shares = [reader.result(DEADLINE_S) for reader in readers]
    assert sorted(chain(*shares)) == list(range(200))
    assert all(share == sorted(share) for share in shares)


@pytest.mark.parametrize(
    "encoded",
    [
        packet(0),
        packet(0, payload=picture(0, gray=True), channels=1),
        packet(0, payload=bytes(160 * 96 * 3), codec="raw"),
        packet(0, payload=bytes(160 * 96), codec="raw", channels=1),
    ],
    ids=["jpeg", "gray jpeg", "raw", "gray raw"],
)
def test_the_array_of_a_frame_is_the_readers_own(
    station: Station, connect: Connect, encoded: Packet
) -> None:
    receiver = connect(keep="all")
    again = Packet(msgspec.structs.replace(encoded.header, sequence=1), encoded.payload)
    station.send(encoded, again)
    first, second = receiver.read().image, receiver.read().image
    assert first.flags.writeable
    assert not np.shares_memory(first, second)
    before = second.copy()
    first[:] = 123
    np.testing.assert_array_equal(second, before)


def test_header_and_metadata_arrive_as_they_were(station: Station, connect: Connect) -> None:
    receiver = connect(keep="all")
    metadata = {"gain": 4, "place": ["bench", {"x": 1.5, "raw": b"\0\xff"}]}
    first, second = packet(3, metadata=metadata), packet(4, metadata=metadata)
    station.send(first, second)
    frame, received = receiver.read(), receiver.read_packet()
    assert (frame.header, received.header) == (first.header, second.header)
    assert frame.metadata == received.metadata == metadata
    assert received.payload == second.payload
