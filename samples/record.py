"""Record some frames without decoding them: python samples/record.py FILE.mkv [FRAMES [ENDPOINT]]"""

import sys
from itertools import islice

from framewire.receiver import Receiver, Recorder


def main(path: str, frames: str = "250", endpoint: str = "tcp://127.0.0.1:5555") -> None:
    with Receiver(endpoint, keep="all") as receiver, Recorder(path) as recorder:
        for packet in islice(receiver.packets(), int(frames)):
            recorder.write(packet)
        print(f"{path}: {frames} frames, {receiver.stats.lost} lost")


if __name__ == "__main__":
    main(*sys.argv[1:])
