"""Recordings: bit for bit in and out, on full disks, after a kill, and damaged in every way.

Pictures carry a number (`testchart`), so that other programs can be asked which they read.
"""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framewire.common import container, jpeg, recording_writer, wire
from framewire.common.clock import NS
from framewire.common.container import (
    RecordingReader,
    clip_facts,
    is_recording,
)
from framewire.common.errors import RecordingError
from framewire.common.frame import Header, Packet
from framewire.common.recording_writer import RecordingWriter
from framewire.common.testchart import draw_number, read_number

av = container.av  # type: ignore[attr-defined]  # loaded there, after OpenCV

DEADLINE_S = 30
WIDTH, HEIGHT = 160, 96
BEGIN_NS = 1_769_868_300_000_000_000
STEP_NS = 40_000_000


@lru_cache(maxsize=512)
def _picture(number: int, width: int = WIDTH, height: int = HEIGHT, channels: int = 3) -> bytes:
    shape = (height, width, 3)[: 2 if channels == 1 else 3]
    image = np.random.default_rng(number).integers(60, 120, shape, np.uint8)
    if width >= 80 and height >= 96:
        draw_number(image, number)
    return jpeg.encode(image, 85)


def _packet(sequence: int = 0, payload: bytes | None = None, **facts: Any) -> Packet:
    fields: dict[str, Any] = {
        "topic": "lab/cam1",
        "sender": "0123456789abcdef",
        "sequence": sequence,
        "captured_ns": BEGIN_NS + sequence * STEP_NS,
        "monotonic_ns": NS + sequence * STEP_NS,
        "sent_ns": BEGIN_NS + sequence * STEP_NS + 5_000_000,
        "width": WIDTH,
        "height": HEIGHT,
        "channels": 3,
        "codec": "jpeg",
        **facts,
    }
    if payload is None:
        payload = _picture(sequence, fields["width"], fields["height"], fields["channels"])
    return Packet(Header(**{"crc32": wire.checksum(payload), **fields}), payload)


def _record(path: Path, packets: Iterable[Packet]) -> Path:
    packets = list(packets)
    writer = RecordingWriter(path, packets[0].header)
    for packet in packets:
        writer.write(packet)
    writer.close()
    assert writer.frames == len(packets)
    return path


def _read(path: Path, start_s: float = 0.0) -> list[Packet]:
    with closing(RecordingReader(path)) as reader:
        packets = list(reader.packets(start_s))
        assert reader.damaged == 0
        return packets


def _milliseconds(path: Path) -> list[int]:
    """The time stamps in the file, by PyAV itself."""
    with av.open(str(path)) as file:
        stamps = [packet.pts for packet in file.demux(video=0) if packet.size]
    return [stamp for stamp in stamps if stamp is not None]


# -- bit for bit --------------------------------------------------------------------------------


def test_packets_come_back_as_they_were(tmp_path: Path) -> None:
    sent = [_packet(number, metadata={"gain": number, "raw": b"\0\xff"}) for number in range(100)]
    path = _record(tmp_path / "yard.mkv", sent)
    assert _read(path) == sent
    assert is_recording(path)


@st.composite
def _clips(draw: st.DrawFn) -> list[Packet]:
    """Frames of one camera with irregular clocks, several sizes, and up to 64 KiB of metadata."""
    packets = []
    captured_ns = draw(st.integers(0, 2**62))
    monotonic_ns = draw(st.just(0) | st.integers(1, 2**60))
    sender = "a"
    for sequence in range(draw(st.integers(1, 8))):
        captured_ns += draw(
            st.integers(0, 2_000_000) | st.integers(0, 10**10) | st.integers(-captured_ns, 0)
        )
        if monotonic_ns:
            monotonic_ns += draw(st.integers(0, 2_000_000) | st.integers(0, 10**10))
        if draw(st.integers(0, 9)) == 0:
            sender += "b"
        width, height = draw(st.integers(1, 70)), draw(st.integers(1, 70))
        channels = draw(st.sampled_from([1, 3]))
        filling = draw(st.sampled_from([0, 1, 64_600, 64_800, 65_400]) | st.integers(0, 65_500))
        text = draw(st.text(max_size=5))
        packets.append(
            _packet(
                sequence + draw(st.integers(0, 3)),
                _picture(sequence, width, height, channels),
                captured_ns=captured_ns,
                monotonic_ns=monotonic_ns,
                sender=sender,
                width=width,
                height=height,
                channels=channels,
                replay=draw(st.booleans()),
                metadata={text: b"\xff\xe9" * (filling // 2)},
            )
        )
        wire.check_metadata(packets[-1].metadata)
    return packets


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(_clips())
def test_any_frames_come_back_as_they_were(tmp_path: Path, sent: list[Packet]) -> None:
    path = _record(tmp_path / "any.mkv", sent)
    assert _read(path) == sent
    stamps = _milliseconds(path)
    assert stamps[0] == 0
    assert all(earlier < later for earlier, later in pairwise(stamps))


@pytest.mark.parametrize("size", [64_600, 64_800, 65_000, 65_200, 65_500])
def test_a_header_of_several_segments(tmp_path: Path, size: int) -> None:
    sent = [_packet(number, metadata={"large": bytes(size)}) for number in range(3)]
    wire.check_metadata(sent[0].metadata)
    assert _read(_record(tmp_path / "a.mkv", sent)) == sent


# -- time ---------------------------------------------------------------------------------------


def test_time_stamps_are_those_of_the_monotonic_clock(tmp_path: Path) -> None:
    moments_ms = [0, 33, 67, 100, 1500, 1501]
    sent = [_packet(i, monotonic_ns=NS + ms * 1_000_000) for i, ms in enumerate(moments_ms)]
    assert _milliseconds(_record(tmp_path / "a.mkv", sent)) == moments_ms


def test_two_frames_of_one_millisecond(tmp_path: Path) -> None:
    offsets_us = [0, 100, 200, 300, 5000]
    sent = [_packet(i, monotonic_ns=NS + us * 1000) for i, us in enumerate(offsets_us)]
    path = _record(tmp_path / "a.mkv", sent)
    assert _milliseconds(path) == [0, 1, 2, 3, 5]
    assert _read(path) == sent


def test_a_wall_clock_that_is_set_back(tmp_path: Path) -> None:
    sent = [
        _packet(i, captured_ns=BEGIN_NS + i * STEP_NS - (3600 * NS if i > 2 else 0))
        for i in range(6)
    ]
    path = _record(tmp_path / "a.mkv", sent)
    assert _milliseconds(path) == [0, 40, 80, 120, 160, 200]
    assert _read(path) == sent


def test_a_sender_that_restarts_within_a_file(tmp_path: Path) -> None:
    first = [_packet(i) for i in range(3)]
    second = [
        _packet(i, sender="new", captured_ns=BEGIN_NS + 10 * NS + i * STEP_NS, monotonic_ns=5 + i)
        for i in range(3)
    ]
    path = _record(tmp_path / "a.mkv", first + second)
    assert _read(path) == first + second
    assert _milliseconds(path) == [0, 40, 80, 10_000, 10_001, 10_002]


# -- reading from a point on --------------------------------------------------------------------


@pytest.mark.parametrize("start_s", [-1, 0, 0.01, 0.04, 0.05, 1.0, 3.96, 3.97, 100])
def test_reading_from_a_point_on(tmp_path: Path, start_s: float) -> None:
    sent = [_packet(number) for number in range(100)]
    path = _record(tmp_path / "a.mkv", sent)
    expected = [packet for packet in sent if packet.sequence * STEP_NS >= start_s * NS]
    assert _read(path, start_s) == expected


def test_reading_from_a_point_on_where_there_is_no_index(tmp_path: Path) -> None:
    sent = [_packet(number) for number in range(100)]
    data = _record(tmp_path / "a.mkv", sent).read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[: len(data) * 9 // 10])
    whole = _read(cut)
    assert len(whole) > 80
    assert _read(cut, 2.0) == whole[50:]


def test_reading_twice(tmp_path: Path) -> None:
    sent = [_packet(number) for number in range(3)]
    with closing(RecordingReader(_record(tmp_path / "a.mkv", sent))) as reader:
        assert list(reader.packets()) == sent
        assert list(reader.packets()) == sent


# -- other programs -----------------------------------------------------------------------------


def _opencv_numbers(path: Path) -> list[int | None]:
    from framewire.common.opencv import cv2

    video = cv2.VideoCapture(str(path))
    try:
        numbers: list[int | None] = []
        while True:
            read, image = video.read()
            if not read:
                return numbers
            numbers.append(read_number(image.astype(np.uint8)))
    finally:
        video.release()


def _ffmpeg(program: str, *arguments: str | Path) -> str:
    """What it printed, on both outputs."""
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed (Debian: ffmpeg)")
    done = subprocess.run(
        [program, *arguments],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_S,
    )
    return done.stdout


COUNT = ("-v", "fatal", "-count_packets", "-show_entries", "stream=nb_read_packets")
NULL = ("-f", "null", "-")


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    """A recording of 40 frames with large headers, uneven times and a restart."""
    sent = [_packet(number, metadata={"large": bytes(65_400)}) for number in range(20)]
    sent += [
        _packet(20 + i, sender="new", monotonic_ns=1 + i * i * 1_000_000, captured_ns=BEGIN_NS)
        for i in range(20)
    ]
    return _record(tmp_path / "yard.mkv", sent)


def test_opencv_reads_every_frame(yard: Path) -> None:
    assert _opencv_numbers(yard) == list(range(40))


def test_ffmpeg_finds_nothing_to_complain_about(yard: Path) -> None:
    assert _ffmpeg("ffprobe", "-v", "warning", yard) == ""
    assert _ffmpeg("ffmpeg", "-v", "warning", "-i", yard, *NULL) == ""
    assert _ffmpeg("ffprobe", *COUNT, "-of", "csv=p=0", yard).strip().rstrip(",") == "40"


def test_ffmpeg_knows_the_topic(yard: Path) -> None:
    tags = _ffmpeg("ffprobe", "-v", "error", "-show_entries", "format_tags", yard)
    assert "lab/cam1" in tags


def test_headers_survive_a_copy_by_ffmpeg(yard: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.mkv"
    _ffmpeg("ffmpeg", "-v", "error", "-i", yard, "-c", "copy", copy)
    assert _read(copy) == _read(yard)


# -- a process that is killed -------------------------------------------------------------------

WRITING = """
import sys
from pathlib import Path
import msgspec
from framewire.common.container import RecordingReader
from framewire.common.recording_writer import RecordingWriter
from framewire.common.frame import Packet

(first,) = RecordingReader(Path(sys.argv[1])).packets()
writer = RecordingWriter(Path(sys.argv[2]), first.header)
for number in range(1_000_000):
    header = msgspec.structs.replace(
        first.header, sequence=number, monotonic_ns=1 + number * int(sys.argv[3])
    )
    writer.write(Packet(header, first.payload))
    print(number, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no such signal")
@pytest.mark.parametrize("side", [16, 160])  # what is small waits longest for its cluster's end
@pytest.mark.parametrize("step_ns", [10_000_000, 200_000_000])
def test_a_killed_process_loses_half_a_second_at_most(
    tmp_path: Path, step_ns: int, side: int
) -> None:
    sent = _packet(0, width=side, height=side, metadata={"gain": 4})
    one = _record(tmp_path / "one.mkv", [sent])
    path = tmp_path / "killed.mkv"
    command = [sys.executable, "-c", WRITING, str(one), str(path), str(step_ns)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            while process.stdout.readline() != "150\n":
                assert process.poll() is None
            process.kill()
            written = 151 + len(process.stdout.readlines())
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL

    read = _read(path)
    assert [packet.sequence for packet in read] == list(range(len(read)))
    assert all(packet.payload == sent.payload for packet in read)
    assert all(packet.metadata == {"gain": 4} for packet in read)
    assert (written - len(read)) * step_ns <= NS // 2
    assert len(_opencv_numbers(path)) in (len(read), len(read) - 1)
    counted = _ffmpeg("ffprobe", *COUNT, "-of", "csv=p=0", path)
    assert counted.strip().rstrip(",") == str(len(read))
    _ffmpeg("ffmpeg", "-v", "error", "-i", path, *NULL)


# -- a disk that is full ------------------------------------------------------------------------


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


def test_a_full_disk_is_an_error_and_what_was_written_stays_readable(small_disk: Path) -> None:
    path = small_disk / "a.mkv"
    sent = [_packet(number, metadata={"large": bytes(9_000)}) for number in range(300)]
    writer = RecordingWriter(path, sent[0].header)
    with pytest.raises(RecordingError, match=r"cannot write .*a\.mkv: No space left on device"):
        deque(map(writer.write, sent))
    for _ in range(2):  # it stays full
        with pytest.raises(RecordingError, match="No space left"):
            writer.write(sent[writer.frames])
    writer.close()  # the index has room where the last frame had none
    read = _read(path)
    assert read == sent[: writer.frames]
    assert len(read) > 50


# -- what cannot be written or read -------------------------------------------------------------


def test_only_jpeg_is_recorded(tmp_path: Path) -> None:
    raw = _packet(0, bytes(WIDTH * HEIGHT * 3), codec="raw")
    writer = RecordingWriter(tmp_path / "a.mkv", raw.header)
    with pytest.raises(RecordingError, match="cannot record lab/cam1: its codec is raw"):
        writer.write(raw)
    writer.write(_packet(1))
    writer.close()
    assert _read(writer.path) == [_packet(1)]


def test_a_path_that_cannot_be_written(tmp_path: Path) -> None:
    for path in (tmp_path / "missing" / "a.mkv", tmp_path):
        with pytest.raises(RecordingError, match=r"cannot write .*: (No such|Is a)"):
            _record(path, [_packet(0)])


def test_a_name_with_a_colon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = _record(Path("yard-14:05.mkv"), [_packet(0)])
    assert _read(path) == [_packet(0)]
    assert is_recording(path)


def test_what_is_no_recording(tmp_path: Path) -> None:
    text = tmp_path / "text.mkv"
    text.write_text("no video" * 100)
    empty = tmp_path / "empty.mkv"
    empty.touch()
    for path in (text, empty, tmp_path / "missing.mkv", tmp_path):
        with pytest.raises(RecordingError, match="cannot read"):
            RecordingReader(path)
        with pytest.raises(RecordingError, match="cannot read"):
            clip_facts(path, decode=True)
        assert not is_recording(path)


def test_a_file_without_a_place_to_begin_at(tmp_path: Path) -> None:
    """A little more than its head: FFmpeg opens it, but cannot seek in it."""
    whole = _record(tmp_path / "whole.mkv", [_packet(0)]).read_bytes()
    path, refusals = tmp_path / "head.mkv", set()
    for length in range(0, whole.index(bytes.fromhex("1f43b675")) + 40, 5):
        path.write_bytes(whole[:length])
        try:
            with closing(RecordingReader(path)) as reader:
                list(reader.packets(0.05))
        except RecordingError as error:
            refusals.add(str(error).partition(str(path))[0])
    assert refusals == {"cannot read ", "cannot seek in "}


@dataclass(frozen=True)
class Clip:
    """A video file that is no recording."""

    path: Path
    codec: str
    frames: int


@pytest.fixture(params=["mpeg4", "mjpeg"])
def clip(request: pytest.FixtureRequest, tmp_path: Path) -> Clip:
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as file:
        stream = file.add_stream(request.param, rate=25)
        stream.width, stream.height = WIDTH, HEIGHT
        stream.pix_fmt = "yuvj420p" if request.param == "mjpeg" else "yuv420p"
        for number in range(10):
            image = np.full((HEIGHT, WIDTH, 3), number * 20, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        file.mux(stream.encode())
    return Clip(path, request.param, 10)


def test_a_clip_is_no_recording(clip: Clip) -> None:
    assert not is_recording(clip.path)
    with closing(RecordingReader(clip.path)) as reader:
        assert list(reader.packets()) == []
        assert reader.damaged == clip.frames


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        sound.sample_rate = 8000
        file.mux(stream.encode(sound))
        file.mux(stream.encode())
    with pytest.raises(RecordingError, match=r"cannot read .*sound\.mkv: it holds no video"):
        RecordingReader(path)
    assert not is_recording(path)


def test_a_clip_without_times(tmp_path: Path) -> None:
    path = tmp_path / "pictures.mjpeg"
    path.write_bytes(b"".join(_picture(number) for number in range(3)))
    facts = clip_facts(path, decode=True)
    assert (facts.codec, facts.frames, facts.damaged) == ("mjpeg", 3, 0)
    assert not is_recording(path)


@pytest.mark.parametrize("decode", [False, True])
def test_the_facts_of_a_clip(clip: Clip, decode: bool) -> None:
    facts = clip_facts(clip.path, decode=decode)
    assert (facts.codec, facts.width, facts.height) == (clip.codec, WIDTH, HEIGHT)
    assert (facts.frames, facts.damaged) == (10, 0)
    assert facts.duration_s == pytest.approx(0.4, abs=0.02)


def test_frames_of_a_clip_that_do_not_decode_are_counted(tmp_path: Path) -> None:
    good = _picture(0)
    at = good.index(b"\xff\xc4") + 5  # sixteen counts of codes
    bad = good[:at] + b"\xff" * 16 + good[at + 16 :]
    path = _record(tmp_path / "a.mkv", [_packet(0), _packet(1, bad), _packet(2)])
    assert (clip_facts(path, decode=True).frames, clip_facts(path, decode=True).damaged) == (3, 1)
    assert clip_facts(path, decode=False).damaged == 0


# -- damage -------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Recorded:
    """A small recording in memory."""

    sent: list[Packet]
    data: bytes
    clusters: int
    """Where the frames begin; before that is the head of the file."""

    def frames_before(self, place: int) -> int:
        """How many frames end before a place in the file."""
        scans = [packet.payload[-1000:] for packet in self.sent]  # behind the headers
        return sum(self.data.index(scan) + len(scan) <= place for scan in scans)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    sent = [_packet(i, width=81 + i, height=97, metadata={"number": i}) for i in range(12)]
    path = _record(tmp_path_factory.mktemp("recorded") / "a.mkv", sent)
    data = path.read_bytes()
    return Recorded(sent, data, data.index(bytes.fromhex("1f43b675")))  # ID of a Cluster


def _read_damaged(path: Path, data: bytes, start_s: float = 0.0) -> tuple[list[Packet], int]:
    """(packets, damaged): anything but `RecordingError` fails the test that asks."""
    path.write_bytes(data)
    packets: list[Packet] = []
    is_recording(path)
    with contextlib.suppress(RecordingError):
        clip_facts(path, decode=False)
    try:
        with closing(RecordingReader(path)) as reader:
            with contextlib.suppress(RecordingError):
                packets.extend(reader.packets(start_s))
            return packets, reader.damaged
    except RecordingError:
        return packets, 0


def test_cut_short_at_any_length_it_holds_what_came_before(
    tmp_path: Path, recorded: Recorded
) -> None:
    path = tmp_path / "cut.mkv"
    whole = len(recorded.data)
    most = 0
    for size in (
        *range(0, recorded.clusters + 600, 7),
        *range(recorded.clusters, whole, 101),
        whole,
    ):
        packets, damaged = _read_damaged(path, recorded.data[:size])
        # The last picture may be cut: it is then shorter, or gone.
        assert [p.header for p in packets] == [p.header for p in recorded.sent[: len(packets)]]
        assert packets[:-1] == recorded.sent[: len(packets[:-1])]
        assert len(packets) + damaged <= 12
        most = max(most, len(packets))
    assert most == 12


flips = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=6)


def _flipped(data: bytes, begin: int, changes: list[tuple[float, int]]) -> tuple[bytes, int]:
    """(`data` with bytes from `begin` on changed, where the first change is)."""
    damaged = bytearray(data)
    first = len(data)
    for place, mask in changes:
        at = begin + int(place * (len(data) - begin))
        damaged[at] ^= mask
        first = min(first, at)
    return bytes(damaged), first


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(flips, st.sampled_from([0.0, 0.2]))
def test_damaged_frames_are_passed_over(
    tmp_path: Path, recorded: Recorded, changes: list[tuple[float, int]], start_s: float
) -> None:
    data, first = _flipped(recorded.data, recorded.clusters, changes)
    packets, damaged = _read_damaged(tmp_path / "bad.mkv", data, start_s)
    assert len(packets) + damaged <= 12
    if start_s == 0:
        intact = recorded.frames_before(first)
        assert packets[:intact] == recorded.sent[:intact]


def test_a_damaged_head_is_an_error_of_ours_at_most(tmp_path: Path, recorded: Recorded) -> None:
    for at in range(recorded.clusters):
        for mask in (0x01, 0x80):
            data = bytearray(recorded.data)
            data[at] ^= mask
            packets, damaged = _read_damaged(tmp_path / "bad.mkv", bytes(data))
            assert len(packets) + damaged <= 12


def test_a_disk_that_fails_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> Iterator[Any]:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path = _record(tmp_path / "a.mkv", [_packet(0)])
    file, stream = container._open(path)
    file.close()
    broken = MagicMock(demux=fail)
    monkeypatch.setattr(container, "_open", lambda path: (broken, stream))
    assert not is_recording(path)
    with pytest.raises(RecordingError, match=r"cannot read on in .*: Input/output error"):
        _read(path)


def test_a_header_of_another_kind_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    sent = [_packet(number) for number in range(3)]
    data = _record(path, sent).read_bytes()
    path.write_bytes(data.replace(b"\xa5frame", b"\xa5fr*me", 1))
    with closing(RecordingReader(path)) as reader:
        assert list(reader.packets()) == sent[1:]
        assert reader.damaged == 1


def test_headers_of_later_framewires_are_read(tmp_path: Path) -> None:
    """Keys that we do not know are none of our business."""
    sent = _packet(0)
    header = msgspec.msgpack.decode(wire.encode_header(sent.header, with_topic=True))
    path = tmp_path / "a.mkv"
    with pytest.MonkeyPatch.context() as patch:
        encoded = msgspec.msgpack.encode({**header, "exposure_us": 8000})
        patch.setattr(recording_writer, "encode_header", lambda header, with_topic: encoded)
        _record(path, [sent])
    assert _read(path) == [sent]
