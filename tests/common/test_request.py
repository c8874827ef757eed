"""Requests against anything that can arrive.

Hostile bodies are built with `msgpack`, which is another implementation than the one under test.
"""

import contextlib
from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common.errors import ProtocolError, VersionError
from framewire.common.request import (
    MAX_REQUEST_BYTES,
    Request,
    decode_request,
    encode_request,
)

BIGGEST = 2**63 - 1
EVERYTHING: dict[str, Any] = {
    "version": 1,
    "topic": ["lab/cam1", "yard"],
    "after": {"lab/cam1": ["0123456789abcdef", 41], "yard": ["", 0]},
    "quality": 50,
    "scale": 0.5,
    "status": True,
    "resume": True,
    "id": 7,
}


def decoded(**fields: Any) -> Request:
    return decode_request(msgpack.packb(fields))


def refused(match: str, **fields: Any) -> None:
    with pytest.raises(ProtocolError, match=match):
        decoded(**fields)


# -- round trips --------------------------------------------------------------------------------

uints = st.integers(0, BIGGEST)
topics = st.from_regex(r"\A[A-Za-z0-9._-]{1,9}(/[A-Za-z0-9._-]{1,9}){0,3}\Z").filter(
    lambda topic: not {".", ".."} & set(topic.split("/"))
)
positions = st.tuples(st.text(max_size=64), uints)
requests = st.builds(
    Request,
    topic=st.just("") | topics | st.lists(topics, min_size=1, max_size=4).map(tuple),
    after=st.none() | positions | st.dictionaries(topics, positions, max_size=4),
    quality=st.none() | st.integers(1, 100),
    scale=st.none() | st.floats(1 / 16, 1) | st.just(1),
    status=st.booleans(),
    resume=st.booleans(),
    id=st.none() | uints,
)


@given(requests)
def test_a_request_round_trips(request: Request) -> None:
    assert decode_request(encode_request(request)) == request


@given(requests)
def test_another_implementation_reads_what_is_not_left_out(request: Request) -> None:
    fields = msgpack.unpackb(encode_request(request), use_list=False)
    assert fields.pop("version") == 1
    every = msgspec.structs.asdict(request)
    assert fields == {k: v for k, v in every.items() if v != getattr(Request(), k)}


def test_everything_of_another_implementation() -> None:
    assert decoded(**EVERYTHING) == Request(
        topic=("lab/cam1", "yard"),
        after={"lab/cam1": ("0123456789abcdef", 41), "yard": ("", 0)},
        quality=50,
        scale=0.5,
        status=True,
        resume=True,
        id=7,
    )


def test_no_bytes_and_an_empty_map_ask_for_the_newest_of_any_topic() -> None:
    assert decode_request(b"") == decoded() == Request()
    assert Request().prefixes == (b"",)


def test_nil_is_as_absent_where_absent_says_nothing() -> None:
    assert decoded(after=None, quality=None, scale=None, id=None) == Request()


def test_unknown_keys_are_ignored() -> None:
    assert decoded(**EVERYTHING, credit=[1, {"x": b"y"}]) == decoded(**EVERYTHING)


# -- what a request means -----------------------------------------------------------------------


def test_prefixes_are_those_of_a_subscription() -> None:
    assert Request(topic="lab/cam1").prefixes == (b"lab/cam1/",)
    assert Request(topic=("lab", "yard")).prefixes == (b"lab/", b"yard/")
    assert not b"lab/cam10/".startswith(Request(topic="lab/cam1").prefixes)


def test_positions() -> None:
    assert Request().position("cam") is None
    assert Request(after=("a", 5)).position("cam") == ("a", 5)
    by_topic = Request(after={"cam": ("a", 5)})
    assert by_topic.position("cam") == ("a", 5)
    assert by_topic.position("door") is None


# -- limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("quality", [1, 100], [0, 101, 50.0, True, "50"]),
        ("scale", [1 / 16, 1, 1.0], [0, 0.0624, 1.001, -1, 2, "1", True]),
        ("scale", [], [float("nan"), float("inf"), float("-inf")]),
        ("id", [0, BIGGEST], [-1, BIGGEST + 1, 1.0, False]),
        ("status", [True, False], [1, None, "yes"]),
        ("resume", [True, False], [0, None, "no"]),
        ("version", [1], [0, -1, None, "1", 1.0]),
        ("after", [["a", 0], ["x" * 64, BIGGEST], {}, {"cam": ["a", 0]}], []),
        ("after", [], [[], ["a"], ["a", 0, 0], ["a", -1], [b"a", 0], ["a", None], "a", 0]),
        ("after", [], [["x" * 65, 0], ["a", BIGGEST + 1], ["a", True], [["a", 0]]]),
        ("after", [], [{"cam": ["a"]}, {"cam": "a"}, {"cam": None}, {1: ["a", 0]}]),
        ("topic", ["", "a", ["a"], ["a", "b"]], [None, 0, b"a", {}, {"a": 1}, [1], [["a"]]]),
    ],
)
def test_values(key: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        wanted = tuple(value) if isinstance(value, list) else value
        wanted = {"cam": ("a", 0)} if wanted == {"cam": ["a", 0]} else wanted
        assert getattr(decoded(**{key: value}), key) == wanted
    for value in bad:
        refused(key if value != {1: ["a", 0]} else "str", **{key: value})


@pytest.mark.parametrize(
    "topic", ["/", "a/", "/a", "a//b", "k\xe4", "a b", "..", "a/.", "a\n", "x" * 255, "\0"]
)
def test_topics_are_checked(topic: str) -> None:
    refused("in 'topic', which is no topic", topic=topic)
    refused("in 'topic', which is no topic", topic=["fine", topic])
    refused("in 'after', which is no topic", after={"fine": ["a", 0], topic: ["a", 0]})


def test_any_topic_is_none_of_several() -> None:
    refused("'' in 'topic', which is no topic", topic=["", "a"])
    refused("'' in 'after', which is no topic", after={"": ["a", 0]})


def test_the_number_of_topics() -> None:
    names = [f"t{number}" for number in range(1025)]
    assert len(decoded(topic=names[:1024]).prefixes) == 1024
    refused("1025 topics in 'topic'", topic=names)
    refused("0 topics in 'topic'", topic=[])
    after = {name: ["a", 0] for name in names}
    refused("1025 topics in 'after'", after=after)
    del after["t0"]
    assert decoded(after=after).position("t1024") == ("a", 0)


def test_the_size_limit() -> None:
    padding = MAX_REQUEST_BYTES - len(msgpack.packb({"unknown": bytes(60_000)})) + 60_000
    assert decoded(unknown=bytes(padding)) == Request()
    refused("a request of 65537 bytes is above 65536", unknown=bytes(padding + 1))


@pytest.mark.parametrize("version", [2, 2**64 - 1])
def test_a_later_version_says_whom_to_update(version: int) -> None:
    for others in ({}, EVERYTHING, {"topic": 5, "after": "then"}):
        with pytest.raises(VersionError, match=rf"receiver.*version {version}.*update the sender"):
            decoded(**{**others, "version": version})


# -- any bytes ----------------------------------------------------------------------------------


def _value_or_error(body: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        request = decode_request(body)
        assert isinstance(request, Request)
        assert decode_request(encode_request(request)) == request
        assert request.prefixes


@given(st.binary(max_size=300))
def test_any_body(body: bytes) -> None:
    _value_or_error(body)


@given(st.data())
def test_any_damage(data: st.DataObject) -> None:
    body = msgpack.packb(EVERYTHING)
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, len(body)))
    _value_or_error(body[:start] + data.draw(st.binary(max_size=40)) + body[end:])


keys = st.none() | st.booleans() | st.integers(-5, 2**64 - 1) | st.text(max_size=70) | st.binary()
anything = st.recursive(
    keys | st.floats() | st.just(msgpack.Timestamp(1, 2)) | st.just(msgpack.ExtType(5, b"")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(EVERYTHING)), anything, max_size=4))
def test_any_values_under_known_keys(fields: dict[str, Any]) -> None:
    _value_or_error(msgpack.packb(fields))


def test_truncated_at_every_length_and_every_bit_flipped() -> None:
    body = msgpack.packb(EVERYTHING)
    for length in range(1, len(body)):
        with pytest.raises(ProtocolError):
            decode_request(body[:length])
    with pytest.raises(ProtocolError):
        decode_request(body + b"\0")
    for bit in range(8 * len(body)):
        changed = bytearray(body)
        changed[bit // 8] ^= 1 << bit % 8
        _value_or_error(bytes(changed))


@pytest.mark.parametrize(
    "body", [b"\x90", b"\xc0", b"\x01", b"\xa3cam", b"\xc4\0", b"\xc1", b"\x81", b"{}", b"cam"]
)
def test_what_is_no_map(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="a request that cannot be read") as caught:
        decode_request(body)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", [b"\xa5topic", b"\xa5after", b"\xa7unknown"])
@pytest.mark.parametrize(
    "opening", [b"\x91", b"\x81\xa1a", b"\x92\xa1a", b"\xdc\xff\xff", b"\xdd\xff"]
)
def test_nesting_thousands_deep(key: bytes, opening: bytes) -> None:
    for depth in (1, 2, 900, 10_000):
        _value_or_error(b"\x81" + key + opening * depth + b"\xc0")


def test_text_that_is_not_utf_8() -> None:
    for body in (b"\x81\xa5topic\xa1\xff", b"\x81\xa5after\x92\xa1\xff\x00"):
        with pytest.raises(ProtocolError):
            decode_request(body)


@pytest.mark.parametrize("key", ["topic", "after"])
def test_an_error_is_one_line_of_bearable_length(key: str) -> None:
    text = "x\n" * 30_000
    with pytest.raises(ProtocolError) as caught:
        decoded(**{key: text if key == "topic" else {text: ["a", 0]}})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
