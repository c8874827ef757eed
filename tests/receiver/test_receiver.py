"""A receiver against real publishers: what it delivers, what it counts, and how it ends."""

import logging
import math
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from itertools import chain
from time import sleep
from typing import Any

import msgpack  # type: ignore[import-untyped]
import numpy as np
import pytest

from framewire.common import wire
from framewire.common.clock import NS
from framewire.common.config import DEFAULT_ENDPOINT, Limits
from framewire.common.errors import (
    Closed,
    EndpointError,
    ReceiveTimeout,
    TopicError,
    TransportError,
    UsageError,
)
from framewire.common.frame import Packet
from framewire.common.stats import Throttle
from framewire.common.testchart import read_number
from framewire.common.transport import RECEIVE_MARK, SEND_MARK_PER_TOPIC
from framewire.receiver import Receiver, TopicReceived, link
from framewire.receiver import receiver as module
from receiver.publishing import (
    BEGIN_NS,
    DEADLINE_S,
    Message,
    Station,
    free_port,
    packet,
    parts_of,
    picture,
    station_again,
    status,
    undecodable,
    until,
)

TOPIC = "lab/cam1"

Connect = Callable[..., Receiver]


@pytest.fixture
def connect(station: Station) -> Iterator[Connect]:
    """Opens a receiver of the station that is subscribed already; closes it at the end."""
    opened: list[Receiver] = []

    def open_one(**arguments: Any) -> Receiver:
        receiver = Receiver(station.url, **{"timeout": DEADLINE_S, **arguments})
        opened.append(receiver)
        station.wait_for_subscriptions(station.subscriptions + 1)
        return receiver

    yield open_one
    for receiver in opened:
        receiver.close()


class Clock:
    """A monotonic clock that stands still."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 1000 * NS
        monkeypatch.setattr(module, "monotonic_ns", lambda: self.now_ns)


def _of(receiver: Receiver, topic: str = TOPIC) -> TopicReceived:
    return receiver.stats.topics[topic]


def _taken(receiver: Receiver, received: int, skipped: int = 0) -> None:
    """Wait until so many frames came in, of which the last have found their place."""
    until(lambda: (receiver.stats.received, receiver.stats.skipped) == (received, skipped))


# -- the newest -----------------------------------------------------------------------------------


def test_a_slow_reader_gets_the_newest_frame(station: Station, connect: Connect) -> None:
    receiver = connect()
    station.send(*(packet(number) for number in range(50)))
    _taken(receiver, 50, skipped=49)
    frame = receiver.read()
    assert (frame.sequence, read_number(frame.image)) == (49, 49)
    station.send(packet(50), packet(51))
    _taken(receiver, 52, skipped=50)
    assert receiver.read_packet().sequence == 51
    figures = _of(receiver)
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
    _taken(receiver, 34, skipped=31)
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
        _taken(receiver, rounds * 6, skipped=rounds * 4)
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


def _ended(receiver: Receiver, station: Station, sequence: int) -> bool:
    """Whether the last word came; says it again, because a full queue does not get it."""
    station.look()
    station.offer(status(sequence, "ended"))
    return _of(receiver).state == "ended"


def test_a_full_queue_stops_reading_and_what_is_lost_meanwhile_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payload = picture(0)
    monkeypatch.setattr(module, "_QUEUE_BYTES", 3 * len(payload))
    arguments: dict[str, Any] = {"keep": "all", "timeout": DEADLINE_S}
    with Station("inproc://full") as station, Receiver(station.url, **arguments) as receiver:
        station.wait_for_subscriptions()
        for number in range(100):
            station.offer(packet(number, payload=payload))
        until(lambda: receiver.stats.received == 4)  # three in the queue, one in the hand
        with ThreadPoolExecutor(1) as threads:
            reader = threads.submit(lambda: [each.sequence for each in receiver.packets()])
            until(lambda: _ended(receiver, station, 100))
            received = receiver.stats.received
            until(lambda: receiver.stats.delivered == received)
            receiver.close()
            numbers = reader.result(DEADLINE_S)
        assert numbers[:4] == [0, 1, 2, 3]
        assert numbers == sorted(set(numbers))
        assert len(numbers) == received <= 4 + SEND_MARK_PER_TOPIC + RECEIVE_MARK
        assert receiver.stats.lost == 100 - received


def test_closing_frees_a_thread_that_waits_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_QUEUE_BYTES", 1)
    with Station("inproc://full") as station, Receiver(station.url, keep="all") as receiver:
        station.wait_for_subscriptions()
        station.send(packet(0), packet(1))
        until(lambda: receiver.stats.received == 2)
        receiver.close()  # the fixture finds what it leaves behind


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


# -- losses and restarts --------------------------------------------------------------------------


def _after(receiver: Receiver, station: Station, *messages: Message) -> TopicReceived:
    """The figures once these messages are counted; a status of another topic marks the end."""
    mark = f"mark{len(receiver.stats.topics)}"
    station.send(*messages, status(0, topic=mark))
    until(lambda: mark in receiver.stats.topics)
    return _of(receiver)


def test_gaps_are_losses(station: Station, connect: Connect) -> None:
    receiver = connect()
    assert _after(receiver, station, packet(5), packet(6), packet(9)).lost == 2
    assert _after(receiver, station, packet(8), packet(10)).lost == 2  # late is not lost twice
    assert _after(receiver, station, packet(20)).lost == 11
    assert receiver.stats.lost == 11


def test_a_last_status_reveals_what_was_lost_at_the_end(station: Station, connect: Connect) -> None:
    receiver = connect()
    figures = _after(receiver, station, packet(0), status(4, "ended", "the clip is over"))
    assert (figures.lost, figures.state, figures.reason) == (3, "ended", "the clip is over")


def test_a_first_status_sets_the_mark(station: Station, connect: Connect) -> None:
    receiver = connect()
    assert _after(receiver, station, status(3)).lost == 0
    assert _after(receiver, station, packet(5)).lost == 2
    assert receiver.stats.restarts == 0


def test_pictures_say_that_a_topic_lives(station: Station, connect: Connect) -> None:
    receiver = connect()
    figures = _after(receiver, station, packet(0), status(1, "no-signal", "unplugged"))
    assert (figures.state, figures.reason) == ("no-signal", "unplugged")
    figures = _after(receiver, station, packet(1))
    assert (figures.state, figures.reason) == ("live", "")


def test_a_sender_that_comes_back_on_its_port_is_one_restart() -> None:
    url = f"tcp://127.0.0.1:{free_port()}"
    with Receiver(url, keep="all", timeout=DEADLINE_S) as receiver:
        for run in ("first", "second"):
            with station_again(url) as station:
                station.wait_for_subscriptions()
                numbers = range(3) if run == "second" else range(7, 10)
                station.send(status(numbers[0], sender=run))
                station.send(*(packet(number, sender=run) for number in numbers))
                assert [receiver.read().sequence for _ in numbers] == list(numbers)
        assert (_of(receiver).restarts, receiver.stats.restarts) == (1, 1)
        assert (receiver.stats.received, receiver.stats.lost) == (6, 0)


def test_runs_of_a_replay_are_no_restarts(station: Station, connect: Connect) -> None:
    receiver = connect()
    for run in ("run-1", "run-2", "run-3"):
        figures = _after(receiver, station, *(packet(n, sender=run, replay=True) for n in range(3)))
    assert (figures.received, figures.lost, figures.restarts) == (9, 0, 0)


def test_a_status_of_a_replays_new_run_is_no_restart(station: Station, connect: Connect) -> None:
    receiver = connect()
    figures = _after(
        receiver,
        station,
        packet(0, sender="run-1", replay=True),
        status(0, sender="run-2"),
        packet(0, sender="run-2", replay=True),
    )
    assert figures.restarts == 0


def test_two_senders_of_one_topic_do_not_restart_with_every_frame(
    station: Station, connect: Connect
) -> None:
    receiver = connect(keep="all")
    with Station() as other, Receiver(station.url, other.url, keep="all") as both:
        station.wait_for_subscriptions(2)
        other.wait_for_subscriptions()
        for number in range(10):
            station.send(packet(number, sender="one"))
            other.send(packet(100 + number, sender="two"))
        until(lambda: both.stats.received == 20)
        figures = _of(both)
        assert (figures.lost, figures.restarts) == (0, 1)
        assert both.endpoints == (station.url, other.url)
    assert [receiver.read_packet().sequence for _ in range(10)] == list(range(10))


# -- what is no message ---------------------------------------------------------------------------


def _with_header(**changes: Any) -> list[bytes]:
    topic, header, payload = parts_of(packet(1))
    return [topic, msgpack.packb({**msgpack.unpackb(header), **changes}), payload]


GOOD = list(parts_of(packet(1)))
MALFORMED = {
    "one part": GOOD[:1],
    "two parts": GOOD[:2],
    "four parts": [*GOOD, b""],
    "two hundred parts": GOOD * 66 + GOOD[:2],
    "empty parts": [b"", b"", b""],
    "no closing slash": [b"lab/cam1", *GOOD[1:]],
    "a topic outside the grammar": [b"lab//cam1/", *GOOD[1:]],
    "a topic that is no text": [b"\xff\xfe/", *GOOD[1:]],
    "a long topic": [b"x" * 300 + b"/", *GOOD[1:]],
    "no msgpack": [GOOD[0], b"\xc1\xc1", GOOD[2]],
    "a cut header": [GOOD[0], GOOD[1][:-3], GOOD[2]],
    "a list for a header": [GOOD[0], msgpack.packb([1, 2]), GOOD[2]],
    "an empty map": [GOOD[0], msgpack.packb({}), GOOD[2]],
    "a deep header": [GOOD[0], b"\x91" * 5000, GOOD[2]],
    "a large header": [GOOD[0], msgpack.packb({"x": bytes(140_000)}), GOOD[2]],
    "another kind": _with_header(kind="advert"),
    "another type": _with_header(sequence="7"),
    "a negative number": _with_header(sequence=-1),
    "a later version": _with_header(version=2),
    "an unknown codec": _with_header(codec="av1"),
    "another size": _with_header(width=999),
    "more than a picture may have": _with_header(width=65535, height=65535),
    "a wrong checksum": _with_header(crc32=1),
    "a cut picture": [*GOOD[:2], GOOD[2][:-20]],
    "no picture": [*GOOD[:2], b""],
    "a flipped bit": [*GOOD[:2], GOOD[2][:400] + bytes((GOOD[2][400] ^ 1,)) + GOOD[2][401:]],
    "a status with a payload": [*wire.encode_status(status(1))[:2], b"x"],
    "deep metadata": _with_header(metadata={"a": [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}),
}


@pytest.mark.parametrize("parts", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_message_is_counted_and_the_stream_goes_on(
    station: Station, connect: Connect, caplog: pytest.LogCaptureFixture, parts: list[bytes]
) -> None:
    receiver = connect(keep="all")
    station.send(packet(0), parts, packet(1))
    assert [receiver.read().sequence for _ in range(2)] == [0, 1]
    assert receiver.stats.malformed == 1
    assert receiver.stats.received == 2
    assert set(receiver.stats.topics) == {TOPIC}
    assert "refused 1 message(s): " in caplog.text


def test_malformed_messages_are_logged_once_a_second(
    station: Station,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    receiver = connect()
    station.send(*[[b"rubbish"]] * 50)
    until(lambda: receiver.stats.malformed == 50)
    assert [record.getMessage() for record in caplog.records] == [
        "refused 1 message(s): a message of 1 parts instead of 3"
    ]
    clock.now_ns += NS
    station.send([b"rubbish"])
    until(lambda: len(caplog.records) == 2)
    assert caplog.records[1].getMessage().startswith("refused 50 message(s)")


def test_a_picture_that_does_not_decode_is_passed_over(
    station: Station, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = connect(keep="all")
    station.send(packet(0, payload=undecodable()), packet(1))
    assert receiver.read().sequence == 1
    stats = receiver.stats
    assert (stats.received, stats.delivered, stats.malformed, stats.lost) == (2, 1, 1, 0)
    assert "lab/cam1: a JPEG does not decode" in caplog.text
    station.send(packet(2, payload=undecodable()))
    assert receiver.read_packet().payload == undecodable()  # who does not decode does not mind


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


def test_after_close_there_is_nothing_to_read(station: Station, connect: Connect) -> None:
    receiver = connect()
    station.send(packet(0))
    assert receiver.read().sequence == 0
    receiver.close()
    receiver.close()
    with pytest.raises(Closed):
        receiver.read()
    with pytest.raises(Closed):
        receiver.read_packet(timeout=0)
    assert list(receiver) == []
    assert list(receiver.packets()) == []
    assert receiver.stats.delivered == 1  # the figures stay


@pytest.mark.parametrize("kind", ["frames", "packets"])
def test_closing_from_another_thread_ends_an_iteration(
    station: Station, connect: Connect, kind: str
) -> None:
    receiver = connect()
    began = threading.Event()

    def iterate() -> list[int]:
        numbers = []
        for item in receiver if kind == "frames" else receiver.packets():
            numbers.append(item.sequence)
            began.set()
        return numbers

    with ThreadPoolExecutor(1) as threads:
        numbers = threads.submit(iterate)
        station.send(packet(4))
        assert began.wait(DEADLINE_S)
        receiver.close()
        assert numbers.result(DEADLINE_S) == [4]


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
    station.send(encoded, encoded)
    first, second = receiver.read().image, receiver.read().image
    assert first.flags.writeable
    assert not np.shares_memory(first, second)
    before = second.copy()
    first[:] = 123
    np.testing.assert_array_equal(second, before)


def test_header_and_metadata_arrive_as_they_were(station: Station, connect: Connect) -> None:
    receiver = connect(keep="all")
    sent = packet(3, metadata={"gain": 4, "place": ["bench", {"x": 1.5, "raw": b"\0\xff"}]})
    station.send(sent, sent)
    frame, received = receiver.read(), receiver.read_packet()
    assert frame.header == received.header == sent.header
    assert frame.metadata == sent.metadata
    assert received.payload == sent.payload


# -- figures --------------------------------------------------------------------------------------


def test_ages_count_from_capture_and_for_a_replay_from_sending(
    station: Station, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "wall_ns", lambda: BEGIN_NS + 70_000_000)
    receiver = connect(keep="all")
    assert all(math.isnan(age) for age in receiver.stats.age_ms)
    station.send(packet(0), packet(0, captured_ns=1, sent_ns=BEGIN_NS, replay=True, sender="r"))
    frame = receiver.read()
    assert (frame.received_ns, frame.age_ms) == (BEGIN_NS + 70_000_000, 70.0)
    assert receiver.stats.age_ms == (70.0, 70.0)
    assert receiver.read_packet().age_ms == 70.0
    monkeypatch.setattr(module, "wall_ns", lambda: BEGIN_NS - 30_000_000)  # another machine's clock
    station.send(packet(0, "yard"))
    assert receiver.read_packet().age_ms == -30.0
    assert _of(receiver, "yard").age_ms == (-30.0, -30.0)
    assert _of(receiver).age_ms == (70.0, 70.0)
    assert receiver.stats.age_ms == (70.0, 70.0)  # of all three


def test_figures_over_time(
    station: Station, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    receiver = connect(keep="all")
    assert receiver.stats.topics == {}
    sizes = [len(picture(number)) for number in range(4)]
    for number in range(4):
        station.send(packet(number))
        _taken(receiver, number + 1)
        clock.now_ns += NS // 4
    figures = _of(receiver)
    assert figures.received_bytes == receiver.stats.received_bytes == sum(sizes)
    assert figures.fps == 2.0  # four in the last two seconds
    assert figures.bits_per_s == 4 * sum(sizes)
    assert figures.silent_s == 0.25
    assert math.isnan(figures.age_ms[0])
    clock.now_ns += 2 * NS
    figures = _of(receiver)
    assert (figures.fps, figures.bits_per_s, figures.silent_s) == (0, 0, 2.25)
    station.send(status(4))
    until(lambda: _of(receiver).silent_s == 0)  # a status is a sign of life


def test_a_snapshot_adds_up_and_does_not_change(station: Station, connect: Connect) -> None:
    receiver = connect(keep="all")
    station.send(packet(0, "a"), packet(2, "a"), packet(0, "b"), packet(0, "b", sender="new"))
    for _ in range(4):
        receiver.read_packet()
    stats = receiver.stats
    assert (stats.received, stats.delivered, stats.skipped) == (4, 4, 0)
    assert (stats.lost, stats.restarts, stats.malformed) == (1, 1, 0)
    assert stats.received_bytes == len(picture(2)) + 3 * len(picture(0))
    assert (stats.topics["a"].lost, stats.topics["b"].restarts) == (1, 1)
    with pytest.raises(FrozenInstanceError):
        stats.malformed = 1  # type: ignore[misc]
    station.send(packet(3, "a"))
    receiver.read_packet()
    assert stats.received == 4
    assert receiver.stats.received == 5


# -- addresses and life ---------------------------------------------------------------------------


def test_without_an_address_it_is_the_default_one() -> None:
    with Receiver() as receiver:
        assert receiver.endpoints == (DEFAULT_ENDPOINT,)


def test_a_receiver_may_bind_and_senders_connect() -> None:
    with Receiver(bind="tcp://127.0.0.1:*", timeout=DEADLINE_S) as receiver:
        (url,) = receiver.endpoints
        assert not url.endswith("*")
        for topic in ("one", "two"):
            with Station(connect=url) as station:
                station.wait_for_subscriptions()
                station.send(packet(0, topic))
                assert receiver.read().topic == topic


def test_it_does_not_bind_where_strangers_reach_it_unless_told_to() -> None:
    with pytest.raises(EndpointError, match="refusing to bind"):
        Receiver(bind="tcp://0.0.0.0:*")
    with Receiver(bind="tcp://0.0.0.0:*", insecure=True) as receiver:
        assert receiver.endpoints[0].startswith("tcp://0.0.0.0:")


def test_it_may_connect_and_bind_at_once(station: Station) -> None:
    bind = ["tcp://127.0.0.1:*", "inproc://in"]
    with Receiver(station.url, bind=bind, timeout=DEADLINE_S) as receiver:
        assert receiver.endpoints[1:] == ("inproc://in", station.url)
        with Station(connect="inproc://in") as near:
            for number, each in enumerate((near, station)):
                each.wait_for_subscriptions()
                each.send(packet(number, f"topic{number}"))
                assert receiver.read().sequence == number


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"keep": "latest"}, UsageError, "use 'newest' or 'all'"),
        ({"topics": "lab cam"}, TopicError, "bad topic"),
        ({"topics": ["lab", ""]}, TopicError, "bad topic"),
        ({"bind": "5555"}, EndpointError, "bad endpoint"),
    ],
)
def test_arguments_that_cannot_work(
    arguments: dict[str, Any], error: type[UsageError], words: str
) -> None:
    with pytest.raises(error, match=words):
        Receiver("tcp://127.0.0.1:5555", **arguments)


def test_an_address_in_use_leaves_nothing_open(station: Station) -> None:
    with pytest.raises(TransportError, match="another program has that address"):
        Receiver(bind=["tcp://127.0.0.1:*", station.url])


def test_closing_from_its_own_thread(
    station: Station, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = connect()
    monkeypatch.setattr(module._log, "warning", lambda *words: receiver.close())
    station.send([b"rubbish"])
    with pytest.raises(Closed):
        receiver.read()


def test_a_receiver_that_fails_says_so_and_ends(
    station: Station,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*arguments: object) -> None:
        raise MemoryError("no room")

    died: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: died.append(args.exc_type))
    monkeypatch.setattr(wire, "decode", fail)
    receiver = connect()
    station.send(packet(0))
    with caplog.at_level(logging.ERROR), pytest.raises(Closed):
        receiver.read()
    until(lambda: died == [MemoryError])
    assert "the receiver stopped" in caplog.text


def test_a_later_version_is_told_once(
    station: Station,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Throttle, "__call__", lambda throttle, now_ns: 1)  # never quiet
    receiver = connect()
    with caplog.at_level(logging.WARNING):
        station.send(*[_with_header(version=2)] * 5, *[GOOD[:2]] * 3, packet(0))
        assert receiver.read().sequence == 0
    assert receiver.stats.malformed == 8
    assert sum("version 2" in line for line in caplog.messages) == 1
    assert sum("2 parts" in line for line in caplog.messages) == 3


# -- sockets that have gone deaf ------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is a fault after half a second instead of three."""
    monkeypatch.setattr(link, "SILENCE_NS", NS // 2)


@pytest.mark.usefixtures("impatient")
def test_after_a_message_that_is_too_large_the_stream_goes_on(
    station: Station, connect: Connect
) -> None:
    receiver = connect(limits=Limits(payload_bytes=1 << 18), timeout=0.1)
    station.send(packet(0))
    assert receiver.read(DEADLINE_S).sequence == 0
    station.send([*GOOD[:2], bytes((1 << 18) + 1)])
    with station.streaming():
        assert receiver.read(DEADLINE_S).topic == TOPIC


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 100, b""])
def test_the_right_sender_is_found_where_another_service_was(answer: bytes) -> None:
    port = free_port()
    met = threading.Event()
    with socket.create_server(("127.0.0.1", port)) as service:

        def serve() -> None:
            peer, _ = service.accept()
            with peer:
                peer.sendall(answer)
                met.set()

        with ThreadPoolExecutor(1) as threads:
            threads.submit(serve)
            receiver = Receiver(f"tcp://127.0.0.1:{port}", timeout=DEADLINE_S)
            assert met.wait(DEADLINE_S)
    with receiver, station_again(f"tcp://127.0.0.1:{port}") as station, station.streaming():
        assert receiver.read().topic == TOPIC


def test_a_sender_that_speaks_now_and_then_is_not_cut_off(
    station: Station, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "SILENCE_NS", NS)
    receiver = connect(keep="all")
    for number in range(12):
        station.send(packet(number))
        assert receiver.read().sequence == number
        sleep(0.15)
    station.look()
    assert station.subscriptions == 1
    assert receiver.stats.lost == 0


@pytest.mark.usefixtures("impatient")
def test_what_waits_for_a_slow_caller_is_no_silence(
    station: Station, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_QUEUE_BYTES", 1)
    receiver = connect(keep="all")
    station.send(*(packet(number) for number in range(4)))
    sleep(1.2)  # the receiving thread stands before a full mailbox all the while
    assert [receiver.read().sequence for _ in range(4)] == [0, 1, 2, 3]
    station.look()
    assert station.subscriptions == 1
