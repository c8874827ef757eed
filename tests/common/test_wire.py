"""The decoder against anything that can arrive, and the encoder against the decoder.

Hostile headers are built with `msgpack`, which is another implementation than the one under test.
"""

import contextlib
import itertools
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from time import struct_time
from typing import Any

import msgpack
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common import jpeg, wire
from framewire.common.config import DEFAULT_LIMITS, Limits
from framewire.common.errors import MetadataError, ProtocolError, VersionError
from framewire.common.frame import Header, Packet, Status

RAW = bytes(range(24))
JPEG = jpeg.encode(np.random.default_rng(5).integers(0, 256, (12, 20, 3), np.uint8), 60)
GRAY = jpeg.encode(np.full((9, 7), 99, np.uint8), 60)

FIELDS: dict[str, Any] = {
    "kind": "frame",
    "version": 1,
    "sender": "0123456789abcdef",
    "sequence": 7,
    "captured_ns": 1_700_000_000_000_000_000,
    "sent_ns": 1_700_000_000_004_000_000,
    "width": 4,
    "height": 2,
    "channels": 3,
    "codec": "raw",
}
STATUS: dict[str, Any] = {
    "kind": "status",
    "sender": "0123456789abcdef",
    "sequence": 8,
    "sent_ns": 1_700_000_000_004_000_000,
    "state": "no-signal",
    "reason": "unplugged",
}


def _message(payload: bytes = RAW, **changes: Any) -> tuple[bytes, bytes, bytes]:
    fields = {**FIELDS, "crc32": zlib.crc32(payload), **changes}
    return b"lab/cam1/", msgpack.packb(fields), payload


def _status(**changes: Any) -> tuple[bytes, bytes, bytes]:
    return b"lab/cam1/", msgpack.packb({**STATUS, **changes}), b""


def _with_metadata(encoded: bytes) -> tuple[bytes, bytes, bytes]:
    """A message whose metadata are these bytes, whatever they are."""
    topic, header, payload = _message()
    assert header[0] & 0xF0 == 0x80  # a map of fewer than 16 keys
    key = msgpack.packb("metadata")
    return topic, bytes((header[0] + 1,)) + header[1:] + key + encoded, payload


def _frame(parts: Sequence[bytes], limits: Limits = DEFAULT_LIMITS) -> Packet:
    packet = wire.decode(parts, limits)
    assert isinstance(packet, Packet)
    return packet


def _value_or_error(parts: Sequence[bytes], limits: Limits = DEFAULT_LIMITS) -> bool:
    """Whether these bytes are a message; any exception but ProtocolError fails the test."""
    try:
        assert isinstance(wire.decode(parts, limits), Packet | Status)
    except ProtocolError:
        return False
    return True


MESSAGES = [
    _message(),
    _message(metadata={"gain": 4, "place": ["bench", {"x": 1.5}]}, replay=True, dropped=3),
    _message(JPEG, width=20, height=12, codec="jpeg", quality=60),
    _message(GRAY, width=7, height=9, channels=1, codec="jpeg"),
    _status(),
]
EACH_MESSAGE = pytest.mark.parametrize("parts", MESSAGES)


# -- round trips --------------------------------------------------------------------------------

uints = st.integers(0, 2**63 - 1)
topics = st.from_regex(r"\A[A-Za-z0-9._-]{1,9}(/[A-Za-z0-9._-]{1,9}){0,3}\Z").filter(
    lambda topic: not {".", ".."} & set(topic.split("/"))
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.binary(max_size=20)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)
metadata = st.dictionaries(st.text(max_size=8), values, max_size=4)


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    width, height = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    channels = draw(st.sampled_from([1, 3]))
    payload = draw(
        st.binary(min_size=width * height * channels, max_size=width * height * channels)
    )
    header = Header(
        topic=draw(topics),
        sender=draw(st.text(max_size=64)),
        sequence=draw(uints),
        dropped=draw(uints),
        captured_ns=draw(uints),
        monotonic_ns=draw(uints),
        sent_ns=draw(uints),
        replay=draw(st.booleans()),
        encode_us=draw(uints),
        width=width,
        height=height,
        channels=channels,  # type: ignore[arg-type]
        codec="raw",
        quality=draw(st.integers(0, 100)),
        crc32=wire.checksum(payload),
        metadata=draw(metadata),
        hops=draw(st.integers(0, 255)),
    )
    return Packet(header, payload)


statuses = st.builds(
    Status,
    topic=topics,
    sender=st.text(max_size=64),
    sequence=uints,
    dropped=uints,
    sent_ns=uints,
    state=st.sampled_from(["live", "no-signal", "ended"]),
    reason=st.text(max_size=100),
    hops=st.integers(0, 255),
)


@given(packets())
def test_a_packet_round_trips(packet: Packet) -> None:
    parts = wire.encode(packet)
    assert parts[0] == packet.topic.encode() + b"/"
    assert wire.decode(parts) == packet


@given(statuses)
def test_a_status_round_trips(status: Status) -> None:
    assert wire.decode(wire.encode_status(status)) == status


@given(packets())
def test_a_recorded_header_round_trips_with_its_topic(packet: Packet) -> None:
    data = wire.encode_header(packet.header, with_topic=True)
    assert wire.decode_header(data) == packet.header


@given(packets(), statuses)
def test_another_implementation_reads_every_key(packet: Packet, status: Status) -> None:
    _, header, _ = wire.encode(packet)
    fields = msgpack.unpackb(header)
    assert "topic" not in fields
    assert fields.pop("kind") == "frame"
    assert {"hops": 0, **fields, "topic": packet.topic} == msgspec.structs.asdict(packet.header)
    fields = msgpack.unpackb(wire.encode_status(status)[1])
    assert "topic" not in fields
    assert fields.pop("kind") == "status"
    assert {"hops": 0, **fields, "topic": status.topic} == msgspec.structs.asdict(status)


@EACH_MESSAGE
def test_messages_of_another_implementation(parts: tuple[bytes, bytes, bytes]) -> None:
    message = wire.decode(parts)
    assert message.topic == "lab/cam1"
    again = wire.encode(message) if isinstance(message, Packet) else wire.encode_status(message)
    assert wire.decode(again) == message


@given(packets(), statuses)
def test_hops_are_written_where_there_are_any(packet: Packet, status: Status) -> None:
    for message, header in (
        (packet.header, wire.encode(packet)[1]),
        (packet.header, wire.encode_header(packet.header, with_topic=True)),
        (status, wire.encode_status(status)[1]),
    ):
        assert msgpack.unpackb(header).get("hops") == (message.hops or None)


def test_part_one_names_the_topic_whatever_the_header_says() -> None:
    assert _frame(_message(topic="other")).topic == "lab/cam1"


def test_checksum_is_the_crc_of_zlib() -> None:
    assert wire.checksum(b"123456789") == 0xCBF43926  # the check value of CRC-32/ISO-HDLC


# -- answers ------------------------------------------------------------------------------------


@given(packets() | statuses, st.none() | uints, uints)
def test_an_answer_is_a_message_with_two_more_keys(
    message: Packet | Status, request: int | None, waited_us: int
) -> None:
    parts = wire.encode_answer(message, request, waited_us)
    assert wire.decode(parts) == message
    assert wire.decode_answer(parts[1]) == wire.Answer(request=request, waited_us=waited_us)
    plain = wire.encode(message) if isinstance(message, Packet) else wire.encode_status(message)
    more = {"waited_us": waited_us} | ({} if request is None else {"request": request})
    assert msgpack.unpackb(parts[1]) == {**msgpack.unpackb(plain[1]), **more}
    assert (parts[0], parts[2]) == (plain[0], plain[2])


def test_recordings_do_not_hold_what_an_answer_says_of_its_request() -> None:
    parts = wire.encode_answer(_frame(_message()), 7, 1500)
    recorded = wire.encode_header(_frame(parts).header, with_topic=True)
    assert not {"request", "waited_us"} & set(msgpack.unpackb(recorded))


@EACH_MESSAGE
def test_a_message_that_answers_no_request_says_nothing_of_one(
    parts: tuple[bytes, bytes, bytes],
) -> None:
    assert wire.decode_answer(parts[1]) == wire.Answer()


@pytest.mark.parametrize("key", ["request", "waited_us"])
@pytest.mark.parametrize("value", [-1, 2**63, 1.0, True, "7", b"7", [], {}])
def test_an_answer_of_nonsense(key: str, value: Any) -> None:
    parts = _message(**{key: value})
    assert _value_or_error(parts)  # as a message it is one: the key is unknown there
    with pytest.raises(ProtocolError, match=rf"cannot be read: .*{key}"):
        wire.decode_answer(parts[1])


@given(st.binary(max_size=300))
def test_any_answer(header: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert isinstance(wire.decode_answer(header), wire.Answer)


@pytest.mark.parametrize("opening", [b"\x91", b"\x81\xa1a"])
def test_an_answer_nested_thousands_deep(opening: bytes) -> None:
    for key in (b"\xa7request", b"\xa1z"):
        with contextlib.suppress(ProtocolError):
            wire.decode_answer(b"\x81" + key + opening * 100_000 + b"\xc0")


def test_an_answer_of_a_later_version() -> None:
    with pytest.raises(VersionError, match="update this side"):
        wire.decode_answer(msgpack.packb({"version": 2, "request": "?"}))


# -- any bytes ----------------------------------------------------------------------------------


@given(st.lists(st.binary(), max_size=5))
def test_any_parts(parts: list[bytes]) -> None:
    _value_or_error(parts)


@given(st.binary(max_size=300))
def test_any_header(header: bytes) -> None:
    _value_or_error((b"lab/", header, RAW))


@given(st.sampled_from(MESSAGES), st.data())
def test_any_damage_to_a_header(parts: tuple[bytes, bytes, bytes], data: st.DataObject) -> None:
    topic, header, payload = parts
    start = data.draw(st.integers(0, len(header)))
    end = data.draw(st.integers(start, len(header)))
    _value_or_error((topic, header[:start] + data.draw(st.binary()) + header[end:], payload))


anything = st.recursive(
    scalars | st.datetimes(timezones=st.timezones()).map(msgpack.Timestamp.from_datetime),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(scalars, inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(["frame", "status"]), st.data())
def test_any_values_under_known_keys(kind: str, data: st.DataObject) -> None:
    fields = {**FIELDS, **STATUS, "metadata": {}, "crc32": zlib.crc32(RAW), "kind": kind}
    changes = data.draw(st.dictionaries(st.sampled_from(sorted(fields)), anything, max_size=3))
    header = msgpack.packb({**fields, **changes})
    _value_or_error((b"lab/", header, RAW))
    _value_or_error((b"lab/", header, b""))


@given(st.binary(max_size=200))
def test_any_recorded_header(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert isinstance(wire.decode_header(data), Header)


@EACH_MESSAGE
def test_truncated_at_every_length(parts: tuple[bytes, bytes, bytes]) -> None:
    topic, header, payload = parts
    assert _value_or_error(parts)
    for length in range(len(topic)):
        assert _value_or_error((topic[:length], header, payload)) == (topic[:length] == b"lab/")
    for length in range(len(header)):
        assert not _value_or_error((topic, header[:length], payload))
    for length in range(len(payload)):
        assert not _value_or_error((topic, header, payload[:length]))
    for extra in (b"\0", b"\xff\xd9"):
        assert not _value_or_error((topic, header + extra, payload))
        assert not _value_or_error((topic, header, payload + extra))


def _flipped(part: bytes, bit: int) -> bytes:
    changed = bytearray(part)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@EACH_MESSAGE
def test_every_single_bit_flipped(parts: tuple[bytes, bytes, bytes]) -> None:
    topic, header, payload = parts
    for bit in range(8 * len(topic)):
        _value_or_error((_flipped(topic, bit), header, payload))
    for bit in range(8 * len(header)):
        _value_or_error((topic, _flipped(header, bit), payload))
    for bit in range(8 * len(payload)):
        assert not _value_or_error((topic, header, _flipped(payload, bit)))


# -- topic --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "topic", [b"", b"/", b"lab", b"//", b"/lab/", b"lab//cam/", b"lab\n/", b"lab/\n", b"k\xc3\xa4/"]
)
def test_topics_outside_the_grammar(topic: bytes) -> None:
    with pytest.raises(ProtocolError, match="topic"):
        wire.decode((topic, *_message()[1:]))


def test_a_topic_that_ends_in_two_slashes() -> None:
    with pytest.raises(ProtocolError, match="topic"):
        wire.decode((b"lab//", *_message()[1:]))


def test_a_recorded_topic_has_no_closing_slash() -> None:
    header = msgpack.packb({**FIELDS, "topic": "lab/"})
    with contextlib.suppress(ProtocolError):
        assert wire.decode_header(header).topic == "lab"


# -- limits -------------------------------------------------------------------------------------


def test_the_number_of_parts() -> None:
    for count in (0, 1, 2, 4, 5, 1000):
        with pytest.raises(ProtocolError, match=f"a message of {count} parts instead of 3"):
            wire.decode([b"lab/"] * count)


def test_the_topic_limit() -> None:
    topic = b"x" * 254 + b"/"
    assert _frame((topic, *_message()[1:])).topic == "x" * 254
    with pytest.raises(ProtocolError, match="a topic of 256 bytes is above the limit of 255"):
        wire.decode((b"x" + topic, *_message()[1:]))


def test_the_header_limit() -> None:
    padding = 128 * 1024 - len(_message(unknown=bytes(70_000))[1]) + 70_000
    parts = _message(unknown=bytes(padding))
    assert len(parts[1]) == DEFAULT_LIMITS.header_bytes
    assert _value_or_error(parts)
    with pytest.raises(ProtocolError, match="a header of 131073 bytes is above"):
        wire.decode(_message(unknown=bytes(padding + 1)))


def test_the_header_limit_of_recordings() -> None:
    data = wire.encode_header(_frame(_message()).header, with_topic=True)
    limits = replace(DEFAULT_LIMITS, header_bytes=len(data))
    assert wire.decode_header(data, limits).topic == "lab/cam1"
    with pytest.raises(ProtocolError, match=f"a header of {len(data)} bytes is above"):
        wire.decode_header(data, replace(limits, header_bytes=len(data) - 1))


def test_the_payload_limit() -> None:
    assert _value_or_error(_message(), replace(DEFAULT_LIMITS, payload_bytes=24))
    with pytest.raises(ProtocolError, match="a payload of 24 bytes is above the limit of 23"):
        wire.decode(_message(), replace(DEFAULT_LIMITS, payload_bytes=23))


@pytest.mark.parametrize(
    "parts", [_message(), _message(JPEG, width=20, height=12, codec="jpeg", quality=60)]
)
def test_the_pixel_limit(parts: tuple[bytes, bytes, bytes]) -> None:
    header = _frame(parts).header
    pixels = header.width * header.height
    assert _value_or_error(parts, replace(DEFAULT_LIMITS, picture_pixels=pixels))
    with pytest.raises(ProtocolError, match="is above the limit"):
        wire.decode(parts, replace(DEFAULT_LIMITS, picture_pixels=pixels - 1))


def test_the_pixel_limit_holds_for_what_the_jpeg_itself_says() -> None:
    parts = _message(JPEG, width=1, height=1, codec="jpeg")
    with pytest.raises(ProtocolError, match="20x12 is above 239 pixels"):
        wire.decode(parts, replace(DEFAULT_LIMITS, picture_pixels=239))


# -- header -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", sorted(set(FIELDS) - {"version"}))
def test_a_frame_without_a_required_key(key: str) -> None:
    fields = {k: v for k, v in FIELDS.items() if k != key}
    with pytest.raises(ProtocolError, match="cannot be read"):
        wire.decode((b"lab/", msgpack.packb({**fields, "crc32": zlib.crc32(RAW)}), RAW))


@pytest.mark.parametrize("key", ["kind", "sender", "sequence", "sent_ns", "state"])
def test_a_status_without_a_required_key(key: str) -> None:
    fields = {k: v for k, v in STATUS.items() if k != key}
    with pytest.raises(ProtocolError, match="cannot be read"):
        wire.decode((b"lab/", msgpack.packb(fields), b""))


def test_a_frame_without_its_checksum_is_taken_for_damaged() -> None:
    with pytest.raises(ProtocolError, match="CRC-32"):
        wire.decode((b"lab/", msgpack.packb(FIELDS), RAW))


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "audio"},
        {"kind": 1},
        {"kind": b"frame"},
        {"version": 0},
        {"version": True},
        {"version": "1"},
        {"sequence": -1},
        {"sequence": 2**63},
        {"sequence": 1.0},
        {"sequence": None},
        {"width": 0},
        {"height": 65536},
        {"channels": 4},
        {"codec": "h264"},
        {"quality": 101},
        {"crc32": 2**32},
        {"replay": 0},
        {"hops": -1},
        {"hops": 256},
        {"hops": 1.0},
        {"sender": "x" * 65},
        {"sender": b"0123"},
        {"metadata": []},
        {"metadata": None},
        {"topic": 5},
        {1: "a key that is no str"},
    ],
)
def test_wrong_values(change: dict[Any, Any]) -> None:
    header = msgpack.packb({**FIELDS, "crc32": zlib.crc32(RAW), **change})
    with pytest.raises(ProtocolError, match="cannot be read"):
        wire.decode((b"lab/", header, RAW))


@pytest.mark.parametrize("header", [b"", b"\x90", b"\xc0", b"\x01", b"\xa5frame", b"\x80"])
def test_what_is_not_our_map(header: bytes) -> None:
    with pytest.raises(ProtocolError, match="cannot be read"):
        wire.decode((b"lab/", header, RAW))


@given(st.dictionaries(st.text(), values, max_size=5))
def test_unknown_keys_are_ignored(extra: dict[str, Any]) -> None:
    unknown = {f"new_{key}": value for key, value in extra.items()}
    assert _frame(_message(**unknown)) == _frame(_message())
    assert wire.decode(_status(**unknown)) == wire.decode(_status())


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"kind": "audio"},
        {"kind": 7},
        {"sequence": "seven", "metadata": [1, 2], "width": None},
        {"codec": "av1", "channels": 16},
    ],
)
@pytest.mark.parametrize("version", [2, 3, 2**64 - 1])
def test_a_later_version_says_so_whatever_else_changed(
    change: dict[str, Any], version: int
) -> None:
    for parts in (_message(version=version, **change), _status(version=version, **change)):
        with pytest.raises(VersionError, match=rf"version {version}, this framewire knows 1"):
            wire.decode(parts)


def test_a_later_version_may_drop_every_other_key() -> None:
    with pytest.raises(VersionError):
        wire.decode((b"lab/", msgpack.packb({"version": 2}), b""))


def test_a_recorded_header_of_a_later_version() -> None:
    with pytest.raises(VersionError):
        wire.decode_header(msgpack.packb({**FIELDS, "version": 2, "topic": "lab"}))


@pytest.mark.parametrize("topic", ["", "käm", "a b", "x" * 255])
def test_a_recorded_header_with_a_bad_topic(topic: str) -> None:
    with pytest.raises(ProtocolError, match="topic"):
        wire.decode_header(msgpack.packb({**FIELDS, "topic": topic}))


def test_a_recorded_status_is_none_of_ours() -> None:
    with pytest.raises(ProtocolError, match="not of the kind 'frame'"):
        wire.decode_header(msgpack.packb({**STATUS, "topic": "lab"}))


def test_a_status_has_no_payload() -> None:
    topic, header, _ = _status()
    with pytest.raises(ProtocolError, match="a status with a payload of 1 bytes"):
        wire.decode((topic, header, b"x"))


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "x\n" * 30_000},
        {"codec": "x\n" * 30_000},
        {"metadata": {"a": {b"x" * 30_000: 1}}},
    ],
)
def test_an_error_is_one_line_of_bearable_length(change: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError) as caught:
        wire.decode(_message(**change))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


# -- metadata -----------------------------------------------------------------------------------


def _nested(containers: int, kind: type[list[Any]] | type[dict[str, Any]]) -> dict[str, Any]:
    """Metadata of so many containers inside each other, itself included."""
    value: Any = None
    for _ in range(containers - 1):
        value = [value] if kind is list else {"a": value}
    return {"a": value}


@pytest.mark.parametrize("kind", [list, dict])
def test_the_depth_limit(kind: type[list[Any]] | type[dict[str, Any]]) -> None:
    good, bad = _nested(16, kind), _nested(17, kind)
    assert wire.check_metadata(good) is good
    assert _frame(_message(metadata=good)).metadata == good
    with pytest.raises(MetadataError, match="nested too deeply"):
        wire.check_metadata(bad)
    with pytest.raises(ProtocolError, match="nested too deeply"):
        wire.decode(_message(metadata=bad))


def test_an_empty_container_counts_as_one_too() -> None:
    bad = _nested(16, list)
    innermost = bad["a"]
    while innermost[0] is not None:
        innermost = innermost[0]
    innermost[0] = {}
    with pytest.raises(MetadataError, match="nested too deeply"):
        wire.check_metadata(bad)


@pytest.mark.parametrize("depth", [16, 17, 900, 1100, 5000, 100_000])
@pytest.mark.parametrize("opening", [b"\x91", b"\x81\xa1a", b"\xdc\0\x01"])
def test_nesting_thousands_deep(opening: bytes, depth: int) -> None:
    with pytest.raises(ProtocolError):
        wire.decode(_with_metadata(b"\x81\xa1a" + opening * depth + b"\xc0"))
    topic, header, payload = _message()
    unknown = bytes((header[0] + 1,)) + header[1:] + b"\xa1z" + opening * depth + b"\xc0"
    _value_or_error((topic, unknown, payload))  # ignored, or too deep to skip


def test_metadata_that_are_no_dict() -> None:
    with pytest.raises(MetadataError, match="it is a list, not a dict"):
        wire.check_metadata([1])  # type: ignore[arg-type]


def test_metadata_that_hold_themselves() -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    with pytest.raises(MetadataError, match="nested too deeply"):
        wire.check_metadata(endless)


def test_the_size_limit() -> None:
    limit = DEFAULT_LIMITS.metadata_bytes
    good = {"a": bytes(limit - len(msgpack.packb({"a": bytes(60_000)})) + 60_000)}
    bad = {"a": good["a"] + b"\0"}
    assert len(msgpack.packb(good)) == limit == 65536
    assert wire.check_metadata(good) is good
    assert _frame(_message(metadata=good)).metadata == good
    with pytest.raises(MetadataError, match="65537 bytes is too large"):
        wire.check_metadata(bad)
    with pytest.raises(ProtocolError, match="metadata of 65537 bytes is above 65536"):
        wire.decode(_message(metadata=bad))


def test_a_large_header_with_small_metadata() -> None:
    assert _frame(_message(metadata={"a": 1}, unknown=bytes(70_000))).metadata == {"a": 1}


@pytest.mark.parametrize("value", [None, True, 0, 2**64 - 1, -(2**63), 1.5, "ü", b"\0", [], {}])
def test_plain_values(value: object) -> None:
    assert wire.check_metadata({"a": value}) == {"a": value}
    assert _frame(_message(metadata={"a": value})).metadata == {"a": value}


def test_a_tuple_is_sent_as_a_list() -> None:
    packet = _frame(_message())
    header = msgspec.structs.replace(packet.header, metadata=wire.check_metadata({"a": (1, 2)}))
    assert _frame(wire.encode(Packet(header, RAW))).metadata == {"a": [1, 2]}


class _Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (np.float64(1), "float64 is not a plain type"),
        (np.zeros(2), "ndarray is not a plain type"),
        ({1, 2}, "set is not a plain type"),
        (bytearray(b"x"), "bytearray is not a plain type"),
        (object, "type is not a plain type"),
        (OrderedDict(a=1), "OrderedDict is not a plain type"),
        (struct_time(range(9)), "struct_time is not a plain type"),
        (_Text("x"), "_Text is not a plain type"),
        ([1, {"b": {2}}], "set is not a plain type"),
        ({1: 2}, "the key 1 is not a str"),
        ({None: 2}, "the key None is not a str"),
        ({_Text("x"): 2}, "the key 'x' is not a str"),
        (2**64, "-2"),
        (-(2**63) - 1, "-2"),
        ("\ud800", "surrogates"),
        ({"\ud800": 1}, "surrogates"),
    ],
)
def test_metadata_that_cannot_be_sent(value: object, fault: str) -> None:
    with pytest.raises(MetadataError, match=fault):
        wire.check_metadata({"a": value})


@pytest.mark.parametrize(
    "encoded",
    [
        b"\x81\xa1a\xd4\x05\x00",  # an extension type
        b"\x81\xa1a\xc7\x00\x05",  # an empty one
        b"\x81\xa1a\xd6\xff\0\0\0\x01",  # a timestamp
        b"\x81\xa1a\xd7\xff" + b"\xff" * 8,  # an impossible one
        b"\x81\xa1a\xc7\x0c\xff\0\0\0\0\x7f" + b"\xff" * 7,  # one beyond year 9999
        b"\x81\x01\x01",  # an int as a key
        b"\x81\xc4\x01a\x01",  # bytes as a key
        b"\x81\xa1a\x81\x01\x01",  # the same one level down
        b"\x81\xa1a\x81\xc0\x01",  # nil as a key
        b"\x81\xa1a\x81\x80\x01",  # a map as a key
        b"\x81\xa1a\x81\x90\x01",  # an array as a key
        b"\x81\xa1a\xa1\xff",  # a text that is not UTF-8
        b"\x81\xa1\xff\x01",  # a key that is not
        b"\x81\xa1a\xa3\xed\xa0\x80",  # a surrogate
        b"\x81\xa1a\xc1",  # a code that msgpack never uses
        b"\x81\xa1a\xdd\xff\xff\xff\xff",  # an array of 4 Gi that is not there
        b"\xdf\xff\xff\xff\xff",  # a map likewise
        b"\x81\xa1a\xc6\xff\xff\xff\xff",  # bytes likewise
        b"\x81\xa1a",  # a value that is missing
        b"\xc0",
        b"\x90",
    ],
)
def test_metadata_that_may_not_arrive(encoded: bytes) -> None:
    with pytest.raises(ProtocolError):
        wire.decode(_with_metadata(encoded))


@given(metadata)
def test_what_the_check_lets_through_arrives(data: dict[str, Any]) -> None:
    packet = _frame(_message())
    header = msgspec.structs.replace(packet.header, metadata=wire.check_metadata(data))
    assert _frame(wire.encode(Packet(header, RAW))).metadata == data


# -- payload ------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 23, 25])
def test_raw_pixels_have_exactly_the_size_of_the_picture(length: int) -> None:
    with pytest.raises(
        ProtocolError, match=rf"{length} raw bytes are not a picture of \(4, 2, 3\)"
    ):
        wire.decode(_message(bytes(length)))


def test_raw_gray_pixels() -> None:
    assert _frame(_message(RAW, width=12, channels=1)).payload == RAW


@pytest.mark.parametrize("change", [{"width": 21}, {"height": 11}, {"channels": 1}])
def test_header_and_picture_agree(change: dict[str, int]) -> None:
    fields: dict[str, Any] = {"width": 20, "height": 12, "codec": "jpeg", **change}
    with pytest.raises(ProtocolError, match="header and picture disagree"):
        wire.decode(_message(JPEG, **fields))


@pytest.mark.parametrize("codec", ["raw", "jpeg"])
def test_a_wrong_checksum(codec: str) -> None:
    payload = JPEG if codec == "jpeg" else RAW
    size = {"width": 20, "height": 12} if codec == "jpeg" else {}
    with pytest.raises(ProtocolError, match="CRC-32"):
        wire.decode(_message(payload, codec=codec, **size, crc32=zlib.crc32(payload) ^ 1))


# -- the order of the checks --------------------------------------------------------------------

LIMITS = replace(DEFAULT_LIMITS, header_bytes=2000, payload_bytes=2000)
FAULTS = {  # in the order in which they are reported
    "parts": "parts instead of 3",
    "topic size": "a topic of",
    "header size": "a header of",
    "payload size": "a payload of",
    "topic": "a topic outside the grammar",
    "header": "a header that cannot be read",
    "metadata": "refused metadata",
    "pixels": "is above the limit$",
    "guard": "cut JPEG",
    "checksum": "CRC-32",
    "agreement": "header and picture disagree",
}


def _faulty(*faults: str) -> list[bytes]:
    """A JPEG message with these faults and no others."""
    payload = JPEG[:-1] if "guard" in faults else JPEG
    payload += bytes(2000) if "payload size" in faults else b""
    fields: dict[str, Any] = {"width": 20, "height": 12, "codec": "jpeg"}
    if "checksum" in faults:
        fields["crc32"] = zlib.crc32(payload) ^ 1
    if "agreement" in faults:
        fields["width"] = 21
    if "pixels" in faults:
        fields["height"] = fields["width"] = 65535
    if "metadata" in faults:
        fields["metadata"] = _nested(17, list)
    if "header" in faults:
        fields["sequence"] = -1
    if "header size" in faults:
        fields["unknown"] = bytes(2000)
    topic = b"lab cam/" if "topic" in faults else b"lab/"
    topic = b"x" * 255 + topic if "topic size" in faults else topic
    parts = [topic, _message(payload, **fields)[1], payload]
    return [*parts, b""] if "parts" in faults else parts


def test_the_message_that_the_faults_are_put_into_is_good() -> None:
    assert _value_or_error(_faulty(), LIMITS)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_by_itself(fault: str) -> None:
    with pytest.raises(ProtocolError, match=FAULTS[fault]):
        wire.decode(_faulty(fault), LIMITS)


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(FAULTS, 2)))
def test_of_two_faults_the_one_that_is_cheaper_to_find_is_reported(first: str, second: str) -> None:
    with pytest.raises(ProtocolError, match=FAULTS[first]):
        wire.decode(_faulty(first, second), LIMITS)
