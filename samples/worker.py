"""A worker: takes its share of the frames, works on them, and passes the results on.

    python samples/worker.py [FROM [TO]]

Start as many as there are cores, on any machine. `framewire send SOURCE --bind push-pull+tcp://...`
shares the frames out; `samples/collect.py` gathers the results.
"""

import sys

import cv2

from framewire.receiver import Receiver, decode
from framewire.sender import Sender


def main(
    source: str = "push-pull+tcp://127.0.0.1:5557", results: str = "push-pull+tcp://127.0.0.1:5558"
) -> None:
    with Receiver(source) as receiver, Sender(connect=results) as sender:
        for packet in receiver.packets():
            gray = cv2.cvtColor(decode(packet).image, cv2.COLOR_BGR2GRAY)
            sharpness = float(cv2.Laplacian(gray, cv2.CV_64F).var())
            sender.forward(packet, metadata={"sharpness": sharpness})


if __name__ == "__main__":
    main(*sys.argv[1:])
