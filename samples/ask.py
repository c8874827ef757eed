"""Asks for pictures with ZeroMQ, msgpack and OpenCV alone: nothing of framewire is needed.

    python samples/ask.py [ADDRESS [COUNT]]

For a sender with `--bind req-rep+tcp://127.0.0.1:5556`. docs/PROTOCOL.md tells the rest.
"""

import sys
from collections.abc import Iterator
from typing import Any

import cv2
import msgpack
import numpy as np
import zmq

Answer = tuple[str, dict[str, Any], Any]


def answers(address: str) -> Iterator[Answer]:
    """(topic, header, image), one after the other, as new frames are there."""
    with zmq.Context() as context, context.socket(zmq.REQ) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVTIMEO, 10_000)
        socket.connect(address)
        while True:
            socket.send(b"")  # the newest frame of any topic
            topic, header_bytes, payload = socket.recv_multipart()
            header = msgpack.unpackb(header_bytes)
            if header["kind"] == "frame":  # otherwise a status: nothing new for a second
                image = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_UNCHANGED)
                yield topic.decode().rstrip("/"), header, image


def main(address: str = "tcp://127.0.0.1:5556", count: str = "100") -> None:
    for number, (topic, header, image) in enumerate(answers(address), 1):
        print(topic, header["sequence"], image.shape)
        if number == int(count):
            break


if __name__ == "__main__":
    main(*sys.argv[1:])
