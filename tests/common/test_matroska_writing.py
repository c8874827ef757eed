"""The bytes of the container, read by a parser of our own and by mkvinfo."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common.matroska_writing import MARK, Index, cluster, head, is_ours

UID = bytes(range(16))
JPEG = b"\xff\xd8 a picture \xff\xd9"
CONTAINERS = {0x18538067: "Segment", 0x1654AE6B: "Tracks", 0xAE: "Track", 0xE0: "Video"}
Element = tuple[int, int, bytes]


def _elements(data: bytes) -> list[Element]:
    """Name, offset of the content and content of each; an unknown size goes to the end."""
    found, at = [], 0
    while at < len(data):
        length = 9 - data[at].bit_length()
        name = int.from_bytes(data[at : at + length], "big")
        at += length
        width = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + width], "big") - (1 << 7 * width)
        at += width
        end = len(data) if size == (1 << 7 * width) - 1 else at + size
        assert end <= len(data)
        found.append((name, at, data[at:end]))
        at = end
    return found


def _head(title: str = "lab/cam1", began_ns: int = 10**18) -> tuple[bytes, Index]:
    return head(title, 1280, 720, writer="framewire 1", began_ns=began_ns, uid=UID)


def _file(times_ms: list[int], *, finished: bool = True) -> bytes:
    data, index = _head()
    for at_ms in times_ms:
        index.add(at_ms, len(data))
        data += cluster(at_ms, JPEG)
    if finished:
        cues_at = len(data)
        data += index.cues()
        for at, patch in index.patches(cues_at, len(data)):
            data = data[:at] + patch + data[at + len(patch) :]
    return data


@given(st.lists(st.integers(0, 5000), max_size=20), st.booleans())
def test_it_is_well_formed(steps: list[int], finished: bool) -> None:
    times = [sum(steps[: number + 1]) for number in range(len(steps))]
    _, (name, _, body) = _elements(_file(times, finished=finished))
    assert name == 0x18538067
    parts = _elements(body)
    clusters = [_elements(content) for name, _, content in parts if name == 0x1F43B675]
    assert [int.from_bytes(each[0][2], "big") for each in clusters] == times
    assert {each[1][2] for each in clusters} <= {b"\x81\x00\x00\x80" + JPEG}
    (info,) = [content for name, _, content in parts if name == 0x1549A966]
    durations = [content for name, _, content in _elements(info) if name == 0x4489]
    if not finished:
        assert durations == []
    else:
        assert durations == [struct.pack(">d", max([1, *times]))]
    places = [content for name, _, content in parts if name == 0x114D9B74]
    for _, _, seek in _elements(places[0]):
        (_, _, target), (_, _, at) = _elements(seek)
        where = int.from_bytes(at, "big")
        if where < len(body):  # there are no cues where there is no frame
            assert body[where : where + 4] == target


def test_cues_are_half_a_second_apart_and_lead_to_their_clusters() -> None:
    data = _file([0, 40, 499, 500, 999, 1000, 5000])
    _, (_, _, body) = _elements(data)
    (cues,) = [content for name, _, content in _elements(body) if name == 0x1C53BB6B]
    found = []
    for _, _, point in _elements(cues):
        (_, _, time), (_, _, places) = _elements(point)
        at = int.from_bytes(_elements(places)[1][2], "big")
        assert body[at : at + 4] == b"\x1f\x43\xb6\x75"
        found.append(int.from_bytes(time, "big"))
    assert found == [0, 500, 1000, 5000]


@given(st.integers(0, 2**64 - 1))
def test_any_time_of_capture_has_a_date(began_ns: int) -> None:
    assert is_ours(_head(began_ns=began_ns)[0])


def test_ours_are_known_by_the_muxing_application() -> None:
    start, _ = _head("a" * 254)
    assert is_ours(start[:1024])
    assert not is_ours(start.replace(MARK, b"Lavf62.12"))
    assert not is_ours(start[4:])
    assert not is_ours(b"")


def test_mkvinfo_has_nothing_to_say(tmp_path: Path) -> None:
    if not shutil.which("mkvinfo"):
        pytest.skip("mkvinfo is not installed here (Debian: mkvtoolnix)")
    path = tmp_path / "a.mkv"
    path.write_bytes(_file([0, 40, 80, 700]))
    done = subprocess.run(
        ["mkvinfo", "--all", str(path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert "Title: lab/cam1" in done.stdout
    assert not [line for line in done.stdout.splitlines() if "unknown" in line.lower()]
