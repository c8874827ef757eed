"""Encoding side by side: frames that wait are encoded at once, each whole, and leave in order."""

import threading
from typing import TYPE_CHECKING

import pytest

from framewire.common import jpeg, workers
from framewire.common.frame import Image
from framewire.sender import Sender, encoder
from framewire.sender import sender as module
from sender.peers import ADDRESS, DEADLINE_S, Listener

if TYPE_CHECKING:
    from sender.conftest import Chart

CORES = 3


class Crossing:
    """An encoder that lets no frame out before `CORES` of them were in it at once."""

    def __init__(self, *, waits: bool) -> None:
        self._waits = waits
        self.together = 0
        self.shares: set[int] = set()
        self._lock = threading.Lock()
        self._inside = 0
        self._full = threading.Condition(self._lock)

    def __call__(self, image: Image, quality: int) -> bytes:
        with self._full:
            self._inside += 1
            self.together = max(self.together, self._inside)
            self.shares.add(workers.share())
            self._full.notify_all()
            if self._waits:
                self._full.wait_for(lambda: self.together == CORES, DEADLINE_S)
        coded = jpeg.encode(image, quality)
        with self._full:
            self._inside -= 1
        return coded


@pytest.fixture(params=[True])
def crossing(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Crossing:
    crossing = Crossing(waits=request.param)
    monkeypatch.setattr(module, "cores", lambda: CORES)
    monkeypatch.setattr(encoder, "encode", crossing)
    return crossing


def test_frames_that_wait_are_encoded_together_and_leave_in_order(
    listener: Listener, chart: "Chart", crossing: Crossing
) -> None:
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        for number in range(12):
            out.send(chart(number))
        packets = listener.until_packets(12)
        assert out.stats.dropped == 0
    assert crossing.together == CORES
    assert 1 in crossing.shares
    assert [packet.sequence for packet in packets] == list(range(12))


def test_one_that_cannot_be_encoded_does_not_hold_up_the_others(
    listener: Listener, chart: "Chart", monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[Image] = []

    def fail_once(image: Image, quality: int) -> bytes:
        if not failed:
            failed.append(image)
            raise MemoryError("no memory for a picture")
        return jpeg.encode(image, quality)

    monkeypatch.setattr(module, "cores", lambda: CORES)
    monkeypatch.setattr(encoder, "encode", fail_once)
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        for number in range(6):
            out.send(chart(number))
        packets = listener.until_packets(5)
        assert out.stats.dropped == 1
    numbers = [packet.sequence for packet in packets]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == 5


@pytest.mark.parametrize("crossing", [False], indirect=True)
def test_a_cameras_frames_are_encoded_one_at_a_time(
    listener: Listener, chart: "Chart", crossing: Crossing
) -> None:
    with Sender(ADDRESS, topic="cam", when_full="newest") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        for number in range(3):
            out.send(chart(number))
        listener.until_packets(1)
    assert crossing.together == 1
