"""Gathers what workers pass on, and tells which frames never came back.

    python samples/collect.py [ADDRESS [SECONDS]]

Ends when nothing came for SECONDS. A worker that is killed takes the frames with it that it held:
their numbers are missing here.
"""

import sys

from framewire.common.errors import ReceiveTimeout
from framewire.receiver import Receiver


def main(address: str = "push-pull+tcp://127.0.0.1:5558", seconds: str = "5") -> None:
    results: dict[int, float] = {}
    with Receiver(bind=address) as receiver:
        try:
            while True:
                packet = receiver.read_packet(float(seconds) if results else None)
                results[packet.sequence] = packet.metadata["sharpness"]
        except ReceiveTimeout:
            print(f"{len(results)} frames came back")
        for topic in receiver.stats.topics.values():
            for gap in topic.missing:
                print(f"missing: {gap.first} to {gap.last}")


if __name__ == "__main__":
    main(*sys.argv[1:])
