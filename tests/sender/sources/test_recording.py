"""Replays: what was recorded, at the pace at which it was captured."""

from collections.abc import Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from framewire.common.clock import NS
from framewire.common.errors import FramewireError, RecordingError, SourceError, UsageError
from framewire.common.frame import Header, Packet
from framewire.common.testchart import read_number
from framewire.sender.sources.recording import RecordingSource
from framewire.sender.sources.remote import Remote, Wish
from framewire.sender.sources.source import SourceOptions

if TYPE_CHECKING:
    from sender.conftest import FakeTime, MakeClip, MakePacket, Record

MS = NS // 1000
FAST = SourceOptions(speed=0)
START_NS = 1_600_000_000 * NS
VFR_MS = [0, 40, 120, 130, 500, 1000]


def _packets(
    packet: "MakePacket", times_ms: Sequence[int], *, first: int = 0, **fields: object
) -> list[Packet]:
    return [
        packet(
            first + number,
            captured_ns=START_NS + at_ms * MS + 7,
            monotonic_ns=NS + at_ms * MS,
            metadata={"n": number},
            **fields,
        )
        for number, at_ms in enumerate(times_ms)
    ]


@pytest.fixture
def yard(tmp_path: Path, packet: "MakePacket", record: "Record") -> str:
    return record(tmp_path / "yard.mkv", _packets(packet, VFR_MS, topic="yard/gate", dropped=3))


class Timed:
    """Iterate and note the fake time of each packet."""

    def __init__(self, time: "FakeTime") -> None:
        self._time = time

    def __call__(
        self, source: RecordingSource, count: int | None = None
    ) -> list[tuple[int, Packet]]:
        start_ns = self._time.now_ns
        return [
            (round((self._time.now_ns - start_ns) / MS), each)
            for each in islice(source.packets(), count)
        ]


@pytest.fixture
def timed(fake_time: "FakeTime") -> Timed:
    return Timed(fake_time)


# -- one file -----------------------------------------------------------------------------------


def test_packets_are_what_was_recorded(yard: str, packet: "MakePacket", timed: Timed) -> None:
    with RecordingSource(yard, SourceOptions()) as source:
        assert (source.name, source.encoded, source.live) == ("yard/gate", True, False)
        played = timed(source)
    given = _packets(packet, VFR_MS, topic="yard/gate", dropped=3)
    assert [at_ms for at_ms, _ in played] == VFR_MS
    for was, (_, now) in zip(given, played, strict=True):
        assert now.payload == was.payload
        different = {
            name
            for name in Header.__struct_fields__
            if getattr(was.header, name) != getattr(now.header, name)
        }
        assert different == {"sender", "replay"}
        assert now.header.replay
    senders = {each.header.sender for _, each in played}
    assert len(senders) == 1
    assert len(bytes.fromhex(senders.pop())) == 8


def test_frames_are_the_same_pictures(yard: str) -> None:
    with RecordingSource(yard, FAST) as source:
        frames = list(source)
    assert [read_number(f.image) for f in frames] == list(range(6))
    assert [f.metadata for f in frames] == [{"n": number} for number in range(6)]
    assert all(f.header.replay for f in frames)
    assert frames[0].image.flags.writeable


@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_speed(yard: str, timed: Timed, speed: float) -> None:
    with RecordingSource(yard, SourceOptions(speed=speed)) as source:
        assert [at for at, _ in timed(source)] == [round(at / speed) for at in VFR_MS]


def test_as_fast_as_possible(yard: str, fake_time: "FakeTime", timed: Timed) -> None:
    with RecordingSource(yard, FAST) as source:
        assert len(timed(source)) == 6
    assert fake_time.waited == []


@pytest.mark.parametrize(("start", "first"), [(0.04, 1), (0.13, 3), (0.131, 4), (0.9, 5)])
def test_start(yard: str, timed: Timed, start: float, first: int) -> None:
    with RecordingSource(yard, SourceOptions(start=start)) as source:
        played = timed(source)
    assert [p.metadata["n"] for _, p in played] == list(range(first, 6))
    assert [at for at, _ in played] == [at - VFR_MS[first] for at in VFR_MS[first:]]


def test_a_loop_is_a_new_run_each_time(yard: str, timed: Timed) -> None:
    with RecordingSource(yard, SourceOptions(loop=True)) as source:
        played = timed(source, 14)
    assert [p.sequence for _, p in played] == [*range(6), *range(6), 0, 1]
    runs = [p.header.sender for _, p in played]
    assert [runs.count(run) for run in dict.fromkeys(runs)] == [6, 6, 2]
    again = [1000 + 500 + at for at in VFR_MS]  # the last frame stays as long as the one before
    assert [at for at, _ in played] == [*VFR_MS, *again, 3000, 3040]


def test_a_loop_from_a_start(yard: str, timed: Timed) -> None:
    with RecordingSource(yard, SourceOptions(loop=True, start=0.5)) as source:
        played = timed(source, 5)
    assert [p.sequence for _, p in played] == [4, 5, 4, 5, 4]
    assert [at for at, _ in played] == [0, 500, 1000, 1500, 2000]


def test_closing_ends_it(yard: str) -> None:
    source = RecordingSource(yard, SourceOptions(loop=True, speed=0))
    packets = source.packets()
    next(packets)
    source.close()
    assert list(packets) == []


def test_closing_between_two_rounds_ends_it(yard: str) -> None:
    source = RecordingSource(yard, SourceOptions(loop=True, speed=0))
    packets = source.packets()
    for _ in range(6):
        next(packets)
    source.close()
    assert list(packets) == []


# -- several files ------------------------------------------------------------------------------


def test_several_files_play_together_in_the_order_of_capture(
    tmp_path: Path, packet: "MakePacket", record: "Record", timed: Timed
) -> None:
    left = record(tmp_path / "l.mkv", _packets(packet, [0, 100, 200], topic="left"))
    right = record(tmp_path / "r.mkv", _packets(packet, [50, 110, 400], topic="right"))
    with RecordingSource([right, left], SourceOptions()) as source:
        assert source.name == "right"
        played = timed(source)
    order = [(at, p.topic) for at, p in played]
    assert order == [
        (0, "left"),
        (50, "right"),
        (100, "left"),
        (110, "right"),
        (200, "left"),
        (400, "right"),
    ]
    assert len({p.header.sender for _, p in played}) == 1


def test_a_clock_that_was_set_does_not_stop_a_replay(
    tmp_path: Path, packet: "MakePacket", record: "Record", timed: Timed
) -> None:
    given = _packets(packet, [0, 40])
    # A restart of the sender, whose wall clock was put back by an hour meanwhile.
    given += [
        packet(number, sender="later", captured_ns=START_NS - 3600 * NS + number * 40 * MS)
        for number in range(2)
    ]
    with RecordingSource(record(tmp_path / "a.mkv", given), SourceOptions()) as source:
        assert [at for at, _ in timed(source)] == [0, 40, 40, 80]


# -- no recording -------------------------------------------------------------------------------


def test_a_clip_is_no_recording(tmp_path: Path, make_clip: "MakeClip") -> None:
    clip = make_clip(tmp_path / "clip.mp4", [0, 40])
    with pytest.raises(SourceError, match=r"clip\.mp4 is not a framewire recording"):
        RecordingSource(clip, FAST)


@pytest.mark.parametrize("content", [None, b"", b"hello\n" * 100])
def test_what_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "none.mkv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"cannot read .*none\.mkv"):
        RecordingSource(str(path), FAST)


def test_one_bad_file_of_several_is_named(yard: str, tmp_path: Path) -> None:
    with pytest.raises(FramewireError, match=r"none\.mkv"):
        RecordingSource([yard, str(tmp_path / "none.mkv")], FAST)


def test_options_that_a_recording_cannot_take(yard: str) -> None:
    with pytest.raises(UsageError, match="fps: not possible with this recording source"):
        RecordingSource(yard, SourceOptions(fps=5))


def test_a_cut_recording_plays_as_far_as_it_goes(
    tmp_path: Path, packet: "MakePacket", record: "Record"
) -> None:
    path = tmp_path / "cut.mkv"
    record(path, _packets(packet, range(0, 4000, 40)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with RecordingSource(str(path), FAST) as source:
        numbers = [p.sequence for p in source.packets()]
    assert 20 < len(numbers) < 90
    assert all(b == a + 1 for a, b in pairwise(numbers))


def test_a_loop_without_anything_to_show_ends(yard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = 0
    with RecordingSource(yard, SourceOptions(loop=True, start=60, speed=0)) as source:
        play = source._round

        def counted(*arguments: Any) -> object:
            nonlocal rounds
            rounds += 1
            if rounds > 10:
                pytest.fail("it goes round and round")
            return play(*arguments)

        monkeypatch.setattr(source, "_round", counted)
        with pytest.raises(SourceError):
            list(source.packets())


def test_a_recorded_picture_that_does_not_decode_is_passed_over(
    tmp_path: Path, packet: "MakePacket", record: "Record"
) -> None:
    given = _packets(packet, [0, 40, 80])
    given[1] = Packet(given[1].header, given[1].payload[:300] + b"\xff\xd9")
    with RecordingSource(record(tmp_path / "a.mkv", given), FAST) as source:
        assert [f.sequence for f in source] == [0, 2]


# -- what a replay can do beside ------------------------------------------------------------------


def test_an_end(yard: str, timed: Timed) -> None:
    with RecordingSource(yard, SourceOptions(start=0.04), end=0.5) as source:
        assert [at for at, _ in timed(source)] == [0, 80, 90]
    with RecordingSource(yard, SourceOptions(loop=True), end=0.13) as source:
        assert [at for at, _ in timed(source, 5)] == [0, 40, 120, 200, 240]


def test_segments_follow_each_other_in_time(
    tmp_path: Path, packet: "MakePacket", record: "Record", timed: Timed
) -> None:
    second = record(tmp_path / "2.mkv", _packets(packet, [10_000, 10_040], first=2))
    first = record(tmp_path / "1.mkv", _packets(packet, [0, 40]))
    for spec in ([second, first], str(tmp_path)):
        with RecordingSource([spec] if isinstance(spec, str) else spec, SourceOptions()) as source:
            assert [at for at, _ in timed(source)] == [0, 40, 10_000, 10_040]
    with RecordingSource([first, second], SourceOptions(), skip_gaps=True) as source:
        played = timed(source)
    assert [at for at, _ in played] == [0, 40, 540, 580]
    assert [p.sequence for _, p in played] == [0, 1, 2, 3]


def test_where_the_recorded_sender_restarted_the_replay_seems_to(
    tmp_path: Path, packet: "MakePacket", record: "Record"
) -> None:
    """With one id for both, receivers would drop the numbers that come again."""
    given = _packets(packet, [0, 40]) + _packets(packet, [1000, 1040], sender="restarted")
    with RecordingSource(record(tmp_path / "a.mkv", given), FAST) as source:
        played = list(source.packets())
    runs = [p.header.sender for p in played]
    assert runs[0] == runs[1] != runs[2] == runs[3]
    assert not {"another", "restarted"} & set(runs)


def test_retimed_frames_are_captured_when_they_are_due(
    yard: str, fake_time: "FakeTime", timed: Timed
) -> None:
    began_ns = fake_time.now_ns
    with RecordingSource(yard, SourceOptions(speed=2.0), retime=True) as source:
        headers = [p.header for _, p in timed(source)]
    due = [began_ns + at_ms * MS // 2 for at_ms in VFR_MS]
    assert [h.monotonic_ns for h in headers] == due
    assert [h.captured_ns for h in headers] == [fake_time.WALL_NS + at_ns for at_ns in due]
    assert not any(h.replay for h in headers)
    assert [h.sequence for h in headers] == list(range(6))
    assert [h.metadata for h in headers] == [{"n": n} for n in range(6)]


def test_steps_forward_and_back(yard: str) -> None:
    """Who steps back begins a run, so that receivers take what they had before."""
    remote = Remote()
    with RecordingSource(yard, FAST, remote=remote) as source:
        packets = source.packets()

        def after(*wishes: Wish) -> Packet:
            for wish in wishes:
                remote.ask(wish)
            return next(packets)

        shown = [next(packets), after("step"), after("step"), after("back"), after("back")]
        assert [p.sequence for p in shown] == [0, 1, 2, 1, 0]
        assert source.position_ns == 0
        shown += [after("back"), after("step"), after("step"), after("back", "back")]
        assert [p.sequence for p in shown[5:]] == [0, 1, 2, 1]
        shown += [next(packets)]
        assert shown[-1].sequence == 0
        remote.toggle()
        assert [p.sequence for p in packets] == [1, 2, 3, 4, 5]
    runs = [p.header.sender for p in shown]
    assert runs[0] == runs[1] == runs[2]
    assert len({runs[2], runs[3], runs[4], runs[5]}) == 4


def test_hiccups_are_made_up_for(yard: str, fake_time: "FakeTime") -> None:
    began_ns = fake_time.now_ns
    with RecordingSource(yard, SourceOptions()) as source:
        shown = []
        for each in source.packets():
            shown.append((fake_time.now_ns - began_ns) // MS)
            if each.sequence == 1:
                fake_time.now_ns += 400 * MS
    assert shown == [0, 40, 440, 440, 500, 1000]
