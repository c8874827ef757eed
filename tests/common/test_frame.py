"""The nouns: their limits, their defaults, and what they pass through."""

from typing import Any

import msgspec
import numpy as np
import pytest

from framewire.common.frame import MAX_HOPS, VERSION, Frame, Header, Packet, Status

HEADER: dict[str, Any] = {
    "kind": "frame",
    "sender": "0123456789abcdef",
    "sequence": 7,
    "captured_ns": 1_000_000_000,
    "sent_ns": 1_004_000_000,
    "width": 4,
    "height": 2,
    "channels": 3,
    "codec": "raw",
}
STATUS: dict[str, Any] = {
    "kind": "status",
    "sender": "0123456789abcdef",
    "sequence": 7,
    "sent_ns": 1,
    "state": "live",
}
UINT = (0, 2**63 - 1)


def _required(kind: type[Header] | type[Status]) -> set[str]:
    return {field.name for field in msgspec.structs.fields(kind) if field.required}


def test_required_fields() -> None:
    assert _required(Header) | {"kind"} == set(HEADER)
    assert _required(Status) | {"kind"} == set(STATUS)


@pytest.mark.parametrize("name", sorted(set(HEADER) - {"kind"}))
def test_a_header_without_a_required_field(name: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=name):
        msgspec.convert({k: v for k, v in HEADER.items() if k != name}, Header)


def test_defaults() -> None:
    header = msgspec.convert(HEADER, Header)
    assert (header.version, header.topic, header.replay, header.metadata) == (1, "", False, {})
    assert header.dropped == header.monotonic_ns == header.encode_us == 0
    assert header.quality == header.crc32 == header.hops == 0
    status = msgspec.convert(STATUS, Status)
    assert (status.version, status.topic, status.dropped, status.reason) == (1, "", 0, "")
    assert status.hops == 0


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("version", 1, VERSION),
        ("sequence", *UINT),
        ("dropped", *UINT),
        ("captured_ns", *UINT),
        ("monotonic_ns", *UINT),
        ("sent_ns", *UINT),
        ("encode_us", *UINT),
        ("width", 1, 65535),
        ("height", 1, 65535),
        ("quality", 0, 100),
        ("crc32", 0, 2**32 - 1),
        ("hops", 0, 255),
    ],
)
def test_numbers_at_their_limits(name: str, low: int, high: int) -> None:
    for value in (low, high):
        assert getattr(msgspec.convert({**HEADER, name: value}, Header), name) == value
    for value in (low - 1, high + 1):
        with pytest.raises(msgspec.ValidationError, match=name):
            msgspec.convert({**HEADER, name: value}, Header)


@pytest.mark.parametrize(
    ("name", "value"),
    [("channels", 2), ("channels", 4), ("codec", "h264"), ("sender", "x" * 65), ("replay", 1)],
)
def test_other_values_are_refused(name: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError, match=name):
        msgspec.convert({**HEADER, name: value}, Header)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("sender", "x" * 64, "x" * 65),
        ("reason", "x" * 1024, "x" * 1025),
        ("state", "no-signal", "asleep"),
        ("state", "ended", ""),
        ("sequence", 0, -1),
        ("hops", 255, 256),
    ],
)
def test_limits_of_a_status(name: str, good: object, bad: object) -> None:
    assert getattr(msgspec.convert({**STATUS, name: good}, Status), name) == good
    with pytest.raises(msgspec.ValidationError, match=name):
        msgspec.convert({**STATUS, name: bad}, Status)


def test_a_circle_of_relays_ends_long_before_its_count_does() -> None:
    assert msgspec.convert({**HEADER, "hops": 4 * MAX_HOPS}, Header).hops == 32


def _header(**changes: Any) -> Header:
    return msgspec.convert({**HEADER, "topic": "lab/cam1", **changes}, Header)


def test_age_counts_from_capture_or_for_a_replay_from_sending() -> None:
    assert _header().age_ms(1_010_500_000) == 10.5
    assert _header(replay=True).age_ms(1_010_500_000) == 6.5
    assert _header().age_ms(999_000_000) == -1.0  # the other clock is ahead


def test_nobody_changes_a_header_by_accident() -> None:
    with pytest.raises(AttributeError):
        _header().sequence = 8  # type: ignore[misc]


def test_default_metadata_is_not_shared() -> None:
    first, second = _header(), _header()
    first.metadata["x"] = 1
    assert second.metadata == {}


def test_packet_and_frame_show_their_header() -> None:
    header = _header(metadata={"gain": 4})
    packet = Packet(header, b"pixels", received_ns=1_010_500_000)
    frame = Frame(np.zeros((2, 4, 3), np.uint8), header, received_ns=1_010_500_000)
    for each in (packet, frame):
        assert (each.topic, each.sequence, each.metadata) == ("lab/cam1", 7, {"gain": 4})
        assert each.age_ms == 10.5


def test_packets_are_values_and_frames_are_not() -> None:
    header, image = _header(), np.zeros((2, 4, 3), np.uint8)
    assert Packet(header, b"x") == Packet(_header(), b"x")
    frame = Frame(image, header)
    assert frame == frame  # noqa: PLR0124
    assert frame != Frame(image, header)  # comparing arrays would be no truth value
