"""What a file with a CURVE key says: the format of ZeroMQ certificates. Pure.

::

    metadata
    curve
        public-key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
        secret-key = "..."

The second key is in the secret file only. A key is 32 bytes, written as 40 characters (ZeroMQ RFC 32,
Z85). Lines that begin with # are comments; what else there may be is passed over.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from framewire.common import z85
from framewire.common.endpoint import Endpoint
from framewire.common.errors import KeyFileError

__all__ = ["KeyPair", "KeyText", "Keys", "key_fault", "read_text", "write_text"]

_LENGTH = 40
_LINE = re.compile(r"\A\s*(?P<kind>public|secret)-key\s*=\s*[\"']?(?P<key>[^\"'\s]*)[\"']?\s*\Z")
_PUBLIC_TOP = """\
# The public key of {name}, for ZeroMQ CURVE. It is no secret: give it to those who are to let
# {name} in, or to connect to it.

metadata
curve
    public-key = "{public}"
"""
_SECRET_TOP = """\
# The SECRET key of {name}, for ZeroMQ CURVE. Give it to nobody, and keep it readable by its user only.

metadata
curve
    public-key = "{public}"
    secret-key = "{secret}"
"""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Two keys that belong together, as text. The secret one does not show when it is printed."""

    public: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that a sender or receiver uses, at all its addresses but those of `inproc://`."""

    own: KeyPair
    allow: Path | None
    """The folder with the public keys of those who may connect to what is bound here."""
    servers: Mapping[Endpoint, str]
    """The public key of who is to be at each address to connect to."""


@dataclass(frozen=True, slots=True)
class KeyText:
    """The keys that a file names; None: it has none of that kind."""

    public: str | None
    secret: str | None = field(repr=False)


def key_fault(key: str) -> str:
    """What keeps a text from being a key; empty if it is one."""
    if len(key) != _LENGTH:
        return f"a key has {_LENGTH} characters, not {len(key)}"
    try:
        z85.decode(key)
    except ValueError:
        return "a character is wrong"
    return ""


def read_text(text: str) -> KeyText:
    """The keys in the text of a file; `KeyFileError` if one is none."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if not match:
            continue
        fault = key_fault(match["key"])
        if fault:
            raise KeyFileError(f"its {match['kind']} key is damaged: {fault}")
        found.setdefault(match["kind"], match["key"])
    return KeyText(found.get("public"), found.get("secret"))


def write_text(name: str, pair: KeyPair) -> tuple[str, str]:
    """The texts of the public and the secret file of a pair."""
    name = " ".join(name.split())  # a comment has one line
    return (
        _PUBLIC_TOP.format(name=name, public=pair.public),
        _SECRET_TOP.format(name=name, public=pair.public, secret=pair.secret),
    )
