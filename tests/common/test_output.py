"""Output that nobody waits for."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from framewire.common.output import Spout
from processes import until

LINE = "x" * 1023 + "\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for each in (reader, writer):
        with suppress(OSError):
            os.close(each)


def test_what_is_written_comes_out_in_order(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    spout = Spout(writer, "test")
    print("one", 2, file=spout)
    print("begun", end="", file=spout)
    assert spout.drain(5)
    print(" and \ud800ended", file=spout, flush=True)
    assert spout.drain(5)
    assert os.read(reader, 1000) == b"one 2\nbegun and \\ud800ended\n"
    assert spout.dropped == 0


def test_who_writes_never_waits_and_whole_lines_are_dropped(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    spout = Spout(writer, "test", capacity=100 * 1024)
    for _ in range(1000):
        spout.write(LINE)
    assert 800 < spout.dropped <= 900
    assert not spout.drain(0.05)
    came = []

    def read() -> None:
        while data := os.read(reader, 65536):
            came.append(data)

    thread = threading.Thread(target=read)
    thread.start()
    assert spout.drain(5)
    spout.write("last\n")
    assert spout.drain(5)
    os.close(writer)
    thread.join()
    text = b"".join(came).decode()
    assert text == LINE * (1000 - spout.dropped) + "last\n"


def test_a_reader_that_went_away_is_told_once_and_the_rest_goes_nowhere(
    pipe: tuple[int, int],
) -> None:
    reader, writer = pipe
    gone: list[OSError | None] = []
    spout = Spout(writer, "test", on_end=gone.append)
    os.close(reader)
    spout.write(LINE)
    until(lambda: bool(gone), 5)
    for _ in range(1000):
        spout.write(LINE)
    assert not spout.drain(5)
    assert gone == [None]
    assert (spout.error, spout.dropped) == (None, 0)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_disk_is_an_error() -> None:
    with open("/dev/full", "wb") as full:
        spout = Spout(full.fileno(), "test")
        spout.write(LINE)
        until(lambda: spout.error is not None, 5)
        assert not spout.drain(5)


def test_a_descriptor_that_does_not_block_is_waited_for(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.set_blocking(writer, False)
    spout = Spout(writer, "test")
    for _ in range(100):
        spout.write(LINE)
    got = 0
    while got < 100 * 1024:
        got += len(os.read(reader, 65536))
    assert spout.drain(5)


def test_once_it_is_closed_its_thread_ends(pipe: tuple[int, int]) -> None:
    spout = Spout(pipe[1], "closing")
    spout.write(LINE)
    spout.close()
    until(lambda: "closing" not in {each.name for each in threading.enumerate()}, 5)
    spout.close()


CLOSED = """
import os
from framewire.common.output import open_standard_streams
open_standard_streams()
fd = os.open("/dev/null", os.O_RDONLY)
assert fd > 2, fd
print("nowhere")
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_are_no_files_of_others(closed: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'"{sys.executable}" -c "$0" {closed}', CLOSED], check=False
    )
    assert done.returncode == 0
