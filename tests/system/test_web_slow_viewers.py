"""Viewers that are slow, or stop reading, at a website in a process of its own."""

import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from socket import SO_RCVBUF, SOL_SOCKET, socket

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from app.web.viewing import ACK, DEADLINE_S, ask, deaf, stalled, take, watch
from framewire.common.clock import NS, wall_ns
from processes import Start, until
from websites import TOPIC, Website, start_website

FPS = 30
SLOW_S = 0.5
SLOW_FRAMES = 12
STALLED = 20
STALLED_S = 10
"""At most: a website lets a connection go that takes nothing for 15 s."""
MB = 1 << 20
CAPTURED = re.compile(rb"X-Framewire-Captured-Ns: (\d+)\r\n")

linux = pytest.mark.skipif(
    sys.platform != "linux", reason="memory is read from /proc, and small buffers are Linux's"
)


class Watcher:
    """Somebody who acknowledges at once what comes by WebSocket, in a thread of its own."""

    def __init__(self) -> None:
        self.came_ns: list[int] = []
        self.stop = threading.Event()

    def run(self, site: Website) -> None:
        with watch(site, TOPIC) as client, suppress(ConnectionClosed):
            while not self.stop.is_set():
                take(client)
                self.came_ns.append(wall_ns())
                client.send("ok")

    @property
    def count(self) -> int:
        return len(self.came_ns)


@contextmanager
def watchers(site: Website, count: int) -> Iterator[list[Watcher]]:
    """Some who look as long as the block lasts, and who have seen something when it begins."""
    each = [Watcher() for _ in range(count)]
    threads = [threading.Thread(target=one.run, args=(site,), name="watcher") for one in each]
    for thread in threads:
        thread.start()
    try:
        until(lambda: all(one.count > FPS for one in each))
        yield each
    finally:
        for one in each:
            one.stop.set()
        for thread in threads:
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


def age_s(client: ClientConnection) -> float:
    """That of the next frame, as it comes; not acknowledged."""
    facts, _ = take(client)
    return (wall_ns() - int(facts["captured_ns"])) / NS


def longest_wait_s(watcher: Watcher, since_ns: int) -> float:
    came = [ns for ns in watcher.came_ns if ns >= since_ns]
    return max(later - before for before, later in pairwise(came)) / NS


@linux
def test_frames_of_a_slow_viewer_do_not_grow_old(framewire: Start) -> None:
    site = start_website(framewire)
    with watchers(site, 2) as others, watch(site, TOPIC) as slow:
        began_ns, before = wall_ns(), [each.count for each in others]
        resident = site.command.resident_bytes()
        ages = []
        for _ in range(SLOW_FRAMES):
            ages.append(age_s(slow))
            time.sleep(SLOW_S)
            slow.send("ok")
        grew = site.command.resident_bytes() - resident
        for each, had in zip(others, before, strict=True):
            assert each.count - had > 5 * SLOW_FRAMES  # of fifteen times as many
            assert longest_wait_s(each, began_ns) < 2
    # A backlog would grow by 0.47 s a frame: to more than five seconds.
    assert max(ages[-4:]) < max(ages[:4]) + 1
    assert grew < 10 * MB


def parts_until(client: socket, captured_ns: int) -> tuple[int, int]:
    """Read a stream until a picture is newer than that: how many came before it, and bytes."""
    data = bytearray()
    while True:
        captured = [int(found) for found in CAPTURED.findall(data)]
        if captured and captured[-1] > captured_ns:
            return len(captured) - 1, len(data)
        chunk = client.recv(65536)
        assert chunk, "it was dropped"
        data += chunk


@linux
def test_a_stream_that_is_not_read_costs_nobody_anything(framewire: Start) -> None:
    site = start_website(framewire, f"pattern:1280x720@{FPS}")
    with ExitStack() as stack:
        (other,) = stack.enter_context(watchers(site, 1))
        picture_bytes = len(ask(site, f"/snapshot/{TOPIC}").body)
        began_ns, resident = wall_ns(), site.command.resident_bytes()
        clients = [stack.enter_context(stalled(site, TOPIC)) for _ in range(STALLED)]
        clients += [stack.enter_context(deaf(site, TOPIC)) for _ in range(STALLED)]
        grew, numbers, enough = 0, [], other.count + 4 * FPS
        while other.count < enough and wall_ns() < began_ns + STALLED_S * NS:
            for client in clients[STALLED:]:
                client.sendall(ACK)  # of what they have not read
            assert ask(site, "/healthz").status == 200
            snapshot = ask(site, f"/snapshot/{TOPIC}")
            numbers.append(int(snapshot.headers["X-Framewire-Sequence"]))
            grew = max(grew, site.command.resident_bytes() - resident)
            time.sleep(0.1)
        assert numbers == sorted(numbers)
        assert numbers[-1] - numbers[0] > FPS
        assert longest_wait_s(other, began_ns) < 2
        assert grew < 24 * MB  # all that they did not read would be 200

        goes_on_ns, reader = wall_ns(), clients[0]
        reader.setsockopt(SOL_SOCKET, SO_RCVBUF, MB)
        old, old_bytes = parts_until(reader, goes_on_ns)
        # What two kernels and the website hold for a connection: no four seconds.
        assert old_bytes < 10 * picture_bytes + MB // 2
        assert old < 20
        for _ in range(FPS):
            parts_until(reader, goes_on_ns)
