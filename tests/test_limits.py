"""docs/guide/limits.md says what the code does: each row of its tables, and each field of `Limits`."""

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec
import pytest

from framewire.app.web import answers, cutting, library, loans, seat, theatre
from framewire.app.web.limits import LIMITS
from framewire.common import answering, gaps, jpeg_syntax, newest, request, topic
from framewire.common.config import DEFAULT_LIMITS, Limits
from framewire.common.frame import MAX_HOPS, Header, Status
from framewire.common.opencv import cv2
from framewire.common.transport import connections, pubsub
from framewire.receiver import receiver, watching
from framewire.receiver.sinks import files, recorder, window
from framewire.sender import picture
from framewire.sender.outlets import publishing

GUIDE = (Path(__file__).parents[1] / "docs/guide/limits.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in GUIDE.splitlines()
    if line.startswith("| ") and not line.startswith(("| limit |", "| --- |"))
]
SCALES = {"": 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}

assert cv2 is not None


def _longest(kind: type, field: str) -> int:
    """What the type of a field allows."""
    (meta,) = get_args(get_type_hints(kind, include_extras=True)[field])[1:]
    assert isinstance(meta, msgspec.Meta)
    assert meta.max_length is not None
    return meta.max_length


CODE = {
    "parts of a message": pubsub._PARTS,
    "topic": topic.MAX_TOPIC_BYTES,
    "header": DEFAULT_LIMITS.header_bytes,
    "payload": DEFAULT_LIMITS.payload_bytes,
    "picture": DEFAULT_LIMITS.picture_pixels,
    "metadata": DEFAULT_LIMITS.metadata_bytes,
    "depth of metadata": DEFAULT_LIMITS.metadata_depth,
    "sender's id": _longest(Header, "sender"),
    "reason of a status": _longest(Status, "reason"),
    "segments of a JPEG": jpeg_syntax.MAX_SEGMENTS,
    "Huffman tables of a JPEG": jpeg_syntax.MAX_TABLES,
    "relays on the way": MAX_HOPS,
    "image files and JPEG to decode": DEFAULT_LIMITS.picture_pixels,
    "topics of a receiver": DEFAULT_LIMITS.topics,
    "senders that connect to a bound receiver and are asked": DEFAULT_LIMITS.connections,
    "frames that wait, all topics together": receiver._QUEUE_BYTES,
    "newest frames that the web viewer or a relay keeps, all topics together": newest.NEWEST_BYTES,
    "runs of a topic": gaps._REMEMBERED,
    "ranges of missing numbers of a topic": gaps._MAX_RANGES,
    "gap that is believed at once": gaps._FARTHEST,
    "topics in a window": window.MOST_TILES,
    "topics with trouble in a line": watching._PROBLEMS,
    "recordings written at a time": files.MOST_OPEN,
    "recorder's queue": recorder._QUEUE_BYTES,
    "what came before an event": recorder._RING_BYTES,
    "connections to a socket": connections.MOST_CONNECTIONS,
    "one subscription": pubsub.MAX_SUBSCRIPTION_BYTES,
    "different subscriptions": DEFAULT_LIMITS.subscriptions,
    "one request": request.MAX_REQUEST_BYTES,
    "topics of a request": request.MOST_TOPICS,
    "requests of a connection that wait": DEFAULT_LIMITS.requests,
    "requests that wait, all together": DEFAULT_LIMITS.waiting_bytes,
    "receivers that ask": DEFAULT_LIMITS.connections,
    "levels of one picture": picture._MOST_LEVELS,
    "frames on their way to the socket": publishing._OUTBOX_BYTES,
    "connections of the web viewer": LIMITS.connections,
    "head of an HTTP request": LIMITS.head_bytes,
    "WebSocket message from a browser": LIMITS.message_bytes,
    "acknowledgement": answers.ACK_LENGTH,
    "command of a browser that plays": seat._COMMAND_LENGTH,
    "browsers that play recordings": theatre.SEATS,
    "recordings open for them": loans._MOST,
    "cuts at a time": theatre.CUTS,
    "a cut": cutting.MOST_BYTES,
    "files of a folder of recordings": library._MOST_FILES,
    "connections to `--metrics`": answering._MOST_AT_ONCE,
}


def _number(text: str) -> int:
    match = re.fullmatch(r"([0-9,]+) ?(|Ki|Mi|Gi)", text)
    assert match, f"{text!r} is no number"
    return int(match[1].replace(",", "")) * SCALES[match[2]]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_says_what_the_code_does(row: list[str]) -> None:
    name, default, unit, _, change, _ = row
    assert _number(default) == CODE[name]
    assert unit
    assert change


def test_every_limit_has_its_row() -> None:
    assert [row[0] for row in ROWS] == list(CODE)


def test_what_can_be_changed_is_named() -> None:
    named = set(re.findall(r"`Limits\((\w+)=\)`", GUIDE))
    assert named == {field.name for field in fields(Limits)}
