"""Publish a webcam: python samples/publish_webcam.py [SOURCE [ENDPOINT]]

SOURCE is anything that `open_source` takes: camera:0, a video file, a URL, pattern:640x360@30.
"""

import sys

from framewire.sender import Sender, open_source


def main(source: str = "camera:0", endpoint: str = "tcp://127.0.0.1:5555") -> None:
    with open_source(source) as camera, Sender(endpoint, topic="lab/webcam") as sender:
        camera.on_state = sender.announce  # receivers hear of it when there is no signal
        print("publishing on", *sender.endpoints, flush=True)
        for number, frame in enumerate(camera):
            sender.send(frame, metadata={"number": number})


if __name__ == "__main__":
    main(*sys.argv[1:])
