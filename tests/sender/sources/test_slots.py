"""Memory that two processes share; here both ends are in one."""

import os

import numpy as np
import pytest

from framewire.common.frame import Image
from framewire.sender.sources.slots import SLOTS, ReadSlots, WriteSlots

NOISE = np.random.default_rng(1)


def both(size: int) -> tuple[WriteSlots, ReadSlots]:
    writer = WriteSlots(size)
    return writer, ReadSlots(writer.fd, writer.capacity)


def write(writer: WriteSlots, number: int, picture: Image) -> None:
    writer.begin(number, picture.nbytes)[:] = picture.reshape(-1)
    writer.end(number)


def picture() -> Image:
    return NOISE.integers(0, 255, (97, 161, 3), np.uint8)


def test_pictures_arrive_as_they_were_and_are_the_readers_own() -> None:
    writer, reader = both(97 * 161 * 3)
    for number in range(1, 8):
        sent = picture()
        write(writer, number, sent)
        got = reader.pixels(number, sent.shape)
        assert got is not None
        assert np.array_equal(got, sent)
        got[:] = 0
        again = reader.pixels(number, sent.shape)
        assert again is not None
        assert np.array_equal(again, sent)


def test_files_arrive_as_they_were() -> None:
    writer, reader = both(1000)
    for number in range(1, 8):
        jpeg = NOISE.bytes(900 + number)
        writer.begin(number, len(jpeg))[:] = np.frombuffer(jpeg, np.uint8)
        writer.end(number)
        assert reader.jpeg(number, len(jpeg)) == jpeg


def test_the_last_ones_can_be_read_while_the_next_is_written() -> None:
    writer, reader = both(1000)
    for number in range(1, 10):
        writer.begin(number, 1000)[:] = number
        writer.end(number)
    writer.begin(10, 1000)[:] = 99
    assert [reader.jpeg(number, 4) for number in (7, 8, 9)] == [None, b"\x08" * 4, b"\x09" * 4]
    assert reader.pixels(7, (10, 10)) is None
    assert reader.jpeg(10, 4) is None
    assert SLOTS == 3


def test_what_was_never_written() -> None:
    _, reader = both(1000)
    assert reader.jpeg(1, 10) is None


def test_nothing_is_left_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    writer, reader = both(100_000)
    write(writer, 1, picture())
    del writer, reader
    assert len(os.listdir("/proc/self/fd")) == before


def test_memory_that_is_smaller_than_said() -> None:
    writer = WriteSlots(100)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ValueError, match="greater than file size"):
        ReadSlots(writer.fd, writer.capacity + 1)
    assert len(os.listdir("/proc/self/fd")) == before - 1
