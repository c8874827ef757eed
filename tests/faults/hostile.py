"""Messages that no honest sender sends, and some that lie; and requests of the same kind."""

import math
from collections.abc import Iterator
from itertools import count
from typing import Any

import msgpack

from faults.bombs import HARMLESS, SIDE, bombs, good
from framewire.common import wire
from framewire.common.frame import Packet, Status
from receiver.publishing import BEGIN_NS, SENDER, STEP_NS, packet, status

TOPIC = "lab/cam1"
HOUR_NS = 3600 * 1_000_000_000
LARGEST = 2**63 - 1

Parts = list[bytes]


def honest(sequence: int, *, topic: str = TOPIC, **facts: Any) -> Packet:
    """A frame that says so in its metadata."""
    facts = {"metadata": {"honest": True}, "width": SIDE, "height": SIDE, **facts}
    return packet(sequence, topic, good(), **facts)


def is_honest(each: Packet) -> bool:
    return bool(each.metadata.get("honest"))


TRUE = [bytes(part) for part in wire.encode(packet(5, payload=good(), width=SIDE, height=SIDE))]
TRUE_STATUS = [bytes(part) for part in wire.encode_status(status(5))]

TYPES: dict[str, bytes] = {
    "nil": b"\xc0",
    "true": b"\xc3",
    "minus one": b"\xff",
    "2^63": msgpack.packb(2**63),
    "2^64 - 1": msgpack.packb(2**64 - 1),
    "-2^63": msgpack.packb(-(2**63)),
    "a float": msgpack.packb(1.0),
    "nan": msgpack.packb(math.nan),
    "inf": msgpack.packb(math.inf),
    "bytes": msgpack.packb(b"5"),
    "an array": b"\x91\x01",
    "an extension": b"\xd4\x05\x00",
    "a time stamp": b"\xd6\xff\0\0\0\1",
    "no utf-8": b"\xa2\xff\xfe",
    "half a surrogate": b"\xa3\xed\xa0\x80",
    "a long word": msgpack.packb("x" * 2000),
    "the reserved byte": b"\xc1",
}
"""What each key is given in turn, as it stands in the map."""


def _raw_map(fields: dict[bytes, bytes]) -> bytes:
    return b"\xde" + len(fields).to_bytes(2) + b"".join(k + v for k, v in fields.items())


def _each_type(true: Parts) -> Iterator[tuple[str, Parts]]:
    """Each key of a header with each type, but for the one that it may have."""
    fields = msgpack.unpackb(true[1])
    for key in fields:
        for name, raw in TYPES.items():
            if (key, name) == ("replay", "true"):
                continue
            packed = {
                msgpack.packb(k): raw if k == key else msgpack.packb(v) for k, v in fields.items()
            }
            yield f"{fields['kind']}: {key} is {name}", [true[0], _raw_map(packed), true[2]]


def _with(true: Parts = TRUE, /, *, without: str = "", **changes: Any) -> Parts:
    fields = {**msgpack.unpackb(true[1]), **changes}
    fields.pop(without, None)
    return [true[0], msgpack.packb(fields), true[2]]


def _deep(depth: int) -> list[Any]:
    nested: list[Any] = []
    for _ in range(depth):
        nested = [nested]
    return nested


def malformed() -> dict[str, Parts]:
    """What is to be refused, and counted."""
    topic, header, payload = TRUE
    found = dict([*_each_type(TRUE), *_each_type(TRUE_STATUS)])
    found |= {
        f"{key} is missing": _with(without=key)
        for key in (
            "kind",
            "sender",
            "sequence",
            "captured_ns",
            "sent_ns",
            "width",
            "codec",
            "crc32",
        )
    }
    found |= {
        f"{number} parts": [topic, header, payload, *[b""] * 997][:number]
        for number in (1, 2, 4, 1000)
    }
    found |= {f"{number} empty parts": [b""] * number for number in (1, 2, 3, 4, 1000)}
    found |= {
        f"topic {name!r}": [name, header, payload]
        for name in (
            *(b"lab/cam1", b"lab/cam1//", b"/lab/", b"/", b"//", b"lab/../etc/", b"./", b"../"),
            *(b"lab/cam1/\n", b"lab\n/", b"lab\0/", b"lab/$(id)/", b"<b>lab</b>/", b"\xff\xfe/"),
            *(
                "lab\u202e/".encode(),
                b"lab\x1b[31m/",
                b"a" * 255 + b"/",
                b"a/" * 128,
                b"lab " * 9 + b"/",
            ),
            *(b"a" * 4096 + b"/", "ﬀ/".encode(), "Ⓐ/".encode()),
        )
    }
    found |= {
        "no map": [topic, b"\xc1", payload],
        "an array": [topic, msgpack.packb([1]), payload],
        "two maps": [topic, header + header, payload],
        "a cut map": [topic, header[:-1], payload],
        "a map that says it is larger": [topic, b"\xdf\xff\xff\xff\xff", payload],
        "a text that says it is larger": [topic, b"\x81\xdb\xff\xff\xff\xff", payload],
        "five thousand arrays": [topic, b"\x91" * 5000, payload],
        "a hundred thousand maps": [topic, b"\x81\xa1a" * 40_000, payload],
        "keys that are numbers": [topic, b"\x81\x01\x02", payload],
        "keys that are arrays": [topic, b"\x81\x90\x02", payload],
        "a header above its limit": [topic, msgpack.packb({"x": bytes(131_072)}), payload],
        "a second kind": [
            topic,
            b"\x82" + 2 * (msgpack.packb("kind") + msgpack.packb("x")),
            payload,
        ],
        "metadata seventeen deep": _with(metadata={"a": _deep(16)}),
        "metadata above its limit": _with(metadata={"a": bytes(65_533)}),
        "metadata with a number for a key": _with(metadata={5: 1}),
        "metadata with an extension": _with(metadata={"a": msgpack.ExtType(5, b"x")}),
        "metadata with a time stamp": _with(metadata={"a": msgpack.Timestamp(1)}),
        "another kind": _with(kind="advert"),
        "a later version": _with(version=2),
        "version 0": _with(version=0),
        "a sender's id of 65": _with(sender="x" * 65),
        "a reason of 1,025": _with(TRUE_STATUS, reason="x" * 1025),
        "a state of its own": _with(TRUE_STATUS, state="\x1b[31mred"),
        "a codec of its own": _with(codec="\x1b]0;title\x07"),
        "256 relays": _with(hops=256),
        "no size": _with(width=0),
        "a negative size": _with(height=-1),
        "65,536 wide": _with(width=65536),
        "two channels": _with(channels=2),
        "one channel": _with(channels=1),
        "quality 101": _with(quality=101),
        "quality 1e9": _with(quality=10**9),
        "raw, and too short": _with(codec="raw"),
        "raw, and beyond the limit": _with(codec="raw", width=65535, height=65535),
        "a wrong checksum": _with(crc32=1),
        "no payload": [topic, header, b""],
        "a status with a payload": [*TRUE_STATUS[:2], b"x"],
    }
    found |= {
        f"picture: {name}": list(wire.encode(packet(5, payload=data, width=SIDE, height=SIDE)))
        for name, data in bombs().items()
        if len(data) < 1 << 20
    }
    return found


def lies() -> dict[str, list[Packet | Status]]:
    """Messages of the protocol that are not true. They are taken; no honest frame may pay for them.

    They come under the honest sender's id, as of who listens and forges, and under others.
    """
    others = (f"{number:016x}" for number in count())

    def frame(sequence: int = 3, sender: str | None = None, **facts: Any) -> Packet:
        moment_ns = BEGIN_NS + min(sequence, 1000) * STEP_NS
        facts = {"captured_ns": moment_ns, "monotonic_ns": 1, "sent_ns": moment_ns, **facts}
        return honest(sequence, sender=sender or next(others), metadata={}, **facts)

    found: dict[str, list[Packet | Status]] = {
        "another run": [frame(number, "a run") for number in range(3)],
        "a new run with each frame": [frame(number) for number in range(20)],
        "the largest number": [frame(LARGEST)],
        "the largest number, of the honest run": [frame(LARGEST, SENDER)],
        "the largest two, of the honest run": [frame(LARGEST - 1, SENDER), frame(LARGEST, SENDER)],
        "a million ahead": [frame(1_000_000, SENDER)],
        "an old number again": [frame(0, SENDER)],
        "an old number, captured later": [frame(0, SENDER, captured_ns=BEGIN_NS + HOUR_NS)],
        "from the end to the beginning": [frame(number, "another") for number in range(30, 0, -1)],
        "an hour ahead": [frame(captured_ns=BEGIN_NS + HOUR_NS, sent_ns=BEGIN_NS + HOUR_NS)],
        "an hour behind": [frame(captured_ns=BEGIN_NS - HOUR_NS, sent_ns=BEGIN_NS - HOUR_NS)],
        "a clock that jumps": [
            frame(number, "jumps", captured_ns=BEGIN_NS + (-1) ** number * HOUR_NS)
            for number in range(8)
        ],
        "captured at the beginning of time": [frame(captured_ns=0, sent_ns=0, monotonic_ns=0)],
        "captured at its end": [frame(captured_ns=LARGEST, sent_ns=LARGEST, monotonic_ns=LARGEST)],
        "a replay of nothing": [frame(replay=True, sent_ns=0)],
        "ever less dropped": [
            frame(number, "less", dropped=LARGEST - number) for number in range(5)
        ],
        "a year of encoding": [frame(encode_us=LARGEST)],
        "seven relays": [frame(hops=7)],
        "no id": [status(1, sender="")],
        "a status of the end of numbers": [status(LARGEST, sender=SENDER), status(LARGEST)],
        "a status of number 0": [status(0, sender=SENDER)],
        "it has ended": [status(2, "ended", "so it is said", sender=SENDER)],
        "it gives no signal": [status(2, "no-signal", "\x1b[2J\n\u202emoc", sender=SENDER)],
        "statuses of a hundred runs": [
            status(number, sender=f"run {number}") for number in range(100)
        ],
    }
    found |= {
        f"picture: {name}": [packet(3, payload=make(), sender=next(others), width=w, height=h)]
        for (name, make), (w, h) in zip(HARMLESS.items(), ((SIDE, SIDE), (64, 16)), strict=True)
    }
    return found


def bad_requests() -> dict[str, Parts]:
    """What is no request."""
    pack = msgpack.packb
    fields: dict[str, Any] = {
        "version": 1, "topic": "cam", "after": ["x", 1], "quality": 5, "scale": 0.5, "status": True,
        "resume": True, "id": 5,
    }  # fmt: skip
    allowed = {("after", "nil"), ("quality", "nil"), ("scale", "nil"), ("id", "nil"),
               ("scale", "a float"), ("status", "true"), ("resume", "true")}  # fmt: skip
    found = {
        f"{key} is {name}": [
            _raw_map({pack(k): raw if k == key else pack(v) for k, v in fields.items()})
        ]
        for key in fields
        for name, raw in TYPES.items()
        if (key, name) not in allowed
    }
    found |= {f"{number} parts": [b""] * number for number in (2, 4, 1000)}
    found |= {
        "five thousand arrays": [b"\x91" * 5000],
        "a hundred thousand maps": [b"\x81\xa1a" * 20_000],
        "above its limit": [pack({"x": bytes(65_535)})],
        "two maps": [2 * pack(fields)],
        "1,025 topics": [pack({"topic": [f"t{number}" for number in range(1025)]})],
        "no topics": [pack({"topic": []})],
        "1,025 positions": [pack({"after": {f"t{number}": ["x", 1] for number in range(1025)}})],
        "a path": [pack({"topic": "../../etc"})],
        "an escape sequence": [pack({"topic": "\x1b[31m"})],
        "a closing slash": [pack({"topic": "cam/"})],
        "quality 1e9": [pack({"quality": 10**9})],
        "quality 0": [pack({"quality": 0})],
        "scale 0": [pack({"scale": 0.0})],
        "scale 17": [pack({"scale": 17.0})],
        "a later version": [pack({"version": 2})],
        "half a position": [pack({"after": ["x"]})],
        "a position of three": [pack({"after": ["x", 1, 2]})],
        "a negative position": [pack({"after": ["x", -1]})],
    }
    return found


def odd_requests() -> dict[str, bytes]:
    """What is one, and asks for much or for what there is not."""
    pack = msgpack.packb
    return {
        "everything": b"",
        "a sender that never was": pack({"after": ["never was", 5], "id": 1}),
        "the end of numbers": pack({"after": [SENDER, LARGEST], "id": 2}),
        "a topic that is none of its": pack({"topic": "nobody/has/this", "id": 3}),
        "a thousand topics": pack({"topic": [f"t{number}" for number in range(1024)], "id": 4}),
        "a thousand positions": pack(
            {"after": {f"t{number}": ["x", number] for number in range(1024)}, "id": 5}
        ),
        "the largest id": pack({"id": LARGEST}),
        "a level of its own": pack({"quality": 3, "scale": 0.0625}),
    }
