"""What keys cost: the same pictures with CURVE and in the open, as ratios within each round.

    python benchmarks/keys.py [--rounds 5] [--seconds 5]

Pictures of 1280x720 (JPEG quality 85, from samples/clips/meadow.mp4) go from one process to another
over loopback: from a camera at 30 frames a second, which encodes, to a viewer that decodes; and, over
push-pull, encoded once, as fast as they go, to who does not decode. CPU is that of both processes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ends import MEADOW, clip_frames

from framewire.common.frame import Header, Packet
from framewire.common.jpeg import encode
from framewire.common.keys import make_keys
from framewire.common.wire import checksum
from framewire.receiver import Receiver
from framewire.sender import Sender

WARM_S = 1.0
FPS = 30


def send(address: str, keyed: bool, live: bool) -> None:
    keys = {"key": "sender.key_secret", "allow": "allow"} if keyed else {}
    images = list(clip_frames(MEADOW, 30))
    with Sender(address, topic="bench", **keys) as sender:
        print(sender.endpoints[0], flush=True)
        sender.wait_for_receivers()
        packets = _packets(images)
        began_s, number = time.monotonic(), 0
        while True:
            if live:
                time.sleep(max(0.0, began_s + number / FPS - time.monotonic()))
                sender.send(images[number % len(images)])
            else:
                sender.forward(next(packets))
            number += 1


def _packets(images: list[object]) -> Iterator[Packet]:
    jpegs = [encode(image, 85) for image in images]  # type: ignore[arg-type]
    sums = [checksum(jpeg) for jpeg in jpegs]
    number = 0
    while True:
        header = Header(
            topic="bench", sender="0" * 16, sequence=number, captured_ns=1, monotonic_ns=0, sent_ns=1,
            width=1280, height=720, channels=3, codec="jpeg", crc32=sums[number % len(sums)],
        )  # fmt: skip
        yield Packet(header, jpegs[number % len(jpegs)])
        number += 1


def receive(address: str, keyed: bool, live: bool, seconds: float, sender: int) -> None:
    keys = {"key": "receiver.key_secret", "server_key": "sender.key"} if keyed else {}
    with Receiver(address, timeout=20, **keys) as receiver:
        read = receiver.read if live else receiver.read_packet
        end_s = time.monotonic() + WARM_S
        while time.monotonic() < end_s:
            read()
        began_s, cpu_s, count, size = time.monotonic(), _cpu_s(sender) + time.process_time(), 0, 0
        ages = []
        while time.monotonic() < began_s + seconds:
            got = read()
            count += 1
            size += 0 if live else len(got.payload)
            ages.append(got.age_ms)
        took_s = time.monotonic() - began_s
        cpu_s = _cpu_s(sender) + time.process_time() - cpu_s
    figures = {
        "fps": count / took_s,
        "mbit": size * 8e-6 / took_s,
        "cpu_ms": cpu_s * 1000 / count,
        "age_ms": statistics.median(ages),
    }
    print(json.dumps(figures), flush=True)


def _cpu_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(folder: Path, keyed: bool, live: bool, seconds: float) -> dict[str, float]:
    address = "tcp://127.0.0.1:*" if live else "push-pull+tcp://127.0.0.1:*"
    words = [sys.executable, str(Path(__file__).resolve())]
    how = [str(int(keyed)), str(int(live))]
    sender = subprocess.Popen(
        [*words, "--end", "send", address, *how], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    try:
        assert sender.stdout
        there = sender.stdout.readline().strip()
        told = subprocess.run(
            [*words, "--end", "receive", there, *how, str(seconds), str(sender.pid)],
            cwd=folder, check=True, capture_output=True, text=True, timeout=60 + seconds,
        )  # fmt: skip
        return dict(json.loads(told.stdout))
    finally:
        sender.kill()
        sender.wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "allow").mkdir()
        make_keys(folder / "sender")
        made = make_keys(folder / "receiver")
        (folder / "allow" / "receiver.key").write_bytes(made.public.read_bytes())
        for live, what in ((True, "a camera at 30 fps"), (False, "as fast as it goes")):
            ratios: dict[str, list[float]] = {}
            for _ in range(options.rounds):
                plain, keyed = (run(folder, each, live, options.seconds) for each in (False, True))
                for figure in plain:
                    if plain[figure]:
                        ratios.setdefault(figure, []).append(keyed[figure] / plain[figure])
                print(f"{what}: in the open {plain}, with keys {keyed}", file=sys.stderr)
            for figure, each in ratios.items():
                print(
                    f"{what}: {figure} with keys / in the open: {statistics.median(each):.2f} "
                    f"({min(each):.2f} to {max(each):.2f})"
                )


if __name__ == "__main__":
    if sys.argv[1:3] == ["--end", "send"]:
        send(sys.argv[3], sys.argv[4] == "1", sys.argv[5] == "1")
    elif sys.argv[1:3] == ["--end", "receive"]:
        receive(
            sys.argv[3],
            sys.argv[4] == "1",
            sys.argv[5] == "1",
            float(sys.argv[6]),
            int(sys.argv[7]),
        )
    else:
        main()
