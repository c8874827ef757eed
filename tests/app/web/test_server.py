"""What each path answers, over real HTTP and WebSockets."""

import re
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

import cv2
import pytest

from app.web.conftest import Serve
from app.web.viewing import (
    ACK,
    DEADLINE_S,
    EVERYTHING,
    NOTHING,
    TOPIC,
    WANTED,
    Answer,
    Camera,
    MotionJpeg,
    Viewer,
    ask,
    ask_raw,
    closing_code,
    connect_raw,
    connection,
    deaf,
    noise,
    number_of,
    refused,
    see,
    stalled,
    take,
    until,
    watch,
    witness,
)
from framewire.app.web import hub as hub_module
from framewire.app.web import server
from framewire.app.web.limits import LIMITS
from framewire.common import __version__
from framewire.common.clock import NS, wall_ns
from framewire.common.testchart import read_number
from receiver.publishing import Station, packet, status

SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
BAD_NAMES = [
    "",
    "/",
    ".",
    "..",
    "../secret.txt",
    "lab/../cam1",
    "..%2fsecret.txt",
    "%2e%2e/%2e%2e/etc/passwd",
    "%2Fetc%2Fpasswd",
    "lab//cam1",
    "lab%2f%2fcam1",
    "lab/cam%201",
    "lab/cam1%00",
    "lab\\cam1",
    "lab%5ccam1",
    "lab/%C3%A4",
    "lab/%ff",
    "<script>",
    "a" * 300,
]
PATHS = [
    "/",
    "/page/page.js",
    f"/stream/{TOPIC}",
    f"/snapshot/{TOPIC}",
    "/api/streams",
    "/healthz",
    "/metrics",
]

NOWHERE = [
    "/page/../secret.txt",
    "/page/../../secret.txt",
    "/page/%2e%2e/secret.txt",
    "/page/..%2fsecret.txt",
    "/page/%2e%2e%2fsecret.txt",
    "/page/parts/../../secret.txt",
    "/page/..%5csecret.txt",
    "/page/..\\secret.txt",
    "/page/%252e%252e/secret.txt",
    "/page/../page-of-others/secret.txt",
    "/page/..%2fpage-of-others/secret.txt",
    "/page/link.txt",
    "/page//etc/passwd",
    "/page/%2fetc%2fpasswd",
    "/page/C:%5cWindows%5cwin.ini",
    "/page/page.js%00.txt",
    "/page/" + "a" * 300,
    "/page/" + "a/" * 2000,
    "/page/parts",
    "/page/parts/",
    "/page",
    "/page/",
    "/page-of-others/secret.txt",
    "/secret.txt",
    "/../secret.txt",
    "/..%2fsecret.txt",
    "//etc/passwd",
    "/index.html",
    "/nope",
    "/api",
    "/api/",
    "/api/streams/",
    "/api/streams/lab",
    "/healthz/",
    "/ws",
    f"/ws/{TOPIC}",
    "/stream",
    "/snapshot",
    "/%00",
    "/%ff",
]
ANSWERS = [
    ("/", "GET", 200),
    ("/", "HEAD", 200),
    ("/", "POST", 405),
    ("/nope", "GET", 404),
    ("/page/page.js", "GET", 200),
    ("/page/nope.js", "GET", 404),
    ("/page/page.js", "DELETE", 405),
    ("/api/streams", "GET", 200),
    ("/api/streams?topic=..", "GET", 404),
    ("/healthz", "GET", 503),
    ("/metrics", "GET", 200),
    ("/metrics", "HEAD", 200),
    ("/metrics", "POST", 405),
    ("/metrics/", "GET", 404),
    (f"/snapshot/{TOPIC}", "GET", 503),
    ("/snapshot/..", "GET", 404),
    ("/stream/..", "GET", 404),
]


@pytest.fixture
def station(nothing_is_left: None) -> Iterator[Station]:
    """A sender that says nothing by itself."""
    with Station() as station:
        yield station


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is waited for that will not come."""
    monkeypatch.setattr(server, "SNAPSHOT_S", 0.1)
    monkeypatch.setattr(server, "HEALTH_S", 0.1)


def show(camera: Camera, viewer: Viewer, number: int) -> None:
    """Show a picture, and wait until the viewer has it."""

    def is_there() -> bool:
        newest = viewer.ask(lambda hub: hub.newest(TOPIC))
        return newest is not None and number_of(newest.payload) == number

    camera.show(number)
    until(is_there, f"{number} arrived")


def nobody_listens(station: Station) -> bool:
    station.look(1)
    return station.subscriptions == 0


# -- WebSockets -----------------------------------------------------------------------------------


def test_a_frame_over_a_web_socket(camera: Camera, viewer: Viewer) -> None:
    with witness(camera) as receiver, watch(viewer) as client:
        until(lambda: camera.sender.receivers == 2, "subscribed")
        before_ns = wall_ns()
        camera.show(7, gain=4, place={"name": "Höhe", "at": [1, 2.5, None, True]})
        facts, picture = take(client)
        sent = receiver.read_packet()
    assert picture == sent.payload
    assert number_of(picture) == 7
    assert facts["topic"] == TOPIC
    assert facts["sequence"] == sent.sequence
    assert facts["captured_ns"] == sent.header.captured_ns >= before_ns
    assert facts["sender"] == sent.header.sender
    assert (facts["width"], facts["height"], facts["codec"]) == (160, 96, "jpeg")
    assert facts["metadata"] == {
        "gain": 4,
        "place": {"name": "Höhe", "at": [1, 2.5, None, True]},
    }
    assert 0 <= facts["age_ms"] <= (wall_ns() - before_ns) / 1e6


def test_the_age_of_a_replayed_frame_counts_from_its_sending(
    camera: Camera, viewer: Viewer
) -> None:
    long_ago = packet(3, replay=True)
    with watch(viewer) as client:
        until(lambda: camera.demand == WANTED, "subscribed")
        before_ns = wall_ns()
        camera.sender.forward(long_ago)
        facts, picture = take(client)
    assert picture == long_ago.payload
    assert facts["captured_ns"] == long_ago.header.captured_ns
    assert 0 <= facts["age_ms"] <= (wall_ns() - before_ns) / 1e6


def test_metadata_that_json_does_not_know(camera: Camera, viewer: Viewer) -> None:
    with watch(viewer) as client:
        until(lambda: camera.demand == WANTED, "subscribed")
        camera.show(1, nothing=float("nan"), endless=float("inf"), raw=b"\x00\xff", big=2**63 - 1)
        facts, picture = take(client)
    assert number_of(picture) == 1
    assert facts["metadata"]["nothing"] is None
    assert facts["metadata"]["endless"] is None
    assert facts["metadata"]["big"] == 2**63 - 1


def test_without_an_acknowledgement_there_is_no_next_frame(camera: Camera, viewer: Viewer) -> None:
    with watch(viewer) as client:
        until(lambda: camera.demand == WANTED, "subscribed")
        camera.show(0)
        assert number_of(take(client)[1]) == 0
        for number in range(1, 5):
            show(camera, viewer, number)
        with pytest.raises(TimeoutError):
            client.recv(0.2)
        client.send("ok")
        assert see(client) == 4, "not the newest"
        with pytest.raises(TimeoutError):
            client.recv(0.1)
        camera.show(5)
        assert see(client) == 5


def test_viewers_do_not_wait_for_each_other(camera: Camera, viewer: Viewer) -> None:
    with watch(viewer) as slow, watch(viewer) as quick, camera.streaming():
        first = number_of(take(slow)[1])
        seen = [see(quick) for _ in range(20)]
        assert seen == sorted(set(seen))
        slow.send("ok")
        until(lambda: see(quick) > seen[-1] + 5)
        assert number_of(take(slow)[1]) > first
        assert viewer.viewers == 2
        assert camera.demand == WANTED
        assert camera.sender.receivers == 1, "a frame is taken once for all"
    until(lambda: camera.demand == NOTHING, "unsubscribed")


def test_a_topic_that_does_not_exist_yet_is_waited_for(camera: Camera, viewer: Viewer) -> None:
    with watch(viewer, "lab/later") as client:
        until(lambda: camera.demand == {b"lab/later/"}, "subscribed")
        with pytest.raises(TimeoutError):
            client.recv(0.1)
        camera.show(3, "lab/later")
        assert see(client) == 3


def test_a_viewer_that_vanishes_is_forgotten(camera: Camera, viewer: Viewer) -> None:
    with watch(viewer) as client:
        until(lambda: viewer.viewers == 1 and camera.demand == WANTED)
        client.socket.shutdown(socket.SHUT_RDWR)  # without a word
        until(lambda: viewer.viewers == 0)
        until(lambda: camera.demand == NOTHING)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("x" * 65, 1003),
        ("x" * 1024, 1003),
        ("x" * 1025, 1009),
        ("x" * 1_000_000, 1009),
        (b"ok", 1003),
        (b"", 1003),
    ],
    ids=["65", "1024", "1025", "1000000", "binary", "empty binary"],
)
def test_what_is_no_acknowledgement_ends_it(
    answer: str | bytes, code: int, camera: Camera, viewer: Viewer
) -> None:
    with watch(viewer) as client:
        client.send(answer)
        assert closing_code(client) == code
    until(lambda: viewer.viewers == 0)
    with watch(viewer) as client:
        until(lambda: camera.demand == WANTED)
        camera.show(1)
        assert see(client) == 1


@pytest.mark.parametrize("answer", [b"\x82\x82\0\0\0\0ok", b"\x81\xc1\0\0\0\0" + b"x" * 65])
def test_who_says_nonsense_and_goes_makes_no_noise(
    answer: bytes, camera: Camera, viewer: Viewer, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(10):
        with deaf(viewer) as client:
            client.sendall(answer)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    until(lambda: viewer.connections == 0 and camera.demand == NOTHING)
    assert caplog.records == []


def test_who_answers_no_ping_and_reads_nothing_makes_no_noise(
    camera: Camera, viewer: Viewer, caplog: pytest.LogCaptureFixture
) -> None:
    """Something waits to be sent still when the WebSocket is given up, and then comes a frame."""
    with deaf(viewer) as client:
        until(lambda: camera.demand == WANTED)
        number = 0
        while not 0 < viewer.most_waiting_bytes < 30_000:
            camera.show(number := number + 1)
            client.sendall(ACK)
            time.sleep(0.003)  # faster would be a flood
            assert number < 10_000
        viewer.lose_patience()
        client.sendall(ACK)
        with watch(viewer) as other:
            for _ in range(3):
                camera.show(number := number + 1)
                see(other)
    until(lambda: viewer.viewers == 0)
    assert caplog.records == []


def test_words_that_nobody_asked_for_do_no_harm(camera: Camera, viewer: Viewer) -> None:
    with watch(viewer) as client:
        for word in ("", "ok", "{}", "x" * 64):
            client.send(word)
        until(lambda: camera.demand == WANTED)
        for number in range(3):
            camera.show(number)
            assert see(client) == number


def test_a_bad_name_is_refused(camera: Camera, viewer: Viewer) -> None:
    for name in BAD_NAMES:
        for path in (f"/snapshot/{name}", f"/stream/{name}"):
            answer = ask(viewer, path)
            assert answer.status == 404, path
            assert answer.headers.get_content_type() == "text/plain"
            assert "secret" not in answer.text.replace(unquote(name), "")
        assert refused(viewer, f"/ws/{name}") == 403, name
    assert viewer.viewers == 0
    assert camera.demands == [], "something was asked for"


def test_web_sockets_are_nowhere_else(viewer: Viewer) -> None:
    for path in ("/nope", "/ws", *PATHS):
        assert refused(viewer, path) == 403, path


# -- streams --------------------------------------------------------------------------------------


def test_a_stream_of_pictures(camera: Camera, viewer: Viewer) -> None:
    with MotionJpeg(viewer) as stream:
        assert stream.status == 200
        assert stream.headers.get_content_type() == "multipart/x-mixed-replace"
        with camera.streaming():
            parts = [stream.part() for _ in range(10)]
    numbers = [number_of(picture) for _, picture in parts]
    assert numbers == sorted(set(numbers))
    for facts, picture in parts:
        assert facts.get_content_type() == "image/jpeg"
        assert int(facts["X-Framewire-Sequence"]) >= 0
        assert 0 <= wall_ns() - int(facts["X-Framewire-Captured-Ns"]) < 60 * NS
        assert (picture[:2], picture[-2:]) == (b"\xff\xd8", b"\xff\xd9")
    until(lambda: viewer.viewers == 0)
    until(lambda: camera.demand == NOTHING)


def test_a_picture_is_whole_before_the_next_comes(camera: Camera, viewer: Viewer) -> None:
    """Browsers show it when they see the boundary behind it."""
    with MotionJpeg(viewer) as stream:
        until(lambda: camera.demand == WANTED)
        camera.show(1)
        assert number_of(stream.part()[1]) == 1


def test_pictures_of_a_stream_are_those_that_were_sent(camera: Camera, viewer: Viewer) -> None:
    with MotionJpeg(viewer) as stream, witness(camera) as receiver:
        until(lambda: camera.sender.receivers == 2, "subscribed")
        camera.show(1)
        facts, picture = stream.part()
        sent = receiver.read_packet()
    assert picture == sent.payload
    assert facts["X-Framewire-Sequence"] == str(sent.sequence)
    assert facts["X-Framewire-Captured-Ns"] == str(sent.header.captured_ns)


def test_opencv_reads_a_stream(
    camera: Camera, viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    patience = round(DEADLINE_S * 1000)
    limits = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
        patience,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC,
        patience,
    ]
    with camera.streaming():
        url = f"http://{viewer.host}/stream/{TOPIC}"
        capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, limits)
        try:
            assert capture.isOpened()
            numbers = []
            for _ in range(10):
                read, image = capture.read()
                assert read
                numbers.append(read_number(image))  # type: ignore[arg-type]
        finally:
            capture.release()
    assert None not in numbers
    assert numbers == sorted(set(numbers))  # type: ignore[type-var]


def test_a_client_that_stops_reading_holds_nobody_up(camera: Camera, viewer: Viewer) -> None:
    with stalled(viewer), camera.streaming(draw=noise), watch(viewer) as client:
        until(lambda: viewer.viewers == 2)
        frame_bytes = len(take(client)[1])
        client.send("ok")
        assert frame_bytes > 100_000, "too little to fill anything"
        seen = [see(client) for _ in range(40)]
        assert seen == sorted(set(seen))
        assert viewer.viewers == 2
        assert viewer.most_waiting_bytes < 2 * frame_bytes
    until(lambda: viewer.viewers == 0)
    until(lambda: camera.demand == NOTHING)


def test_a_web_socket_that_stops_reading_holds_nobody_up(camera: Camera, viewer: Viewer) -> None:
    """Even if it acknowledges what it has not read."""
    with deaf(viewer) as client, camera.streaming(draw=noise), watch(viewer) as other:
        for _ in range(40):
            client.sendall(ACK)
            see(other)
        assert viewer.most_waiting_bytes < 1_000_000
    until(lambda: viewer.viewers == 0)


def test_a_stream_ends_with_the_viewer(camera: Camera, viewer: Viewer) -> None:
    with MotionJpeg(viewer) as stream:
        until(lambda: camera.demand == WANTED)
        camera.show(1)
        stream.part()
        viewer.stop()
        assert stream.ended


# -- snapshots ------------------------------------------------------------------------------------


def test_a_snapshot_of_a_topic_that_nobody_looked_at(camera: Camera, viewer: Viewer) -> None:
    with camera.streaming():
        answer = ask(viewer, f"/snapshot/{TOPIC}")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    assert answer.headers["Cache-Control"] == "no-store"
    assert number_of(answer.body) >= 0
    assert 0 <= wall_ns() - int(answer.headers["X-Framewire-Captured-Ns"]) < 60 * NS
    until(lambda: camera.demand == NOTHING)


def test_a_snapshot_is_the_newest_frame_as_it_was_sent(camera: Camera, serve: Serve) -> None:
    viewer = serve(warm=True)
    until(lambda: camera.demand == EVERYTHING)
    with witness(camera) as receiver:
        for number in range(3):
            show(camera, viewer, number)
            sent = receiver.read_packet()
    for name in (TOPIC, f"{TOPIC}/", TOPIC.replace("/", "%2F")):
        answer = ask(viewer, f"/snapshot/{name}")
        assert answer.body == sent.payload
        assert answer.headers["X-Framewire-Sequence"] == str(sent.sequence)
        assert answer.headers["X-Framewire-Captured-Ns"] == str(sent.header.captured_ns)


def test_there_is_no_snapshot_of_nothing(viewer: Viewer, impatient: None) -> None:
    answer = ask(viewer, f"/snapshot/{TOPIC}")
    assert answer.status == 503
    assert answer.text == f"no frame of {TOPIC} came in 0.1 s\n"
    assert viewer.viewers == 0


def test_an_old_picture_is_no_snapshot(camera: Camera, serve: Serve, impatient: None) -> None:
    viewer = serve(warm=True)
    until(lambda: camera.demand == EVERYTHING)
    show(camera, viewer, 1)
    assert ask(viewer, f"/snapshot/{TOPIC}").status == 200
    camera.sender.announce("no-signal", "the cable is out", topic=TOPIC)
    until(lambda: viewer.ask(lambda hub: hub.newest(TOPIC)) is None)
    answer = ask(viewer, f"/snapshot/{TOPIC}")
    assert (answer.status, answer.text) == (503, f"{TOPIC}: no-signal, the cable is out\n")
    show(camera, viewer, 2)
    assert number_of(ask(viewer, f"/snapshot/{TOPIC}").body) == 2


def test_no_snapshot_when_the_viewer_ends(
    viewer: Viewer, camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SNAPSHOT_S", DEADLINE_S)
    with socket.create_connection(("127.0.0.1", viewer.port), DEADLINE_S) as client:
        client.sendall(f"GET /snapshot/{TOPIC} HTTP/1.1\r\nHost: {viewer.host}\r\n\r\n".encode())
        until(lambda: camera.demand == WANTED)
        viewer.stop()
        assert client.recv(65536).startswith(b"HTTP/1.1 503 ")


# -- what there is --------------------------------------------------------------------------------


def test_what_there_is(camera: Camera, viewer: Viewer) -> None:
    assert ask(viewer, "/api/streams").json["streams"] == []
    until(lambda: camera.demand == EVERYTHING)
    began_ns = wall_ns()
    with camera.streaming([TOPIC, "yard"]):
        until(
            lambda: (
                [
                    each["received"] > 3 and each["width"] > 0
                    for each in ask(viewer, "/api/streams").json["streams"]
                ]
                == [True, True]
            )
        )
    answer = ask(viewer, "/api/streams")
    assert answer.headers["Content-Type"] == "application/json"
    found = answer.json
    assert set(found) == {"version", "now_ns", "recordings", "streams"}
    assert found["recordings"] is False
    assert found["version"] == __version__
    assert began_ns < found["now_ns"] <= wall_ns()
    assert [each["topic"] for each in found["streams"]] == [TOPIC, "yard"]
    for each in found["streams"]:
        assert {name: type(value) for name, value in each.items()} == {
            "topic": str,
            "state": str,
            "reason": str,
            "since_ns": int,
            "fps": float,
            "bits_per_s": int,
            "age_ms": float,
            "width": int,
            "height": int,
            "quality": int,
            "lost": int,
            "received": int,
            "restarts": int,
        }
        assert (each["state"], each["reason"]) == ("live", "")
        assert began_ns <= each["since_ns"] <= found["now_ns"]
        assert (each["width"], each["height"], each["quality"]) == (160, 96, 85)
        assert (each["lost"], each["restarts"]) == (0, 0)
        assert each["age_ms"] >= 0


def test_what_there_is_before_the_first_frame(camera: Camera, viewer: Viewer) -> None:
    camera.sender.announce("no-signal", 'the "cable" is out', topic=TOPIC)
    until(lambda: ask(viewer, "/api/streams").json["streams"])
    (found,) = ask(viewer, "/api/streams").json["streams"]
    assert (found["state"], found["reason"]) == ("no-signal", 'the "cable" is out')
    assert found["age_ms"] is None
    assert (found["width"], found["fps"], found["received"]) == (0, 0, 0)


def test_one_topic_alone_can_be_asked_for(camera: Camera, viewer: Viewer) -> None:
    answer = ask(viewer, f"/api/streams?topic={TOPIC}")
    assert answer.status == 200
    until(lambda: camera.demand == WANTED)
    assert ask(viewer, "/api/streams?topic=lab%2F..%2Fcam1").status == 404
    assert ask(viewer, "/api/streams?topic=").status == 404
    assert camera.demands == [WANTED]


# -- health ---------------------------------------------------------------------------------------


def test_healthy_while_frames_arrive(camera: Camera, viewer: Viewer) -> None:
    with camera.streaming([TOPIC, "yard"]):
        for _ in range(2):
            answer = ask(viewer, "/healthz")
            assert (answer.status, answer.text) == (200, "ok\n")


def test_unhealthy_without_any_topic(viewer: Viewer, impatient: None) -> None:
    answer = ask(viewer, "/healthz")
    assert (answer.status, answer.text) == (503, "no frames of any topic\n")


def test_unhealthy_without_a_signal_and_healthy_again(camera: Camera, viewer: Viewer) -> None:
    with camera.streaming(["yard"]):
        camera.sender.announce("no-signal", "the cable is out", topic=TOPIC)
        answer = ask(viewer, "/healthz")
        assert (answer.status, answer.text) == (503, f"{TOPIC}: no-signal, the cable is out\n")
        camera.sender.announce("live", topic=TOPIC)
        until(lambda: ask(viewer, "/healthz").status == 200)


def test_what_ended_is_missed_by_nobody(camera: Camera, viewer: Viewer) -> None:
    with camera.streaming(["yard"]):
        camera.sender.announce("ended", topic=TOPIC)
        assert ask(viewer, "/healthz").status == 200
    camera.sender.announce("ended", topic="yard")

    def is_ill() -> bool:
        answer = ask(viewer, "/healthz")
        return (answer.status, answer.text) == (503, "no frames of any topic\n")

    until(is_ill)


def test_unhealthy_when_a_sender_is_not_heard_any_more(
    station: Station, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEALTH_S", 0.5)
    for module in (hub_module, server):
        monkeypatch.setattr(module, "STALE_S", 0.5)
    viewer = serve(station.url)
    with station.streaming():
        until(lambda: ask(viewer, "/healthz").status == 200, "healthy")
    until(lambda: ask(viewer, "/healthz").status == 503, "unhealthy")
    until(lambda: ask(viewer, "/healthz").text == f"{TOPIC}: stale\n", "stale")
    with station.streaming():
        until(lambda: ask(viewer, "/healthz").status == 200, "healthy again")


def test_unhealthy_when_a_sender_went_while_nobody_looked(
    station: Station, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was live when it was looked at last says nothing of now."""
    monkeypatch.setattr(hub_module, "_GLANCE_S", 2.0)
    monkeypatch.setattr(server, "HEALTH_S", 1.0)
    for module in (hub_module, server):
        monkeypatch.setattr(module, "STALE_S", 0.5)
    viewer = serve(station.url)
    with station.streaming():
        assert ask(viewer, "/healthz").status == 200

    def silent_s() -> float:
        return viewer.ask(lambda hub: hub.streams()[0].received.silent_s)

    until(lambda: nobody_listens(station))
    until(lambda: silent_s() > 1, "silent")
    monkeypatch.setattr(hub_module, "_GLANCE_S", 60.0)
    answer = ask(viewer, "/healthz")
    assert (answer.status, answer.text) == (503, f"{TOPIC}: stale\n")


def test_healthy_when_a_signal_came_back_while_nobody_looked(
    station: Station, serve: Serve
) -> None:
    viewer = serve(station.url)
    with watch(viewer):
        station.wait_for_subscriptions()
        station.send(status(0, "no-signal", "the cable is out"))
        until(
            lambda: viewer.ask(lambda hub: [each.state for each in hub.streams()]) == ["no-signal"]
        )
    until(lambda: nobody_listens(station))
    with station.streaming():
        assert ask(viewer, "/healthz").status == 200


# -- the page, and what there is not --------------------------------------------------------------


def test_the_page(viewer: Viewer) -> None:
    answer = ask(viewer, "/")
    assert (answer.status, answer.text) == (200, "<!doctype html><title>ours</title>")
    assert answer.headers.get_content_type() == "text/html"
    answer = ask(viewer, "/page/page.js")
    assert (answer.status, answer.text) == (200, "'ours'")
    assert answer.headers.get_content_type() in ("text/javascript", "application/javascript")
    assert ask(viewer, "/page/parts/grid.js").text == "'grid'"


def test_the_real_page_is_there() -> None:
    assert (Path(server.__file__).parent / "page" / "index.html").is_file()


def test_there_is_nothing_else(viewer: Viewer) -> None:
    for path in NOWHERE:
        answer = ask(viewer, path)
        assert answer.status == 404, path
        assert answer.text == "Not Found\n"
        assert answer.headers.get_content_type() == "text/plain"


def test_one_can_only_read(camera: Camera, viewer: Viewer) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "FROB"):
        for path in PATHS:
            answer = ask(viewer, path, method=method)
            assert answer.status == 405, (method, path)
            assert {each.strip() for each in answer.headers["Allow"].split(",")} == {"GET", "HEAD"}
    assert camera.demands == [], "something was asked for"


def test_heads_are_those_of_what_they_stand_before(camera: Camera, viewer: Viewer) -> None:
    with camera.streaming():
        for path in PATHS:
            request = f"HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            head, _, body = ask_raw(viewer, request.encode()).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), path
            assert body == b""
            with closing(connection(viewer.port)) as client:
                client.request("GET", path)
                answer = client.getresponse()
                assert f"\r\ncontent-type: {answer.headers['Content-Type']}\r\n".encode() in head
                assert ("Content-Length" in answer.headers) == (b"\r\ncontent-length: " in head)
                answer.close()
    until(lambda: viewer.viewers == 0)


def test_browsers_are_kept_from_harm_by_every_answer(viewer: Viewer, impatient: None) -> None:
    for path, method, code in ANSWERS:
        answer = ask(viewer, path, method=method)
        assert answer.status == code, (method, path)
        assert_safe(answer)


def assert_safe(answer: Answer) -> None:
    assert SAFE.items() <= {name.lower(): value for name, value in answer.headers.items()}.items()
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Server"] is None
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_pictures_have_those_headers_too(camera: Camera, viewer: Viewer) -> None:
    with camera.streaming(), MotionJpeg(viewer) as stream:
        pictures = ask(viewer, f"/snapshot/{TOPIC}").headers
        for headers in (pictures, stream.headers):
            assert SAFE.items() <= {name.lower(): value for name, value in headers.items()}.items()
            assert headers["Cache-Control"] == "no-store"


def test_an_error_of_ours_is_told_without_details(
    viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(stream: object) -> None:
        raise ZeroDivisionError("private words")

    monkeypatch.setattr(server, "_described", fail)
    monkeypatch.setattr(viewer.hub, "streams", lambda: [None])
    answer = ask(viewer, "/api/streams")
    assert answer.status == 500
    assert "private words" not in answer.text
    assert "Traceback" not in answer.text
    assert SAFE.items() <= {name.lower(): value for name, value in answer.headers.items()}.items()


def test_requests_one_after_another_on_one_connection(camera: Camera, viewer: Viewer) -> None:
    """A viewer that asked for a head can go on asking."""
    request = "{} {} HTTP/1.1\r\nHost: x\r\n{}\r\n"
    asked = [
        ("HEAD", f"/stream/{TOPIC}", ""),
        ("GET", "/page/page.js", ""),
        ("GET", "/nope", "Connection: close\r\n"),
    ]
    answers = ask_raw(viewer, "".join(request.format(*each) for each in asked).encode())
    assert re.findall(rb"HTTP/1\.1 (\d+)", answers) == [b"200", b"200", b"404"]


def test_who_asks_for_thousands_of_names_has_few_of_them_taken(
    camera: Camera, viewer: Viewer
) -> None:
    with closing(connection(viewer.port)) as client:
        for number in range(3 * LIMITS.glances):
            client.request("GET", f"/api/streams?topic=name{number}")
            assert client.getresponse().read()
    until(lambda: len(camera.demand) >= LIMITS.glances)
    assert len(camera.demand) <= LIMITS.glances + 1
    ask(viewer, "/api/streams")
    until(lambda: b"" in camera.demand, "all is taken all the same")
    until(lambda: camera.demand == NOTHING, "it is let go")


def test_who_goes_is_not_worked_for(viewer: Viewer) -> None:
    """More than may be connected, at once: each would hold a place for two seconds."""
    for _ in range(LIMITS.connections + 50):
        with connect_raw(viewer) as client:
            client.sendall(f"GET /snapshot/{TOPIC} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert ask(viewer, "/").status == 200
    until(lambda: viewer.viewers == 0)
