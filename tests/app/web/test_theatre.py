"""Recordings over HTTP and WebSocket: the list, playing, downloads and cuts."""

import json
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from websockets.sync.client import ClientConnection

from app.web.shelving import BEGAN_NS, FRAME_NS, NAME, packet, record, writer
from app.web.viewing import (
    TOKEN,
    TOPIC,
    Viewer,
    ask,
    closing_code,
    connection,
    number_of,
    refused,
    take,
    until,
    watch,
)
from framewire.app.web import cutting, theatre
from framewire.app.web.access import Access
from framewire.common.recording import Recording

PLAY = f"/play/{TOPIC}"
COUNT = 50


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "rec"
    record(folder, [number for number in range(COUNT) if number not in (20, 21)])
    return folder


@pytest.fixture
def viewer(folder: Path) -> Iterator[Viewer]:
    with Viewer("tcp://127.0.0.1:1", recordings=folder) as viewer:
        yield viewer


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where cuts are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def say(client: ClientConnection, what: str, turn: int = 1, **more: object) -> None:
    client.send(json.dumps({"do": what, "turn": turn, **more}))


def answer(client: ClientConnection, turn: int) -> dict[str, Any]:
    """The facts of the frame that answers a command; all until then are acknowledged."""
    while True:
        facts, picture = take(client)
        client.send("ok")
        assert number_of(picture) == facts["sequence"]
        if facts["turn"] == turn:
            return facts


# -- the list -------------------------------------------------------------------------------------


def test_what_there_is(viewer: Viewer, folder: Path) -> None:
    (folder / "noise.mkv").write_bytes(b"\x1aE\xdf\xa3 no more")
    found = ask(viewer, "/api/recordings").json
    assert (found["folder"], found["unread"]) == ("rec", 0)
    assert [each["topic"] for each in found["topics"]] == ["", TOPIC]
    (file,) = found["topics"][1]["files"]
    assert file == {
        "name": NAME,
        "state": "finished",
        "reason": "",
        "began_ns": BEGAN_NS,
        "ended_ns": BEGAN_NS + (COUNT - 1) * FRAME_NS,
        "frames": COUNT - 2,
        "bytes": (folder / NAME).stat().st_size,
        "width": 160,
        "height": 96,
        "lost": 2,
        "gaps": [
            {"from_ns": BEGAN_NS + 19 * FRAME_NS, "to_ns": BEGAN_NS + 22 * FRAME_NS, "lost": 2}
        ],
    }
    assert ask(viewer, "/api/streams").json["recordings"] is True


def test_the_page(viewer: Viewer) -> None:
    page = ask(viewer, "/recordings")
    assert page.status == 200
    assert "text/html" in page.headers["Content-Type"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_without_a_folder_there_are_no_such_paths() -> None:
    with Viewer("tcp://127.0.0.1:1") as viewer:
        for path in ("/recordings", "/api/recordings", f"/recording/{NAME}", f"/cut/{TOPIC}"):
            assert ask(viewer, path).status == 404
        assert refused(viewer, PLAY) == 403


def test_the_gate_is_before_all(folder: Path) -> None:
    with Viewer("tcp://127.0.0.1:1", access=Access(TOKEN), recordings=folder) as viewer:
        cut = f"/cut/{TOPIC}?from_ns=0&to_ns=9"
        for path in ("/recordings", "/api/recordings", f"/recording/{NAME}", cut):
            assert ask(viewer, path).status == 401
        assert refused(viewer, PLAY) == 403
        with watch(viewer, path=f"{PLAY}?token={TOKEN}") as client:
            assert take(client)[0]["sequence"] == 0
        entered = ask(viewer, f"/recordings?token={TOKEN}", headers={"Accept": "text/html"})
        assert (entered.status, entered.headers["Location"]) == (303, "./recordings")


# -- playing --------------------------------------------------------------------------------------


def test_the_first_frame_stands(viewer: Viewer) -> None:
    with watch(viewer, path=PLAY) as client:
        facts, picture = take(client)
        client.send("ok")
        assert number_of(picture) == 0
        assert {
            name: facts[name] for name in ("topic", "turn", "file", "position_ns", "next_ns")
        } == {
            "topic": TOPIC,
            "turn": 0,
            "file": NAME,
            "position_ns": BEGAN_NS,
            "next_ns": BEGAN_NS + FRAME_NS,
        }
        assert (facts["metadata"], facts["growing"]) == ({"n": 0}, False)
        with pytest.raises(TimeoutError):
            client.recv(0.3)


def test_jumps_are_answered_exactly(viewer: Viewer) -> None:
    with watch(viewer, path=PLAY) as client:
        for turn, number in enumerate((40, 3, 19, 22, 49, 0), 1):
            say(client, "jump", turn, to_ns=BEGAN_NS + number * FRAME_NS)
            assert answer(client, turn)["sequence"] == number


def test_of_many_jumps_only_the_last_counts(viewer: Viewer) -> None:
    with watch(viewer, path=PLAY) as client:
        take(client)
        for turn in range(1, 41):
            say(client, "jump", turn, to_ns=BEGAN_NS + turn * FRAME_NS)
        client.send("ok")
        seen: list[dict[str, Any]] = []
        while not seen or seen[-1]["turn"] < 40:
            seen.append(take(client)[0])
            client.send("ok")
        assert seen[-1]["sequence"] == 40
        assert len(seen) < 10


def test_steps_are_exact_and_know_of_gaps(viewer: Viewer) -> None:
    with watch(viewer, path=PLAY) as client:
        say(client, "jump", 1, to_ns=BEGAN_NS + 18 * FRAME_NS)
        assert answer(client, 1)["sequence"] == 18
        for turn, (by, number) in enumerate(((1, 19), (1, 22), (-1, 19), (-19, 0), (-1, 0)), 2):
            say(client, "step", turn, by=by)
            assert answer(client, turn)["sequence"] == number


def test_playing_gives_every_frame_and_ends(viewer: Viewer) -> None:
    with watch(viewer, path=PLAY) as client:
        assert answer(client, 0)["sequence"] == 0
        say(client, "speed", 1, speed=4)
        say(client, "play", 2)
        seen: list[dict[str, Any]] = []
        while not seen or seen[-1]["next_ns"] is not None:
            seen.append(take(client)[0])
            client.send("ok")
        numbers = [facts["sequence"] for facts in seen]
        assert numbers == sorted(set(numbers))
        assert numbers[-1] == COUNT - 1
        assert len(numbers) > COUNT // 3, "not only the last"
        with pytest.raises(TimeoutError):
            client.recv(0.2)


def test_who_acknowledges_nothing_gets_nothing_more(viewer: Viewer) -> None:
    with watch(viewer, path=PLAY) as client:
        take(client)
        say(client, "play", 1)
        with pytest.raises(TimeoutError):
            client.recv(0.3)
        client.send("ok")
        assert take(client)[0]["sequence"] > 3, "the newest that is due"


def test_what_is_being_recorded_goes_on(viewer: Viewer, folder: Path) -> None:
    recording = writer(folder, packet(0, topic="lab/new"), "lab/new/now.mkv")
    for number in range(30):
        recording.write(packet(number, topic="lab/new"))
    with watch(viewer, path="/play/lab/new") as client:
        say(client, "play", 1)
        say(client, "jump", 2, to_ns=2**62)
        last = answer(client, 2)
        assert last["growing"]
        for number in range(30, 60):
            recording.write(packet(number, topic="lab/new"))
        facts, _ = take(client)
        assert facts["sequence"] > last["sequence"]
    recording.close()


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        '{"do":"fly","turn":1}',
        '{"do":"speed","turn":1,"speed":99}',
        "x" * 65,
        "{" * 201,
        b"ok",
    ],
)
def test_a_bad_message_ends_it(viewer: Viewer, bad: str | bytes) -> None:
    with watch(viewer, path=PLAY) as client:
        client.send(bad)
        assert closing_code(client) == 1003


@pytest.mark.parametrize("topic", ["lab/none", "..", "a/../b", "%2e%2e", "lab/cam1%00", "a" * 300])
def test_other_topics_are_not_played(
    viewer: Viewer, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(theatre, "OPEN_S", 0.0)
    assert refused(viewer, f"/play/{topic}") == 403


def test_seats_are_bounded(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theatre, "SEATS", 1)
    with watch(viewer, path=PLAY) as client:
        take(client)
        with watch(viewer, path=PLAY) as other:
            assert closing_code(other) == 1013
    with watch(viewer, path=PLAY) as client:
        assert take(client)[0]["sequence"] == 0


# -- downloads ------------------------------------------------------------------------------------


def test_a_download_is_the_file(viewer: Viewer, folder: Path) -> None:
    whole = (folder / NAME).read_bytes()
    found = ask(viewer, f"/recording/{NAME}")
    assert found.body == whole
    assert found.headers["Content-Type"] == "video/x-matroska"
    assert found.headers["Content-Disposition"] == (
        'attachment; filename="lab-cam1-2026-01-31T14-05-00.mkv"'
    )
    part = ask(viewer, f"/recording/{NAME}", headers={"Range": "bytes=100-199"})
    assert (part.status, part.body) == (206, whole[100:200])
    head = ask(viewer, f"/recording/{NAME}", method="HEAD")
    assert (head.headers["Content-Length"], head.body) == (str(len(whole)), b"")


def test_a_download_of_what_grows_is_what_there_was(viewer: Viewer, folder: Path) -> None:
    recording = writer(folder, packet(0), "now.mkv")
    for number in range(60):
        recording.write(packet(number))
    size = (folder / "now.mkv").stat().st_size
    found = ask(viewer, "/recording/now.mkv")
    assert found.body == (folder / "now.mkv").read_bytes()[:size]
    assert "attachment" in found.headers["Content-Disposition"]
    recording.close()


HOSTILE = [
    "../secret.mkv",
    "%2e%2e/secret.mkv",
    "..%2fsecret.mkv",
    "lab/cam1/../../../secret.mkv",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "lab/cam1/link.mkv",
    quote("\n" + NAME),
    quote(NAME.replace("/", "\n/")),
    quote(NAME + "\0"),
    quote("<script>alert(1)</script>"),
    "a" * 4096,
    "",
    ".",
    "lab",
    "lab/cam1",
]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_only_what_was_found_can_be_downloaded(viewer: Viewer, folder: Path, name: str) -> None:
    record(folder.parent, [1], "secret.mkv")
    (folder / TOPIC / "link.mkv").symlink_to(folder.parent / "secret.mkv")
    found = ask(viewer, f"/recording/{name}")
    assert found.status == 404
    assert b"secret" not in found.body


# -- cuts -----------------------------------------------------------------------------------------


def cut_path(first: int, last: int) -> str:
    return f"/cut/{TOPIC}?from_ns={BEGAN_NS + first * FRAME_NS}&to_ns={BEGAN_NS + last * FRAME_NS}"


def test_a_cut_is_a_recording_of_that_time(viewer: Viewer, tmp_path: Path, temporary: Path) -> None:
    found = ask(viewer, cut_path(15, 25))
    assert found.headers["Content-Disposition"] == (
        'attachment; filename="lab-cam1-2026-01-31T14-05-00.mkv"'
    )
    (tmp_path / "cut.mkv").write_bytes(found.body)
    with Recording(tmp_path / "cut.mkv") as recording:
        assert recording.finished
        numbers = [15, 16, 17, 18, 19, 22, 23, 24, 25]
        assert list(recording.packets()) == [packet(number) for number in numbers]
    until(lambda: not list(temporary.iterdir()), "nothing is left")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (cut_path(25, 15), 400),
        (f"/cut/{TOPIC}?from_ns=1&to_ns=2", 404),
        (f"/cut/{TOPIC}", 400),
        (f"/cut/{TOPIC}?from_ns=-1&to_ns=2", 400),
        (f"/cut/{TOPIC}?from_ns=1&to_ns=1e9", 400),
        (f"/cut/{TOPIC}?from_ns=1&to_ns={'9' * 4000}", 400),
        (f"/cut/{TOPIC}?from_ns=1&to_ns=%D9%A3", 400),
        ("/cut/../x?from_ns=1&to_ns=2", 404),
        ("/cut/none?from_ns=1&to_ns=2", 404),
    ],
)
def test_cuts_that_are_none(
    viewer: Viewer, path: str, status: int, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(theatre, "OPEN_S", 0.0)
    assert ask(viewer, path).status == status
    assert not list(temporary.iterdir())


def test_cuts_are_bounded_in_size(
    viewer: Viewer, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(theatre, "cut", lambda *given: cutting.cut(*given, most_bytes=10_000))
    assert ask(viewer, cut_path(0, 49)).status == 413
    assert not list(temporary.iterdir())


def test_cuts_are_bounded_in_number_and_end_when_nobody_waits(
    viewer: Viewer, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way: list[threading.Event] = []

    def slow(packets: Any, given_up: threading.Event) -> Path:
        under_way.append(given_up)
        assert given_up.wait(20)
        return cutting.cut(packets, given_up)

    monkeypatch.setattr(theatre, "cut", slow)
    monkeypatch.setattr(theatre, "CUTS", 1)
    client = connection(viewer.port)
    client.request("GET", cut_path(0, 9))
    until(lambda: under_way, "a cut is being made")
    busy = ask(viewer, cut_path(0, 9))
    assert (busy.status, busy.headers["Retry-After"]) == (503, "5")
    client.close()
    until(under_way[0].is_set, "it is given up")
    monkeypatch.setattr(theatre, "cut", cutting.cut)
    until(lambda: ask(viewer, cut_path(0, 9)).status == 200, "another one is made")
    until(lambda: not list(temporary.iterdir()), "nothing is left")


def test_a_cut_is_removed_when_the_client_goes_on_the_way(
    viewer: Viewer, folder: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = cutting.cut

    def large(*given: Any) -> Path:
        path = real(*given)
        with path.open("ab") as file:
            file.truncate(64 << 20)
        return path

    monkeypatch.setattr(theatre, "cut", large)
    client = connection(viewer.port)
    client.request("GET", cut_path(0, 9))
    assert client.getresponse().read(10)
    assert len(list(temporary.iterdir())) == 1
    assert client.sock
    client.sock.close()
    client.close()
    until(lambda: not list(temporary.iterdir()), "nothing is left")


def test_a_cut_that_fails_is_told_without_our_paths(
    viewer: Viewer, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "gone"))
    found = ask(viewer, cut_path(0, 9))
    assert found.status == 500
    assert str(temporary) not in found.text
