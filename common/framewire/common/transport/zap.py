"""Messages of the ZeroMQ Authentication Protocol, version 1.0 (RFC 27). Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from framewire.common import z85
from framewire.common.errors import ProtocolError

__all__ = ["Question", "Verdict", "read_question", "write_answer"]

Verdict = Literal["allowed", "later", "refused"]
"""What is answered: come in; come again, because this cannot be told now; this key is not allowed."""

_VERSION = b"1.0"
_QUESTION_PARTS = 6  # version, number, domain, address, routing id, mechanism; then the credentials
_CODES: dict[Verdict, bytes] = {
    "allowed": b"200",
    "later": b"300",  # the other side is told nothing, and tries again by itself
    "refused": b"400",
}
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Question:
    """Whether somebody may come in."""

    number: bytes
    """Of the question: the answer repeats it."""
    domain: bytes
    address: str
    """The IP address that it comes from, without a port; empty for ipc."""
    key: str
    """The public key that it has shown to own, or empty where the mechanism is not CURVE."""


def read_question(parts: Sequence[bytes]) -> Question:
    """The question in a message from libzmq; `ProtocolError` if it is none."""
    if len(parts) < _QUESTION_PARTS or parts[0] != _VERSION:
        raise ProtocolError("a question to the handler of keys is not of ZAP 1.0")
    _, number, domain, address, _, mechanism, *credentials = parts
    key = ""
    if mechanism == b"CURVE" and len(credentials) == 1 and len(credentials[0]) == _KEY_BYTES:
        key = z85.encode(credentials[0])
    return Question(number, domain, address.decode(errors="replace"), key)


def write_answer(question: Question, verdict: Verdict) -> list[bytes]:
    """The answer. Messages from who is let in carry its key as their User-Id."""
    user = question.key.encode() if verdict == "allowed" else b""
    return [_VERSION, question.number, _CODES[verdict], verdict.encode(), user, b""]
