"""What every test of the web viewer relies on."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import settings

from app.web.viewing import Camera, Viewer, until
from framewire.app.web import server
from framewire.common.transport import open_sockets

# No deadline for one example: a slow machine is no defect. The 60 s of pytest-timeout remain.
settings.register_profile("framewire", deadline=None)
settings.load_profile("framewire")


def _ours() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("framewire-") or name == "viewer"]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No thread of ours and no socket outlives a test."""
    assert (open_sockets(), _ours()) == (0, []), "another test left something"
    yield
    until(lambda: not _ours(), "all threads ended")
    assert open_sockets() == 0


@pytest.fixture(autouse=True)
def no_options_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands take options from the environment and from a file: not from this machine's."""
    for name in os.environ:
        if name.startswith("FRAMEWIRE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FRAMEWIRE_CONFIG", str(tmp_path / "no-config.toml"))


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A page of our own in place of the real one, and a file beside it that is nobody's business."""
    folder = tmp_path / "page"
    (folder / "parts").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>ours</title>")
    (folder / "page.js").write_text("'ours'")
    (folder / "parts" / "grid.js").write_text("'grid'")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "page-of-others").mkdir()
    (tmp_path / "page-of-others" / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    monkeypatch.setattr(server, "PAGE", folder)
    return folder


@pytest.fixture
def camera(nothing_is_left: None) -> Iterator[Camera]:
    with Camera() as camera:
        yield camera


class Serve(Protocol):
    """Make a `Viewer`, closed at the test's end; of the test's camera unless told otherwise."""

    def __call__(self, *senders: str, **options: Any) -> Viewer: ...


@pytest.fixture
def serve(camera: Camera, page: Path) -> Iterator[Serve]:
    with ExitStack() as stack:

        def make(*senders: str, **options: Any) -> Viewer:
            return stack.enter_context(Viewer(*(senders or (camera.url,)), **options))

        yield make


@pytest.fixture
def viewer(serve: Serve) -> Viewer:
    """For anybody who reaches it."""
    return serve()
