"""Those who have the wrong key, or none, and try at every port with keys. They must get nothing."""

import threading
from typing import Any

import numpy as np

from soak.telling import ending, run, tell

__all__: list[str] = []

_PICTURE = np.zeros((96, 128, 3), np.uint8)
_EVERY_S = 0.5


def main(
    *connect: str, publish: list[str], key: str, server_key: list[str], publish_key: str
) -> None:
    """Ask for frames at `connect`, and send some to `publish`, with a key and without."""
    from contextlib import ExitStack

    from framewire.receiver import Receiver
    from framewire.sender import Sender

    keys: dict[str, dict[str, Any]] = {
        "a wrong key": {"key": key, "server_key": server_key},
        "no key": {},
    }
    with ExitStack() as stack:
        receivers = {
            who: stack.enter_context(Receiver(*connect, keep="newest", **options))
            for who, options in keys.items()
        }
        keys["a wrong key"]["server_key"] = publish_key
        senders = [
            stack.enter_context(
                Sender(connect=publish, topic="outsider", when_full="newest", **options)
            )
            for options in keys.values()
        ]
        ended = stack.enter_context(ending(lambda: None))
        for who, receiver in receivers.items():
            threading.Thread(target=_listen, args=(who, receiver), daemon=True).start()
        tell("ready")
        while not ended.wait(_EVERY_S):
            for sender in senders:
                sender.send(_PICTURE)


def _listen(who: str, receiver: Any) -> None:
    for packet in receiver.packets():
        tell("violation", invariant="keys", what=f"{who} got a frame of {packet.topic}")


if __name__ == "__main__":
    run(main)
