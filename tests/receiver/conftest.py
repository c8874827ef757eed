"""What every test of `framewire.receiver` relies on."""

import os
import shutil
import struct
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from framewire.common.frame import Image
from framewire.common.transport import open_sockets
from framewire.receiver import Receiver
from receiver.publishing import DEADLINE_S, Station, until
from receiver.reading import Connect

# No deadline for one example: a slow machine is no defect. The 60 s of pytest-timeout remain.
settings.register_profile("framewire", deadline=None)
settings.load_profile("framewire")


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("framewire-")}


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No thread of ours and no socket outlives a test."""
    threads, sockets = _threads(), open_sockets()  # none, unless another test failed
    yield
    assert _threads() <= threads
    assert open_sockets() == sockets


@pytest.fixture(autouse=True)
def no_options_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands take options from the environment and from a file: not from this machine's."""
    for name in os.environ:
        if name.startswith("FRAMEWIRE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FRAMEWIRE_CONFIG", str(tmp_path / "no-config.toml"))


@pytest.fixture
def station(nothing_is_left: None) -> Iterator[Station]:
    with Station() as station:
        yield station


@pytest.fixture
def connect(station: Station) -> Iterator[Connect]:
    """Opens a receiver of the station that is subscribed already; closes it at the end."""
    opened: list[Receiver] = []

    def open_one(**arguments: Any) -> Receiver:
        receiver = Receiver(station.url, **{"timeout": DEADLINE_S, **arguments})
        opened.append(receiver)
        station.wait_for_subscriptions(station.subscriptions + 1)
        return receiver

    yield open_one
    for receiver in opened:
        receiver.close()


_FIND = ("search", "--sync", "--onlyvisible", "--name", "^framewire$")


@dataclass(frozen=True)
class Display:
    """A screen that nobody looks at."""

    environment: dict[str, str]
    """For processes that are to use it."""
    file: Path
    """What it shows, as Xvfb writes it: an XWD file (see X11/XWDFile.h)."""

    def screenshot(self) -> Image:
        """(H, W, 3), BGR."""
        data = self.file.read_bytes()
        fields = struct.unpack(">25I", data[:100])
        size, width, height, line, colours = (fields[i] for i in (0, 4, 5, 12, 19))
        pixels = np.frombuffer(data, np.uint8, line * height, size + 12 * colours)
        return pixels.reshape(height, line // 4, 4)[:, :width, :3].copy()

    def press(self, key: str) -> None:
        """A key press for the window that has our name, once it is there."""
        until(lambda: self._xdotool(*_FIND, "windowfocus", "--sync"))  # not before it is ready
        assert self._xdotool("key", key)

    def map_again(self) -> None:
        """Take the window that has our name off the screen and put it back."""
        assert self._xdotool(*_FIND, "windowunmap", "--sync", "windowmap", "--sync")

    def _xdotool(self, *arguments: str) -> bool:
        """Whether it could."""
        done = subprocess.run(
            ["xdotool", *arguments],
            env=self.environment,
            check=False,
            capture_output=True,
            timeout=DEADLINE_S,
        )
        return done.returncode == 0


@pytest.fixture(scope="session")
def display(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Display]:
    missing = [name for name in ("Xvfb", "xdotool") if not shutil.which(name)]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed (Debian: xvfb, xdotool)")
    folder = tmp_path_factory.mktemp("screen")
    reader, writer = os.pipe()
    screen = ("-screen", "0", "1400x900x24", "-fbdir", str(folder))
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), *screen, "-nolisten", "tcp", "-noreset"],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    try:
        os.close(writer)
        with open(reader) as numbers:
            number = numbers.readline().strip()  # once it serves; empty if it cannot
        assert number, "Xvfb did not start"
        environment = {**os.environ, "DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb"}
        environment.pop("WAYLAND_DISPLAY", None)
        yield Display(environment, folder / "Xvfb_screen0")
    finally:
        server.terminate()
        server.wait(DEADLINE_S)
