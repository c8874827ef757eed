"""The bytes of version 1 stay what they are, in `tests/golden/` and in docs/PROTOCOL.md."""

import json
import re
from pathlib import Path
from typing import Any

import msgpack
import msgspec
import pytest

from framewire.common.frame import Header, Status
from framewire.common.jpeg import decode as decode_jpeg
from framewire.common.request import Request, decode_request
from framewire.common.wire import Answer, decode, decode_answer
from golden.make_golden import (
    ANSWERS,
    FOLDER,
    MESSAGES,
    REQUESTS,
    encoded,
    encoded_answer,
    encoded_request,
    readable,
)


def _table(file: str) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((FOLDER / f"{file}.json").read_text(encoding="utf-8"))
    return table


GOLDEN = _table("messages")
GOLDEN_ANSWERS = _table("answers")
GOLDEN_REQUESTS = _table("requests")
DOCUMENT = (Path(__file__).parents[2] / "docs" / "PROTOCOL.md").read_text(encoding="utf-8")


def _parts(name: str, table: dict[str, Any] = GOLDEN) -> list[bytes]:
    return [bytes.fromhex(part) for part in table[name]["parts"]]


def _body(name: str) -> bytes:
    return bytes.fromhex(GOLDEN_REQUESTS[name]["body"])


def test_every_message_has_its_bytes() -> None:
    assert list(GOLDEN) == list(MESSAGES)
    assert list(GOLDEN_ANSWERS) == list(ANSWERS)
    assert list(GOLDEN_REQUESTS) == list(REQUESTS)


@pytest.mark.parametrize("name", GOLDEN)
def test_bytes_to_value(name: str) -> None:
    assert decode(_parts(name)) == MESSAGES[name]


@pytest.mark.parametrize("name", GOLDEN)
def test_value_to_bytes(name: str) -> None:
    assert list(encoded(MESSAGES[name])) == _parts(name)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_readable_header_is_that_of_the_bytes(name: str) -> None:
    assert readable(msgpack.unpackb(_parts(name)[1])) == GOLDEN[name]["header"]


@pytest.mark.parametrize("name", ["jpeg", "gray", "replay"])
def test_the_pictures_decode(name: str) -> None:
    header = GOLDEN[name]["header"]
    assert decode_jpeg(_parts(name)[2]).shape[:2] == (header["height"], header["width"])


@pytest.mark.parametrize("name", GOLDEN_ANSWERS)
def test_answers(name: str) -> None:
    parts = _parts(name, GOLDEN_ANSWERS)
    assert (decode(parts), decode_answer(parts[1])) == ANSWERS[name]
    assert list(encoded_answer(name)) == parts
    assert readable(msgpack.unpackb(parts[1])) == GOLDEN_ANSWERS[name]["header"]


@pytest.mark.parametrize("name", GOLDEN_REQUESTS)
def test_requests(name: str) -> None:
    body = _body(name)
    assert decode_request(body) == (REQUESTS[name] or Request())
    assert encoded_request(name) == body
    assert GOLDEN_REQUESTS[name]["map"] == (msgpack.unpackb(body) if body else None)


# -- docs/PROTOCOL.md ---------------------------------------------------------------------------


def _dumps() -> list[bytes]:
    """The ```hex blocks of the document, without the remarks behind each #."""
    blocks = re.findall(r"^```hex\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)
    return [
        bytes.fromhex("".join(line.partition("#")[0] for line in block.splitlines()))
        for block in blocks
    ]


def test_the_worked_examples_are_golden() -> None:
    assert _dumps() == [_body("newest"), *_parts("gray"), _parts("status-live")[1]]


def _key_table(heading: str) -> dict[str, str]:
    """key -> its "required or default" column, from the table under `heading`."""
    section = DOCUMENT.split(f"\n### {heading}\n")[1].split("\n#")[0]
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", section, re.MULTILINE)
    return dict(rows)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else {}
    return "`nil`" if value is None else f"`{json.dumps(value)}`"


@pytest.mark.parametrize(
    ("heading", "kind", "beside"),
    [
        ("Keys of a frame", Header, {"kind"}),
        ("Keys of a status", Status, {"kind"}),
        ("Keys of a request", Request, set()),
        ("Keys of an answer", Answer, set()),
    ],
)
def test_the_tables_name_every_key_and_its_default(
    heading: str, kind: type[msgspec.Struct], beside: set[str]
) -> None:
    keys = {field.name: _default(field) for field in msgspec.structs.fields(kind)}
    if kind in (Header, Status):
        del keys["topic"]  # part 1 of a message carries it
    assert _key_table(heading) == {**dict.fromkeys(beside, "required"), **keys}


def test_a_message_carries_the_keys_of_the_tables() -> None:
    for heading, direct, relayed in (
        ("Keys of a frame", "gray", "relayed"),
        ("Keys of a status", "status-live", "status-relayed"),
    ):
        keys = set(_key_table(heading))
        assert set(GOLDEN[direct]["header"]) == keys - {"hops"}
        assert set(GOLDEN[relayed]["header"]) == keys


def test_an_answer_carries_the_keys_of_its_table_besides() -> None:
    more = set(GOLDEN_ANSWERS["frame"]["header"]) - set(GOLDEN["gray"]["header"])
    assert more == set(_key_table("Keys of an answer"))
