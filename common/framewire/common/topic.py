r"""Topics: the names of streams, such as ``lab/cam1``.

Segments of ``[A-Za-z0-9._-]`` joined by ``/``, at most 255 bytes with the ``/`` that always ends
them on the wire. No segment is ``.`` or ``..``: topics become folders and addresses. The end mark is
what makes a ZeroMQ prefix subscription safe: ``lab/cam1/`` is no prefix of ``lab/cam10/``.
"""

import re

from framewire.common.errors import TopicError

__all__ = ["MAX_TOPIC_BYTES", "check_topic", "topic_from_name", "wire_topic"]

MAX_TOPIC_BYTES = 255
"""Length limit on the wire, the closing ``/`` included."""

# \Z, not $: `$` would let a topic end in a newline.
_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+"
_TOPIC = re.compile(rf"\A{_SEGMENT}(?:/{_SEGMENT})*\Z")
_SHOWN = 100  # characters of what is none, in a message that says so
_FOREIGN = re.compile(r"[^A-Za-z0-9._-]+")


def check_topic(topic: str) -> str:
    """Return `topic` without a closing ``/``; raise `TopicError` if it is none."""
    name = topic.removesuffix("/")
    if not _TOPIC.match(name):
        raise TopicError(
            f"bad topic {topic[:_SHOWN]!r}: use letters, digits, '.', '_' and '-', "
            "in parts joined by '/', as in lab/cam1"
        )
    if len(name) + 1 > MAX_TOPIC_BYTES:
        raise TopicError(
            f"topic of {len(name)} characters is too long: at most {MAX_TOPIC_BYTES - 1}"
        )
    return name


def wire_topic(topic: str) -> bytes:
    """The first message part for a checked `topic`; also its subscription prefix."""
    return topic.encode("ascii") + b"/"


def topic_from_name(name: str) -> str:
    """Make a topic of one segment from a device's or file's name; never fails."""
    return _FOREIGN.sub("-", name).strip("-.")[:64] or "stream"
