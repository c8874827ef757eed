"""Files that block or end in the middle, and pipes whose writer hangs or goes."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from faults.rtspcamera import make_clip
from faults.sending import LIMIT_S, Sending
from processes import Start, until


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "yard.mkv"
    make_clip(path, 20)
    return path


class FileServer:
    """Serves one file, and holds still in the middle of it while `stalls`."""

    def __init__(self, path: Path) -> None:
        self._content = path.read_bytes()
        self.stalls = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/yard.mkv"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(
                b"HTTP/1.0 200 OK\r\nContent-Type: video/x-matroska\r\nContent-Length: %d\r\n\r\n"
                % len(self._content)
            )
            for at in range(0, len(self._content), 5000):
                while self.stalls:
                    time.sleep(0.02)
                connection.sendall(self._content[at : at + 5000])
                time.sleep(0.05)


@pytest.mark.parametrize("back", [True, False], ids=["and-goes-on", "and-is-ended"])
def test_a_file_on_a_server_that_stalls(framewire: Start, clip: Path, back: bool) -> None:
    with closing(FileServer(clip)) as server, Sending(framewire, server.url) as sending:
        sending.until_live()
        server.stalls = True
        until(lambda: sending.state == "no-signal", 20)  # once what had come before is shown
        assert sending.reason.startswith("it cannot be read: its disk, mount or server")
        if back:
            server.stalls = False
            assert sending.until_live() < LIMIT_S
        sending.command.signal(signal.SIGTERM)
        assert sending.command.wait(LIMIT_S) == 0
        assert sending.command.event("summary")["captured"]
        server.stalls = False


def test_a_file_that_ends_in_the_middle(framewire: Start, clip: Path) -> None:
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    command = framewire("send", str(clip), "--bind", "tcp://127.0.0.1:*", "--speed", "0", "--json")
    assert command.wait() == 0
    assert command.event("summary")["captured"] > 50
    (line,) = command.errors
    assert "yard.mkv ends after" in line
    assert line.endswith("though it says that it lasts 20.0 s: it was cut or is damaged\n")


_WRITE = """
import sys, time
content = open(sys.argv[1], "rb").read()
with open(sys.argv[2], "wb", buffering=0) as pipe:
    for at in range(0, len(content), 4000):
        pipe.write(content[at : at + 4000])
        time.sleep(0.05)
"""


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe.mkv"
    os.mkfifo(path)
    return path


class Writer:
    """A program that writes a clip into a pipe, slowly."""

    def __init__(self, clip: Path, pipe: Path) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", _WRITE, str(clip), str(pipe)])

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def test_a_pipe_whose_writer_hangs_goes_and_comes(framewire: Start, clip: Path, pipe: Path) -> None:
    with closing(Writer(clip, pipe)) as writer, Sending(framewire, str(pipe)) as sending:
        sending.until_live()
        writer.process.send_signal(signal.SIGSTOP)
        assert sending.until_lost("it gives no picture for 2 s") < LIMIT_S + 1
        writer.close()
        until(lambda: "no more pictures" in sending.reason or "not answer" in sending.reason, 20)
        with closing(Writer(clip, pipe)):
            assert sending.until_live() < 20
            sending.command.signal(signal.SIGINT)
            assert sending.command.wait(LIMIT_S) == 0


def test_a_pipe_that_nobody_writes_can_be_given_up(framewire: Start, pipe: Path) -> None:
    command = framewire("send", str(pipe), "--bind", "tcp://127.0.0.1:*")
    time.sleep(3)
    command.signal(signal.SIGINT)
    assert command.wait(LIMIT_S) == 0
