"""Disks that fail beside live pictures: those go on."""

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from socket import create_connection
from typing import Self

import pytest

from app.web.viewing import ask
from faults.stalling import StallingDisk
from faults.visiting import HEALTH_S, Pair, honest
from framewire.common.container import RecordingReader
from processes import CLIPS, Command, Start, until
from system.recording import Cameras, check, frozen, numbers, real_disk, small_disk
from websites import TOPIC, Website, start_sender

FPS = 30
FROZEN_S = 10.0
MOST_DISK_S = 7.0
"""For an answer about recordings whose disk is silent: 5 s, and what a busy machine adds."""
END_S = 10.0


def camera() -> Cameras:
    return Cameras({TOPIC: 1 / FPS}, queue=3 * FPS)


def recorded(recorder: Command, more_than: int = 0) -> int:
    while (count := recorder.event("figures")["recorded"]) <= more_than:
        pass
    return int(count)


def lost(site: Website) -> int:
    (stream,) = ask(site, f"/api/streams?topic={TOPIC}").json["streams"]
    return int(stream["lost"])


def test_a_frozen_disk_beside_live_pictures(framewire: Start, tmp_path: Path) -> None:
    """A recorder writes to it, a website shows what is there, and its live viewers see nothing of it."""
    with real_disk(tmp_path / "disk") as disk, camera() as cameras:
        recorder = framewire("record", cameras.endpoint, "--out", str(disk), "--all", "--json")
        site = Website(framewire, cameras.endpoint, "--recordings", str(disk))
        recorded(recorder)
        until(lambda: ask(site, "/api/recordings").json["topics"] != [])
        with honest(site, Website(framewire, cameras.endpoint)) as visitors:
            visitors.begin()
            with frozen(disk):
                time.sleep(FROZEN_S)
            visitors.check()
            assert lost(site) == 0
        after = recorded(recorder)
        recorded(recorder, more_than=after)
        assert ask(site, "/api/recordings").status == 200
        recorder.process.terminate()
        summary = recorder.event("summary")
        assert recorder.wait() == 0
        assert (summary["lost"], summary["unwritten"]) == (0, 0)
        assert sum(len(check(path)) for path in disk.rglob("*.mkv")) == summary["recorded"]


class Impatient:
    """Asks for things of the disk again and again, and gives up after a moment, in threads."""

    def __init__(self, site: Website, paths: list[str], threads: int) -> None:
        self._site, self._paths = site, paths
        self.asked = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            path = self._paths[self.asked % len(self._paths)]
            self.asked += 1
            with suppress(OSError), create_connection(("127.0.0.1", self._site.port), 5) as client:
                client.sendall(f"GET {path} HTTP/1.1\r\nHost: {self._site.host}\r\n\r\n".encode())
                client.settimeout(0.3)
                client.recv(1024)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_a_disk_that_answers_no_reader(framewire: Start, tmp_path: Path) -> None:
    """Hundreds ask for recordings meanwhile, and go; live pictures, figures and pages are served."""
    real = tmp_path / "real"
    shutil.copytree(CLIPS, real)
    with camera() as cameras, StallingDisk(real, tmp_path / "disk") as disk:
        site = Website(framewire, cameras.endpoint, "--recordings", str(tmp_path / "disk"))
        topics = ask(site, "/api/recordings").json["topics"]
        name = topics[0]["files"][0]["name"]
        whole = (real / name).read_bytes()
        assert ask(site, f"/recording/{name}").body == whole
        with honest(site, Website(framewire, cameras.endpoint)) as visitors:
            disk.stall()
            visitors.begin()
            paths = ["/api/recordings", f"/recording/{name}", f"/cut/{TOPIC}?from_ns=1&to_ns=2"]
            began = time.monotonic()
            with Impatient(site, paths, 20) as others:
                while time.monotonic() - began < FROZEN_S:
                    for path in ("/", "/page/page.js", "/metrics", f"/snapshot/{TOPIC}"):
                        assert _seconds(site, path) < HEALTH_S, path
                    time.sleep(0.2)
                assert others.asked > 300
                assert disk.waiting
                asked = time.monotonic()
                assert ask(site, "/api/recordings").status == 503
                assert time.monotonic() - asked < MOST_DISK_S
            visitors.check()
            assert lost(site) == 0
            disk.go_on()
            until(lambda: ask(site, f"/recording/{name}").body == whole)
            until(lambda: ask(site, "/api/recordings").json["topics"] == topics)
            disk.stall()
            until(lambda: ask(site, "/api/recordings").status == 503)
        site.command.process.terminate()
        assert site.command.wait(END_S) == 0
    assert "Traceback" not in repr(site.command)


def _seconds(site: Website, path: str) -> float:
    began = time.monotonic()
    answer = ask(site, path)
    assert answer.status == 200, f"{path}: {answer.status} {answer.text[:100]}"
    return time.monotonic() - began


# -- the recorder's folder ------------------------------------------------------------------------


def _file_in_its_place(shelf: Path) -> None:
    shelf.rename(shelf.with_name("old"))
    shelf.write_text("no folder")


def _put_back(shelf: Path) -> None:
    shelf.unlink()


@contextmanager
def beside(framewire: Start, sender: str) -> Iterator[Pair]:
    with honest(Website(framewire, sender), Website(framewire, sender)) as visitors:
        visitors.begin()
        yield visitors
        visitors.check()


def test_a_file_where_the_folder_was(framewire: Start, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    with camera() as cameras, beside(framewire, cameras.endpoint):
        recorder = framewire(
            "record", cameras.endpoint, "--out", "shelf", "--segment", "1s", "--json"
        )
        recorded(recorder)
        _file_in_its_place(shelf)
        while recorder.event("disk")["state"] != "failing":
            pass
        _put_back(shelf)
        while recorder.event("disk")["state"] != "well":
            pass
        recorded(recorder, more_than=recorded(recorder))
        recorder.process.terminate()
        summary = recorder.event("summary")
        assert recorder.wait() == 1
    files = [*shelf.rglob("*.mkv"), *(tmp_path / "old").rglob("*.mkv")]
    assert sum(len(numbers(path)) for path in files) == summary["recorded"]
    assert summary["recorded"] + summary["unwritten"] == summary["delivered"]
    assert "Traceback" not in repr(recorder)


def test_a_folder_that_may_not_be_written_any_more(framewire: Start, tmp_path: Path) -> None:
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root on Linux, and setpriv")
    shelf = tmp_path / "shelf"
    humble = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    with camera() as cameras, beside(framewire, cameras.endpoint):
        recorder = framewire(
            *("record", cameras.endpoint, "--out", "shelf", "--segment", "1s", "--json"),
            within=lambda argv: [*humble, *argv],
        )
        recorded(recorder)
        for folder in (shelf / "lab" / "cam1", shelf / "lab", shelf):
            folder.chmod(0o500)
        while recorder.event("disk")["state"] != "failing":
            pass
        for folder in (shelf, shelf / "lab", shelf / "lab" / "cam1"):
            folder.chmod(0o755)
        while recorder.event("disk")["state"] != "well":
            pass
        recorder.process.terminate()
        summary = recorder.event("summary")
        assert recorder.wait() == 1
    assert sum(len(numbers(path)) for path in shelf.rglob("*.mkv")) == summary["recorded"]
    assert summary["recorded"] + summary["unwritten"] == summary["delivered"]
    assert "Permission denied" in recorder.errors[0]


def test_two_recorders_on_one_folder(framewire: Start, tmp_path: Path) -> None:
    """One is killed, and comes back; both have all their frames in files of their own."""
    arguments = ("--out", "shelf", "--segment", "1s", "--all", "--json")
    with camera() as cameras, beside(framewire, cameras.endpoint):
        first, second = (framewire("record", cameras.endpoint, *arguments) for _ in range(2))
        recorded(first, 40)
        killed = recorded(second, 40)
        second.signal(signal.SIGKILL)
        third = framewire("record", cameras.endpoint, *arguments)
        recorded(third, 40)
        summaries = []
        for recorder in (first, third):
            recorder.process.terminate()
            summaries.append(recorder.event("summary"))
            assert recorder.wait() in (0, 3)  # 3: the machine had a hiccup
    frames = sum(_frames(path) for path in (tmp_path / "shelf").rglob("*.mkv"))
    assert frames >= sum(each["recorded"] for each in summaries) + killed
    assert all(each["unwritten"] == 0 for each in summaries)


def _frames(path: Path) -> int:
    with closing(RecordingReader(path)) as reader:
        return sum(1 for _ in reader.packets())


# -- who else writes ------------------------------------------------------------------------------


def _snapshot(sender: str, clip: Path, out: Path) -> list[str]:
    return ["snapshot", sender, "--out", str(out / "cam.jpg")]


def _export(kind: str) -> Callable[[str, Path, Path], list[str]]:
    return lambda _, clip, out: [
        "export",
        str(clip),
        "--to",
        kind,
        "--out",
        str(out / f"film.{kind}"),
    ]


def _repair(sender: str, clip: Path, out: Path) -> list[str]:
    return ["repair", str(clip), "--out", str(out / "whole.mkv")]


def _pictures(sender: str, clip: Path, out: Path) -> list[str]:
    return ["record", sender, "--out", str(out / "pictures"), "--format", "images"]


@pytest.mark.parametrize(
    "line",
    [_snapshot, _export("mp4"), _export("csv"), _repair, _pictures],
    ids=["snapshot", "export to a film", "export to a table", "repair", "pictures"],
)
def test_a_full_disk_leaves_no_half_file(
    framewire: Start, tmp_path: Path, line: Callable[[str, Path, Path], list[str]]
) -> None:
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk(tmp_path / "disk", 64))
        with suppress(OSError), (disk / "ballast").open("wb") as ballast:
            while True:
                ballast.write(bytes(4096))
                ballast.flush()
        sender = start_sender(framewire, "pattern:1280x720@10")
        clip = max(CLIPS.rglob("*.mkv"), key=lambda path: path.stat().st_size)
        command = framewire(*line(sender, clip, disk))
        assert command.wait() == 1, command
        told = [error for error in command.errors if "No space left on device" in error]
        assert len(told) == 1, command
        assert "Traceback" not in repr(command)
        left = [path.name for path in disk.rglob("*") if path.is_file()]
        assert left == ["ballast"]
