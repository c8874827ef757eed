"""What it costs to record many cameras at once, each into its own file.

    pip install -e '.[bench]'; python benchmarks/recording_many.py [--rounds 3] [--seconds 30]

One process forwards JPEG pictures of 1280x720 (quality 85, made from samples/clips/meadow.mp4), 30 a
second on each of 1, 4 and 16 topics; nothing is encoded. Another one records them as `framewire record
--segment 10s` does, into files in the folder for temporary files. Both share this machine's cores.
Processor time is that of a whole process, as per cent of one core. *Lost* are frames that did not
arrive, *unwritten* those that arrived and were not recorded; the goal is none.
"""

import socket
import tempfile
import time
from pathlib import Path

from ends import (
    FPS,
    HEIGHT,
    IN_FLIGHT_S,
    MEADOW,
    QUALITY,
    START_S,
    WIDTH,
    clip_frames,
    end_when_asked,
    main_or_end,
    parser,
    ready,
    rest,
    take_rounds,
    work_together,
)
from report import Column, Table, publish

from framewire.common.errors import ReceiveTimeout
from framewire.common.frame import Header, Packet
from framewire.common.jpeg import encode
from framewire.common.wire import checksum
from framewire.receiver import Receiver, Recorder
from framewire.sender import Sender

COUNTS = (1, 4, 16)
DISTINCT, SEGMENT_S = 20, 10.0
Run = tuple[float, float, float, float, float]
"""Processor of the recorder and of the cameras in per cent; MB a second; frames lost; unwritten."""


def pictures() -> list[bytes]:
    return [encode(image, QUALITY) for image in clip_frames(MEADOW, DISTINCT)]


# -- the ends, each in its process ----------------------------------------------------------------


def cameras(endpoint: str, topics: str) -> None:
    """All cameras take their picture at once: the hardest for who records them."""
    jpegs, count = pictures(), int(topics)
    sums = [checksum(jpeg) for jpeg in jpegs]
    with Sender(endpoint, queue=2 * count) as sender:
        window = ready()
        end_when_asked(lambda: {"cpu_ms": window.cpu_ms})
        sender.wait_for_receivers(1, START_S)
        for number in window.ticks(FPS):
            for camera in range(count):
                which = (number + camera) % len(jpegs)
                header = Header(
                    topic=f"bench/cam{camera}", sender="0" * 16, sequence=number, sent_ns=1,
                    captured_ns=time.time_ns(), monotonic_ns=time.monotonic_ns(), width=WIDTH,
                    height=HEIGHT, channels=3, codec="jpeg", quality=QUALITY, crc32=sums[which],
                )  # fmt: skip
                sender.forward(Packet(header, jpegs[which]))
        rest()


def record(endpoint: str, out: str) -> None:
    with Receiver(endpoint, keep="all") as receiver:
        recorder = Recorder(out, segment=SEGMENT_S)
        window = ready()

        def results() -> dict[str, object]:
            recorder.close()
            stats = recorder.stats
            return {
                "cpu_ms": window.cpu_ms,
                "frames": recorder.frames,
                "lost": receiver.stats.lost,
                "unwritten": sum(stats.unwritten.values()),
            }

        end_when_asked(results)
        while time.monotonic() < window.end_s + IN_FLIGHT_S / 2:
            try:
                recorder.write(receiver.read_packet(IN_FLIGHT_S / 2))
            except ReceiveTimeout:
                continue
        rest()


# -- what is measured -----------------------------------------------------------------------------


def free_endpoint() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def measure(topics: int, seconds: float) -> Run:
    endpoint = free_endpoint()
    with tempfile.TemporaryDirectory() as folder:
        there, here = work_together(
            seconds, (cameras, endpoint, topics), (record, endpoint, folder)
        )
        written = sum(path.stat().st_size for path in Path(folder).rglob("*.mkv"))
    share = [facts["cpu_ms"] / seconds / 10 for facts in (here, there)]
    megabytes = written / (here["frames"] or 1) * FPS * topics / 1e6
    return *share, megabytes, here["lost"], here["unwritten"]


def main() -> None:
    made = parser(__doc__, seconds=30)
    made.set_defaults(rounds=3)
    options = made.parse_args()
    names = {f"framewire, {count} topic{'s' * (count > 1)}": count for count in COUNTS}
    rounds = take_rounds(
        options.rounds, list(names), lambda name: measure(names[name], options.seconds)
    )
    columns = (
        Column("recorder, % of a core", 1),
        Column("cameras, % of a core", 1),
        Column("MB/s", 1),
        Column("lost", 0, "0"),
        Column("unwritten", 0, "0"),
    )
    table = Table(f"Recording 1280x720 at {FPS} fps, quality {QUALITY}", columns)
    for name in names:
        runs = [taken[name] for taken in rounds if name in taken]
        table.add(name, *(list(column) for column in zip(*runs, strict=True)))
    publish("recording_many", [table])


if __name__ == "__main__":
    main_or_end(main, cameras, record)
