"""Targets: recordings as files, whole, cut and damaged in every way."""

import io
from collections.abc import Iterator
from contextlib import closing, redirect_stdout, suppress
from functools import cache
from itertools import islice, pairwise
from pathlib import Path

from common.recorded import packet, picture, record
from framewire.app.repair import repair
from framewire.app.web.tapes import Stamp, Tape, examined
from framewire.common import container
from framewire.common.errors import RecordingError
from framewire.common.matroska import Block, Walk
from framewire.common.recording import Recording
from fuzz.target import Target, folder

__all__ = ["CONTAINER", "MATROSKA", "RECORDING", "REPAIR"]

_SIZES = ("80", "81", "ff", "40ff", "01ffffffffffffff", "01fffffffffffffe", "0100000040000000")
_IDS = (
    *("1a45dfa3", "18538067", "1f43b675", "1c53bb6b", "1549a966", "1654ae6b", "114d9b74", "1254c367"),
    *("1043a770", "1941a469", "ec", "bf", "e7", "a3", "a0", "a1", "a7", "ab", "7ba9", "2ad7b1", "ae"),
    *("d7", "83", "86", "4286", "42f7"),
)  # fmt: skip
_WORDS = (
    *(bytes.fromhex(each) for each in _IDS),
    *(bytes.fromhex(each) for each in _SIZES),
    bytes.fromhex("1f43b675ffe78100a388810000"),
    b"V_MJPEG",
    b"\xff\xd8\xff\xe9",
    b"framewire\0",
)
_BYTES = 16 * 1024
_SIDE = 32


@cache
def _recording(frames: int, **facts: int) -> bytes:
    """A finished one of small pictures."""
    packets = [
        packet(number * 2, picture(number, _SIDE, _SIDE), width=_SIDE, height=_SIDE, **facts)
        for number in range(frames)
    ]
    return record(folder() / "seed.mkv", packets).read_bytes()


def _files() -> Iterator[bytes]:
    """Finished, cut, with a hole, and not finished."""
    whole = _recording(3)
    yield from (whole, _recording(1), whole[: len(whole) * 2 // 3])
    yield whole[:700] + whole[900:]
    yield whole[: whole.rindex(bytes.fromhex("1c53bb6b"))]


def _written(data: bytes, name: str = "input.mkv") -> Path:
    path = folder() / name
    path.write_bytes(data)
    return path


# -- the structure ------------------------------------------------------------------------------


class _Reading:
    """A file in memory that counts how often it is asked, and for how much."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.calls = self.bytes = 0

    def read_at(self, offset: int, size: int) -> bytes:
        assert offset >= 0
        assert 0 <= size <= 1 << 20
        piece = self.data[offset : offset + size]
        self.calls += 1
        self.bytes += len(piece)
        return piece


def _check_walk(data: bytes) -> bool:
    reading = _Reading(data)
    walk = Walk(reading.read_at)
    blocks = list(walk.blocks(len(data)))
    for block in blocks:
        assert 0 <= block.offset < block.offset + block.size <= len(data)
        assert 0 <= block.time_ms <= 1 << 53
    assert all(a.offset + a.size <= b.offset for a, b in pairwise(blocks)), "they overlap"
    assert 0 <= walk.intact <= len(data)
    assert walk.tail >= 0
    assert walk.missing >= 0
    assert all(0 <= each.offset <= each.offset + each.size <= len(data) for each in walk.faults)
    assert sum(each.size for each in walk.faults) <= len(data)
    assert reading.calls <= len(data) + 16
    assert reading.bytes <= 64 * len(data) + 4096
    if blocks and not walk.faults and not walk.tail:
        _check_growing(data, blocks)
    return bool(blocks)


def _check_growing(data: bytes, blocks: list[Block]) -> None:
    """A file that is read while it is written gives the same."""
    walk = Walk(_Reading(data).read_at)
    middle = blocks[len(blocks) // 2].offset
    halves = [*walk.blocks(middle), *walk.blocks(len(data))]
    if not walk.faults:
        assert halves == blocks


# -- recordings ---------------------------------------------------------------------------------


def _check_recording(data: bytes) -> bool:
    path = _written(data)
    try:
        recording = Recording(path)
    except RecordingError:
        return False
    with recording:
        _look_at(recording)
        _look_up(recording)
        with suppress(RecordingError):
            examined(Tape("input.mkv", path, Stamp(len(data), 0, 0), ""), recording)
    return True


def _look_at(recording: Recording) -> None:
    assert len(recording) > 0
    assert recording.topic
    assert min(recording.size) > 0
    assert recording.duration >= 0
    low, high = recording.intervals_ms
    assert 0 <= low <= high
    assert all(gap.frames > 0 for gap in recording.gaps)
    assert recording.repeated >= 0
    assert recording.cut_bytes + recording.missing_bytes >= 0
    assert recording.refresh() == 0
    assert isinstance(recording.finished, bool)


def _look_up(recording: Recording) -> None:
    times = [recording.time_of(at) for at in range(len(recording))]
    assert times == sorted(times)
    for at in range(len(recording)):
        with suppress(RecordingError):
            packet = recording.packet(at)
            assert recording.find(packet.sequence, packet.header.sender) <= at
    with suppress(RecordingError):
        assert sum(1 for _ in recording.headers()) == len(recording)
    with suppress(RecordingError):
        recording.index_at(captured=recording.began_ns)
    assert recording.index_at(times[-1]) == len(recording) - 1
    with suppress(RecordingError):
        shown = sum(1 for _ in recording)
        assert shown + recording.undecoded == len(recording)


def _check_repair(data: bytes) -> bool:
    """A new file, whole and without a fault, that holds the same; or the error, and no file."""
    path, out = _written(data), folder() / "repaired.mkv"
    out.unlink(missing_ok=True)
    try:
        with redirect_stdout(io.StringIO()):
            repair(path, out=out)
    except RecordingError:
        assert not out.exists()
        return False
    with Recording(path) as damaged, Recording(out) as whole:
        assert whole.finished
        assert not whole.faults
        assert whole.damaged + whole.cut_bytes + whole.missing_bytes == 0
        assert 0 < len(whole) <= len(damaged)
        kept = [whole.stored(at) for at in range(len(whole))]
        there = iter([damaged.stored(at) for at in range(len(damaged))])
        assert all(each in there for each in kept), "not the same pictures in the same order"
    with redirect_stdout(io.StringIO()):
        repair(out, out=out.with_name("again.mkv"), overwrite=True)
    with Recording(out.with_name("again.mkv")) as again:
        assert [again.stored(at) for at in range(len(again))] == kept
    return True


# -- other containers ---------------------------------------------------------------------------


def _check_container(data: bytes) -> bool:
    """What FFmpeg makes of it: figures and packets, or the one error."""
    path = _written(data, "input.bin")
    container.is_recording(path)
    taken = False
    with suppress(RecordingError):
        container.media_duration_s(path)
    with suppress(RecordingError):
        facts = container.clip_facts(path, decode=True)
        assert 0 <= facts.damaged <= facts.frames
        assert facts.duration_s >= 0
        taken = facts.frames > 0
    with suppress(RecordingError):
        for block in islice(container.places(path), 1000):
            assert block.size > 0
            assert block.time_ms >= 0
    with suppress(RecordingError), closing(container.RecordingReader(path)) as reader:
        for _ in islice(reader.packets(0.05), 1000):
            pass
        for _ in islice(reader.packets(), 1000):
            pass
    return taken


def _containers() -> Iterator[bytes]:
    """The same pictures in several, as other programs copy them."""
    yield from _files()
    av = container.av  # type: ignore[attr-defined]  # loaded there, after OpenCV
    source = _written(_recording(3), "source.mkv")
    for suffix in ("mp4", "avi", "mov", "nut"):
        path = folder() / f"copy.{suffix}"
        with av.open(str(source)) as read, av.open(str(path), "w") as written:
            stream = written.add_stream_from_template(read.streams.video[0])
            for each in read.demux(video=0):
                if each.size:
                    each.stream = stream
                    written.mux(each)
        yield path.read_bytes()
    yield b"".join(picture(number, _SIDE, _SIDE) for number in range(3))  # one behind the other


MATROSKA = Target(_check_walk, _files, _WORDS, _BYTES)
RECORDING = Target(_check_recording, _files, _WORDS, _BYTES)
REPAIR = Target(_check_repair, _files, _WORDS, _BYTES)
CONTAINER = Target(
    _check_container,
    _containers,
    (*_WORDS, b"RIFF", b"LIST", b"movi", b"00dc", b"MJPG", b"moov", b"mdat", b"stsz", b"stco", b"ftyp"),
    _BYTES,
)  # fmt: skip
