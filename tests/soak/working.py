"""A worker: passes on each frame of the work, with what it found in its picture."""

from typing import Any

from soak.telling import ending, run, tell


def main(work: str, results: str) -> None:
    """Take frames at `work`, and give them on to `results`."""
    from framewire.common.errors import Closed
    from framewire.receiver import Receiver, decode
    from framewire.sender import Sender

    with Receiver(work) as receiver, Sender(connect=results) as sender, ending(receiver.close):
        tell("ready")
        packets: Any = receiver.packets()
        try:
            for packet in packets:
                mean = float(decode(packet).image.mean())
                sender.forward(packet, metadata={"mean": mean})
        except Closed:
            return


if __name__ == "__main__":
    run(main)
