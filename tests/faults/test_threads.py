"""A defect in each thread: it is said, the object tells whoever uses it, and nothing waits for ever."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framewire.app.relay import Relay
from framewire.common.errors import Closed, FramewireError, RecordingError
from framewire.common.transport import open_sockets
from framewire.receiver import Receiver, Recorder
from framewire.receiver.sinks.files import Files
from framewire.sender import Sender
from framewire.sender.outlets.publishing import Publishing
from processes import until

IMAGE = np.zeros((48, 64, 3), np.uint8)
LOCAL = "tcp://127.0.0.1:*"


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No thread ends with an exception of its own, and no socket stays open."""
    died: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda facts: died.append(facts.exc_value))
    yield
    assert not died
    until(lambda: open_sockets() == 0)


def broken(*arguments: Any, **options: Any) -> Any:
    raise RuntimeError("a defect")


def fails(*objects: object, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in objects:
        monkeypatch.setattr(each, name, broken)


@pytest.mark.parametrize("thread", ["step", "give"])
def test_of_a_sender(
    thread: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`framewire-sender`, which works the sockets, and `framewire-encoder`, which hands them packets."""
    with Sender(LOCAL, topic="a") as sender, Receiver(sender.endpoints[0]) as receiver:
        sender.wait_for_receivers(1, 20)
        sender.send(IMAGE)
        receiver.read(20)
        monkeypatch.setattr(Publishing, thread, broken)

        def send() -> None:
            while True:
                sender.send(IMAGE)
                time.sleep(0.005)

        with ThreadPoolExecutor(1) as threads:
            error = threads.submit(send).exception(20)
        assert isinstance(error, FramewireError)
        assert not isinstance(error, Closed)
        assert "the sender stopped: RuntimeError('a defect')" in str(error)
        assert "the sender stopped" in caplog.text
        assert sender.wait_for_receivers(5) is False  # who waits for others is let go
        with pytest.raises(FramewireError, match="the sender stopped"):
            sender.send(IMAGE)


def test_of_who_encodes_what_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`framewire-orders`: a picture is lost, and said so."""
    with Sender(f"req-rep+{LOCAL}", topic="a") as sender, Receiver(sender.endpoints[0]) as receiver:
        from framewire.sender.picture import Picture

        packet = Picture.packet
        monkeypatch.setattr(Picture, "packet", broken)
        sender.send(IMAGE)
        until(lambda: "was not encoded: a defect" in caplog.text)
        monkeypatch.setattr(Picture, "packet", packet)
        sender.send(IMAGE)
        assert receiver.read(20).sequence == 1


def test_of_a_recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`framewire-recorder`."""
    with Sender(LOCAL, topic="a") as sender, Receiver(sender.endpoints[0]) as receiver:
        sender.wait_for_receivers(1, 20)
        sender.send(IMAGE)
        packet = receiver.read_packet(20)
    monkeypatch.setattr(Files, "write", broken)
    recorder = Recorder(tmp_path / "a.mkv")

    def write() -> None:
        while True:
            recorder.write(packet)

    with ThreadPoolExecutor(1) as threads:
        error = threads.submit(write).exception(20)
    assert isinstance(error, RecordingError)
    assert "the recorder stopped: RuntimeError('a defect')" in str(error)
    with pytest.raises(RecordingError, match="the recorder stopped"):
        recorder.close()
    recorder.close()


def test_of_a_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    """`framewire-relay`."""
    with Sender(LOCAL, topic="a") as sender, Relay([sender.endpoints[0]], [LOCAL]) as relay:
        monkeypatch.setattr(Relay, "_pass_on", broken)
        with Receiver(relay.endpoints[0]):
            sender.wait_for_receivers(1, 20)

            def ended() -> bool:
                sender.send(IMAGE)
                try:
                    relay.check()
                except RuntimeError:
                    return True
                return False

            until(ended)


def test_of_a_web_viewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """`framewire-hub`; `framewire-web` has its tests beside it."""
    from framewire.app.web.access import Access
    from framewire.app.web.entrance import listen_for_viewers
    from framewire.app.web.running import Running
    from framewire.common.listening import Address

    here = Address("127.0.0.1", 0)
    with (
        Sender(LOCAL, topic="a") as sender,
        listen_for_viewers(here) as listener,
        Receiver(sender.endpoints[0], topics=None) as receiver,
        Running(receiver, listener, Access.at(here), warm=True) as viewer,
    ):
        monkeypatch.setattr(Receiver, "read_packet", broken)

        def ended() -> bool:
            sender.send(IMAGE)
            try:
                viewer.check()
            except RuntimeError:
                return True
            return False

        until(ended)


# -- closing from another thread ------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["", "req-rep+", "push-pull+"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_close_elsewhere_ends_sending_and_reading(pattern: str, times: int) -> None:
    """Also the sending of work that no worker takes."""
    sender = Sender(f"{pattern}{LOCAL}", topic="a")
    receiver = Receiver(sender.endpoints[0] if pattern != "push-pull+" else "tcp://127.0.0.1:9")

    def send() -> None:
        while True:
            sender.send(IMAGE)

    with ThreadPoolExecutor(4) as threads:
        sending = threads.submit(send)
        reading = [threads.submit(list, each) for each in (receiver, receiver.packets())]
        time.sleep(0.2)
        for _ in range(times):
            began = time.monotonic()
            sender.close()
            receiver.close()
            assert time.monotonic() - began < 3
        assert isinstance(sending.exception(10), Closed)
        for each in reading:
            each.result(10)


def test_an_object_that_closes_when_it_is_collected() -> None:
    import gc

    class Holder:
        def __init__(self) -> None:
            self.sender = Sender(LOCAL, topic="a")
            self.receiver = Receiver(self.sender.endpoints[0])
            self.itself = self

        def __del__(self) -> None:
            self.sender.close()
            self.receiver.close()

    Holder()
    gc.collect()
    assert open_sockets() == 0


def test_a_close_elsewhere_ends_writing_to_a_disk_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from framewire.receiver.sinks import recorder as module

    with Sender(LOCAL, topic="a") as sender, Receiver(sender.endpoints[0]) as receiver:
        sender.wait_for_receivers(1, 20)
        sender.send(IMAGE)
        packet = receiver.read_packet(20)
    monkeypatch.setattr(module, "weight", lambda item: 16 << 20)
    answers = threading.Event()
    write = Files.write

    def slow(*arguments: Any) -> None:
        answers.wait(30)
        write(*arguments)

    monkeypatch.setattr(Files, "write", slow)
    recorder = Recorder(tmp_path / "a.mkv")

    def record() -> None:
        while True:
            recorder.write(packet)

    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(record)
        time.sleep(0.5)
        began = time.monotonic()
        with pytest.raises(RecordingError, match="does not answer"):
            recorder.close()
        assert time.monotonic() - began < 5
        assert isinstance(writing.exception(10), Closed)
        answers.set()
    until(lambda: not recorder._writing.alive)
