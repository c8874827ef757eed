"""The bytes of protocol version 1, as files that every implementation can be tested against.

`messages.json` holds complete messages: their parts in hex, and their header for people to read
(`{"hex": ...}` stands for a byte string). The pictures lie beside it as files, so that no codec's
version matters. Version 1 never changes: run this only to add a message, and look at the
difference:

    python tests/golden/make_golden.py
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from framewire.common.frame import Header, Packet, Status
from framewire.common.wire import Parts, checksum, encode, encode_status

__all__ = ["MESSAGES", "PATH", "encoded", "readable"]

FOLDER = Path(__file__).parent
PATH = FOLDER / "messages.json"
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
}


def encoded(message: Packet | Status) -> Parts:
    return encode(message) if isinstance(message, Packet) else encode_status(message)


def readable(value: Any) -> Any:
    """What JSON can say of a decoded header."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, dict):
        return {key: readable(each) for key, each in value.items()}
    return [readable(each) for each in value] if isinstance(value, list) else value


def main() -> None:
    table = {}
    for name, message in MESSAGES.items():
        parts = encoded(message)
        header = readable(msgspec.msgpack.decode(parts[1]))
        table[name] = {"parts": [part.hex() for part in parts], "header": header}
    PATH.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
