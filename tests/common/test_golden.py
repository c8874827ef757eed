"""The bytes of version 1 stay what they are, in `tests/golden/` and in docs/PROTOCOL.md."""

import json
import re
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]
import msgspec
import pytest

from framewire.common.frame import Header, Status
from framewire.common.jpeg import decode as decode_jpeg
from framewire.common.wire import decode
from golden.make_golden import MESSAGES, PATH, encoded, readable

GOLDEN: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
DOCUMENT = (Path(__file__).parents[2] / "docs" / "PROTOCOL.md").read_text(encoding="utf-8")


def _parts(name: str) -> list[bytes]:
    return [bytes.fromhex(part) for part in GOLDEN[name]["parts"]]


def test_every_message_has_its_bytes() -> None:
    assert list(GOLDEN) == list(MESSAGES)


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


# -- docs/PROTOCOL.md ---------------------------------------------------------------------------


def _dumps() -> list[bytes]:
    """The ```hex blocks of the document, without the remarks behind each #."""
    blocks = re.findall(r"^```hex\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)
    return [
        bytes.fromhex("".join(line.partition("#")[0] for line in block.splitlines()))
        for block in blocks
    ]


def test_the_worked_example_is_a_golden_message() -> None:
    assert _dumps() == [*_parts("gray"), _parts("status-live")[1]]


def _key_table(heading: str) -> dict[str, str]:
    """key -> its "required or default" column, from the table under `heading`."""
    section = DOCUMENT.split(f"\n### {heading}\n")[1].split("\n#")[0]
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", section, re.MULTILINE)
    return dict(rows)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else {}
    return f"`{json.dumps(value)}`"


@pytest.mark.parametrize(
    ("heading", "kind"), [("Keys of a frame", Header), ("Keys of a status", Status)]
)
def test_the_tables_name_every_key_and_its_default(
    heading: str, kind: type[Header] | type[Status]
) -> None:
    keys = {
        field.name: _default(field)
        for field in msgspec.structs.fields(kind)
        if field.name != "topic"  # part 1 of a message carries it
    }
    assert _key_table(heading) == {"kind": "required", **keys}


def test_a_message_carries_the_keys_of_the_tables() -> None:
    frame, status = GOLDEN["gray"]["header"], GOLDEN["status-live"]["header"]
    assert set(frame) == set(_key_table("Keys of a frame"))
    assert set(status) == set(_key_table("Keys of a status"))
