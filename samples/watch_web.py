"""Take a camera's frames from `framewire web`, without framewire itself:
python samples/watch_web.py [ws://HOST:PORT/ws/TOPIC [COUNT]]."""

import json
import sys

from websockets.sync.client import connect


def main(address: str = "ws://127.0.0.1:8080/ws/pattern", count: str = "100") -> None:
    with connect(address, compression=None, max_size=None) as camera:
        for _ in range(int(count)):
            message = camera.recv(decode=False)
            size = int.from_bytes(message[:4], "big")
            header, jpeg = json.loads(message[4 : 4 + size]), message[4 + size :]
            print(
                header["topic"], header["sequence"], f"{header['age_ms']} ms", f"{len(jpeg)} bytes"
            )
            camera.send("ok")  # the next frame, please: the newest there is then


if __name__ == "__main__":
    main(*sys.argv[1:])
