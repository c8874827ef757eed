"""What the capture process does, here in a thread, with the parent's end of its connection."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

from framewire.common.errors import SourceError
from framewire.common.frame import Image
from framewire.common.testchart import read_number
from framewire.sender.sources import capturing
from framewire.sender.sources.capturing import Line, serve
from framewire.sender.sources.grabber import Traits
from framewire.sender.sources.slots import ReadSlots
from sender.sources.scripted import chart

DEADLINE_S = 20


class Device:
    """Gives pictures while it may."""

    def __init__(self, *pictures: Image | bytes | None) -> None:
        self.pictures = list(pictures)
        self.more = threading.Semaphore(len(pictures))
        self.rooms: list[Image | None] = []
        self.released = 0

    def open(self) -> Traits:
        if not self.pictures:
            raise SourceError("not there")
        return Traits(sized=True)

    def grab(self, into: Image | None) -> Image | bytes | None:
        self.rooms.append(into)
        assert self.more.acquire(timeout=DEADLINE_S)
        picture = self.pictures.pop(0) if self.pictures else None
        if into is not None and isinstance(picture, np.ndarray) and into.shape == picture.shape:
            into[:] = picture
            return into
        return picture

    def release(self) -> None:
        self.released += 1


class Parent:
    """The other end: reads messages, and the memory that comes with them."""

    def __init__(self, stack: ExitStack) -> None:
        self.ours, theirs = socket.socketpair()
        self.ours.settimeout(DEADLINE_S)
        stack.callback(self.ours.close)
        stack.callback(theirs.close)
        self.line = Line(theirs)
        self.slots: ReadSlots | None = None
        self._messages: list[dict[str, Any]] = []
        self._rest = b""

    def message(self) -> dict[str, Any]:
        while not self._messages:
            data, fds, _, _ = socket.recv_fds(self.ours, 1 << 16, 4)
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._messages = [json.loads(line) for line in lines]
            if fds:
                sizes = [m["memory"] for m in self._messages if "memory" in m]
                self.slots = ReadSlots(fds[-1], sizes[-1])
                for fd in fds[:-1]:
                    os.close(fd)
        return self._messages.pop(0)

    def picture(self) -> tuple[dict[str, Any], Image | bytes | None]:
        while "picture" not in (message := self.message()):
            continue
        assert self.slots
        number, shape = message["picture"], tuple(message["shape"])
        if shape:
            return message, self.slots.pixels(number, shape)
        return message, self.slots.jpeg(number, message["bytes"])


@pytest.fixture
def parent() -> Iterator[Parent]:
    with ExitStack() as stack:
        yield Parent(stack)


def test_an_order(parent: Parent) -> None:
    parent.ours.sendall(b'{"grabber": "a:b"}\n')
    assert parent.line.order() == {"grabber": "a:b"}


def test_what_cannot_be_opened(parent: Parent) -> None:
    device = Device()
    serve(device, parent.line)
    assert parent.message() == {"failed": "not there"}
    assert (device.released, device.rooms) == (0, [])


def test_pictures_until_there_are_no_more(parent: Parent) -> None:
    device = Device(chart(1, 160, 96), chart(2, 160, 96), b"a jpeg", chart(4, 320, 240), None)
    serve(device, parent.line)
    opened = parent.message()["opened"]
    assert Traits(**opened) == Traits(sized=True)
    sizes = []
    while "failed" not in (message := parent.message()):
        sizes.append(message.get("memory") or message["shape"])
    assert message == {"failed": "it gives no more pictures"}
    # New memory only where the old one is too small.
    assert sizes == [sizes[0], [96, 160, 3], [96, 160, 3], [], sizes[4], [240, 320, 3]]
    assert sizes[0] >= 96 * 160 * 3
    assert sizes[4] >= 240 * 320 * 3
    assert device.released == 1
    # The next picture may be written where it goes at once, if it is like the last one.
    assert [None if room is None else room.shape for room in device.rooms] == [
        None,
        (96, 160, 3),
        (96, 160, 3),
        None,
        (240, 320, 3),
    ]


def test_the_parent_reads_what_was_written(parent: Parent) -> None:
    device = Device(chart(1, 160, 96))
    device.more.acquire()
    serving = threading.Thread(target=serve, args=(device, parent.line))
    serving.start()
    for number in range(1, 6):
        device.pictures[:] = [chart(number, 160, 96)] if number != 4 else [b"\xff\xd8 a jpeg"]
        device.more.release()
        message, picture = parent.picture()
        assert message["picture"] == number
        assert message["monotonic_ns"] > 0
        if isinstance(picture, np.ndarray):
            assert read_number(picture) == number
        else:
            assert (number, picture) == (4, b"\xff\xd8 a jpeg")
    device.pictures[:] = []
    device.more.release()
    serving.join(DEADLINE_S)
    assert not serving.is_alive()


def test_a_parent_that_takes_nothing_is_not_waited_for(parent: Parent) -> None:
    for number in range(20_000):
        parent.line.mention({"picture": number, "text": "x" * 50})
    parent.line._connection.setblocking(True)
    telling = threading.Thread(target=parent.line.say, args=({"failed": "at last"},))
    telling.start()
    numbers = []
    while "failed" not in (message := parent.message()):
        numbers.append(message["picture"])
    telling.join(DEADLINE_S)
    assert numbers == list(range(len(numbers)))  # whole messages, in order
    assert 0 < len(numbers) < 20_000


def test_the_parents_end_ends_it(parent: Parent, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(capturing, "_GRACE_S", 0.01)
    monkeypatch.setattr(os, "_exit", ended.append)
    watching = threading.Thread(target=parent.line.watch)
    watching.start()
    parent.ours.close()
    watching.join(DEADLINE_S)
    assert parent.line.ended.is_set()
    assert ended == [0]
    device = Device(chart(1, 160, 96))
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        serve(device, parent.line)
    assert device.released == 1
