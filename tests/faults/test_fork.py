"""Programs that fork while senders, receivers and recorders work, as some libraries do."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="os.fork, and /proc")

BEGIN = """
import faulthandler, os, sys, time
import numpy as np
from framewire.common.errors import Closed
from framewire.common.transport import open_sockets
from framewire.receiver import Receiver, Recorder
from framewire.sender import Sender

image = np.zeros((48, 64, 3), np.uint8)

def child(work):
    number = os.fork()
    if number == 0:
        faulthandler.dump_traceback_later(20, exit=True)
        work()
        sys.exit(0)  # as programs do, with all that happens at the end of an interpreter
    return number

def ended(number):
    began = time.monotonic()
    assert os.waitpid(number, 0)[1] == 0
    return time.monotonic() - began

def sent(sender, receiver):
    sender.wait_for_receivers(1, 20)
    sender.send(image)
    return receiver.read(20).sequence
"""


def run(program: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def test_a_child_that_ends_disturbs_nothing(tmp_path: Path) -> None:
    run(
        """
with Sender("tcp://127.0.0.1:*", topic="a") as sender, Receiver(sender.endpoints[0]) as receiver:
    with Recorder("a.mkv") as recorder:
        assert sent(sender, receiver) == 0
        for number in range(1, 4):
            ended(child(lambda: None))
            sender.send(image)
            packet = receiver.read_packet(20)
            assert packet.sequence == number
            recorder.write(packet)
assert recorder.frames == 3
assert open_sockets() == 0
""",
        tmp_path,
    )


def test_what_was_made_before_the_fork_says_so_and_what_is_made_after_it_works(
    tmp_path: Path,
) -> None:
    run(
        """
def use():
    for call in (
        lambda: sender.send(image), lambda: sender.stats, lambda: sender.announce("live"),
        lambda: receiver.read(1), lambda: receiver.read_packet(1), lambda: receiver.stats,
        lambda: receiver.select([b""]), lambda: recorder.write(packet),
    ):
        try:
            call()
        except Closed as error:
            assert "another process" in str(error), error
        else:
            raise AssertionError("it did not say so")
    assert list(receiver) == []
    sender.close(), receiver.close(), recorder.close()  # blocks that are left in the child
    with Sender("tcp://127.0.0.1:*", topic="b") as own, Receiver(own.endpoints[0]) as mine:
        assert sent(own, mine) == 0
    assert open_sockets() == 0

sender = Sender("tcp://127.0.0.1:*", topic="a")
receiver = Receiver(sender.endpoints[0])
recorder = Recorder("a.mkv")
sent(sender, receiver)
sender.send(image)
packet = receiver.read_packet(20)
ended(child(use))
assert sent(sender, receiver) == 2
sender.close(), receiver.close(), recorder.close()
assert open_sockets() == 0
""",
        tmp_path,
    )


@pytest.mark.parametrize("pattern", ["", "req-rep+", "push-pull+"])
def test_the_port_is_free_and_the_peer_hears_the_end_while_the_child_runs(
    tmp_path: Path, pattern: str
) -> None:
    run(
        f"pattern = {pattern!r}"
        """
import socket
sender = Sender(pattern + "tcp://127.0.0.1:*", topic="a")
port = int(sender.endpoints[0].rpartition(":")[2])
receiver = Receiver(sender.endpoints[0])
sent(sender, receiver)
with socket.create_connection(("127.0.0.1", port)) as peer:
    peer.settimeout(10)
    peer.recv(10)  # a greeting: it was accepted
    number = child(lambda: time.sleep(15))
    time.sleep(0.2)
    sender.close(), receiver.close()
    while peer.recv(100):
        continue
with Sender(f"{pattern}tcp://127.0.0.1:{port}", topic="a") as again:
    with Receiver(again.endpoints[0]) as receiver:
        assert sent(again, receiver) == 0
os.kill(number, 9)
""",
        tmp_path,
    )


def test_a_pool_of_forked_processes_works_beside_a_receiver(tmp_path: Path) -> None:
    run(
        """
import multiprocessing
sender = Sender("tcp://127.0.0.1:*", topic="a")
receiver = Receiver(sender.endpoints[0])
sent(sender, receiver)
with multiprocessing.get_context("fork").Pool(2) as pool:
    for number in range(1, 20):
        sender.send(image)
        frame = receiver.read(20)
        assert frame.sequence == number
        assert pool.apply(np.sum, (frame.image,)) >= 0
receiver.close(), sender.close()
assert open_sockets() == 0
""",
        tmp_path,
    )
