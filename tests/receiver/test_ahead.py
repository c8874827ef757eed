"""Decoding ahead: who falls behind gets whole pictures decoded side by side, in order, no more of
them than cores and one; who keeps up does not."""

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from framewire.common.errors import JpegError
from framewire.common.frame import Frame, Header, Packet, Status
from framewire.common.mailbox import Mailbox
from framewire.receiver import ahead
from framewire.receiver.ahead import Ahead

DEADLINE_S = 20
IMAGE = np.zeros((2, 2), np.uint8)


def _packet(number: int, width: int = 1280) -> Packet:
    return Packet(Header(topic="cam", sender="a" * 16, sequence=number, captured_ns=1, sent_ns=1,
                         width=width, height=720, channels=1, codec="jpeg"), b"")  # fmt: skip


def _decode(packet: Packet) -> Frame:
    return Frame(IMAGE, packet.header)


@pytest.fixture
def waiting() -> Mailbox[Packet | Status]:
    return Mailbox("block", capacity=1000)


@pytest.fixture
def make(
    waiting: Mailbox[Packet | Status], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Ahead]]:
    """As on a machine of two cores."""
    monkeypatch.setattr(ahead, "cores", lambda: 2)
    made: list[Ahead] = []

    def make(decode: Callable[[Packet], Frame] = _decode) -> Ahead:
        made.append(Ahead(waiting, decode))
        return made[-1]

    yield make
    for each in made:  # nothing is left for other tests to wait behind
        while (begun := each.first()) is not None:
            begun.as_packet()


def test_one_that_waits_alone_is_left_to_the_reader(
    waiting: Mailbox[Packet | Status], make: Callable[..., Ahead]
) -> None:
    ahead, packet = make(), _packet(0)
    assert not ahead.begin()
    waiting.put(packet)
    assert not ahead.begin()
    assert ahead.first() is None
    assert waiting.get(0) is packet


def test_no_more_than_cores_and_one(
    waiting: Mailbox[Packet | Status], make: Callable[..., Ahead]
) -> None:
    ahead = make()
    for number in range(10):
        waiting.put(_packet(number))
    assert ahead.begin()
    assert (len(ahead), len(waiting)) == (3, 7)
    assert not ahead.begin()
    assert ahead.first() is not None
    assert ahead.begin()
    assert (len(ahead), len(waiting)) == (3, 6)


def test_all_come_in_order(waiting: Mailbox[Packet | Status], make: Callable[..., Ahead]) -> None:
    ahead, came = make(), []
    for number in range(20):
        waiting.put(_packet(number))
    ahead.begin()
    while (begun := ahead.first()) is not None:
        came.append(begun.frame().sequence)
        ahead.begin()
    assert came == list(range(20))


def test_they_are_decoded_at_the_same_time(
    waiting: Mailbox[Packet | Status], make: Callable[..., Ahead], monkeypatch: pytest.MonkeyPatch
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    barrier = threading.Barrier(2)

    def meet(packet: Packet) -> Frame:
        barrier.wait(DEADLINE_S)
        return _decode(packet)

    with ThreadPoolExecutor(2) as two:  # also on a machine of one core
        monkeypatch.setattr(ahead, "submit", two.submit)
        beginner = make(meet)
        for number in range(2):
            waiting.put(_packet(number))
        beginner.begin()
        for number in range(2):
            begun = beginner.first()
            assert begun is not None
            assert begun.frame().sequence == number


def test_one_that_does_not_decode_raises_where_its_turn_is(
    waiting: Mailbox[Packet | Status], make: Callable[..., Ahead]
) -> None:
    def decode(packet: Packet) -> Frame:
        if packet.sequence == 1:
            raise JpegError("broken")
        return _decode(packet)

    ahead = make(decode)
    for number in range(3):
        waiting.put(_packet(number))
    ahead.begin()
    begun = [ahead.first() for _ in range(3)]
    assert all(begun)
    first, second, third = (each for each in begun if each)
    assert first.frame().sequence == 0
    with pytest.raises(JpegError, match="broken"):
        second.frame()
    assert third.frame().sequence == 2


def test_who_wants_packets_gets_those_that_were_begun(
    waiting: Mailbox[Packet | Status], make: Callable[..., Ahead]
) -> None:
    ahead = make()
    for number in range(2):
        waiting.put(_packet(number))
    ahead.begin()
    begun = ahead.first()
    assert begun is not None
    assert begun.as_packet().sequence == 0


def test_what_is_left_of_a_closed_mailbox_is_begun(
    waiting: Mailbox[Packet | Status], make: Callable[..., Ahead]
) -> None:
    ahead = make()
    for number in range(2):
        waiting.put(_packet(number))
    waiting.close()
    assert ahead.begin()
    assert len(ahead) == 2
    assert not ahead.begin()


def test_small_pictures_are_left_to_the_reader(
    waiting: Mailbox[Packet | Status], make: Callable[..., Ahead]
) -> None:
    decoded_in = []

    def decode(packet: Packet) -> Frame:
        decoded_in.append(threading.get_ident())
        return _decode(packet)

    ahead = make(decode)
    for number in range(5):
        waiting.put(_packet(number, 64))
    came = []
    while ahead.begin():
        assert len(ahead) == 1
        begun = ahead.first()
        assert begun is not None
        came.append(begun.frame().sequence)
    assert came == [0, 1, 2, 3]  # the last one waits alone
    assert set(decoded_in) == {threading.get_ident()}
