"""Recorder: files and their names, bit for bit, and what happens when the disk does not play."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framewire.common.clock import NS
from framewire.common.container import RecordingReader, RecordingWriter
from framewire.common.errors import Closed, RecordingError, TopicError
from framewire.common.frame import Header, Packet
from framewire.receiver import Recorder
from framewire.receiver.sinks import recorder as module
from receiver.publishing import BEGIN_NS, DEADLINE_S, STEP_NS, packet, picture, until


def _read(path: Path) -> list[Packet]:
    with closing(RecordingReader(path)) as reader:
        packets = list(reader.packets())
        assert reader.damaged == 0
        return packets


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# -- what is recorded -----------------------------------------------------------------------------


def test_one_file_holds_one_topic_bit_for_bit(tmp_path: Path) -> None:
    sent = [packet(number, metadata={"gain": number}) for number in range(50)]
    with Recorder(tmp_path / "deep" / "yard.mkv") as recorder:
        for each in sent:
            recorder.write(each)
    assert recorder.frames == 50
    assert recorder.written_bytes == sum(len(each.payload) for each in sent)
    assert recorder.paths == {"lab/cam1": tmp_path / "deep" / "yard.mkv"}
    assert _read(tmp_path / "deep" / "yard.mkv") == sent


def test_a_path_may_be_text_and_its_suffix_in_capitals(tmp_path: Path) -> None:
    with Recorder(str(tmp_path / "YARD.MKV")) as recorder:
        recorder.write(packet(0))
    assert _read(tmp_path / "YARD.MKV") == [packet(0)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["lab/cam1", "lab/cam10", "lab", "yard"]),
            st.integers(0, 2**60),
            st.sampled_from(["one", "two"]),
            st.integers(0, 65_400),
        ),
        max_size=12,
    )
)
def test_a_folder_holds_every_topic_bit_for_bit(
    tmp_path: Path, frames: list[tuple[str, int, str, int]]
) -> None:
    sent = [
        packet(i, topic, captured_ns=captured_ns, sender=sender, metadata={"large": bytes(size)})
        for i, (topic, captured_ns, sender, size) in enumerate(frames)
    ]
    with Recorder(tmp_path) as recorder:
        for each in sent:
            recorder.write(each)
    paths = recorder.paths
    assert set(paths) == {each.topic for each in sent}
    for topic, path in paths.items():
        assert _read(path) == [each for each in sent if each.topic == topic]


def test_files_in_a_folder_are_named_by_topic_and_time(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    for first in range(3):
        with Recorder(folder) as recorder:
            recorder.write(packet(first))
            recorder.write(packet(first, "yard", captured_ns=BEGIN_NS + 7 * NS))
    assert _files(folder) == [
        "lab/cam1/2026-01-31T14-05-00-2.mkv",
        "lab/cam1/2026-01-31T14-05-00-3.mkv",
        "lab/cam1/2026-01-31T14-05-00.mkv",
        "yard/2026-01-31T14-05-07-2.mkv",
        "yard/2026-01-31T14-05-07-3.mkv",
        "yard/2026-01-31T14-05-07.mkv",
    ]
    assert _read(folder / "lab/cam1/2026-01-31T14-05-00-3.mkv") == [packet(2)]


def test_a_thousand_files_of_one_name_are_enough(tmp_path: Path) -> None:
    folder = tmp_path / "lab" / "cam1"
    folder.mkdir(parents=True)
    stem = "2026-01-31T14-05-00"
    for name in (stem, *(f"{stem}-{number}" for number in range(2, 1000))):
        (folder / f"{name}.mkv").touch()
    recorder = Recorder(tmp_path)
    recorder.write(packet(0))
    with pytest.raises(RecordingError, match="a thousand files have that name"):
        recorder.close()


def test_no_topic_leads_out_of_the_folder(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "inner" / "folder")
    with pytest.raises(TopicError):
        recorder.write(packet(0, "../../outside"))
    recorder.close()
    assert _files(tmp_path) == []


# -- where it may write ---------------------------------------------------------------------------


def test_an_older_file_stays_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "yard.mkv"
    with Recorder(path) as recorder:
        recorder.write(packet(1))
    before = path.read_bytes()
    with pytest.raises(RecordingError, match=r"is there already; .* overwrite it \(--overwrite\)"):
        Recorder(path)
    assert path.read_bytes() == before
    with Recorder(path, overwrite=True) as recorder:
        recorder.write(packet(2))
    assert _read(path) == [packet(2)]


def test_where_nothing_came_nothing_is_left(tmp_path: Path) -> None:
    Recorder(tmp_path / "yard.mkv").close()
    Recorder(tmp_path / "folder").close()
    assert _files(tmp_path) == []


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.MOV", "a.webm"])
def test_other_containers_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError, match=r"recordings are \.mkv files"):
        Recorder(tmp_path / name)
    assert _files(tmp_path) == []


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordingError, match=r"file is not a folder$"):
        Recorder(tmp_path / "file")
    for path in (tmp_path / "file" / "deep" / "a.mkv", tmp_path / ("x" * 300 + ".mkv")):
        with pytest.raises(RecordingError, match="cannot record to"):
            Recorder(path)
    (tmp_path / "a.mkv").mkdir()
    with pytest.raises(RecordingError, match="Is a directory"):
        Recorder(tmp_path / "a.mkv", overwrite=True)
    assert _files(tmp_path) == ["file"]


def test_a_file_where_a_folder_should_be_is_told_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordingError) as caught:
        Recorder(tmp_path / "file" / "a.mkv")
    assert "is there already" not in str(caught.value)


def test_a_topics_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "lab").touch()
    recorder = Recorder(tmp_path)
    recorder.write(packet(0, "yard"))
    recorder.write(packet(0))
    with pytest.raises(RecordingError, match=r"cannot write .*lab.*: Not a directory"):
        recorder.close()
    assert _read(recorder.paths["yard"]) == [packet(0, "yard")]


# -- what cannot be recorded ----------------------------------------------------------------------


def test_a_second_topic_does_not_go_into_one_file(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.mkv")
    recorder.write(packet(0))
    recorder.write(packet(0, "yard"))
    with pytest.raises(RecordingError, match="holds lab/cam1, and now yard came: choose one topic"):
        recorder.close()
    assert _read(tmp_path / "a.mkv") == [packet(0)]


def test_raw_pixels_are_refused(tmp_path: Path) -> None:
    raw = packet(1, payload=bytes(160 * 96 * 3), codec="raw")
    recorder = Recorder(tmp_path / "a.mkv")
    recorder.write(packet(0))
    recorder.write(raw)
    with pytest.raises(RecordingError, match="cannot record lab/cam1: its codec is raw"):
        recorder.close()
    assert _read(tmp_path / "a.mkv") == [packet(0)]
    assert recorder.frames == 1


def test_after_close_nothing_is_taken(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a.mkv")
    recorder.close()
    recorder.close()
    with pytest.raises(Closed):
        recorder.write(packet(0))


# -- failures while it writes ---------------------------------------------------------------------


class Disk(RecordingWriter):
    """A writer whose disk waits for leave, and may fail."""

    go_on = threading.Event()
    failing = False
    failing_end = False

    def write(self, packet: Packet) -> None:
        assert self.go_on.wait(DEADLINE_S)
        if self.failing:
            raise RecordingError("cannot write: the disk failed")
        super().write(packet)

    def close(self) -> None:
        super().close()
        if self.failing_end:
            raise RecordingError("cannot finish: the disk failed")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Disk]]:
    class Fresh(Disk):
        go_on = threading.Event()

    monkeypatch.setattr(module, "RecordingWriter", Fresh)
    yield Fresh
    Fresh.go_on.set()


def test_a_failure_reaches_the_next_write_and_close(tmp_path: Path, disk: type[Disk]) -> None:
    recorder = Recorder(tmp_path / "a.mkv")
    recorder.write(packet(0))
    disk.go_on.set()
    until(lambda: recorder.frames == 1)
    disk.failing = True
    disk.go_on.clear()
    for number in range(1, 5):
        recorder.write(packet(number))
    disk.go_on.set()
    until(lambda: not recorder._thread.is_alive())
    assert len(recorder._queue) == 0  # what cannot be written any more is not kept
    with pytest.raises(RecordingError, match="cannot write: the disk failed"):
        recorder.write(packet(2))
    with pytest.raises(RecordingError, match="cannot write: the disk failed"):
        recorder.close()
    recorder.close()  # once for all
    assert recorder.frames == 1
    assert _read(tmp_path / "a.mkv") == [packet(0)]


def test_a_failure_at_the_end_is_told(tmp_path: Path, disk: type[Disk]) -> None:
    disk.go_on.set()
    disk.failing_end = True
    recorder = Recorder(tmp_path / "folder")
    recorder.write(packet(0))
    recorder.write(packet(0, "yard"))
    with pytest.raises(RecordingError, match="cannot finish: the disk failed"):
        recorder.close()
    for path in recorder.paths.values():
        assert len(_read(path)) == 1  # one that fails does not keep the others from being finished


def test_the_first_failure_is_the_one_that_is_told(tmp_path: Path, disk: type[Disk]) -> None:
    disk.go_on.set()
    disk.failing = disk.failing_end = True
    recorder = Recorder(tmp_path / "a.mkv")
    recorder.write(packet(0))
    with pytest.raises(RecordingError, match="cannot write"):
        recorder.close()


def test_a_slow_disk_makes_write_wait_and_loses_nothing(
    tmp_path: Path, disk: type[Disk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_QUEUE_BYTES", 3 * len(picture(0)))
    recorder = Recorder(tmp_path / "a.mkv")
    sent = [packet(number, payload=picture(0)) for number in range(20)]
    taken: list[int] = []

    def write() -> None:
        for each in sent:
            recorder.write(each)
            taken.append(each.sequence)

    writer = threading.Thread(target=write)
    writer.start()
    until(lambda: len(taken) == 4)  # three in the queue, one in the hand of the disk
    assert recorder.frames == 0
    assert len(recorder._queue) == 3
    disk.go_on.set()
    writer.join(DEADLINE_S)
    recorder.close()
    assert _read(tmp_path / "a.mkv") == sent


def test_a_disk_that_does_not_answer(
    tmp_path: Path, disk: type[Disk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_JOIN_S", 0.01)
    recorder = Recorder(tmp_path / "a.mkv")
    recorder.write(packet(0))
    with pytest.raises(RecordingError, match="does not answer; the end is missing"):
        recorder.close()
    monkeypatch.setattr(module, "_JOIN_S", DEADLINE_S)
    disk.go_on.set()
    recorder.close()  # it came back
    assert _read(tmp_path / "a.mkv") == [packet(0)]


def test_a_file_that_cannot_be_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, first: Header) -> RecordingWriter:
        raise RecordingError(f"cannot write {path}: gone")

    monkeypatch.setattr(module, "RecordingWriter", refuse)
    recorder = Recorder(tmp_path / "a.mkv")
    recorder.write(packet(0))
    with pytest.raises(RecordingError, match="gone"):
        recorder.close()
    assert _files(tmp_path) == []
    assert recorder.paths == {}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root on Linux can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "framewire-test", str(folder)]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("name", ["a.mkv", "folder"])
def test_a_full_disk_is_an_error_and_what_was_written_stays_readable(
    small_disk: Path, name: str
) -> None:
    sent = [packet(number, metadata={"large": bytes(9_000)}) for number in range(300)]
    recorder = Recorder(small_disk / name)
    with pytest.raises(RecordingError, match="No space left on device"), recorder:
        deque(map(recorder.write, sent))
    read = _read(recorder.paths["lab/cam1"])
    assert read == sent[: len(read)]
    assert len(read) > 50
    assert 0 <= (recorder.frames - len(read)) * STEP_NS <= NS // 2


# -- a process that is killed ---------------------------------------------------------------------

RECORDING = """
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
import msgspec
from framewire.common.container import RecordingReader
from framewire.common.frame import Packet
from framewire.receiver import Recorder

with closing(RecordingReader(Path(sys.argv[1]))) as reader:
    (first,) = reader.packets()
recorder = Recorder(sys.argv[2])
number = 0
while True:
    header = msgspec.structs.replace(
        first.header, sequence=number, monotonic_ns=1 + number * 40_000_000
    )
    recorder.write(Packet(header, first.payload))
    number += 1
    while recorder.frames < number:
        time.sleep(0.0002)
    print(recorder.frames, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no such signal")
@pytest.mark.parametrize("name", ["killed.mkv", "folder"])
def test_a_killed_process_loses_half_a_second_at_most(tmp_path: Path, name: str) -> None:
    with Recorder(tmp_path / "one.mkv") as recorder:
        recorder.write(packet(0))
    command = [sys.executable, "-c", RECORDING, str(tmp_path / "one.mkv"), str(tmp_path / name)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            while process.stdout.readline() != "100\n":
                assert process.poll() is None
            process.kill()
            written = 100 + len(process.stdout.readlines())
        finally:
            process.kill()
    (path,) = [each for each in tmp_path.rglob("*.mkv") if each.name != "one.mkv"]
    read = _read(path)
    assert [each.sequence for each in read] == list(range(len(read)))
    assert (written - len(read)) * 40_000_000 <= NS // 2
