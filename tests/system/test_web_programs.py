"""Programs that people point at a website's streams and snapshots."""

import http.client
import io
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from app.web.viewing import DEADLINE_S, MotionJpeg, ask_raw, connection, number_of
from framewire.common.testchart import read_number
from processes import commands, until
from websites import TOPIC, Website, start_website

WIDTH, HEIGHT = 320, 240
FRAMES = 100
DEBIAN = {"ffprobe": "ffmpeg", "gst-launch-1.0": "gstreamer1.0-tools"}
"""Packages of programs that are not called as they are."""
OPENCV = """
import sys
import cv2
from framewire.common.testchart import read_number

capture = cv2.VideoCapture(sys.argv[1])
for _ in range(int(sys.argv[2])):
    read, image = capture.read()
    print(read_number(image) if read else "nothing", flush=True)
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Website]:
    """One for all of them: they change nothing there."""
    with commands() as start:
        yield start_website(start, f"pattern:{WIDTH}x{HEIGHT}@60")


@pytest.fixture
def stream(site: Website) -> str:
    return f"http://{site.host}/stream/{TOPIC}"


@pytest.fixture
def snapshot(site: Website) -> str:
    return f"http://{site.host}/snapshot/{TOPIC}"


def program(name: str) -> str:
    """Where it is."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (Debian: {DEBIAN.get(name, name)})")
    return path


def run(name: str, *arguments: object) -> bytes:
    """What a program prints that does what it was asked for, and ends."""
    done = subprocess.run(
        [program(name), *map(str, arguments)],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=2 * DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def assert_rising(numbers: list[int | None], count: int) -> None:
    assert len(numbers) == count
    assert None not in numbers
    assert numbers == sorted(set(numbers))  # type: ignore[type-var]


# -- streams --------------------------------------------------------------------------------------


def test_ffmpeg_takes_a_hundred_frames_of_a_stream(stream: str) -> None:
    raw = ("-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "bgr24", "-")
    output = run("ffmpeg", "-v", "error", "-i", stream, "-frames:v", FRAMES, *raw)
    images = np.frombuffer(output, np.uint8).reshape(-1, HEIGHT, WIDTH, 3)
    assert_rising([read_number(image) for image in images], FRAMES)


def test_ffprobe_knows_what_a_stream_is(stream: str) -> None:
    entries = "format=format_name:stream=codec_name,width,height"
    facts = json.loads(run("ffprobe", "-v", "error", "-show_entries", entries, "-of", "json", stream))  # fmt: skip
    assert facts["format"] == {"format_name": "mpjpeg"}
    assert facts["streams"] == [{"codec_name": "mjpeg", "width": WIDTH, "height": HEIGHT}]


def test_opencv_reads_a_stream(stream: str) -> None:
    """In a process of its own, which can be ended whatever it waits for."""
    lines = run(sys.executable, "-c", OPENCV, stream, 30).split()
    assert_rising([int(line) for line in lines], 30)


def test_gstreamer_reads_a_stream(stream: str) -> None:
    launch = program("gst-launch-1.0")
    inspect = [program("gst-inspect-1.0"), "souphttpsrc"]
    if subprocess.run(inspect, check=False, capture_output=True).returncode != 0:
        pytest.skip("GStreamer has no souphttpsrc")
    source = ("souphttpsrc", f"location={stream}", "!", "multipartdemux", "!", "jpegdec")
    run(launch, "-q", *source, "!", "identity", "eos-after=30", "!", "fakesink")


@pytest.mark.parametrize(
    "line",
    [("wget", "-q", "-O"), ("curl", "-sS", "-o"), ("curl", "-sS", "--http1.0", "-o")],
    ids=["wget", "curl", "curl-HTTP/1.0"],
)
def test_a_stream_goes_into_a_file(line: tuple[str, ...], stream: str, tmp_path: Path) -> None:
    """As some make recordings. All is there that a part has, in the order of RFC 2046."""
    file = tmp_path / "stream.mjpeg"
    with subprocess.Popen([program(line[0]), *line[1:], str(file), stream]) as process:
        try:
            until(lambda: file.exists() and file.read_bytes().count(b"--framewire\r\n") > 30)
        finally:
            process.terminate()
    reader = io.BytesIO(file.read_bytes())
    numbers: list[int | None] = []
    while len(numbers) < 30:
        assert reader.readline() == b"--framewire\r\n"
        facts = http.client.parse_headers(reader)
        assert facts["Content-Type"] == "image/jpeg"
        numbers.append(number_of(reader.read(int(facts["Content-Length"]))))
        assert reader.readline() == b"\r\n"
    assert_rising(numbers, 30)


def test_the_standard_library_reads_a_stream(site: Website) -> None:
    with MotionJpeg(site, TOPIC) as client:
        assert client.status == 200
        assert_rising([number_of(client.part()[1]) for _ in range(30)], 30)


# -- snapshots ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how",
    [
        (),
        ("--http1.0",),
        ("-H", "Connection: close"),
        ("--http1.0", "-H", "Connection: keep-alive"),
    ],
    ids=["HTTP/1.1", "HTTP/1.0", "close", "HTTP/1.0-keep-alive"],
)
def test_curl_takes_a_snapshot(how: tuple[str, ...], snapshot: str, tmp_path: Path) -> None:
    file = tmp_path / "cam.jpg"
    before_ns = time.time_ns()
    head = io.BytesIO(run("curl", "-sS", *how, "-D", "-", "-o", file, snapshot))
    assert head.readline() == b"HTTP/1.1 200 OK\r\n"
    facts = http.client.parse_headers(head)
    picture = file.read_bytes()
    assert facts["Content-Type"] == "image/jpeg"
    assert int(facts["Content-Length"]) == len(picture)
    assert number_of(picture) == int(facts["X-Framewire-Sequence"])
    # The sender captured and sends by this machine's clock; a few seconds lie between at most.
    assert abs(int(facts["X-Framewire-Captured-Ns"]) - before_ns) < DEADLINE_S * 1e9


def test_curl_asks_for_heads_only(stream: str, snapshot: str) -> None:
    for url, content_type in ((snapshot, b"image/jpeg"), (stream, b"multipart/x-mixed-replace")):
        head = run("curl", "-sS", "-I", url)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\ncontent-type: " + content_type in head
    assert b"content-length" not in head.lower()  # a stream's is not known, and not 0


def test_snapshots_are_taken_one_after_another_on_one_connection(site: Website) -> None:
    with closing(connection(site.port)) as client:
        numbers: list[int | None] = []
        for _ in range(10):
            client.request("GET", f"/snapshot/{TOPIC}")
            numbers.append(number_of(client.getresponse().read()))
            time.sleep(0.05)  # three frames: on a busy machine fewer, and then one comes again
    assert None not in numbers
    assert numbers == sorted(numbers)  # type: ignore[type-var]


def test_who_asks_to_close_is_told_so(site: Website) -> None:
    """The answer ends with the connection: HTTP/1.0 knows no other end."""
    for version, more in (("1.0", ""), ("1.1", "Connection: close\r\n")):
        request = f"GET /healthz HTTP/{version}\r\nHost: {site.host}\r\n{more}\r\n"
        head, _, body = ask_raw(site, request.encode()).partition(b"\r\n\r\n")
        assert b"\r\nconnection: close" in head.lower()
        assert body == b"ok\n"


def test_programs_that_go_in_the_middle_make_no_noise(site: Website) -> None:
    request = f"GET /stream/{TOPIC} HTTP/1.1\r\nHost: {site.host}\r\n\r\n".encode()
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", site.port), DEADLINE_S) as client:
            client.sendall(request)
            assert client.recv(100)
    with MotionJpeg(site, TOPIC) as client_after:
        client_after.part()
    assert not site.command.errors
