"""The bytes of protocol version 1, as files that every implementation can be tested against.

`messages.json` holds complete messages: their parts in hex, and their header for people to read
(`{"hex": ...}` stands for a byte string). `answers.json` holds those that answer a request, and
`requests.json` requests: their body in hex, and their map. The pictures lie beside them as files, so
that no codec's version matters. Version 1 never changes: run this only to add a message, and look
at the difference:

    python tests/golden/make_golden.py
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from framewire.common.frame import Header, Packet, Status
from framewire.common.request import Request, encode_request
from framewire.common.wire import Answer, Parts, checksum, encode, encode_answer, encode_status

__all__ = [
    "ANSWERS",
    "FOLDER",
    "MESSAGES",
    "REQUESTS",
    "encoded",
    "encoded_answer",
    "encoded_request",
    "readable",
]

FOLDER = Path(__file__).parent
COLOUR = (FOLDER / "colour.jpg").read_bytes()
GRAY = (FOLDER / "gray.jpg").read_bytes()

SENDER = "0123456789abcdef"
CAPTURED_NS = 1_760_000_000_123_456_789  # 2025-10-09T08:53:20.123456789Z


def _frame(payload: bytes, topic: str = "lab/cam1", **facts: Any) -> Packet:
    header = Header(
        topic=topic,
        sender=SENDER,
        captured_ns=CAPTURED_NS,
        sent_ns=CAPTURED_NS + 4_000_000,
        crc32=checksum(payload),
        **facts,
    )
    return Packet(header, payload)


def _status(sequence: int, **facts: Any) -> Status:
    return Status(
        topic="lab/cam1",
        sender=SENDER,
        sequence=sequence,
        sent_ns=CAPTURED_NS + 1_000_000_000,
        **facts,
    )


MESSAGES: dict[str, Packet | Status] = {
    "jpeg": _frame(
        COLOUR,
        sequence=0,
        monotonic_ns=98_765_432_100,
        encode_us=1600,
        width=16,
        height=16,
        channels=3,
        codec="jpeg",
        quality=50,
    ),
    "gray": _frame(
        GRAY,
        sequence=41,
        dropped=2,
        monotonic_ns=98_765_432_100,
        encode_us=350,
        width=8,
        height=8,
        channels=1,
        codec="jpeg",
        quality=50,
        metadata={"gain": 4},
    ),
    "raw": _frame(
        bytes(range(24)), "bench", sequence=2**40, width=4, height=2, channels=3, codec="raw"
    ),
    "metadata": _frame(
        b"\x80",
        "Yard_2/north.east/cam-0",
        sequence=7,
        width=1,
        height=1,
        channels=1,
        codec="raw",
        metadata={
            "nothing": None,
            "yes": True,
            "integers": [0, 127, 128, -1, -33, 65_536, -(2**63), 2**64 - 1],
            "float": 0.1,
            "text": "Grüße, 世界",
            "bytes": b"\0\xff",
            "empty": [[], {}, "", b""],
            "boxes": [{"label": "cat", "xyxy": [1.5, 2.0, 30.25, 40.0]}],
        },
    ),
    "replay": _frame(GRAY, sequence=3, replay=True, width=8, height=8, channels=1, codec="jpeg"),
    "status-live": _status(42, state="live", dropped=2),
    "status-no-signal": _status(42, state="no-signal", reason="camera:0 was unplugged"),
    "status-ended": _status(300, state="ended", reason="end of file"),
    "relayed": _frame(
        GRAY, sequence=41, dropped=2, width=8, height=8, channels=1, codec="jpeg", hops=2
    ),
    "status-relayed": _status(42, state="live", dropped=2, hops=2),
}

ANSWERS: dict[str, tuple[Packet | Status, Answer]] = {
    "frame": (MESSAGES["gray"], Answer(request=7, waited_us=12_500)),
    "frame-of-no-id": (MESSAGES["gray"], Answer(waited_us=0)),
    "status": (MESSAGES["status-live"], Answer(request=2**40, waited_us=1_000_000)),
}

REQUESTS: dict[str, Request | None] = {
    "empty": None,  # no bytes at all
    "any": Request(),
    "newest": Request(topic="lab/cam1", quality=50, scale=0.5, id=7),
    "newest-of-several": Request(topic=("lab", "yard"), quality=80),
    "after-map": Request(
        topic=("lab", "yard"), after={"lab/cam1": (SENDER, 41), "yard": (SENDER, 2**40)}, id=8
    ),
    "after-pair": Request(topic="lab/cam1", after=(SENDER, 41), id=0),
    "ping": Request(status=True, id=9),
}


def encoded(message: Packet | Status) -> Parts:
    return encode(message) if isinstance(message, Packet) else encode_status(message)


def encoded_answer(name: str) -> Parts:
    message, answer = ANSWERS[name]
    return encode_answer(message, answer.request, answer.waited_us)


def encoded_request(name: str) -> bytes:
    request = REQUESTS[name]
    return b"" if request is None else encode_request(request)


def readable(value: Any) -> Any:
    """What JSON can say of a decoded header."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, dict):
        return {key: readable(each) for key, each in value.items()}
    return [readable(each) for each in value] if isinstance(value, list) else value


def _message_row(parts: Parts) -> dict[str, Any]:
    header = readable(msgspec.msgpack.decode(parts[1]))
    return {"parts": [part.hex() for part in parts], "header": header}


def _request_row(body: bytes) -> dict[str, Any]:
    return {"body": body.hex(), "map": readable(msgspec.msgpack.decode(body)) if body else None}


def main() -> None:
    for file, table in (
        ("messages", {name: _message_row(encoded(each)) for name, each in MESSAGES.items()}),
        ("answers", {name: _message_row(encoded_answer(name)) for name in ANSWERS}),
        ("requests", {name: _request_row(encoded_request(name)) for name in REQUESTS}),
    ):
        text = json.dumps(table, indent=1, ensure_ascii=False)
        (FOLDER / f"{file}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
