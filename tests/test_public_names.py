"""The public surface: what `__all__` promises is there, documented, and no more than this."""

import importlib
import inspect
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

SURFACE = {
    "framewire.common": {"__version__"},
    "framewire.sender": {"Sender", "SenderStats", "Source", "TopicSent", "open_source"},
    "framewire.receiver": {
        "Images",
        "Receiver",
        "ReceiverStats",
        "Recorder",
        "Recording",
        "Sink",
        "TopicReceived",
        "decode",
    },
}


def module_names() -> list[str]:
    names = []
    for side in ("common", "sender", "receiver", "app"):
        for path in sorted((ROOT / side).rglob("framewire/*/**/*.py")):
            dotted = ".".join(path.relative_to(ROOT / side).with_suffix("").parts)
            names.append(dotted.removesuffix(".__init__"))
    return names


@pytest.mark.parametrize("package", SURFACE)
def test_the_surface_is_this(package: str) -> None:
    assert set(importlib.import_module(package).__all__) == SURFACE[package]


@pytest.mark.parametrize("name", module_names())
def test_what_is_promised_is_there_and_documented(name: str) -> None:
    module = importlib.import_module(name)
    for public in getattr(module, "__all__", ()):
        value = getattr(module, public)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{name}.{public} has no docstring"


@pytest.mark.parametrize("package", ["framewire.sender", "framewire.receiver"])
def test_public_methods_are_documented(package: str) -> None:
    module = importlib.import_module(package)
    for public in module.__all__:
        value = getattr(module, public)
        if not inspect.isclass(value):
            continue
        for name, member in vars(value).items():
            if not name.startswith("_") and (
                inspect.isfunction(member) or isinstance(member, property)
            ):
                if isinstance(member, property) and package.endswith("stats"):
                    continue
                documented = inspect.getdoc(getattr(value, name))
                assert documented or value.__name__.endswith("Stats"), f"{public}.{name}"
