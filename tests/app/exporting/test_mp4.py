"""Films, decoded again by PyAV and by OpenCV."""

from pathlib import Path
from typing import Any

import cv2
import av
import msgspec
import numpy as np
import pytest

from app.exporting.making import TIMES_MS, packet, packets, record
from framewire.app.main import run
from framewire.common import h264
from framewire.common.frame import Packet
from framewire.common.jpeg import decode, encode
from framewire.common.testchart import read_number
from framewire.common.wire import checksum

Output = pytest.CaptureFixture[str]


def bgr(frame: av.VideoFrame) -> Any:
    return frame.to_ndarray(format="bgr24")


def frames(path: Path) -> list[tuple[float, Any]]:
    """(milliseconds, BGR) of each."""
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        return [
            ((frame.time or 0) * 1000, frame.to_ndarray(format="bgr24"))
            for frame in film.decode(stream)
        ]


def export(given: list[Any], folder: Path, *more: str) -> Path:
    yard, out = record(folder / "yard.mkv", given), folder / "out.mp4"
    assert run(["export", str(yard), "--to", "mp4", "--out", str(out), *more]) == 0
    return out


def test_every_frame_at_its_time(tmp_path: Path) -> None:
    out = export(packets(), tmp_path)
    found = frames(out)
    assert [read_number(image) for _, image in found] == list(range(len(TIMES_MS)))
    assert [at for at, _ in found] == pytest.approx(TIMES_MS, abs=0.001)
    with av.open(str(out)) as film:
        assert film.duration == pytest.approx((TIMES_MS[-1] + 83) * 1000, abs=2)
    capture, numbers = cv2.VideoCapture(str(out)), []
    while (got := capture.read())[0]:
        numbers.append(read_number(np.asarray(got[1], np.uint8)))
    capture.release()
    assert numbers == list(range(len(TIMES_MS)))


def test_times_finer_than_the_container_s(tmp_path: Path) -> None:
    times = [0.0, 0.25, 0.5, 10.001, 10.0021]
    found = frames(export(packets(times), tmp_path))
    assert [at for at, _ in found] == pytest.approx(times, abs=0.001)


def test_a_film_of_a_part_begins_at_once(tmp_path: Path) -> None:
    found = frames(export(packets(), tmp_path, "--start", "0.3", "--crf", "30"))
    assert [read_number(image) for _, image in found] == list(range(4, 10))
    assert found[0][0] == 0
    assert found[-1][0] == pytest.approx(1033, abs=0.001)


def test_colours_are_converted_and_tagged(tmp_path: Path) -> None:
    colours = [(0, 0, 255), (0, 255, 0), (255, 0, 0), (200, 60, 10), (255, 255, 255), (0, 0, 0)]
    image = np.zeros((96, 192, 3), np.uint8)
    for number, colour in enumerate(colours):
        image[:, 32 * number : 32 * number + 32] = colour
    given = packet(0, 0, (192, 96))
    jpeg = encode(image, 95)
    header = msgspec.structs.replace(given.header, crc32=checksum(jpeg))
    out = export([Packet(header, jpeg)], tmp_path, "--crf", "10")
    shown = decode(jpeg)
    ((_, film),) = frames(out)
    for number in range(len(colours)):
        x = 32 * number + 16
        assert np.abs(film[48, x].astype(int) - shown[48, x].astype(int)).max() <= 6, number
    with av.open(str(out)) as file:
        context = file.streams.video[0].codec_context
        facts = (context.color_range, context.colorspace, context.color_primaries)
        assert (*facts, context.color_trc) == (1, 1, 1, 1)  # limited range; BT.709 in ITU-T H.273


def test_odd_sizes_are_padded_and_said(tmp_path: Path, capsys: Output) -> None:
    out = export(packets([0, 40], size=(161, 97)), tmp_path)
    assert "padded from 161x97 to 162x98" in capsys.readouterr().out
    assert [image.shape for _, image in frames(out)] == [(98, 162, 3)] * 2


def test_a_size_that_changes_is_scaled_to_the_first(tmp_path: Path, capsys: Output) -> None:
    given = [packet(0, 0), packet(1, 40, (320, 192)), packet(2, 80, (320, 192)), packet(3, 120)]
    found = frames(export(given, tmp_path))
    assert [read_number(image) for _, image in found] == [0, 1, 2, 3]
    assert {image.shape for _, image in found} == {(96, 160, 3)}
    assert capsys.readouterr().out.count("scaled to 160x96") == 1


def test_without_libx264_something_else_is_taken_and_said(
    tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(h264, "_ENCODERS", ("no-such", "mpeg4"))
    times = [0, 41, 41.2, 300]
    out = export(packets(times), tmp_path)
    assert "encoded with mpeg4, without --crf" in capsys.readouterr().out
    with av.open(str(out)) as film:
        pictures = list(film.decode(video=0))
    numbers = [read_number(bgr(each)) for each in pictures]
    assert numbers == [0, 1, 2, 3]
    shown = [1000 * (each.time or 0) for each in pictures]
    assert shown == pytest.approx([0, 41, 42, 300], abs=0.01)


def test_a_pause_of_an_hour_stays(tmp_path: Path) -> None:
    found = frames(export(packets([0, 40, 4_000_000]), tmp_path))
    assert [read_number(image) for _, image in found] == [0, 1, 1, 1, 2]
    assert found[-1][0] == pytest.approx(4_000_000, abs=0.01)


def test_gray(tmp_path: Path) -> None:
    jpeg = encode(np.full((96, 160), 77, np.uint8), 95)
    given = packet(0, 0, channels=1, crc32=checksum(jpeg))
    ((_, image),) = frames(export([Packet(given.header, jpeg)], tmp_path))
    assert np.abs(image.astype(int) - 77).max() <= 3
