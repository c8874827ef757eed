"""The walk through a Matroska file: whole, cut, damaged in every way, and hostile."""

import tracemalloc
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.recorded import CLUSTER, HEIGHT, WIDTH, clusters, damage, damaged, packet, record
from framewire.common import container, matroska
from framewire.common.frame import Packet
from framewire.common.jpeg_syntax import with_header
from framewire.common.matroska import Block, Fault, Walk, element
from framewire.common.wire import encode_header

av = container.av  # type: ignore[attr-defined]  # loaded there, after OpenCV
MS = Fraction(1, 1000)
TIMES_MS = [40 * number for number in range(12)]


class Bytes:
    """A file in memory that counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked = 0

    def read_at(self, offset: int, size: int) -> bytes:
        assert offset >= 0
        assert 0 <= size <= 1 << 20
        piece = self.data[offset : offset + size]
        self.asked += len(piece)
        return piece


def walked(data: bytes) -> tuple[list[Block], Walk]:
    walk = Walk(Bytes(data).read_at)
    return list(walk.blocks(len(data))), walk


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("walked") / "a.mkv"
    return record(path, [packet(number) for number in range(12)]).read_bytes()


def pictures(data: bytes, blocks: list[Block]) -> list[bytes]:
    return [data[each.offset : each.offset + each.size] for each in blocks]


# -- whole files --------------------------------------------------------------------------------


def test_every_frame_is_found(data: bytes) -> None:
    blocks, walk = walked(data)
    assert [each.time_ms for each in blocks] == TIMES_MS
    for each in pictures(data, blocks):
        assert each[:2] == b"\xff\xd8"
        assert each[-2:] == b"\xff\xd9"
        assert b"framewire\0" in each[:40]
    assert (walk.title, walk.codec) == ("lab/cam1", "V_MJPEG")
    assert (walk.finished, walk.indexed, walk.faults, walk.tail, walk.missing, walk.reason) == (
        True, True, [], 0, 0, "",
    )  # fmt: skip


def test_the_pictures_are_not_read(data: bytes) -> None:
    file = Bytes(data)
    walk = Walk(file.read_at)
    assert len(list(walk.blocks(len(data)))) == 12
    assert file.asked < 5000 < len(data) / 5


def test_the_fast_way_gives_the_same(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    fast, _ = walked(data)
    monkeypatch.setattr(Walk, "_usual_step", lambda self, head: 0)
    assert walked(data)[0] == fast


@given(changes=damage())
def test_the_fast_way_gives_the_same_of_damaged_files(
    data: bytes, changes: list[tuple[str, float, float, bytes]]
) -> None:
    bad = damaged(data, changes)
    blocks, walk = walked(bad)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Walk, "_usual_step", lambda self, head: 0)
        slow_blocks, slow_walk = walked(bad)
    assert blocks == slow_blocks
    assert [(f.offset, f.size) for f in walk.faults] == [
        (f.offset, f.size) for f in slow_walk.faults
    ]


# -- other writers ------------------------------------------------------------------------------


def made(ident: str, *parts: bytes, size: bytes | None = None) -> bytes:
    body = b"".join(parts)
    known = bytes((0x80 | len(body),)) if len(body) < 127 else (1 << 28 | len(body)).to_bytes(4)
    return bytes.fromhex(ident) + (size or known) + body


UNKNOWN = b"\x01" + b"\xff" * 7
EBML = made("1a45dfa3", made("4282", b"matroska"))
JPEG = b"\xff\xd8 a picture \xff\xd9"


def simple(time: int, track: int = 0x81) -> bytes:
    return made("a3", bytes((track,)) + time.to_bytes(2, signed=True) + b"\x80" + JPEG)


def track(number: int, kind: int, codec: bytes) -> bytes:
    return made("ae", made("d7", bytes((number,))), made("83", bytes((kind,))), made("86", codec))


def test_groups_checksums_and_unknown_sizes() -> None:
    group = made("a0", made("a1", b"\x81\0\x05\0" + JPEG), made("9b", b"\x28"))
    data = EBML + made(
        "18538067",
        made("1f43b675", made("bf", b"1234"), made("e7", b"\x64"), simple(0), group, size=UNKNOWN),
        made("1f43b675", made("e7", b"\x01\x00"), made("ab", b"\x10"), simple(-6), size=b"\xff"),
        made("1f43b675", made("e7", b"\x01\x80"), simple(0), size=UNKNOWN),
        made("ec", bytes(300)),
        made("1f43b675", made("e7", b"\x02\x00"), simple(1)),
        size=UNKNOWN,
    )
    blocks, walk = walked(data)
    assert [each.time_ms for each in blocks] == [100, 105, 250, 384, 513]
    assert pictures(data, blocks) == [JPEG] * 5
    assert (walk.faults, walk.tail, walk.finished) == ([], 0, False)


def test_only_frames_of_the_first_video_track() -> None:
    tracks = made("1654ae6b", track(1, 2, b"A_OPUS"), track(2, 1, b"V_MJPEG"), track(3, 1, b"V_X"))
    cluster = made("1f43b675", made("e7", b"\0"), simple(1), simple(2, 0x82), simple(3, 0x83))
    blocks, walk = walked(EBML + made("18538067", tracks, cluster, cluster))
    assert [each.time_ms for each in blocks] == [2, 2]
    assert walk.codec == "V_MJPEG"


def test_a_file_without_an_index_is_not_finished() -> None:
    """Its size is stated, but nothing to seek by is there."""
    cluster = made("1f43b675", made("e7", b"\0"), simple(1))
    _, walk = walked(EBML + made("18538067", cluster))
    assert (walk.tail, walk.indexed, walk.finished) == (0, False, False)


def stored(packet: Packet) -> bytes:
    return with_header(packet.payload, encode_header(packet.header, with_topic=True))


def by_ffmpeg(path: Path, pictures: list[bytes]) -> bytes:
    """A file as FFmpeg writes it: it puts small pictures into one Cluster."""
    with av.open(str(path), "w", format="matroska") as file:
        stream = file.add_mux_stream("mjpeg", width=WIDTH, height=HEIGHT, time_base=MS)
        for number, picture in enumerate(pictures):
            muxed = av.Packet(picture)
            muxed.stream, muxed.time_base, muxed.is_keyframe = stream, MS, True
            muxed.pts = muxed.dts = 40 * number
            file.mux(muxed)
    return path.read_bytes()


def test_clusters_of_several_frames(tmp_path: Path) -> None:
    sent = [packet(number, b"\xff\xd8%d\xff\xd9" % number) for number in range(40)]
    data = by_ffmpeg(tmp_path / "a.mkv", [stored(each) for each in sent])
    blocks, walk = walked(data)
    assert len(clusters(data)) < 20
    assert [each.time_ms for each in blocks] == [40 * number for number in range(40)]
    for each, was in zip(pictures(data, blocks), sent, strict=True):
        assert each.endswith(was.payload[2:])
    bad = data[: blocks[20].offset - 2] + data[blocks[21].offset - 5 :]
    assert len(walked(bad)[0]) >= 25  # the rest of its Cluster goes with it
    assert (walk.faults, walk.finished) == ([], True)


@pytest.mark.parametrize(("scale", "expected"), [(1_000_000, 7), (100_000, 1), (10_000_000, 70)])
def test_another_resolution_of_time(scale: int, expected: int) -> None:
    info = made("1549a966", made("2ad7b1", scale.to_bytes(4)))
    cluster = made("1f43b675", made("e7", b"\x05"), simple(2))
    assert walked(EBML + made("18538067", info, cluster))[0][0].time_ms == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("a3 84", (0xA3, 4, 2)),
        ("1f43b675 4005", (0x1F43B675, 5, 6)),
        ("ec ff", (0xEC, -1, 2)),
        ("18538067 01ffffffffffffff", (0x18538067, -1, 12)),
        ("a3 01fffffffffffffe", (0xA3, 2**56 - 2, 9)),
        ("", None),
        ("a3", None),
        ("a3 40", None),
        ("a3 00", None),
        ("00 81", None),
        ("0f43b67500 81", None),
    ],
)
def test_elements(head: str, expected: tuple[int, int, int] | None) -> None:
    assert element(bytes.fromhex(head)) == expected


# -- cut files ----------------------------------------------------------------------------------


def test_cut_at_any_length(data: bytes) -> None:
    whole, _ = walked(data)
    for size in (*range(700), *range(700, len(data), 37)):
        blocks, walk = walked(data[:size])
        assert blocks == [each for each in whole if each.offset + each.size <= size]
        assert walk.faults == []
        assert not walk.finished
        assert walk.intact + walk.tail == size
        if blocks:
            assert walk.intact >= blocks[-1].offset + blocks[-1].size
            assert walk.missing in (len(data) - size, 0)
            assert bool(walk.missing) != walk.indexed


def test_going_on_where_it_ended(data: bytes) -> None:
    """A recording that is being written, looked at again and again."""
    file = Bytes(b"")
    walk = Walk(file.read_at)
    found: list[Block] = []
    for size in (*range(0, len(data), 501), len(data)):
        file.data = data[:size]
        found += walk.blocks(size)
    assert found == walked(data)[0]
    assert (walk.faults, walk.tail, walk.finished) == ([], 0, True)


def test_a_size_that_is_filled_in_at_the_end(data: bytes) -> None:
    at = data.index(bytes.fromhex("18538067")) + 4
    file = Bytes(data[:at] + UNKNOWN + data[at + 8 :])
    walk = Walk(file.read_at)
    list(walk.blocks(len(data)))
    assert (walk.indexed, walk.finished) == (True, False)
    file.data = data
    assert list(walk.blocks(len(data))) == []
    assert walk.finished


# -- damage -------------------------------------------------------------------------------------


def test_garbage_between_clusters(data: bytes) -> None:
    marks = clusters(data)
    bad = data[: marks[4]] + b"\0garbage" * 100 + data[marks[4] :]
    blocks, walk = walked(bad)
    assert pictures(bad, blocks) == pictures(data, walked(data)[0])
    assert [(each.offset, each.size) for each in walk.faults] == [(marks[4], 800)]
    assert walk.tail == 0


def test_a_cluster_written_over(data: bytes) -> None:
    marks = clusters(data)
    bad = data[: marks[4]] + bytes(marks[6] - marks[4]) + data[marks[6] :]
    blocks, walk = walked(bad)
    assert [each.time_ms for each in blocks] == TIMES_MS[:4] + TIMES_MS[6:]
    (fault,) = walk.faults
    assert (fault.offset, fault.size) == (marks[4], marks[6] - marks[4])
    assert fault.reason


def test_no_cluster_is_overlooked(data: bytes) -> None:
    """Wherever it lies in the pieces by which the file is looked through."""
    marks = clusters(data)
    for size in range(6400, 6500):
        blocks, walk = walked(data[: marks[4]] + bytes(size) + data[marks[4] :])
        assert (len(blocks), walk.faults[0].size) == (12, size)


def test_a_forged_size_that_ends_before_what_looks_like_a_frame() -> None:
    trap = b"\xff\xd8 a picture with \xa3\x86\x81\0\0\x80ab in it \xff\xd9"
    first = made("1f43b675", made("e7", b"\1"), simple(0), size=b"\x98")
    assert len(first) == 4 + 1 + 24
    second = made("1f43b675", made("e7", b"\2"), made("a3", b"\x81\0\0\x80" + trap))
    good = EBML + made("18538067", first, second, second, size=UNKNOWN)
    at = good.index(b"\xa3", good.index(CLUSTER)) + 1
    assert good[at - 1 : at + 1] == b"\xa3\x93"
    reach = good.index(b"\xa3\x86") - at - 1
    bad = good[:at] + bytes((0x80 | reach,)) + good[at + 1 :]
    assert pictures(good, walked(good)[0]) == [JPEG, trap, trap]
    blocks, walk = walked(bad)
    assert pictures(bad, blocks) == [trap, trap]
    assert len(walk.faults) == 1


def test_no_frame_is_given_out_of_another(data: bytes) -> None:
    """A forged size that ends before a Segment in the bytes: what was given out stays so."""
    inner = made("1f43b675", made("e7", b"\2"), simple(1))
    swallowing = made("1f43b675", made("e7", b"\1"), made("a3", b"\x81\0\0\x80" + inner))
    bad = EBML + made("18538067", swallowing, made("18538067", size=UNKNOWN), b"\0", size=UNKNOWN)
    blocks, walk = walked(bad)
    assert len(blocks) == len(walk.faults) + 1 == 1


@pytest.mark.parametrize("size", ["4fff", "5fff", "7fff", "7ffe", "4001"])
@pytest.mark.parametrize("behind", [4, 10])  # size of the cluster, and of the frame in it
def test_a_forged_size_costs_one_frame_at_most(data: bytes, behind: int, size: str) -> None:
    at = clusters(data)[4] + behind
    bad = data[:at] + bytes.fromhex(size) + data[at + 2 :]
    blocks, walk = walked(bad)
    good = set(walked(data)[0])
    assert len(good & set(blocks)) >= 11
    assert [each.time_ms for each in blocks[-7:]] == TIMES_MS[5:]
    assert all(a.offset + a.size <= b.offset for a, b in pairwise(blocks))
    assert walk.faults or behind == 4


def test_a_lost_head(data: bytes) -> None:
    whole = walked(data)[0]
    begin = clusters(data)[0]
    blocks, walk = walked(bytes(begin) + data[begin:])
    assert blocks == whole
    assert walk.faults == [Fault(0, begin, "the head is damaged")]
    assert walked(bytes(100_000) + data[begin:])[0] == []


@pytest.mark.parametrize("content", [b"", b"\0", b"hello" * 1000, CLUSTER * 1000, b"\xff" * 99])
def test_what_is_no_matroska(content: bytes) -> None:
    blocks, walk = walked(content)
    assert blocks == []
    assert walk.reason == "it is not a Matroska file"


@settings(max_examples=300)
@given(changes=damage())
def test_any_damage_gives_fewer_frames_and_no_error(
    data: bytes, changes: list[tuple[str, float, float, bytes]]
) -> None:
    bad = damaged(data, changes)
    file = Bytes(bad)
    walk = Walk(file.read_at)
    blocks = list(walk.blocks(len(bad)))
    assert all(a.offset >= 0 and a.offset + a.size <= len(bad) for a in blocks)
    assert all(a.offset + a.size <= b.offset for a, b in pairwise(blocks))
    assert 0 <= walk.tail <= len(bad)
    assert file.asked < 3 * len(bad) + 4200 * (len(walk.faults) + 2) + 100 * len(blocks)


@given(content=st.binary(max_size=300), front=st.integers(0, 600))
def test_any_bytes(data: bytes, content: bytes, front: int) -> None:
    bad = data[:front] + content
    blocks, walk = walked(bad)
    assert all(each.offset + each.size <= len(bad) for each in blocks)
    assert walk.intact + walk.tail == len(bad)


def test_a_hostile_file_ends_soon_and_takes_no_memory() -> None:
    """Clusters that all look right and hold nothing that is."""
    bad = EBML + bytes.fromhex("1853806701ffffffffffffff")
    bad += (CLUSTER + b"\x01\xff\xff\xff\xff\xff\xff\xfe\xe7\x88") * 100_000
    tracemalloc.start()
    try:
        blocks, walk = walked(bad)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert blocks == []
    assert len(walk.faults) == matroska._MAX_FAULTS
    assert walk.reason == "damaged in more than 10000 places"


def test_it_never_believes_in_a_time_beyond_all_bounds() -> None:
    cluster = made("1f43b675", made("e7", b"\xff" * 8), simple(1))
    (block,) = walked(EBML + made("18538067", cluster))[0]
    assert block.time_ms == 1 << 53
