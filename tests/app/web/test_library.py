"""What a folder of recordings holds, and frames of it."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.web.shelving import BEGAN_NS, FRAME_NS, NAME, packet, record, writer
from app.web.viewing import TOPIC, number_of, until
from framewire.app.web import library as library_module
from framewire.app.web.library import Library
from framewire.app.web.loans import Loans
from framewire.app.web.playing import Order
from framewire.app.web.reel import Place
from framewire.app.web.tapes import GROWING_NS, Break, Tape, merged, state_of
from framewire.common.clock import NS, wall_ns
from framewire.common.errors import RecordingError
from processes import CLIPS

YARD = CLIPS / "yard.mkv"
SECOND = f"{TOPIC}/second.mkv"
LATER_NS = BEGAN_NS + 60 * NS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "rec"
    folder.mkdir()
    return folder


@pytest.fixture
def library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """One that looks every time."""
    monkeypatch.setattr(library_module, "_SCAN_NS", 0)
    monkeypatch.setattr(library_module, "_CALM", 0)
    with Library(folder) as library:
        yield library


def only(library: Library) -> Tape:
    library.look(20)
    (tape,) = library.tapes
    return tape


def states(library: Library) -> dict[str, str]:
    library.look(20)
    return {tape.name: state_of(tape, wall_ns()) for tape in library.tapes}


def age(path: Path) -> Path:
    """As if nobody had written to it for an hour."""
    then = path.stat().st_mtime - 3600
    os.utime(path, (then, then))
    return path


# -- files ----------------------------------------------------------------------------------------


def test_what_is_known_of_a_file(folder: Path, library: Library) -> None:
    path = record(folder, [0, 1, 2, 5, 6])
    tape = only(library)
    assert (tape.name, tape.topic, tape.path, tape.reason) == (NAME, TOPIC, path, "")
    assert (tape.frames, tape.lost, tape.width) == (5, 2, 160)
    assert (tape.began_ns, tape.ended_ns) == (BEGAN_NS, BEGAN_NS + 6 * FRAME_NS)
    assert tape.breaks == (Break(BEGAN_NS + 2 * FRAME_NS, BEGAN_NS + 5 * FRAME_NS, 2),)
    assert states(library) == {NAME: "finished"}


def test_a_file_is_read_once(
    folder: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(folder, [0])
    tape = only(library)
    monkeypatch.setattr(library_module, "examined", None)
    assert only(library) is tape


def test_the_topic_is_that_of_the_frames(folder: Path, library: Library) -> None:
    (folder / "any.mkv").write_bytes(YARD.read_bytes())
    tape = only(library)
    assert (tape.topic, tape.frames, tape.lost) == ("lab/yard", 48, 2)


def test_one_that_grows(folder: Path, library: Library) -> None:
    recording = writer(folder, packet(0))
    for number in range(30):
        recording.write(packet(number))
    assert states(library) == {NAME: "growing"}
    before = only(library).frames
    assert before == 30
    reel = library.reel(TOPIC)
    last = reel.shot(Order(2**62), None)
    assert last.growing
    for number in range(30, 60):
        recording.write(packet(number))
    until(lambda: only(library).frames > before, "more of it")
    assert reel.following(last.place) is not None
    recording.close()
    until(lambda: only(library).frames == 60, "all of it")
    until(lambda: states(library) == {NAME: "finished"}, "finished")
    assert reel.shot(Order(2**62), None).packet.sequence == 59


def test_damaged_and_half_written_files(folder: Path, library: Library) -> None:
    whole = record(folder, list(range(40))).read_bytes()
    (folder / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.mkv").touch()
    (folder / "noise.mkv").write_bytes(os.urandom(5000))
    holed = bytearray(whole)
    holed[len(whole) // 2 : len(whole) // 2 + 3000] = bytes(3000)
    (folder / "holed.mkv").write_bytes(holed)
    for path in folder.glob("*.mkv"):
        age(path)
    found = states(library)
    assert found.pop(NAME) == "finished"
    assert found.pop("cut.mkv") in ("cut", "damaged")
    assert set(found.values()) == {"damaged"}
    for tape in library.tapes:
        assert str(folder) not in tape.reason
        assert bool(tape.reason) == (state_of(tape, wall_ns()) == "damaged")


def test_one_that_was_just_begun_is_not_damaged(folder: Path, library: Library) -> None:
    (folder / "new.mkv").touch()
    tape = only(library)
    assert state_of(tape, tape.stamp.modified_ns) == "growing"
    assert state_of(tape, tape.stamp.modified_ns + GROWING_NS) == "damaged"


def test_one_that_goes_or_is_another(folder: Path, library: Library) -> None:
    path = record(folder, [0, 1, 2])
    reel = library.reel(TOPIC)
    assert only(library).frames == 3
    assert reel.shot(Order(0), None).packet.sequence == 0
    path.unlink()
    record(folder, [7, 8])
    assert only(library).frames == 2
    assert reel.shot(Order(0), None).packet.sequence == 7
    path.unlink()
    assert states(library) == {}
    with pytest.raises(RecordingError, match="no recordings"):
        reel.shot(Order(0), None)


def test_nothing_outside_is_read(folder: Path, library: Library, tmp_path: Path) -> None:
    record(tmp_path / "outside", [0])
    (folder / "link.mkv").symlink_to(tmp_path / "outside" / NAME)
    (folder / "away").symlink_to(tmp_path / "outside")
    os.mkfifo(folder / "pipe.mkv")
    (folder / "not.txt").touch()
    os.mkdir(os.fsencode(folder) + b"/\xff")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff/x.mkv")).touch()
    assert states(library) == {}
    record(folder, [0])
    assert only(library).frames == 1
    for name in (
        "../outside/" + NAME,
        "away/" + NAME,
        "link.mkv",
        "",
        ".",
        NAME + "\n",
        NAME + "\0",
    ):
        assert library.find(name) is None
    assert library.find(NAME) is not None
    (folder / NAME).unlink()
    (folder / NAME).symlink_to(tmp_path / "outside" / NAME)
    assert library.find(NAME) is None, "it has become a link since"


def test_names_of_any_kind_are_only_names(folder: Path, library: Library) -> None:
    names = ["<b>.mkv", 'a"b.mkv', "new\nline.mkv", "\N{SNOWMAN}.mkv", "%2e%2e.mkv", ".mkv"]
    for name in names:
        (folder / name).touch()
    assert set(states(library)) == set(names)


def test_gaps_too_near_to_be_seen_apart_are_one() -> None:
    gaps = [Break(10, 12, 1), Break(40, 50, 2), Break(45, 47, 3)]
    assert merged(gaps, 0) == tuple(gaps)
    assert merged(gaps[::-1], 10) == (Break(10, 12, 1), Break(40, 50, 5))


# -- frames ---------------------------------------------------------------------------------------


@pytest.fixture
def two(folder: Path, library: Library) -> Library:
    """Ten frames, and a minute later five of the next run."""
    record(folder, list(range(10)))
    record(folder, list(range(100, 105)), SECOND, began_ns=LATER_NS - 100 * FRAME_NS)
    library.look(20)
    return library


def test_frames_by_time(two: Library) -> None:
    reel = two.reel(TOPIC)
    for number in range(10):
        at_ns = BEGAN_NS + number * FRAME_NS
        for aside_ns in (0, FRAME_NS // 2, -200):  # as much as JavaScript's numbers are beside it
            shot = reel.shot(Order(at_ns + aside_ns), None)
            assert (shot.packet.sequence, shot.time_ns) == (number, at_ns)
            assert number_of(shot.packet.payload) == number
    assert reel.shot(Order(0), None).packet.sequence == 0
    hole = reel.shot(Order(BEGAN_NS + 30 * NS), None)
    assert (hole.packet.sequence, hole.next_ns, hole.hole) == (9, LATER_NS, True)
    last = reel.shot(Order(2**63 - 1), None)
    assert (last.packet.sequence, last.next_ns, last.growing) == (104, None, False)


def test_what_follows(two: Library) -> None:
    reel, order, seen = two.reel(TOPIC), Order(0), []
    while True:
        shot = reel.shot(order, None)
        seen.append(shot.packet.sequence)
        if shot.next_ns is None:
            break
        order = Order(shot.next_ns)
    assert seen == [*range(10), *range(100, 105)]


def test_steps_go_from_file_to_file(two: Library) -> None:
    reel = two.reel(TOPIC)
    place = reel.shot(Order(0), None).place
    for by, number in (
        (1, 1),
        (8, 9),
        (1, 100),
        (3, 103),
        (9, 104),
        (-4, 100),
        (-1, 9),
        (-1000, 0),
    ):
        shot = reel.shot(Order(None, by), place)
        assert shot.packet.sequence == number
        place = shot.place
    assert reel.shot(Order(LATER_NS, -2), place).packet.sequence == 8
    assert reel.shot(Order(None, 1), Place("gone.mkv", 3)).packet.sequence == 1


def test_files_that_overlap(folder: Path, library: Library) -> None:
    record(folder, list(range(20)))
    record(folder, list(range(5, 10)), SECOND)
    library.look(20)
    reel, order, seen = library.reel(TOPIC), Order(0), []
    for _ in range(30):
        shot = reel.shot(order, None)
        seen.append(shot.packet.sequence)
        if shot.next_ns is None:
            break
        order = Order(shot.next_ns)
    assert sorted(set(seen)) == list(range(20))
    assert seen == sorted(seen)
    all_of_it = [each.sequence for each in reel.packets(0, 2**62)]
    assert all_of_it == list(range(20))


def test_packets_of_a_time(two: Library) -> None:
    reel = two.reel(TOPIC)
    found = list(reel.packets(BEGAN_NS + 8 * FRAME_NS, LATER_NS + FRAME_NS + 200))
    assert [each.sequence for each in found] == [8, 9, 100, 101]
    assert found[0] == packet(8)
    assert list(reel.packets(0, 5)) == []


# -- loans ----------------------------------------------------------------------------------------


def test_loans_are_bounded_and_closed_when_given_back(folder: Path) -> None:
    paths = [record(folder, [number], f"{number}.mkv") for number in range(4)]
    with Loans(2) as loans:
        with loans.borrow(paths[0]) as first:
            for path in paths[1:]:
                with loans.borrow(path) as recording:
                    assert len(recording) == 1
                assert len(loans) <= 2
            assert first.packet(0).sequence == 0, "still open"
        with pytest.raises(Exception, match="closed"):
            first.packet(0)
        assert paths[3] in loans
        with loans.borrow(paths[3]) as again, loans.borrow(paths[3]) as same:
            assert again is same
        with pytest.raises(RecordingError), loans.borrow(folder / "none.mkv"):
            pass
        assert folder / "none.mkv" not in loans


def test_many_borrow_at_a_time(folder: Path) -> None:
    paths = [record(folder, list(range(5)), f"{number}.mkv") for number in range(4)]
    read_whole: list[int] = []
    with Loans(2) as loans:

        def read(at: int) -> None:
            for turn in range(50):
                with loans.borrow(paths[(at + turn) % 4]) as recording:
                    assert recording.packet(3).sequence == 3
            read_whole.append(at)

        threads = [threading.Thread(target=read, args=(at,)) for at in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sorted(read_whole) == [0, 1, 2, 3]
        assert len(loans) <= 2
