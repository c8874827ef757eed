"""Senders that connect, and whose connection breaks."""

import numpy as np

from faults.proxy import FaultProxy
from framewire.receiver import Receiver
from framewire.sender import Sender
from processes import free_port, until


def test_a_receiver_that_is_there_again_counts_once() -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    port = int(endpoint.rpartition(":")[2])
    with (
        Receiver(bind=endpoint) as receiver,
        FaultProxy(("127.0.0.1", port)) as proxy,
        Sender(connect=f"tcp://127.0.0.1:{proxy.port}", topic="cam") as out,
    ):
        for number in range(3):
            until(lambda: out.receivers == 1)
            out.send(np.full((48, 64, 3), number, np.uint8))
            assert receiver.read(10).sequence == number
            proxy.reset()
            until(lambda: out.receivers == 0)
