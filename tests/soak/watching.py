"""Threads that look on while a soak runs."""

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from framewire.common.errors import JpegError
from framewire.common.jpeg import decode
from framewire.common.testchart import read_number
from soak.invariants import check
from soak.measures import measure, waits
from soak.part import Heard
from soak.scene import OWN, Scene

__all__ = ["count_dropped", "watching"]

_LOOK_S, _ASK_S, _COUNT_S, _MEASURE_S, _VISIT_S = 0.25, 0.5, 1.0, 2.0, 3.0
_ANSWER_S = 5.0
_DROPPED = re.compile(r"^framewire_dropped_frames_total\S* (\S+)$", re.MULTILINE)


@contextmanager
def watching(scene: Scene) -> Iterator[None]:
    """Look on, until the block is left."""
    with ExitStack() as stack:
        for act, every_s in (
            (_look, _LOOK_S),
            (_ask, _ASK_S),
            (count_dropped, _COUNT_S),
            (_visit, _VISIT_S),
            (_measure, _MEASURE_S),
        ):
            stack.enter_context(_repeated(act, scene, every_s))
        yield


@contextmanager
def _repeated(act: Callable[[Scene], None], scene: Scene, every_s: float) -> Iterator[None]:
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            due_s = time.monotonic() + every_s
            act(scene)
            ended.wait(max(0.0, due_s - time.monotonic()))
            if act is _look:
                scene.tick(time.monotonic() - due_s)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _look(scene: Scene) -> None:
    if scene.started:
        if not all(map(scene.is_judged, scene.topology.flows)):
            scene.unjudged_s += _LOOK_S
        check(scene, "always")


def _measure(scene: Scene) -> None:
    scene.note_waits(OWN, waits(os.getpid()))
    for name, part in scene.topology.parts.items():
        lives = scene.samples.setdefault(name, [])
        lives.extend([] for _ in range(len(part.lives) - len(lives)))
        if part.alive:
            sample = measure(part.pid, time.monotonic() - part.life.began_s)
            if sample:
                lives[-1].append(sample)
                scene.note_waits(name, waits(part.pid))


def count_dropped(scene: Scene) -> None:
    """What senders dropped themselves is no loss of those who take from them."""
    for part in scene.topology.parts.values():
        if part.alive and (url := part.life.told.get("metrics")):
            now_s = time.monotonic()
            with suppress(OSError, HTTPException):
                text = _get(urlsplit(url).port or 0, "/metrics")[1]
                part.life.dropped_s = now_s
                part.life.dropped = sum(map(float, _DROPPED.findall(text.decode())))


def _ask(scene: Scene) -> None:
    """The web viewer, as monitoring does and as a page does."""
    part = scene.topology.parts["web"]
    if not part.alive or not part.life.ready.is_set():
        return
    life = part.life
    try:
        _, text = _get(scene.topology.ports["web"], "/api/streams")
        for stream in json.loads(text)["streams"]:
            life.topics.setdefault(stream["topic"], Heard()).take(stream)
        status, text = _get(scene.topology.ports["web"], "/healthz")
    except (OSError, HTTPException, ValueError):
        return
    lines = text.decode().splitlines() if status == 503 else []
    scene.ill = dict(line.split(": ", 1) for line in lines if ": " in line)
    scene.asked_s = time.monotonic()


def _visit(scene: Scene) -> None:
    """The web viewer, as somebody who looks at a picture and at what was recorded."""
    part = scene.topology.parts["web"]
    if not part.alive or not part.life.ready.is_set():
        return
    for path, right in (("/snapshot/yard/cam", _is_picture), ("/api/recordings", _is_list)):
        try:
            status, body = _get(scene.topology.ports["web"], path)
        except (OSError, HTTPException):
            continue
        if status not in (200, 503) or (status == 200 and not right(body)):
            scene.events.complain("pages", f"{path}: {status}, {len(body)} bytes: {body[:100]!r}")


def _is_picture(body: bytes) -> bool:
    try:
        return read_number(decode(body)) is not None
    except JpegError:
        return False


def _is_list(body: bytes) -> bool:
    return isinstance(json.loads(body)["topics"], list)


def _get(port: int, path: str) -> tuple[int, bytes]:
    client = HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S)
    try:
        client.request("GET", path)
        answer = client.getresponse()
        return answer.status, answer.read()
    finally:
        client.close()
