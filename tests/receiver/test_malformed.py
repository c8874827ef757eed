"""What is no message: counted, told now and then, and no reason to stop."""

import logging
from typing import Any

import msgpack
import pytest

from framewire.common import wire
from framewire.common.clock import NS
from framewire.common.stats import Throttle
from receiver.publishing import (
    Station,
    packet,
    parts_of,
    status,
    undecodable,
    until,
)
from receiver.reading import TOPIC, Clock, Connect


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
