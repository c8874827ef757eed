"""A relay's figures as Prometheus reads them."""

import numpy as np

from framewire.app.metrics import RELAY, RelayFigures
from framewire.app.relay import Relay
from framewire.receiver import Receiver
from framewire.receiver import metrics as received
from framewire.sender import Sender
from framewire.sender import metrics as sent
from processes import until
from scraping import told

IMAGE = np.zeros((96, 160, 3), np.uint8)


def test_both_sides_and_what_was_refused() -> None:
    with (
        Sender("tcp://127.0.0.1:*", topic="yard") as sender,
        Relay([sender.endpoints[0]], ["tcp://127.0.0.1:*"]) as relay,
        Receiver(relay.endpoints[0], timeout=20) as receiver,
    ):
        until(lambda: sender.receivers == 1)
        for _ in range(3):
            sender.send(IMAGE)
            receiver.read_packet()
        until(lambda: relay.stats[1].sent == 3)
        families = list(RelayFigures(relay)())
    seen = told(families)
    assert seen("framewire_frames_total", topic="yard") == 3
    assert seen("framewire_sent_frames_total", topic="yard") == 3
    assert seen("framewire_receivers") == 1
    assert seen("framewire_refused_total") == 0
    metrics = [each.metric for each in families]
    assert len(metrics) == len({each.name for each in metrics}), "both sides have one name"
    assert set(metrics) == {*received.METRICS, *sent.METRICS, *RELAY}
