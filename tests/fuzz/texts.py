"""Targets: what people write on command lines and in addresses. All parsers see each input."""

from collections.abc import Callable, Iterator
from typing import Any

from framewire.common.amount import bytes_text, duration_text, parse_bytes, parse_duration
from framewire.common.endpoint import check_exposure, parse_endpoint, parse_endpoints
from framewire.common.errors import UsageError
from framewire.common.listening import parse_address
from framewire.common.place import parse_place
from framewire.common.topic import MAX_TOPIC_BYTES, check_topic, topic_from_name, wire_topic
from framewire.receiver.sinks.segments import is_segment_name
from framewire.receiver.triggers import http_address
from framewire.sender.cli import parse_metadata
from framewire.sender.encoder import parse_size
from fuzz.target import Target

__all__ = ["TEXTS"]


def _topic(text: str) -> None:
    topic = check_topic(text)
    assert check_topic(topic) == topic
    assert len(wire_topic(topic)) <= MAX_TOPIC_BYTES
    assert ".." not in topic.split("/")


def _endpoint(text: str, bind: bool) -> None:
    endpoint = parse_endpoint(text, bind=bind)
    assert parse_endpoint(str(endpoint), bind=bind) == endpoint
    assert endpoint.local in (True, False)
    assert "\0" not in endpoint.url
    check_exposure([endpoint], insecure=False)


def _address(text: str) -> None:
    address = parse_address(text)
    assert parse_address(str(address)) == address
    assert address.local + address.everywhere < 2


def _bytes(text: str) -> None:
    assert 0 <= parse_bytes(text) < 10**12 << 41
    assert bytes_text(parse_bytes(text))


def _duration(text: str) -> None:
    assert 0 < parse_duration(text) <= 1e10
    assert duration_text(parse_duration(text))


def _place(text: str) -> None:
    place = parse_place(text)
    assert place.wall or 0 <= place.ns < 10**18


def _size(text: str) -> None:
    assert 1 <= min(parse_size(text)) <= max(parse_size(text)) <= 65500


_PARSERS: tuple[Callable[[str], Any], ...] = (
    _topic,
    lambda text: _endpoint(text, True),
    lambda text: _endpoint(text, False),
    lambda text: parse_endpoints(text.split(), bind=True),
    _address,
    _bytes,
    _duration,
    _place,
    _size,
    lambda text: http_address(text, insecure=True),
    lambda text: parse_metadata([text]),
)


def _check(data: bytes) -> bool:
    text = data.decode(errors="surrogateescape")  # as the system gives arguments
    taken = [_takes(parser, text) for parser in _PARSERS]
    assert check_topic(topic_from_name(text))
    is_segment_name(text)
    return any(taken)


def _takes(parser: Callable[[str], Any], text: str) -> bool:
    try:
        parser(text)
    except UsageError as error:
        said = str(error)
    else:
        return True
    assert "\n" not in said, "its message is one line"
    return False


def _seeds() -> Iterator[bytes]:
    for text in (
        *("lab/cam1", "lab/cam1/", "a.b-c_d", "tcp://127.0.0.1:5555", "tcp://[::1]:5555"),
        *("req-rep+tcp://lab-pi:5556", "push-pull+ipc:///tmp/x", "inproc://a", "tcp://*:*"),
        *("127.0.0.1:8080", "[::1]:8080", "localhost:0", "64M", "1.5G", "300000", "10 KiB"),
        *("300ms", "10m", "1.5h", "7d", "90", "12.5", "2026-01-31T14:05:00", "20260131T1405"),
        *("2026-01-31T14:05:00+01:00", "2026-W05-6", "1280x720", "http://127.0.0.1:8090/trigger"),
        *("gain=4", "name=yard", "2026-01-31T14-05-00.mkv"),
    ):
        yield text.encode()


_WORDS = tuple(
    word.encode()
    for word in (
        *("tcp://", "ipc://", "inproc://", "http://", "pub-sub+", "req-rep+", "push-pull+", "::1"),
        *("/", "..", ".", ":", "*", "[", "]", "@", "%", "=", "x", "+", "-", "T", "Z", "W", "\0", "\n"),
        *("65535", "65536", "0", "ms", "min", "KiB", "T", "0001-01-01T00:00:00", "9999-12-31T23:59:59"),
        *("+23:59", "-23:59", "localhost", "0.0.0.0", "٣", "²", "é", "\u2028"),
    )
)  # fmt: skip

TEXTS = Target(_check, _seeds, _WORDS, 256)
