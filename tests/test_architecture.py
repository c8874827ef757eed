"""The rules of docs/ARCHITECTURE.md, checked on the source itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SIDES = ("common", "sender", "receiver", "app")
MODULES = sorted(path for side in SIDES for path in (ROOT / side / "framewire").rglob("*.py"))

MAY_IMPORT = {
    "common": {"common"},
    "sender": {"common", "sender"},
    "receiver": {"common", "receiver"},
    "app": {"common", "sender", "receiver", "app"},
}
ONLY_IN: dict[str, str | tuple[str, ...]] = {
    "zmq": "common/framewire/common/transport/",
    "av": ("common/framewire/common/container.py", "common/framewire/common/h264.py"),
    "cv2": "common/framewire/common/opencv.py",
    "time": "common/framewire/common/clock.py",
    "simplejpeg": "common/framewire/common/turbo.py",
    "prometheus_client": "common/framewire/common/exposition.py",
}
_COMMON, _SENDER, _LINKS, _SINKS = (
    "common/framewire/common", "sender/framewire/sender", "receiver/framewire/receiver/links",
    "receiver/framewire/receiver/sinks",
)  # fmt: skip
PURE = (
    *(f"{_COMMON}/{name}.py" for name in (
        "amount", "config", "endpoint", "errors", "frame", "gaps", "jpeg_stripes", "jpeg_syntax", "keytext",
        "level", "matroska", "matroska_writing", "metrics", "place", "recording_index", "request", "stats",
        "testchart", "timeline", "topic", "transport/crowd", "transport/handshakes", "transport/refusals", "transport/zap", "wire", "z85",
    )),
    *(f"{_SENDER}/{name}.py" for name in (
        "account", "history", "metrics", "pacing", "sequence", "sources/patience",
    )),
    *(f"{_LINKS}/{name}.py" for name in (
        "conversation", "path", "rate_control", "steering", "watch",
    )),
    *(f"{_SINKS}/{name}.py" for name in ("events", "plan", "retention", "ring", "segments")),
    "app/framewire/app/web/playing.py",
    "receiver/framewire/receiver/wishes.py",
)  # fmt: skip
NS = "framewire.common.clock.NS"  # a number, no clock
IMPURE_IMPORTS = {"threading", "socket", "zmq", "av", "cv2", "subprocess", "logging", "os"}


def imports(path: Path) -> Iterator[str]:
    """Dotted names of all that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_there_is_something_to_check() -> None:
    assert len(MODULES) > 40


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    here = path.relative_to(ROOT).as_posix()
    side = here.split("/")[0]
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "framewire" and len(parts) > 1:
            assert parts[1] in MAY_IMPORT[side], f"{here} imports {name}"
        if parts[0] in ONLY_IN:
            assert here.startswith(ONLY_IN[parts[0]]), f"{here} imports {name}"


@pytest.mark.parametrize("path", PURE)
def test_pure_modules_stay_pure(path: str) -> None:
    found = set(imports(ROOT / path))
    assert not {name.split(".")[0] for name in found} & IMPURE_IMPORTS
    assert not {name for name in found if name.startswith("framewire.common.clock.")} - {NS}
    assert not {name for name in found if name.startswith("framewire.common.transport")}


def test_framewire_is_a_namespace_package() -> None:
    for side in SIDES:
        assert not (ROOT / side / "framewire" / "__init__.py").exists()
        assert (ROOT / side / "framewire" / side / "py.typed").exists()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))
