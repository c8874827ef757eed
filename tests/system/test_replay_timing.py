"""Irregular frames with growing metadata, replayed by one process and recorded by another.

The exact figures are for benchmarks/replay_timing.py, on a machine that has nothing else to do; what
is asserted here holds on any.
"""

import random
from contextlib import closing
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from framewire.common.clock import NS
from framewire.common.container import RecordingReader
from framewire.common.frame import Header, Packet
from framewire.common.jpeg import encode
from framewire.common.recording_writer import RecordingWriter
from framewire.common.wire import checksum
from processes import Start

SECONDS = 3
ITS_OWN = {"sender", "replay", "sent_ns"}


def make(path: Path, first: int, began_ns: int, seconds: float) -> list[Packet]:
    irregular, at_ns = random.Random(first), 0
    packets: list[Packet] = []
    while at_ns < seconds * NS:
        number = first + len(packets)
        jpeg = encode(np.full((96, 160, 3), number % 256, np.uint8), 80)
        header = Header(
            topic="lab/cam1", sender="a" * 16, sequence=number, sent_ns=1, width=160, height=96,
            captured_ns=began_ns + at_ns, monotonic_ns=began_ns + at_ns, channels=3, codec="jpeg",
            quality=80, crc32=checksum(jpeg), metadata={"n": number, "log": "x" * (1500 * number)},
        )  # fmt: skip
        packets.append(Packet(header, jpeg))
        at_ns += irregular.randrange(5_000_000, 200_000_000)
    with closing(RecordingWriter(path, packets[0].header)) as writer:
        for each in packets:
            writer.write(each)
    return packets


def record(framewire: Start, out: Path, count: int, *replay: str) -> list[Packet]:
    sending = framewire("replay", *replay, "--bind", "tcp://127.0.0.1:*", "--wait", "1", "--json")
    recording = framewire(
        "record", sending.endpoint(), "--out", str(out), "--count", str(count), "--all", "--json"
    )
    assert (recording.wait(), sending.wait()) == (0, 0)
    with closing(RecordingReader(out)) as reader:
        return list(reader.packets())


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_a_session_of_two_segments_comes_back_as_it_was(
    framewire: Start, tmp_path: Path, speed: float
) -> None:
    folder, began_ns = tmp_path / "session", 10**18
    folder.mkdir()
    given = make(folder / "b.mkv", 0, began_ns, SECONDS / 2)
    given += make(folder / "a.mkv", len(given), began_ns + 2 * NS, SECONDS - 2)
    again = record(framewire, tmp_path / "x.mkv", len(given), str(folder), "--speed", str(speed))
    assert [p.payload for p in again] == [p.payload for p in given]
    for was, now in zip(given, again, strict=True):
        for name in set(Header.__struct_fields__) - ITS_OWN:
            assert getattr(now.header, name) == getattr(was.header, name), name

    due = [(p.header.captured_ns - began_ns) / speed for p in given]
    late = [p.header.sent_ns - at for p, at in zip(again, due, strict=True)]
    assert median(late) - min(late) < 0.1 * NS  # most are on time, if not all
    took_s = (again[-1].header.sent_ns - again[0].header.sent_ns) / NS
    assert took_s > due[-1] / NS - 1  # the first may be late, the last is not early
    assert took_s < due[-1] / NS + 10


def test_retimed_frames_are_as_a_cameras(framewire: Start, tmp_path: Path) -> None:
    given = make(tmp_path / "a.mkv", 0, 10**18, 1)
    again = record(framewire, tmp_path / "x.mkv", len(given), str(tmp_path / "a.mkv"), "--retime")
    for was, now in zip(given, again, strict=True):
        assert (now.payload, now.sequence, now.metadata) == (
            was.payload,
            was.sequence,
            was.metadata,
        )
        assert not now.header.replay
        assert 0 <= now.header.sent_ns - now.header.captured_ns < 20 * NS
        moved = now.header.captured_ns - again[0].header.captured_ns
        meant = was.header.captured_ns - given[0].header.captured_ns
        # Each stands where it was due: exact, but for what the wall clock is set meanwhile.
        assert moved == pytest.approx(meant, abs=0.1 * NS)
