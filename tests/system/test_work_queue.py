"""Work shared among processes, some of which are killed on the way."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from framewire.common.errors import ReceiveTimeout
from framewire.receiver import Receiver
from processes import CLIPS, Start, free_port

FRAMES = 1000
WORKER = CLIPS.parent / "worker.py"


@contextmanager
def workers(count: int, work: str, results: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    started = [subprocess.Popen([sys.executable, str(WORKER), work, results]) for _ in range(count)]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_every_frame_is_processed_once_or_missing_by_number(framewire: Start) -> None:
    work, results = (f"push-pull+tcp://127.0.0.1:{free_port()}" for _ in range(2))
    with Receiver(bind=results) as receiver, workers(4, work, results) as processes:
        sender = framewire("send", str(CLIPS / "meadow.mp4"), "--size", "160x90", "--loop",
                           "--speed", "0", "--count", str(FRAMES), "--bind", work, "--json")  # fmt: skip
        seen = []
        victims = {200: processes[0], 500: processes[1]}
        try:
            while True:
                packet = receiver.read_packet(5)
                seen.append(packet.sequence)
                if len(seen) in victims:
                    victims[len(seen)].send_signal(signal.SIGKILL)
        except ReceiveTimeout:
            pass
        assert sender.wait() == 0
        assert sender.event("summary")["sent"] == FRAMES
        topic = receiver.stats.topics["meadow"]
    missing = [n for gap in topic.missing for n in range(gap.first, gap.last + 1)]
    assert len(seen) == len(set(seen)) == topic.received
    assert topic.repeated == 0
    assert topic.passed_by == len(missing)
    assert sorted([*seen, *missing]) == list(range(FRAMES))
    # Each of the two took with it what it held: a few here, a few on their way to it.
    assert len(missing) <= 2 * 20
