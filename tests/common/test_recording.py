"""Recordings by position, time and number: whole, cut, damaged, growing, in threads and processes."""

import copy
import multiprocessing
import os
import shutil
import subprocess
import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from common.recorded import BEGIN_NS, STEP_NS, clusters, damage, damaged, packet, picture, record
from framewire.common.clock import NS
from framewire.common.container import RecordingReader
from framewire.common.errors import Closed, RecordingError, UsageError
from framewire.common.frame import Frame, Packet
from framewire.common.recording import Recording, Span
from framewire.common.recording_writer import RecordingWriter
from framewire.common.testchart import read_number

NUMBERS = [0, 1, 2, 3, 6, 7, 8, 20]
"""Of the frames in `yard`: 4, 5 and 9 to 19 are missing."""


def sent() -> list[Packet]:
    return [packet(number, metadata={"number": number}) for number in NUMBERS]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("yard") / "yard.mkv", sent())


@pytest.fixture
def yard(path: Path) -> Iterator[Recording]:
    with Recording(path) as recording:
        yield recording


# -- a sequence ---------------------------------------------------------------------------------


def test_packets_are_those_that_were_recorded(yard: Recording) -> None:
    assert list(yard.packets()) == sent()
    assert [yard.packet(at) for at in range(len(yard))] == sent()
    assert list(yard.headers()) == [each.header for each in sent()]
    assert yard.packet(-1) == sent()[-1]


def test_indexing_and_iterating_give_frames(yard: Recording) -> None:
    assert len(yard) == 8
    assert [read_number(frame.image) for frame in yard] == NUMBERS
    assert [read_number(yard[at].image) for at in (0, 4, -1)] == [0, 6, 20]
    frame = yard[2]
    assert isinstance(frame, Frame)
    assert frame.header == sent()[2].header
    assert frame.image.flags.writeable
    for at in (8, -9):
        with pytest.raises(IndexError):
            yard[at]


def test_slices_are_views(yard: Recording) -> None:
    part = yard[1:-1:2]
    assert isinstance(part, Span)
    assert [frame.sequence for frame in part] == [1, 3, 7]
    assert (len(part), part[-1].sequence) == (3, 7)
    assert [frame.sequence for frame in part[1:]] == [3, 7]
    assert list(part.packets()) == sent()[1:-1:2]
    assert [frame.sequence for frame in yard[::-1]] == NUMBERS[::-1]
    assert len(yard[5:2]) == 0


def test_the_facts(yard: Recording, path: Path) -> None:
    assert (yard.topic, yard.size) == ("lab/cam1", (160, 96))
    assert (yard.began_ns, yard.ended_ns) == (BEGIN_NS, BEGIN_NS + 20 * STEP_NS)
    assert yard.duration == 0.8
    assert yard.senders == ("0123456789abcdef",)
    assert (yard.finished, yard.faults, yard.cut_bytes, yard.damaged) == (True, (), 0, 0)
    assert yard.file_bytes == path.stat().st_size
    assert [(g.first, g.last, g.frames, g.index, g.start_s, g.end_s) for g in yard.gaps] == [
        (4, 5, 2, 4, 0.12, 0.24),
        (9, 19, 11, 7, 0.32, 0.8),
    ]
    assert repr(yard) == f"<Recording {path}: 8 frames>"


# -- lookups ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "number"),
    [(0, 0), (0.039, 0), (0.04, 1), (0.12, 3), (0.239, 3), (0.24, 6), (0.5, 8), (0.8, 20)],
)
def test_by_media_time(yard: Recording, seconds: float, number: int) -> None:
    assert yard.at(seconds).sequence == number
    assert NUMBERS[yard.index_at(seconds)] == number
    moment = datetime.fromtimestamp(BEGIN_NS / NS, UTC) + timedelta(seconds=seconds)
    assert yard.at(captured=moment).sequence == number
    assert yard.at(captured=BEGIN_NS + round(seconds * NS)).sequence == number


def test_time_of_and_back(yard: Recording) -> None:
    times = [yard.time_of(at) for at in range(8)]
    assert times == pytest.approx([0.04 * number for number in NUMBERS])
    assert [yard.index_at(time) for time in times] == list(range(8))
    assert yard.time_of(-1) == yard.duration


def test_times_that_floats_do_not_hit(tmp_path: Path) -> None:
    assert 1.001 * 1000 < 1001
    frames = [packet(0), packet(1, monotonic_ns=packet(0).header.monotonic_ns + 1001 * 10**6)]
    with Recording(record(tmp_path / "a.mkv", frames)) as recording:
        assert recording.index_at(recording.time_of(1)) == 1
        assert list(recording.packets(1.001)) == frames[1:]


@pytest.mark.parametrize("seconds", [-1, -0.001, 0.81, 1e300, float("inf"), float("nan")])
def test_outside_there_is_nothing(yard: Recording, seconds: float) -> None:
    with pytest.raises(RecordingError, match="holds nothing at"):
        yard.index_at(seconds)


def test_moments_that_can_never_work(yard: Recording) -> None:
    with pytest.raises(RecordingError, match="holds nothing at"):
        yard.index_at(captured=BEGIN_NS - 1)
    with pytest.raises(RecordingError, match="holds nothing at"):
        yard.index_at(captured=datetime.now(UTC))
    with pytest.raises(UsageError, match="has no time zone"):
        yard.index_at(captured=datetime(2026, 1, 31))
    with pytest.raises(UsageError, match="one moment"):
        yard.index_at()
    with pytest.raises(UsageError, match="one moment"):
        yard.index_at(1.0, captured=1)


@pytest.mark.parametrize(
    ("start", "end", "numbers"),
    [
        (None, None, NUMBERS),
        (0.04, 0.24, [1, 2, 3]),
        (0.041, None, [2, 3, 6, 7, 8, 20]),
        (None, 0.13, [0, 1, 2, 3]),
        (0.8, None, [20]),
        (0.81, None, []),
        (-5, 0, []),
        (0.5, 0.1, []),
    ],
)
def test_from_one_time_to_another(
    yard: Recording, start: float | None, end: float | None, numbers: list[int]
) -> None:
    assert [each.sequence for each in yard.packets(start, end)] == numbers
    assert [each.sequence for each in yard.frames(start, end)] == numbers


def test_by_number(tmp_path: Path) -> None:
    again = [packet(n, sender="new", monotonic_ns=0, captured_ns=BEGIN_NS + NS) for n in (6, 8)]
    with Recording(record(tmp_path / "a.mkv", [*sent(), *again])) as recording:
        assert recording.find(6) == 4
        assert recording.find(6, "new") == 8
        assert recording.find(6, "0123456789abcdef") == 4
        assert recording.senders == ("0123456789abcdef", "new")
        for wanted in ((5,), (7, "new"), (6, "nobody"), (-1,), (2**70,)):
            with pytest.raises(RecordingError, match="no frame with the number"):
                recording.find(*wanted)


# -- files that are not whole -------------------------------------------------------------------


def test_a_cut_file(path: Path, tmp_path: Path) -> None:
    data, cut = path.read_bytes(), tmp_path / "cut.mkv"
    marks = clusters(data)
    cut.write_bytes(data[: marks[6] - 10])
    with Recording(cut) as recording:
        assert list(recording.packets()) == sent()[:5]
        assert not recording.finished
        assert 0 <= marks[6] - 10 - marks[5] - recording.cut_bytes < 20  # the cluster's own head
        assert recording.missing_bytes == len(data) - marks[6] + 10


def test_damage_in_the_middle(path: Path, tmp_path: Path) -> None:
    data, bad = path.read_bytes(), tmp_path / "bad.mkv"
    marks = clusters(data)
    bad.write_bytes(data[: marks[2]] + b"x" * 999 + data[marks[3] :])
    with Recording(bad) as recording:
        assert list(recording.packets()) == sent()[:2] + sent()[3:]
        assert [(each.offset, each.size) for each in recording.faults] == [(marks[2], 999)]
        assert recording.gaps[0].first == recording.gaps[0].last == 2


def test_a_header_that_cannot_be_read(path: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mkv"
    bad.write_bytes(path.read_bytes().replace(b"\xa5frame", b"\xa5fr*me", 1))
    with Recording(bad) as recording:
        assert list(recording.packets()) == sent()[1:]
        assert recording.damaged == 1


def test_a_picture_that_does_not_decode(tmp_path: Path) -> None:
    good = picture(1)
    at = good.index(b"\xff\xc4") + 5  # sixteen counts of codes
    bad = good[:at] + b"\xff" * 16 + good[at + 16 :]
    with Recording(record(tmp_path / "a.mkv", [packet(0), packet(1, bad), packet(2)])) as yard:
        assert [frame.sequence for frame in yard] == [0, 2]
        assert yard.undecoded == 1
        assert [each.sequence for each in yard.packets()] == [0, 1, 2]
        with pytest.raises(RecordingError, match=r"frame 1 of .*a\.mkv is damaged: "):
            yard[1]


@pytest.mark.parametrize("size", [600, 70_000, 140_000])
def test_headers_of_any_size(tmp_path: Path, size: int) -> None:
    large = [packet(0, metadata={"a": bytes(min(size, 65_400))}), packet(1)]
    path = record(tmp_path / "a.mkv", large)
    with Recording(path) as recording:
        assert list(recording.packets()) == large


def test_a_file_that_grows(path: Path, tmp_path: Path) -> None:
    data, growing = path.read_bytes(), tmp_path / "growing.mkv"
    marks = clusters(data)
    growing.write_bytes(data[: marks[3] + 7])
    with Recording(growing) as recording:
        assert len(recording) == 3
        assert recording.refresh() == 0
        growing.write_bytes(data[: marks[5]])
        assert recording.refresh() == 2
        growing.write_bytes(data)
        assert recording.refresh() == 3
        assert list(recording.packets()) == sent()
        assert recording.finished


def test_a_size_that_is_filled_in_at_the_end(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mkv", [packet(0, b"\xff\xd8\xff\xd9")])
    data = path.read_bytes()
    at = data.index(bytes.fromhex("18538067")) + 4
    path.write_bytes(data[:at] + b"\x01" + b"\xff" * 7 + data[at + 8 :])
    with Recording(path) as recording:
        assert not recording.finished
        path.write_bytes(data)
        assert recording.refresh() == 0
        assert recording.finished


def test_a_recording_that_is_being_written(tmp_path: Path) -> None:
    path = tmp_path / "now.mkv"
    packets = [packet(number) for number in range(50)]
    with closing(RecordingWriter(path, packets[0].header)) as writer:
        for each in packets[:30]:
            writer.write(each)
        with Recording(path) as recording:
            before = len(recording)
            assert 20 <= before <= 30
            for each in packets[30:]:
                writer.write(each)
            assert recording.refresh() == len(recording) - before > 10
            assert list(recording.packets()) == packets[: len(recording)]
            assert not recording.finished


def test_a_file_that_is_cut_short_while_it_is_read(path: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copy(path, tmp_path / "a.mkv"))
    with Recording(copied) as recording:
        os.truncate(copied, 5000)
        with pytest.raises(RecordingError, match=r"frame 7 of .*: the file was cut short"):
            recording[7]
        copied.write_bytes(bytes(recording.file_bytes))
        with pytest.raises(RecordingError, match=r"frame 7 of .* has changed"):
            recording.packet(7)
        with pytest.raises(RecordingError, match=r"frame 0 of .* has changed"):
            next(recording.headers())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Invalid data|it holds no video"),
        (b"hello" * 100, "Invalid data|it holds no video"),
        (None, "No such file"),
    ],
)
def test_what_is_no_recording(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "a.mkv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecordingError, match=rf"^cannot read .*a\.mkv: ({reason})") as caught:
        Recording(path)
    assert "\n" not in str(caught.value)


def test_a_recording_without_a_frame_yet(path: Path, tmp_path: Path) -> None:
    data, cut = path.read_bytes(), tmp_path / "a.mkv"
    cut.write_bytes(data[: clusters(data)[0]])
    with pytest.raises(RecordingError, match="it holds no frames"):
        Recording(cut)


def test_a_copy_in_another_container(path: Path, tmp_path: Path) -> None:
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed")
    for suffix in ("mp4", "mov", "mkv"):
        other = tmp_path / f"copy.{suffix}"
        command = ["ffmpeg", "-v", "error", "-i", str(path), "-c", "copy", str(other)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=30)
        with Recording(other) as recording:
            kept = 8 if suffix == "mkv" else 7  # a last frame without a duration is none to FFmpeg
            assert list(recording.packets()) == sent()[:kept]
            assert recording.time_of(4) == pytest.approx(0.24, abs=0.002)
            assert (recording.finished, recording.cut_bytes) == (True, 0)


def test_a_forged_size_takes_no_memory(path: Path, tmp_path: Path) -> None:
    """A frame of 2 GiB in a file that is as long, but for the most part a hole."""
    data, bad = bytearray(path.read_bytes()), tmp_path / "bad.mkv"
    mark = clusters(bytes(data))[3]
    size = 2 << 30
    head = bytes.fromhex("1f43b675 01ffffffffffffff e7 81 78 a3") + (1 << 56 | size).to_bytes(8)
    front = bytes(data[mark + 12 : mark + 1000])
    bad.write_bytes(bytes(data[:mark]) + head + front)
    os.truncate(bad, mark + len(head) + size)
    tracemalloc.start()
    try:
        with Recording(bad) as recording:
            assert len(recording) == 4
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
            assert len(recording.packet(3).payload) < 65 << 20
            assert tracemalloc.get_traced_memory()[1] < 260 << 20
    finally:
        tracemalloc.stop()


# -- threads and processes ----------------------------------------------------------------------


def test_many_threads_read_at_once(yard: Recording) -> None:
    expected = sent()
    found: list[bool] = []

    def read(first: int) -> None:
        found.extend(yard.packet(at % 8) == expected[at % 8] for at in range(first, first + 200))

    threads = [threading.Thread(target=read, args=(first,)) for first in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert found == [True] * 1600


def _numbers(part: Sequence[Frame]) -> list[int]:
    return [frame.sequence for frame in part]


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_it_goes_to_other_processes_by_its_path(yard: Recording, method: str) -> None:
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.map(_numbers, [yard, yard[2:5]]) == [NUMBERS, NUMBERS[2:5]]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_reads_on(yard: Recording) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0 if list(yard.packets()) == sent() else 1)
    assert list(yard.packets()) == sent()
    assert os.waitpid(child, 0)[1] == 0


def test_a_copy_is_another_one(yard: Recording) -> None:
    with copy.copy(yard) as other:
        assert list(other.packets()) == sent()
    assert len(list(yard.packets())) == 8


def test_a_closed_one_says_so(path: Path) -> None:
    recording = Recording(path)
    recording.close()
    recording.close()
    with pytest.raises(Closed, match="was closed"):
        recording[0]
    with pytest.raises(Closed, match="was closed"):
        recording.refresh()


# -- any damage ---------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(changes=damage())
def test_any_damage_gives_fewer_frames_or_one_error(
    path: Path, tmp_path: Path, changes: list[tuple[str, float, float, bytes]]
) -> None:
    bad = tmp_path / "bad.mkv"
    bad.write_bytes(damaged(path.read_bytes(), changes))
    intact = {each.header.sequence: each for each in sent()}
    try:
        recording = Recording(bad)
    except RecordingError:
        return
    with recording:
        assert recording.topic
        assert recording.duration >= 0
        assert sum(gap.frames for gap in recording.gaps) >= 0
        for each in recording.packets():
            if each.payload == intact.get(each.sequence, each).payload:
                continue
            assert len(each.payload) <= bad.stat().st_size
        assert len(list(recording)) + recording.undecoded == len(recording)
        assert recording.index_at(recording.time_of(len(recording) // 2)) >= 0
    with suppress(RecordingError), closing(RecordingReader(bad)) as reader:
        list(reader.packets())
