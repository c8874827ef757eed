"""Parts of files: what is asked for, and what is sent where the disk ends early."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.conftest import Serve
from app.web.shelving import packet, record
from app.web.viewing import Viewer, ask, connection
from framewire.app.web import sending
from framewire.app.web.sending import Extent, asked_extent

NAME = "a.mkv"


@pytest.mark.parametrize(
    ("header", "extent"),
    [
        ("bytes=0-9", Extent(0, 10)),
        ("bytes=90-", Extent(90, 100)),
        ("bytes=90-1000", Extent(90, 100)),
        ("bytes=-10", Extent(90, 100)),
        ("bytes=-1000", Extent(0, 100)),
        ("bytes=9-0", None),
        ("bytes=0-1,5-6", None),
        ("bytes=" + "0-," * 5000, None),
        ("lines=0-9", None),
        ("bytes=-", None),
        ("bytes=٣-٤", None),
        ("", None),
    ],
)
def test_what_is_asked_for(header: str, extent: Extent | None) -> None:
    assert asked_extent(header, 100) == extent


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=-0", "bytes=1000-2000"])
def test_bytes_that_are_not_there(header: str) -> None:
    with pytest.raises(ValueError, match="no such bytes"):
        asked_extent(header, 100)


@given(st.text() | st.from_regex(r"bytes=[0-9]*-[0-9]*"), st.integers(0, 1 << 40))
def test_any_header_gives_bytes_of_the_file_or_all(header: str, size: int) -> None:
    try:
        extent = asked_extent(header, size)
    except ValueError:
        return
    assert extent is None or 0 <= extent.start < extent.stop <= size


@pytest.fixture
def viewer(serve: Serve, tmp_path: Path) -> Viewer:
    folder = tmp_path / "shelf"
    record(folder, list(range(20)), NAME)
    return serve(recordings=folder)


def test_parts_of_a_file(viewer: Viewer, tmp_path: Path) -> None:
    whole = (tmp_path / "shelf" / NAME).read_bytes()
    tag = ask(viewer, f"/recording/{NAME}").headers["ETag"]
    for headers, status, body in (
        ({"Range": "bytes=-7"}, 206, whole[-7:]),
        ({"Range": "bytes=5-", "If-Range": tag}, 206, whole[5:]),
        ({"Range": "bytes=5-", "If-Range": '"another"'}, 200, whole),
        ({"Range": "bytes=0-1,3-4"}, 200, whole),
        ({"Range": f"bytes={len(whole)}-"}, 416, b"there are no such bytes\n"),
    ):
        found = ask(viewer, f"/recording/{NAME}", headers=headers)
        assert (found.status, found.body) == (status, body)


def test_a_file_that_becomes_shorter_ends_the_connection(
    viewer: Viewer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "shelf" / NAME
    monkeypatch.setattr(sending, "_CHUNK", 100)
    real = sending._parts

    async def cut_meanwhile(*given: Any) -> Any:
        parts = real(*given)
        yield await anext(parts)
        with path.open("r+b") as file:
            file.truncate(150)
        async for part in parts:
            yield part

    monkeypatch.setattr(sending, "_parts", cut_meanwhile)
    client = connection(viewer.port)
    client.request("GET", f"/recording/{NAME}")
    answer = client.getresponse()
    size = int(answer.headers["Content-Length"])
    with pytest.raises(Exception, match="IncompleteRead"):
        assert len(answer.read()) == size
    client.close()
    (line,) = [each for each in caplog.records if each.levelname == "WARNING"]
    assert "became shorter" in line.getMessage()
    assert line.exc_info is None
    assert packet(0)
