"""Processes at their limits: output that nobody reads, no descriptors, no memory, defects in threads."""

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import pytest

from at_work import AT_WORK, SMALL, YARD, wait_for_signals
from framewire.common.recording import Recording
from framewire.receiver import Receiver
from processes import Command, Start, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc, prlimit and pipes of Linux")

GONE_S = 3.0
NOWHERE = "tcp://127.0.0.1:9"


# -- who reads the output -----------------------------------------------------------------------


@contextmanager
def full_pipe() -> Iterator[int]:
    """The writing end of a pipe that has no room, and whose reader does not read."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x")
    os.set_blocking(writer, True)
    try:
        yield writer
    finally:
        os.close(reader)
        os.close(writer)


class Quiet:
    """`framewire ARGUMENTS` whose output goes where it is told."""

    def __init__(
        self, folder: Path, *arguments: str, out: int | IO[Any], err: int | IO[Any]
    ) -> None:
        command = [sys.executable, "-m", "framewire", *arguments]
        self.process = subprocess.Popen(
            command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, cwd=folder
        )

    def end(self) -> int:
        """Its exit code after SIGTERM, within the limit."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(10)
        assert time.monotonic() - began < GONE_S, self.process.args
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def test_nothing_that_moves_frames_waits_for_who_reads_its_output(
    port: int, tmp_path: Path
) -> None:
    """Standard output and error are full all the time: a terminal held by Ctrl-S, `| sleep 1000`."""
    with full_pipe() as out, full_pipe() as err, ExitStack() as stack:

        def start(*arguments: str) -> Quiet:
            each = Quiet(tmp_path, *arguments, out=out, err=err)
            stack.callback(each.close)
            return each

        url, relayed = f"tcp://127.0.0.1:{port}", f"ipc://{tmp_path}/relay"
        running = [
            start("send", SMALL, "--bind", url),  # its line of figures is on stderr
            start("relay", "--from", url, "--bind", relayed),
            start("record", relayed, "--out", "a.mkv", "--json"),
            start("view", url, "--headless", "--json"),
        ]
        with Receiver(relayed, timeout=30) as receiver:
            first = receiver.read_packet().sequence
            until(lambda: receiver.read_packet().sequence > first + 45)
        for each in reversed(running):
            assert each.end() == 0
    with Recording(tmp_path / "a.mkv") as recording:
        assert recording.finished
        assert len(recording) > 30


def test_a_reader_that_goes_away_ends_it_quietly_and_files_are_whole(
    framewire: Start, tmp_path: Path
) -> None:
    """`| head -1`."""
    url = framewire("send", SMALL, "--bind", "tcp://127.0.0.1:*", "--json").endpoint()
    with ExitStack() as stack:
        for name in ("record", "view", "stats", "demo"):
            shell = f'"{sys.executable}" -m framewire {" ".join(AT_WORK[name].arguments)} --json'
            shell = shell.replace("URL", url).replace("one.mkv", "head.mkv")
            process = subprocess.Popen(
                ["bash", "-c", f"set -o pipefail; {shell} | head -1 >/dev/null"],
                cwd=tmp_path,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.kill)
            _, errors = process.communicate(timeout=30)
            assert process.returncode == 0, (name, errors)
            assert errors.count("\n") <= 1, errors
    with Recording(tmp_path / "head.mkv") as recording:
        assert recording.finished


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_an_output_on_a_full_disk_is_said_once_and_frames_go_on(
    framewire: Start, tmp_path: Path
) -> None:
    url = framewire("send", SMALL, "--bind", "tcp://127.0.0.1:*", "--json").endpoint()
    with open("/dev/full", "w") as full, ExitStack() as stack:
        live = Quiet(
            tmp_path, "record", url, "--out", "a.mkv", "--json", out=full, err=subprocess.PIPE
        )
        stack.callback(live.close)
        told = live.process.stderr
        assert told is not None
        stack.callback(told.close)
        assert b"cannot write to standard output: No space left" in told.readline()
        size = (tmp_path / "a.mkv").stat().st_size
        until(lambda: (tmp_path / "a.mkv").stat().st_size > size)
        assert live.end() == 1
        once = Quiet(tmp_path, "info", YARD, "--json", out=full, err=subprocess.PIPE)
        stack.callback(once.close)
        assert once.process.stderr is not None
        stack.callback(once.process.stderr.close)
        assert once.process.stderr.read().count(b"\n") == 1
        assert once.process.wait(10) == 1
    with Recording(tmp_path / "a.mkv") as recording:
        assert recording.finished


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_streams_that_were_closed_before_the_start(
    framewire: Start, tmp_path: Path, closed: str
) -> None:
    url = framewire("send", SMALL, "--bind", "tcp://127.0.0.1:*", "--json").endpoint()
    shell = (
        f'exec "{sys.executable}" -m framewire record {url} --out a.mkv --count 5 --json {closed}'
    )
    done = subprocess.run(["/bin/sh", "-c", shell], cwd=tmp_path, timeout=30, check=False)
    assert done.returncode == 0
    with Recording(tmp_path / "a.mkv") as recording:
        assert len(recording) == 5


# -- open files -----------------------------------------------------------------------------------


def exhaust(command: Command) -> None:
    """Let it open nothing any more; what is open stays so."""
    number = command.process.pid
    resource.prlimit(
        number, resource.RLIMIT_NOFILE, (3, resource.prlimit(number, resource.RLIMIT_NOFILE)[1])
    )


def relieve(command: Command) -> None:
    number = command.process.pid
    hard = resource.prlimit(number, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(number, resource.RLIMIT_NOFILE, (hard, hard))


def _said(command: Command, words: str) -> int:
    return sum(words in line for line in command.errors)


def test_without_open_files_each_says_so_once_and_goes_on_when_there_are_some(
    framewire: Start, tmp_path: Path
) -> None:
    send = framewire("send", SMALL, "--bind", "tcp://127.0.0.1:*", "--json")
    url = send.endpoint()
    view = framewire("view", url, "--headless", "--json")
    web = framewire("web", url, "--listen", "127.0.0.1:0", "--json")
    page = web.url()
    record = framewire("record", url, "--out", "folder", "--segment", "1s", "--json")
    record.event("figures")
    view.event("figures")
    for command in (send, web, record):
        exhaust(command)
    late = framewire("view", url, "--headless", "--count", "5", "--json")
    place = urlsplit(page)
    with socket.create_connection((place.hostname, place.port), timeout=20):
        until(lambda: _said(send, "no new connection can be taken") >= 1)
        until(lambda: _said(web, "cannot let a visitor in") >= 1)
        until(lambda: _said(record, "Too many open files") >= 1)
    before = view.event("figures")["received"]
    until(lambda: view.event("figures")["received"] > before)  # who is there already is served
    for command in (send, web, record):
        relieve(command)
    assert late.wait() == 0
    with urllib.request.urlopen(page, timeout=20) as answer:
        assert answer.status == 200
    written = len(list(tmp_path.rglob("*.mkv")))
    until(lambda: len(list(tmp_path.rglob("*.mkv"))) > written)
    for command in (send, view, web):
        command.signal(signal.SIGTERM)
        assert command.wait(10) == 0, command
    record.signal(signal.SIGTERM)
    assert record.wait(10) == 1  # frames are missing, and counted
    assert record.event("summary")["unwritten"] > 0
    for command in (send, view, web, record):
        assert "Traceback" not in "".join(command.errors), command


FEW = """
import os, resource
from framewire.common.errors import TransportError
from framewire.receiver import Receiver
most = max(map(int, os.listdir("/proc/self/fd")))
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
refused = 0
for spare in range(60):
    resource.setrlimit(resource.RLIMIT_NOFILE, (most + spare, hard))
    try:
        Receiver("tcp://127.0.0.1:9").close()
    except TransportError as error:
        assert "too many files" in str(error), error
        refused += 1
    else:
        break
assert 0 < refused < 59, refused
"""

DEAF = """
import logging, os, resource, sys, time
from framewire.receiver import Receiver
from framewire.receiver.links import watched
logging.basicConfig(format="%(message)s")
receiver = Receiver(sys.argv[1], timeout=20)
time.sleep(0.3)
most = os.dup(0)  # the lowest that is free
os.close(most)
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
print("exhausted", flush=True)
sys.stdin.readline()
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
print(receiver.read().topic, flush=True)
receiver.close()
"""


def test_where_files_run_out_libzmq_never_aborts_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FEW], capture_output=True, text=True, timeout=40, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_deaf_connection_is_kept_until_another_can_be_made(framewire: Start, port: int) -> None:
    url = f"tcp://127.0.0.1:{port}"
    with subprocess.Popen(
        [sys.executable, "-c", DEAF, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as receiver:
        try:
            assert receiver.stdin
            assert receiver.stdout
            assert receiver.stderr
            assert receiver.stdout.readline() == "exhausted\n"
            while "was not made anew" not in receiver.stderr.readline():
                continue
            framewire("send", SMALL, "--bind", url, "--json").endpoint()
            print(file=receiver.stdin, flush=True)
            assert receiver.stdout.readline() == "pattern\n"
            assert receiver.wait(10) == 0
        finally:
            receiver.kill()


def test_the_command_line_takes_all_open_files_that_it_may_have(framewire: Start) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    command = framewire(
        "view", NOWHERE, "--headless",
        within=lambda argv: ["/bin/sh", "-c", 'ulimit -Sn 64; exec "$@"', "sh", *argv],
    )  # fmt: skip
    wait_for_signals(command)

    def has_all() -> bool:
        soft = resource.prlimit(command.process.pid, resource.RLIMIT_NOFILE)[0]
        return soft == min(hard, 65536)

    until(has_all)


# -- memory ---------------------------------------------------------------------------------------

HUNGRY = """
import resource, sys, threading
from framewire.receiver import Receiver
import framewire.common.jpeg
receiver = Receiver(sys.argv[1], keep="all", timeout=20)
receiver.read()
now = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (now + (48 << 20), -1))
print("small", flush=True)
sizes = set()
while receiver.stats.malformed == 0 or (320, 240) not in sizes:
    header = receiver.read().header
    if receiver.stats.malformed:
        sizes.add((header.width, header.height))
receiver.close()
print("done", receiver.stats.malformed, flush=True)
"""


def test_a_picture_that_has_no_room_in_memory_is_refused_and_the_next_is_taken(
    tmp_path: Path,
) -> None:
    import numpy as np

    from framewire.sender import Sender

    large, small = np.zeros((8000, 8000, 3), np.uint8), np.zeros((240, 320, 3), np.uint8)
    with (
        Sender("tcp://127.0.0.1:*", topic="a") as sender,
        subprocess.Popen(
            [sys.executable, "-c", HUNGRY, sender.endpoints[0]], stdout=subprocess.PIPE, text=True
        ) as receiver,
    ):
        try:
            assert receiver.stdout
            sender.wait_for_receivers(1, 20)
            sender.send(small)
            assert receiver.stdout.readline() == "small\n"
            over = threading.Event()

            def send() -> None:
                while not over.is_set():
                    sender.send(large)
                    for _ in range(10):
                        sender.send(small)
                        over.wait(0.05)

            sending = threading.Thread(target=send)
            sending.start()
            try:
                assert receiver.stdout.readline().startswith("done")
            finally:
                over.set()
                sending.join()
            assert receiver.wait(10) == 0
        finally:
            receiver.kill()


# -- ends of programs -----------------------------------------------------------------------------

ENDS = """
import atexit, os, sys, threading, time
import numpy as np
from framewire.receiver import Receiver, Recorder
from framewire.sender import Sender

image = np.zeros((240, 320, 3), np.uint8)
sender = Sender("tcp://127.0.0.1:*", topic="a")
receiver = Receiver(sender.endpoints[0], keep="all")
recorder = Recorder("a.mkv", overwrite=True)

def pump():
    while True:
        sender.send(image)
        time.sleep(0.001)

def record():
    for packet in receiver.packets():
        recorder.write(packet)

threading.Thread(target=pump, daemon=True).start()
threading.Thread(target=record, daemon=True).start()
while recorder.frames < 5:
    time.sleep(0.01)
"""

LAST = {
    "nothing": "",
    "sys.exit": "sys.exit()",
    "an exception": "raise SystemExit(0) from ValueError()",
    "atexit": "[atexit.register(each.close) for each in (sender, receiver, recorder)]",
    "names that go": "del sender, receiver, recorder",
}


@pytest.mark.parametrize("last", LAST)
def test_a_program_that_closes_nothing_ends_all_the_same(tmp_path: Path, last: str) -> None:
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", ENDS + LAST[last]],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Fatal" not in done.stderr


INTERRUPTED = """
import os, random, signal, sys, threading, time
import numpy as np
from framewire.common.transport import open_sockets
from framewire.receiver import Receiver, Recorder
from framewire.sender import Sender

image = np.zeros((240, 320, 3), np.uint8)
chance = random.Random(int(sys.argv[1]))
mine = set(threading.enumerate())
files = None

def interrupt(after):
    time.sleep(after)
    os.kill(os.getpid(), signal.SIGINT)

def again(number):
    with (
        Sender("tcp://127.0.0.1:*", topic="a") as sender,
        Receiver(sender.endpoints[0], keep="all") as receiver,
        Recorder(f"{number}.mkv") as recorder,
    ):
        sender.wait_for_receivers(1, 20)
        soon = threading.Thread(target=interrupt, args=(chance.uniform(0, 0.1),))
        soon.start()
        try:
            while True:
                sender.send(image, metadata={"n": number})
                recorder.write(receiver.read_packet(20))
                assert sender.stats and receiver.stats and recorder.stats
        finally:
            soon.join()

for number in range(25):
    try:
        again(number)
    except KeyboardInterrupt:
        pass
    assert open_sockets() == 0, number
    left = [t.name for t in set(threading.enumerate()) - mine if "worker" not in t.name]
    assert not left, (number, left)
    count = len(os.listdir("/proc/self/fd"))
    assert files is None or count <= files, (number, count, files)
    files = count
"""


@pytest.mark.parametrize("seed", range(4))
def test_ctrl_c_anywhere_in_a_loop_leaves_nothing_running(tmp_path: Path, seed: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(seed)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=39,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr


def close_where_it_is_used() -> dict[str, Callable[[Any, Any, Any], object]]:
    """Calls that wait, and are ended by a close in a signal handler."""
    return {
        "reading": lambda sender, receiver, image: list(receiver),
        "packets": lambda sender, receiver, image: list(receiver.packets()),
        "sending": lambda sender, receiver, image: [sender.send(image) for _ in iter(int, 1)],
    }


@pytest.mark.parametrize("what", close_where_it_is_used())
@pytest.mark.parametrize("pattern", ["", "req-rep+", "push-pull+"])
def test_a_signal_handler_may_close(what: str, pattern: str) -> None:
    import numpy as np

    from framewire.common.errors import Closed
    from framewire.sender import Sender

    image = np.zeros((48, 64, 3), np.uint8)
    sender = Sender(f"{pattern}tcp://127.0.0.1:*", topic="a")
    receiver = Receiver(sender.endpoints[0], keep="all")

    def close(number: int, frame: object) -> None:
        sender.close()
        receiver.close()

    before = signal.signal(signal.SIGALRM, close)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with suppress(Closed):
            close_where_it_is_used()[what](sender, receiver, image)
    finally:
        signal.signal(signal.SIGALRM, before)
    sender.close()
    receiver.close()
