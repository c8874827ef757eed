"""Recorder: files and their names, bit for bit, and what happens when the disk does not play."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framewire.common.clock import NS
from framewire.common.container import RecordingReader
from framewire.common.errors import Closed, RecordingError, TopicError, UsageError
from framewire.common.frame import Header, Packet
from framewire.common.recording_writer import RecordingWriter
from framewire.receiver import FileEvent, Recorder
from framewire.receiver.sinks import files as files_module
from framewire.receiver.sinks import place as place_module
from framewire.receiver.sinks import recorder as module
from receiver.publishing import BEGIN_NS, DEADLINE_S, packet, picture, until


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
    failing = failing_start = failing_end = False

    def __init__(self, path: Path, first: Header, *, new: bool = False) -> None:
        if self.failing_start:
            raise RecordingError(f"cannot write {path}: the disk failed")
        super().__init__(path, first, new=new)

    def write(self, packet: Packet) -> None:
        assert self.go_on.wait(DEADLINE_S)
        if self.failing:
            raise RecordingError("cannot write: the disk failed")
        super().write(packet)

    def finish(self) -> None:
        super().finish()
        if self.failing_end:
            raise RecordingError("cannot finish: the disk failed")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Disk]]:
    class Fresh(Disk):
        go_on = threading.Event()

    monkeypatch.setattr(place_module, "RecordingWriter", Fresh)
    yield Fresh
    Fresh.go_on.set()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recorder that waits for no disk."""
    monkeypatch.setattr(module, "_STALLED_NS", NS // 100)
    monkeypatch.setattr(module, "_GIVE_UP_NS", NS // 100)


@pytest.fixture
def retries_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "_RETRY_NS", 0)


@pytest.mark.usefixtures("retries_at_once")
def test_a_disk_that_fails_is_tried_again_and_what_it_missed_is_counted(
    tmp_path: Path, disk: type[Disk], caplog: pytest.LogCaptureFixture
) -> None:
    disk.go_on.set()
    recorder = Recorder(tmp_path / "a.mkv")
    recorder.write(packet(0))
    until(lambda: recorder.frames == 1)
    disk.failing = True
    for number in (1, 2):
        recorder.write(packet(number))
        recorder.write(packet(number, "lab/cam1"))
    until(lambda: sum(recorder.stats.unwritten.values()) == 4)
    assert recorder.stats.trouble == "cannot write: the disk failed"
    disk.failing = False
    recorder.write(packet(3))
    until(lambda: recorder.frames == 2)
    assert recorder.stats.trouble == ""
    with pytest.raises(RecordingError, match=r"4 frames not written \(lab/cam1 4\): cannot write"):
        recorder.close()
    recorder.close()  # once for all
    assert recorder.stats.recorded == {"lab/cam1": 2}
    assert recorder.stats.unwritten == {"lab/cam1": 4}
    assert _files(tmp_path) == ["a-2.mkv", "a.mkv"]
    assert _read(tmp_path / "a.mkv") == [packet(0)]
    assert _read(tmp_path / "a-2.mkv") == [packet(3)]
    first, last = [record.getMessage() for record in caplog.records]
    assert first.startswith("cannot write: the disk failed; frames that cannot be written are")
    assert last == "recording goes on; 4 frames were not written meanwhile"


def test_a_disk_that_fails_is_not_tried_all_the_time(
    tmp_path: Path, disk: type[Disk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "_RETRY_NS", 3600 * NS)
    disk.go_on.set()
    disk.failing_start = True
    recorder = Recorder(tmp_path)
    recorder.write(packet(0))
    until(lambda: bool(recorder.stats.trouble))
    disk.failing_start = False
    recorder.write(packet(1))
    recorder.write(packet(0, "yard"))  # one topic does not keep the others from being tried
    with pytest.raises(RecordingError, match="2 frames not written"):
        recorder.close()
    assert recorder.stats.unwritten == {"lab/cam1": 2}
    assert recorder.stats.recorded == {"yard": 1}


@pytest.mark.usefixtures("retries_at_once")
def test_a_short_failure_costs_nothing(tmp_path: Path, disk: type[Disk]) -> None:
    """As where a file may not grow beyond 4 GiB."""
    disk.go_on.set()
    write, left = Disk.write, [3]

    def limited(writer: Disk, packet: Packet) -> None:
        if writer.frames == left[0]:
            raise RecordingError("cannot write: File too large")
        write(writer, packet)

    disk.write = limited  # type: ignore[method-assign, assignment]
    sent = [packet(number) for number in range(8)]
    with Recorder(tmp_path / "a.mkv") as recorder:
        deque(map(recorder.write, sent))
    names = _files(tmp_path)
    assert names == ["a-2.mkv", "a-3.mkv", "a.mkv"]
    read = [packet for name in ("a.mkv", "a-2.mkv", "a-3.mkv") for packet in _read(tmp_path / name)]
    assert read == sent


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


def test_a_slow_disk_makes_write_wait_and_loses_nothing(
    tmp_path: Path, disk: type[Disk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_QUEUE_BYTES", 3 * packet(0, payload=picture(0)).weight)
    monkeypatch.setattr(module, "_STALLED_NS", DEADLINE_S * NS)
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


@pytest.mark.usefixtures("impatient")
def test_a_stalled_disk_holds_nobody_up_and_what_has_no_room_is_counted(
    tmp_path: Path,
    disk: type[Disk],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "_QUEUE_BYTES", 3 * packet(0, payload=picture(0)).weight)
    recorder = Recorder(tmp_path / "a.mkv")
    for number in range(20):
        recorder.write(packet(number, payload=picture(0)))
    assert recorder.stats.unwritten == {"lab/cam1": 16}
    assert "does not answer" in recorder.stats.trouble
    disk.go_on.set()
    until(lambda: recorder.frames == 4)
    until(lambda: not recorder.stats.trouble)
    recorder.write(packet(20))
    with pytest.raises(RecordingError, match=r"16 frames not written .* does not answer"):
        recorder.close()
    assert [each.sequence for each in _read(tmp_path / "a.mkv")] == [0, 1, 2, 3, 20]
    first, last = [record.getMessage() for record in caplog.records]
    assert "does not answer; frames that cannot be written are counted" in first
    assert last == "recording goes on; 16 frames were not written meanwhile"


@pytest.mark.usefixtures("impatient")
def test_a_dead_disk_does_not_hold_up_the_end(tmp_path: Path, disk: type[Disk]) -> None:
    recorder = Recorder(tmp_path / "a.mkv")
    for number in range(3):
        recorder.write(packet(number))
    with pytest.raises(RecordingError, match=r"3 frames not written \(lab/cam1 3\): .* not answer"):
        recorder.close()
    assert recorder.stats.unwritten == {"lab/cam1": 3}
    disk.go_on.set()
    until(lambda: not recorder._writing.alive)  # it came back
    assert _read(tmp_path / "a.mkv") == [packet(0)]


@pytest.mark.usefixtures("retries_at_once")
def test_a_file_that_cannot_be_begun(tmp_path: Path, disk: type[Disk]) -> None:
    disk.failing_start = True
    recorder = Recorder(tmp_path / "a.mkv")
    recorder.write(packet(0))
    with pytest.raises(RecordingError, match=r"1 frame not written .*a\.mkv: the disk failed"):
        recorder.close()
    assert _files(tmp_path) == []
    assert recorder.paths == {}


def test_a_file_without_a_frame_does_not_stay(tmp_path: Path, disk: type[Disk]) -> None:
    disk.go_on.set()
    disk.failing = True
    recorder = Recorder(tmp_path)
    recorder.write(packet(0))
    with pytest.raises(RecordingError, match="1 frame not written"):
        recorder.close()
    assert _files(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no file is removed there while it is open")
def test_what_somebody_removes_is_counted_and_recording_goes_on(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "folder")
    for number in range(3):
        recorder.write(packet(number))
    until(lambda: recorder.frames == 3)
    shutil.rmtree(tmp_path / "folder")
    recorder.write(packet(3))
    until(lambda: recorder.frames == 1)
    with pytest.raises(RecordingError, match=r"3 frames not written .* was removed while"):
        recorder.close()
    assert recorder.stats.recorded == {"lab/cam1": 1}
    assert _read(recorder.paths["lab/cam1"]) == [packet(3)]


def test_a_file_that_another_recorder_writes_is_not_replaced(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    path = tmp_path / "a.mkv"
    with Recorder(path) as first:
        first.write(packet(0))
        until(lambda: first.frames == 1)
        second = Recorder(path, overwrite=True)
        second.write(packet(1))
        with pytest.raises(RecordingError, match="another program is recording into it"):
            second.close()
    assert _read(path) == [packet(0)]


# -- segments, limits and events ------------------------------------------------------------------


class Clocks:
    """The recorder's clocks, pretended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall_ns = BEGIN_NS
        self.monotonic_ns = NS
        monkeypatch.setattr(module, "wall_ns", lambda: self.wall_ns)

    def pass_s(self, seconds: float) -> None:
        self.wall_ns += round(seconds * NS)


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


def test_segments_begin_at_multiples_of_their_length_by_the_arrival(
    tmp_path: Path, clocks: Clocks
) -> None:
    told: list[FileEvent] = []
    with Recorder(tmp_path, segment=600, on_file=told.append) as recorder:  # it is 14:05:00
        recorder.write(packet(0))
        clocks.pass_s(299)
        recorder.write(packet(1))
        recorder.write(packet(0, "yard"))
        clocks.pass_s(1)
        recorder.write(packet(2))  # captured at 14:05, as in a replay
        recorder.write(packet(3))
    files = _files(tmp_path)
    assert files == [
        "lab/cam1/2026-01-31T14-05-00-2.mkv",
        "lab/cam1/2026-01-31T14-05-00.mkv",
        "yard/2026-01-31T14-05-00.mkv",
    ]
    assert [_read(tmp_path / name) for name in files[:2]] == [
        [packet(2), packet(3)],
        [packet(0), packet(1)],
    ]
    lab = [each for each in told if each.topic == "lab/cam1"]
    assert [(each.state, each.frames) for each in lab] == [
        ("begun", 1),
        ("finished", 2),
        ("begun", 1),
        ("finished", 2),
    ]
    assert lab[1].bytes == (tmp_path / files[1]).stat().st_size


def test_a_segment_ends_even_where_nothing_comes_after_it(tmp_path: Path, clocks: Clocks) -> None:
    told: list[FileEvent] = []
    with Recorder(tmp_path, segment=600, on_file=told.append) as recorder:
        recorder.write(packet(0))
        until(lambda: recorder.frames == 1)
        clocks.pass_s(602)
        until(lambda: len(told) == 2)
        assert (told[1].state, told[1].frames) == ("finished", 1)


def test_old_files_go_and_no_others(tmp_path: Path) -> None:
    with Recorder(tmp_path) as recorder:
        for topic in ("old", "new"):
            recorder.write(packet(0, topic))
    os.utime(recorder.paths["old"], ns=(0, time.time_ns() - 3600 * NS))
    told: list[FileEvent] = []
    with Recorder(tmp_path, keep=1800, on_file=told.append) as recorder:
        recorder.write(packet(0, "new"))
    assert _files(tmp_path) == ["new/2026-01-31T14-05-00-2.mkv", "new/2026-01-31T14-05-00.mkv"]
    assert not (tmp_path / "old").exists()
    assert [(e.topic, e.path) for e in told if e.state == "removed"] == [
        ("old", tmp_path / "old" / "2026-01-31T14-05-00.mkv")
    ]


def test_an_event_has_what_came_before_it_and_after_it(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, pre=60, post=0)
    for number in range(5):
        recorder.write(packet(number))
    assert recorder.frames == 0
    recorder.trigger()
    until(lambda: recorder.frames == 5)
    for number in range(5, 7):
        recorder.write(packet(number))
    recorder.trigger()
    recorder.write(packet(7))  # no trigger after it
    recorder.close()
    assert recorder.stats.events == 2
    assert (
        _files(tmp_path)
        == [
            "lab/cam1/2026-01-31T14-05-00.mkv",
            "lab/cam1/2026-01-31T14-05-00-2.mkv",
        ][::-1]
    )
    assert _read(tmp_path / "lab/cam1/2026-01-31T14-05-00.mkv") == [packet(n) for n in range(5)]
    assert _read(tmp_path / "lab/cam1/2026-01-31T14-05-00-2.mkv") == [packet(5), packet(6)]


def test_an_event_goes_on_with_each_trigger(tmp_path: Path) -> None:
    with Recorder(tmp_path, pre=0, post=3600) as recorder:
        recorder.trigger()
        recorder.write(packet(0))
        recorder.trigger()
        recorder.write(packet(1, "yard"))
        recorder.write(packet(1))
    assert recorder.stats.events == 1
    assert _read(recorder.paths["lab/cam1"]) == [packet(0), packet(1)]
    assert _read(recorder.paths["yard"]) == [packet(1, "yard")]


def test_what_has_no_room_before_an_event_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_RING_BYTES", 3 * packet(0, payload=picture(0)).weight)
    recorder = Recorder(tmp_path, pre=60, post=0)
    for number in range(5):
        recorder.write(packet(number, payload=picture(0)))
    recorder.trigger()
    with pytest.raises(RecordingError, match="2 frames not written"):
        recorder.close()
    assert "the beginning of event 1 is missing: 2 frames had no room" in caplog.text
    assert [each.sequence for each in _read(recorder.paths["lab/cam1"])] == [2, 3, 4]


def test_without_events_there_is_nothing_to_trigger(tmp_path: Path) -> None:
    with Recorder(tmp_path) as recorder, pytest.raises(UsageError, match="records everything"):
        recorder.trigger()


@pytest.mark.parametrize(
    "options",
    [{"segment": 0}, {"segment": 0.5}, {"keep": -1}, {"max_bytes": 0}, {"pre": -1}, {"pre": 1e9},
     {"pre": 1, "post": -1}],
)  # fmt: skip
def test_what_cannot_be_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Recorder(tmp_path / "folder", **options)
    with pytest.raises(UsageError, match="one file"):
        Recorder(tmp_path / "a.mkv", segment=60)
    assert _files(tmp_path) == []


# -- disks that are full --------------------------------------------------------------------------


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
    read = [each for path in sorted(small_disk.rglob("*.mkv")) for each in _read(path)]
    assert read == sent[: len(read)]
    assert len(read) > 50
    assert recorder.frames == len(read)
    assert recorder.stats.unwritten == {"lab/cam1": 300 - len(read)}


# -- a process that is killed ---------------------------------------------------------------------

RECORDING = """
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
import msgspec
from framewire.common.container import RecordingReader
from framewire.common.frame import Packet
from framewire.receiver import FileEvent, Recorder
from framewire.receiver.sinks import files as files_module

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
