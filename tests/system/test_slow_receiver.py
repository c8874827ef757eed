"""A receiver that works longer than the frames are apart."""

import time
from contextlib import suppress

import pytest

from framewire.common.errors import ReceiveTimeout
from framewire.receiver import Receiver
from processes import Start, until

WORK_S = 0.1


def test_frames_stay_young_and_every_one_is_accounted_for(framewire: Start) -> None:
    sender = framewire("send", "pattern:640x360@60", "--bind", "tcp://127.0.0.1:*", "--wait", "1",
                       "--json")  # fmt: skip
    with Receiver(sender.endpoint()) as receiver:
        sequences, ages = [], []
        for _ in range(40):
            frame = receiver.read(10)
            sequences.append(frame.sequence)
            ages.append(frame.age_ms)
            time.sleep(WORK_S)
        resident = sender.resident_bytes()
        sender.process.terminate()
        summary = sender.event("summary")

        def ended() -> bool:
            with suppress(ReceiveTimeout):
                receiver.read(0.05)
            return receiver.stats.topics["pattern"].state == "ended"

        until(ended)
        stats = receiver.stats
        assert summary["captured"] == summary["sent"] + summary["dropped"]
        assert summary["captured"] == stats.received + stats.lost
        assert stats.received == stats.delivered + stats.skipped
        assert stats.skipped > 100  # about six of seven
        assert sequences == sorted(set(sequences))
        # A backlog would grow by 83 ms a frame. This bound is far from that, and from a slow machine.
        assert max(ages[-10:]) < 1000
        assert resident < 400 << 20


def test_a_backlog_is_kept_where_all_are_wanted(framewire: Start) -> None:
    sender = framewire("send", "pattern:160x120@120", "--bind", "tcp://127.0.0.1:*", "--wait", "1",
                       "--count", "120", "--json")  # fmt: skip
    with Receiver(sender.endpoint(), keep="all") as receiver:
        sequences: list[int] = []
        while len(sequences) + receiver.stats.lost < 120:
            with suppress(ReceiveTimeout):  # a hiccup of this machine may lose some at the end
                sequences.append(receiver.read(1).sequence)
            time.sleep(0.002)
        assert sequences == sorted(set(sequences))
        assert len(sequences) == receiver.stats.received > 60
        with pytest.raises(ReceiveTimeout):
            receiver.read(0.05)
