"""Too few open files."""

import errno
import logging
import os
from collections.abc import Iterator

import pytest

from framewire.common.clock import NS
from framewire.common.errors import TransportError
from framewire.common.transport import Waker
from framewire.common.transport.shortage import Shortage, check_spare_files, refused


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many more may be opened, as [number]."""
    left = [0]

    def take(real: object) -> object:
        def call(*arguments: object) -> int:
            if not left[0]:
                raise OSError(errno.EMFILE, "Too many open files")
            left[0] -= 1
            return real(*arguments)  # type: ignore[operator, no-any-return]

        return call

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", take(os.open))
        patched.setattr(os, "dup", take(os.dup))
        yield left


@pytest.mark.parametrize("spare", [0, 1, 23])
def test_too_few_are_an_error_and_none_stays_open(few: list[int], spare: int) -> None:
    few[0] = spare
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(TransportError, match=r"too many files and connections.*ulimit"):
        check_spare_files()
    assert len(os.listdir("/dev/fd")) == before


def test_enough_are_none(few: list[int]) -> None:
    few[0] = 24
    check_spare_files()


def test_it_is_said_once_a_minute(few: list[int], caplog: pytest.LogCaptureFixture) -> None:
    watch = Shortage()
    with caplog.at_level(logging.ERROR):
        for second in range(100):
            watch.look(second * NS)
            watch.look(second * NS + 1)
        assert len(caplog.records) == 2
        few[0] = 1000
        watch.look(200 * NS)
        assert len(caplog.records) == 2


def test_other_refusals_say_what_the_system_says() -> None:
    assert "No buffer space" in str(refused(OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))))


def test_who_cannot_be_woken_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> object:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("socket.socketpair", none)
    with pytest.raises(TransportError, match="too many files"):
        Waker()
