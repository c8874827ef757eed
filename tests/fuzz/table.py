"""All that parses bytes from outside, as targets of the fuzzer. To add one: a `Target` and a row."""

from importlib import import_module

from fuzz.target import Target

__all__ = ["TARGETS", "load"]

TARGETS = {
    "message": "fuzz.messages:MESSAGE",
    "answer": "fuzz.messages:ANSWER",
    "header": "fuzz.messages:HEADER",
    "request": "fuzz.messages:REQUEST",
    "books": "fuzz.receiving:BOOKS",
    "answered": "fuzz.receiving:ANSWERED",
    "noise": "fuzz.receiving:NOISE",
    "jpeg-syntax": "fuzz.pictures:SYNTAX",
    "jpeg-stripes": "fuzz.pictures:STRIPES",
    "jpeg-pixels": "fuzz.pictures:PIXELS",
    "jpeg-scaled": "fuzz.pictures:SCALED",
    "matroska": "fuzz.recordings:MATROSKA",
    "recording": "fuzz.recordings:RECORDING",
    "repair": "fuzz.recordings:REPAIR",
    "container": "fuzz.recordings:CONTAINER",
    "texts": "fuzz.texts:TEXTS",
    "commands": "fuzz.pages:COMMANDS",
    "gate": "fuzz.pages:GATE",
    "trigger": "fuzz.servers:TRIGGER",
    "metrics": "fuzz.servers:METRICS",
}
"""Name -> where it is. Not imported before it is asked for: each runs in a process of its own."""


def load(name: str) -> Target:
    """The target of that name, or one that no row has, as module:NAME."""
    module, _, attribute = TARGETS.get(name, name).partition(":")
    target = getattr(import_module(module), attribute)
    assert isinstance(target, Target)
    return target
