"""Several recordings on one time line."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from framewire.common import session as session_module
from framewire.common.clock import NS
from framewire.common.container import RecordingReader
from framewire.common.errors import RecordingError, SourceError, UsageError
from framewire.common.frame import Header, Packet
from framewire.common.jpeg import encode
from framewire.common.recording_writer import RecordingWriter
from framewire.common.session import Session
from framewire.common.wire import checksum

import numpy as np  # isort: skip

MS = NS // 1000
START_NS = 1_600_000_000 * NS
JPEG = encode(np.zeros((16, 16, 3), np.uint8), 80)


def packet(at_ms: float, sequence: int = 0, clock_ms: float = 0, **fields: Any) -> Packet:
    """`clock_ms`: by how much the wall clock had been set by then."""
    facts: dict[str, Any] = {
        "topic": "yard",
        "sender": "run",
        "sequence": sequence,
        "captured_ns": START_NS + round((at_ms + clock_ms) * MS),
        "monotonic_ns": NS + round(at_ms * MS),
        "sent_ns": 0,
        "width": 16,
        "height": 16,
        "channels": 3,
        "codec": "jpeg",
        "crc32": checksum(JPEG),
    }
    return Packet(Header(**{**facts, **fields}), JPEG)


def record(path: Path, times_ms: Sequence[float], **fields: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    packets = [packet(at, n, **fields) for n, at in enumerate(times_ms)]
    with closing(RecordingWriter(path, packets[0].header)) as writer:
        for each in packets:
            writer.write(each)
    return str(path)


def times(session: Session, start: float = 0, end: float | None = None) -> list[float]:
    end_ns = None if end is None else round(end * MS)
    return [at_ns / MS for at_ns, _ in session.packets(round(start * MS), end_ns)]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many files were open at each opening; all must be closed in the end."""
    counts: list[int] = []
    now = 0

    class Counting(RecordingReader):
        def __init__(self, path: Path) -> None:
            nonlocal now
            super().__init__(path)
            now += 1
            counts.append(now)

        def close(self) -> None:
            nonlocal now
            now -= 1
            super().close()

    monkeypatch.setattr(session_module, "RecordingReader", Counting)
    yield counts
    assert now == 0


def test_segments_in_any_order_follow_each_other_and_gaps_stay(
    tmp_path: Path, opened: list[int]
) -> None:
    one = record(tmp_path / "1.mkv", [0, 40, 80])
    two = record(tmp_path / "2.mkv", [120, 160])
    three = record(tmp_path / "3.mkv", [10_000, 10_040])
    for order in ([one, two, three], [three, one, two], [tmp_path]):
        session = Session(order)
        assert times(session) == [0, 40, 80, 120, 160, 10_000, 10_040]
        assert session.duration_ns / MS == pytest.approx(10_040, abs=50)
    assert max(opened) == 1


def test_topics_run_side_by_side(tmp_path: Path) -> None:
    record(tmp_path / "a" / "1.mkv", [0, 100], topic="a")
    record(tmp_path / "a" / "2.mkv", [200, 300], topic="a")
    record(tmp_path / "b" / "1.mkv", [50, 150, 250], topic="b", sender="other")
    session = Session([tmp_path])
    assert session.topics == ("a", "b")
    assert [p.topic for _, p in session.packets()] == ["a", "b", "a", "b", "a", "b", "a"]
    assert times(session) == [0, 50, 100, 150, 200, 250, 300]


def test_segments_of_one_run_are_placed_by_its_monotonic_clock(tmp_path: Path) -> None:
    record(tmp_path / "1.mkv", [0, 40])
    record(tmp_path / "2.mkv", [80, 120], clock_ms=700)
    record(tmp_path / "3.mkv", [160, 200], clock_ms=-3_600_000)
    assert times(Session([tmp_path])) == [0, 40, 80, 120, 160, 200]


def test_segments_of_different_runs_are_placed_by_the_wall_clock(tmp_path: Path) -> None:
    record(tmp_path / "1.mkv", [0, 40])
    record(tmp_path / "2.mkv", [500, 540], sender="restarted", monotonic_ns=0)
    assert times(Session([tmp_path])) == [0, 40, 500, 540]


def test_files_that_overlap_are_woven(tmp_path: Path) -> None:
    record(tmp_path / "1.mkv", [0, 100, 200])
    record(tmp_path / "2.mkv", [50, 150], sender="other")
    assert times(Session([tmp_path])) == [0, 50, 100, 150, 200]


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (0, 80, [0, 40]),
        (40, 80.001, [40, 80]),
        (40.001, None, [80, 1000, 1040]),
        (500, None, [1000, 1040]),
        (1040, 9999, [1040]),
        (1041, None, []),
    ],
)
def test_a_range_of_it(
    tmp_path: Path, opened: list[int], start: float, end: float | None, found: list[float]
) -> None:
    record(tmp_path / "1.mkv", [0, 40, 80])
    record(tmp_path / "2.mkv", [1000, 1040])
    assert times(Session([tmp_path]), start, end) == found


def test_a_start_behind_a_clock_that_was_put_back(tmp_path: Path) -> None:
    """The file's own time stamps say where the frame stands."""
    given = [packet(40 * n, n) for n in range(50)]
    given += [
        packet(40 * n, n, clock_ms=-3_600_000, sender="later", monotonic_ns=0) for n in range(50)
    ]
    with closing(RecordingWriter(tmp_path / "a.mkv", given[0].header)) as writer:
        for each in given:
            writer.write(each)
    assert times(Session([tmp_path]), 3000) == pytest.approx(list(range(3000, 3921, 40)), abs=41)


def test_places_in_words(tmp_path: Path) -> None:
    session = Session([record(tmp_path / "a.mkv", [0, 40])])  # 2020-09-13T12:26:40 UTC
    assert session.span_ns("1.5", None) == (1_500_000_000, None)
    assert session.span_ns("2020-09-13T12:26:41", "2020-09-13T12:26:42") == (NS, 2 * NS)
    assert session.span_ns("2020-01-01", "3") == (0, 3 * NS)
    for start, end in (("2", "2"), ("0", "2020-01-01")):
        with pytest.raises(UsageError, match="is not after the start"):
            session.span_ns(start, end)


def test_leaving_in_the_middle_closes_the_files(tmp_path: Path, opened: list[int]) -> None:
    record(tmp_path / "1.mkv", [0, 40, 80], topic="a")
    record(tmp_path / "2.mkv", [0, 40, 80], topic="b")
    packets = Session([tmp_path]).packets()
    next(packets)
    next(packets)
    packets.close()  # type: ignore[attr-defined]
    assert max(opened) == 2


def test_what_is_no_recording(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    record(tmp_path / "good.mkv", [0, 40])
    (tmp_path / "empty.mkv").touch()
    assert times(Session([tmp_path])) == [0, 40]
    assert "passed over: cannot read" in caplog.text
    with pytest.raises(RecordingError, match=r"cannot read .*empty\.mkv"):
        Session([tmp_path / "empty.mkv"])
    (tmp_path / "none").mkdir()
    with pytest.raises(SourceError, match=r"no recordings in .*none"):
        Session([tmp_path / "none"])


@pytest.mark.parametrize("tolerant", [False, True])
def test_a_file_that_breaks_off_in_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tolerant: bool
) -> None:
    session = Session([record(tmp_path / "a.mkv", [0, 40, 80])], tolerant=tolerant)

    def breaks(self: RecordingReader, start_s: float = 0) -> Iterator[Packet]:
        yield packet(0)
        raise RecordingError("cannot read on in a.mkv: Input/output error")

    monkeypatch.setattr(RecordingReader, "packets", breaks)
    if tolerant:
        assert times(session) == [0]
        assert [str(error)[:14] for error in session.broken] == ["cannot read on"]
    else:
        with pytest.raises(RecordingError):
            times(session)
