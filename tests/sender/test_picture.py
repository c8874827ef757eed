"""One picture is encoded once for each level, however many want it at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec
import pytest

from framewire.common.frame import Frame, Packet
from framewire.common.level import OWN, Level
from framewire.sender.picture import Picture
from sender.peers import DEADLINE_S

if TYPE_CHECKING:
    from sender.conftest import MakeFrame

SMALL = Level(scale=0.5)


class Codec:
    """Notes what it is asked for, and stumbles where it is told to."""

    def __init__(self) -> None:
        self.levels: list[Level] = []
        self.stumbles: set[Level] = set()

    def __call__(self, content: Frame | Packet, level: Level) -> Packet:
        self.levels.append(level)
        if level in self.stumbles:
            raise RuntimeError("the codec stumbled")
        return Packet(msgspec.structs.replace(content.header, codec="jpeg"), repr(level).encode())


@pytest.fixture
def codec() -> Codec:
    return Codec()


@pytest.fixture
def picture(frame: "MakeFrame", codec: Codec) -> Picture:
    return Picture(frame(7), codec)


def test_it_is_encoded_when_it_is_wanted_and_not_before(picture: Picture, codec: Codec) -> None:
    assert picture.header.sequence == 7
    assert not picture.used
    assert picture.ready(OWN) is None
    assert codec.levels == []
    packet = picture.packet()
    assert picture.used
    assert picture.ready(OWN) is packet
    assert picture.packet(OWN) is packet
    assert codec.levels == [OWN]


def test_each_level_is_encoded_for_itself(picture: Picture, codec: Codec) -> None:
    own, small = picture.packet(), picture.packet(SMALL)
    assert own.payload != small.payload
    assert picture.ready(Level(scale=0.5)) is small  # equal levels are the same level
    assert picture.ready(Level(quality=50)) is None
    assert codec.levels == [OWN, SMALL]


def test_many_threads_share_one_encoding(picture: Picture, codec: Codec) -> None:
    levels = [OWN, SMALL] * 8
    together = threading.Barrier(len(levels))

    def want(level: Level) -> Packet:
        together.wait(DEADLINE_S)
        return picture.packet(level)

    with ThreadPoolExecutor(len(levels)) as threads:
        packets = list(threads.map(want, levels))
    assert sorted(map(repr, codec.levels)) == sorted(map(repr, (OWN, SMALL)))
    assert {id(packet) for packet in packets} == {id(picture.ready(OWN)), id(picture.ready(SMALL))}


def test_a_level_that_fails_says_so_and_others_go_on(picture: Picture, codec: Codec) -> None:
    codec.stumbles = {SMALL}
    with pytest.raises(RuntimeError, match="stumbled"):
        picture.packet(SMALL)
    assert picture.failed(SMALL)
    assert picture.ready(SMALL) is None
    assert not picture.failed(OWN)
    assert picture.packet(OWN).header.codec == "jpeg"


def test_a_failure_does_not_hold_up_those_who_wait_behind_it(
    picture: Picture, codec: Codec, threads: ThreadPoolExecutor
) -> None:
    codec.stumbles = {OWN}
    for future in [threads.submit(picture.packet) for _ in range(4)]:
        with pytest.raises(RuntimeError, match="stumbled"):
            future.result(DEADLINE_S)
    codec.stumbles = set()
    assert picture.packet().payload


def test_a_level_is_ordered_once(picture: Picture) -> None:
    assert picture.order(OWN)
    assert not picture.order(OWN)
    assert picture.order(SMALL)
    assert not picture.order(Level(scale=0.5))
    assert not picture.used  # until somebody encodes it


def test_the_encodings_that_it_keeps_are_bounded(picture: Picture) -> None:
    levels = [Level(quality, scale / 16) for quality in range(1, 101) for scale in range(1, 17)]
    for level in levels:
        picture.packet(level)
    assert sum(picture.ready(level) is not None for level in levels) < 100
