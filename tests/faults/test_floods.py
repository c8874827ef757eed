"""More connections than a sender can hold, and receivers that do not read."""

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from faults.observing import cpu_s, descriptors, resident_bytes
from faults.showing import Receiving, program, showing
from faults.strangers import handshake
from faults.zmtp import greeting
from framewire.common.endpoint import PATTERNS
from processes import Start, until

MANY, DESCRIPTORS = 1500, 256
SERVED_S = 5.0
BUSY = 0.5
KEPT_BYTES = 20_000_000
_KIND = {"pub-sub": b"SUB", "req-rep": b"DEALER", "push-pull": b"PULL"}
_AGAIN_S = 1.0


@contextmanager
def crowd(ports: list[int], size: int, words: bytes) -> Iterator[None]:
    """So many connections, over all ports, that say so much; one that was ended is made again soon."""
    end = threading.Event()

    def call(place: int) -> socket.socket:
        caller = socket.socket()
        caller.setblocking(False)
        with suppress(BlockingIOError):
            caller.connect(("127.0.0.1", ports[place % len(ports)]))
        return caller

    def is_over(caller: socket.socket) -> bool:
        try:
            return not caller.recv(4096)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def hold() -> None:
        callers = [call(place) for place in range(size)]
        said = [False] * size
        while not end.wait(_AGAIN_S):
            for place, caller in enumerate(callers):
                if is_over(caller):
                    caller.close()
                    callers[place], said[place] = call(place), False
                elif not said[place]:
                    with suppress(OSError):
                        caller.sendall(words)
                    said[place] = True
        for caller in callers:
            caller.close()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


@pytest.fixture
def enough_descriptors() -> Iterator[None]:
    """For the attacker's side, in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2 * MANY:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (2 * MANY, hard))
        except ValueError:
            pytest.skip(f"this user may not have {2 * MANY} descriptors")
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def few_descriptors(argv: list[str]) -> list[str]:
    return ["prlimit", f"--nofile={DESCRIPTORS}", *argv]


@pytest.mark.usefixtures("enough_descriptors")
@pytest.mark.parametrize("says", ["nothing", "its greeting", "a handshake"])
def test_silent_connections_keep_nobody_out(framewire: Start, says: str) -> None:
    addresses = [word for p in PATTERNS for word in ("--bind", f"{p}+tcp://127.0.0.1:*")]
    sender = framewire("send", "pattern:320x240@15", *addresses, "--json", within=few_descriptors)
    endpoints = sender.event("ready")["endpoints"]
    ports = [int(each.rpartition(":")[2]) for each in endpoints]
    words = {"nothing": b"", "its greeting": greeting(), "a handshake": handshake(b"SUB")}
    with ExitStack() as stack:
        served = stack.enter_context(program(*(Receiving((each,)) for each in endpoints)))
        for each in served:
            each.wait_for_frames()
        stack.enter_context(crowd(ports, MANY, words[says]))
        time.sleep(3)
        used_s, began_s = cpu_s(sender.process.pid), time.time()
        late = stack.enter_context(program(*(Receiving((each,)) for each in endpoints)))
        until(lambda: all(each.endpoint for each in late))
        come_s = time.time()
        for each in late:
            until(lambda each=each: bool(each.frames), 30.0)  # type: ignore[misc]
            assert each.frames[0].at_s - come_s < SERVED_S
        for each in served:
            each.wait_for_frames()
        time.sleep(max(0.0, began_s + 5 - time.time()))
        assert (cpu_s(sender.process.pid) - used_s) / (time.time() - began_s) < BUSY
        assert descriptors(sender.process.pid) <= DESCRIPTORS
    until(lambda: descriptors(sender.process.pid) < 60)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_who_subscribes_reads_nothing_and_resets_leaves_nothing(
    framewire: Start, pattern: str
) -> None:
    """As a receiver that is pulled out: its queues are full, and then comes a RST."""
    sender = framewire("send", "pattern:1280x720@30", "--bind", f"{pattern}+tcp://127.0.0.1:*",
                       "--json")  # fmt: skip
    endpoint = sender.endpoint()
    port = int(endpoint.rpartition(":")[2])
    subscription, request = b"\0\1\1", b"\1\0\0\0"
    words = handshake(_KIND[pattern])
    words += {"pub-sub": subscription, "req-rep": 8 * request, "push-pull": b""}[pattern]
    with showing(endpoint) as served:
        served.wait_for_frames()
        before = (0, 0)
        for turn in range(6):
            callers = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
            for caller in callers:
                caller.sendall(words)
            time.sleep(1.0)
            for caller in callers:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                caller.close()
            if turn == 1:
                time.sleep(0.5)
                before = resident_bytes(sender.process.pid), descriptors(sender.process.pid)
        until(lambda: descriptors(sender.process.pid) <= before[1])
        assert resident_bytes(sender.process.pid) - before[0] < KEPT_BYTES
        served.wait_for_frames()
        assert sender.process.poll() is None
