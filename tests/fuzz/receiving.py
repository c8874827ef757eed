"""Targets: what a receiver makes of a series of messages, each valid by itself."""

import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from common.recorded import BEGIN_NS, STEP_NS, packet
from framewire.common.clock import NS
from framewire.common.frame import Packet, Status
from framewire.common.matroska import Block
from framewire.common.recording_index import Index
from framewire.common.request import decode_request, encode_request
from framewire.common.wire import Answer
from framewire.receiver.account import TopicAccount
from framewire.receiver.links.conversation import Conversation, Had
from framewire.receiver.links.steering import Steering
from framewire.sender.sources.apart import Noise
from fuzz.target import Target

__all__ = ["ANSWERED", "BOOKS", "NOISE"]

_UINT = 2**63 - 1
_RECORD = struct.Struct(">BBIQQQI")
"""Kind, which sender or topic, milliseconds passed, sequence, capture, wait or encoding, size."""
_NUMBERS = (
    *(value.to_bytes(8) for value in (0, 1, 2**24, 2**31, 2**32, 2**53, _UINT, _UINT - 1)),
    *(value.to_bytes(4) for value in (0, 1, 33, 1000, 2**31, 2**32 - 1)),
)
_MOST_RECORDS = 200
_LONGEST_MS = 100_000
_FRAME, _STATUS, _MARKED, _LOST = range(4)
_SMALL = packet(0, b"\xff\xd8\xff\xd9").header


def _records(data: bytes) -> Iterator[tuple[int, ...]]:
    whole = data[: len(data) // _RECORD.size * _RECORD.size][: _MOST_RECORDS * _RECORD.size]
    for kind, who, *rest in _RECORD.iter_unpack(whole):
        yield (kind % 4, who % 12, *(value & _UINT for value in rest))


def _packet(who: int, sequence: int, captured_ns: int, encode_us: int, size: int) -> Packet:
    fields: dict[str, Any] = {
        name: getattr(_SMALL, name) for name in _SMALL.__struct_fields__ if name != "metadata"
    }
    fields.update(
        topic=f"lab/cam{who % 3}", sender=f"{who:016x}", sequence=sequence, captured_ns=captured_ns,
        encode_us=encode_us, replay=bool(who & 8), quality=size % 101, monotonic_ns=captured_ns // 2,
    )  # fmt: skip
    return Packet(type(_SMALL)(**fields), bytes(min(size, 64)))


def _status(who: int, sequence: int) -> Status:
    return Status(
        topic=f"lab/cam{who % 3}", sender=f"{who:016x}", sequence=sequence, sent_ns=0, state="live"
    )


def _series() -> Iterator[bytes]:
    def row(number: int, kind: int = _FRAME, who: int = 1, sequence: int | None = None) -> bytes:
        sequence = number if sequence is None else sequence
        return _RECORD.pack(kind, who, 33, sequence, BEGIN_NS + number * STEP_NS, 1500, 20_000)

    yield b"".join(map(row, range(12)))
    yield b"".join(row(number, sequence=number * 3) for number in range(12))
    yield b"".join(row(number, number % 2, number % 3) for number in range(12))
    yield b"".join(row(number, sequence=12 - number) for number in range(12))
    yield row(0) + row(1, sequence=_UINT) + row(2) + row(3, _STATUS, sequence=_UINT) + row(4)


# -- books --------------------------------------------------------------------------------------


def _check_books(data: bytes) -> bool:
    account, index, now_ns, frames = TopicAccount(), Index(), 0, 0
    for kind, who, passed_ms, sequence, captured_ns, encode_us, size in _records(data):
        now_ns += passed_ms * NS // 1000
        if kind == _FRAME:
            one = _packet(who, sequence, captured_ns, encode_us, size)
            missing = account.take(one, now_ns)
            assert missing is None or missing >= 0
            index.add(Block(frames, 1, min(captured_ns // 10**6, 1 << 53)), one.header)
            frames += 1
            account.deliver(one.header.age_ms(now_ns))
        elif kind == _LOST:
            account.gaps.rejoin()
        else:
            assert account.hear(_status(who, sequence), now_ns, marks=kind == _MARKED) >= 0
    _check_account(account, now_ns)
    _check_index(index, frames)
    return frames > 0


def _check_account(account: TopicAccount, now_ns: int) -> None:
    told = account.snapshot(now_ns)
    assert told.received + told.repeated <= _MOST_RECORDS
    assert told.lost >= 0
    assert all(each.first <= each.last for each in told.missing)
    for one, other in pairwise(told.missing):
        assert one.sender != other.sender or one.last < other.first
    assert told.fps >= 0


def _check_index(index: Index, frames: int) -> None:
    assert len(index) == frames
    assert list(index.times_ms) == sorted(index.times_ms)
    gaps, repeated = index.gaps()
    assert all(gap.frames > 0 for gap in gaps)
    assert 0 <= repeated <= frames
    assert index.duration_s >= 0
    assert index.intervals_ms[0] <= index.intervals_ms[1]
    assert index.captured_at(_UINT) >= -1


# -- who asks -----------------------------------------------------------------------------------


def _check_answered(data: bytes) -> bool:
    """A sender that answers what and when it likes, and lies about all that it can."""
    taken = False
    for quality, had in (("auto", None), (None, Had())):
        steering = Steering(quality=quality)  # type: ignore[arg-type]
        talk, now_ns = Conversation(steering, had), NS
        for record in _records(data):
            now_ns = _ask(talk, now_ns)
            now_ns += record[2] % _LONGEST_MS * NS // 1000
            if talk.is_overdue(now_ns):
                talk.reset()
            taken = _answer(talk, record, now_ns) or taken
            _check_steering(steering)
    return taken


def _ask(talk: Conversation, now_ns: int) -> int:
    """Send a request if one will be due; when that was."""
    due_ns = talk.due_ns(now_ns)
    if due_ns is None:
        assert talk.waits
        return now_ns
    assert due_ns >= now_ns
    assert due_ns - now_ns <= 3600 * NS, "no request for an hour"
    request = talk.next(("lab",), due_ns)
    assert decode_request(encode_request(request)) == request
    return due_ns


def _answer(talk: Conversation, record: tuple[int, ...], now_ns: int) -> bool:
    kind, who, _, sequence, captured_ns, waited_us, size = record
    number = talk._serial - who % 3 if who < 10 else sequence
    answer = Answer(request=number & _UINT, waited_us=waited_us)
    messages: dict[int, Packet | Status] = {
        _FRAME: _packet(who, sequence, captured_ns, captured_ns & 0xFFFFF, size),
        _MARKED: _packet(who, sequence, captured_ns, waited_us, size),
        _STATUS: _status(who, sequence),
    }
    message = messages.get(kind)
    talk.answered(answer, message, size, now_ns)
    return message is not None


def _check_steering(steering: Steering) -> None:
    assert steering.level.quality is None or 1 <= steering.level.quality <= 100
    assert steering.level.scale is None or 1 / 16 <= steering.level.scale <= 1
    assert 1 <= steering.credits <= 8
    assert not steering.round_trip_ms < 0
    assert not steering.bytes_per_s <= 0


# -- what a process prints ----------------------------------------------------------------------

_SECRET = "hunter2!"


def _check_noise(data: bytes) -> bool:
    """In pieces as they come: at each line feed, and after a hundred bytes."""
    noise = Noise(_SECRET)
    for line in data.splitlines(keepends=True):
        for at in range(0, len(line), 100):
            noise.add(line[at : at + 100])
        assert len(noise.last) <= 300
        assert noise.last.isprintable()
        assert _SECRET not in noise.last
    return bool(noise.last)


def _noises() -> Iterator[bytes]:
    yield b"[rtsp @ 0x55d0] method DESCRIBE failed: 401 Unauthorized\n"
    yield b"[ WARN:0@0.1] global cap.cpp:914 open VIDEOIO(FFMPEG): raised\n"
    yield f"cannot open rtsp://user:{_SECRET}@camera/stream\n".encode()


BOOKS = Target(_check_books, _series, _NUMBERS, 2048)
ANSWERED = Target(_check_answered, _series, _NUMBERS, 2048)
NOISE = Target(
    _check_noise, _noises, (_SECRET.encode(), b"[rtsp @ ", b"] ", b"\x1b[2J", b"\r", b"\n", b"\xe2\x80\xae"), 1024
)  # fmt: skip
