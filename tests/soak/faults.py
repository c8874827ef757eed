"""Everything that is done to the topology: a row a fault. To add one: a block, and its row."""

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

import zmq

from soak.attacks import garbage, hostile_messages, silent_connections, unread_streams
from soak.camera import Trouble
from soak.topology import Topology

__all__ = ["FAULTS", "Fault", "NotStarted"]


class NotStarted(Exception):
    """A part that was killed does not start again."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to one of its targets, while the block lasts."""

    does: str
    targets: Callable[[Topology], list[str]]
    act: Callable[[Topology, str], AbstractContextManager[None]]
    silences: bool = False
    """Nothing passes the target meanwhile."""
    harmless: bool = False
    """Nobody else notices."""
    weight: int = 1
    """How much more often than others it is drawn."""


# -- targets --------------------------------------------------------------------------------------


def _parts(topology: Topology) -> list[str]:
    return list(topology.parts)


def _links(topology: Topology) -> list[str]:
    return list(topology.links)


def _ports(topology: Topology) -> list[str]:
    return list(topology.ports)


def _named(*names: str) -> Callable[[Topology], list[str]]:
    return lambda topology: list(names)


# -- processes ------------------------------------------------------------------------------------


@contextmanager
def _killed(topology: Topology, target: str) -> Iterator[None]:
    part = topology.parts[target]
    part.kill()
    yield
    part.start()
    if not part.wait():
        raise NotStarted(target)


@contextmanager
def _stopped(topology: Topology, target: str) -> Iterator[None]:
    part = topology.parts[target]
    part.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        part.signal(signal.SIGCONT)


@contextmanager
def _unread(topology: Topology, target: str) -> Iterator[None]:
    reading = topology.parts[target].reading
    reading.clear()
    try:
        yield
    finally:
        reading.set()


# -- links ----------------------------------------------------------------------------------------


@contextmanager
def _faulty(topology: Topology, target: str, **faults: float | bool) -> Iterator[None]:
    link = topology.links[target]
    link.set(**faults)
    try:
        yield
    finally:
        link.set()


@contextmanager
def _cut(topology: Topology, target: str) -> Iterator[None]:
    with _faulty(topology, target, refuse=True):
        topology.links[target].reset()
        yield


@contextmanager
def _lost(topology: Topology, target: str) -> Iterator[None]:
    """What was on its way in a black hole never comes: as of a machine that lost its power."""
    with _faulty(topology, target, swallow=True):
        yield
    topology.links[target].reset()


@contextmanager
def _reset(topology: Topology, target: str) -> Iterator[None]:
    topology.links[target].reset()
    yield


@contextmanager
def _hung_up(topology: Topology, target: str) -> Iterator[None]:
    topology.links[target].hang_up()
    yield


# -- strangers, and the camera --------------------------------------------------------------------


def _silent(topology: Topology, target: str) -> AbstractContextManager[None]:
    return silent_connections(topology.ports[target])


def _garbage(topology: Topology, target: str) -> AbstractContextManager[None]:
    return garbage(topology.ports[target])


def _unread_streams(topology: Topology, target: str) -> AbstractContextManager[None]:
    return unread_streams(topology.ports[target], "yard/cam")


def _hostile(topology: Topology, target: str) -> AbstractContextManager[None]:
    kind = zmq.PUSH if target == "results" else zmq.PUB
    endpoint = f"tcp://127.0.0.1:{topology.ports[target]}"
    return hostile_messages(endpoint, kind, "evil", lambda peer: None)


@contextmanager
def _camera(topology: Topology, target: str, trouble: Trouble) -> Iterator[None]:
    topology.camera.trouble = trouble
    try:
        yield
    finally:
        topology.camera.trouble = ""


def _link(does: str, *, silences: bool = False, **faults: float | bool) -> Fault:
    def act(topology: Topology, target: str) -> AbstractContextManager[None]:
        return _faulty(topology, target, **faults)

    return Fault(does, _links, act, silences=silences)


def _of_camera(does: str, trouble: Trouble) -> Fault:
    return Fault(does, _named("camera"), partial(_camera, trouble=trouble))


FAULTS = {
    "kill": Fault("SIGKILL, and a new start", _parts, _killed, silences=True, weight=6),
    "stop": Fault("SIGSTOP, and SIGCONT", _parts, _stopped, silences=True, weight=3),
    "unread": Fault("nobody reads what it says, and its pipe is full", _parts, _unread, harmless=True),
    "cut": Fault("connections reset, new ones refused", _links, _cut, silences=True, weight=2),
    "black hole": Fault("everything is swallowed", _links, _lost, silences=True, weight=2),
    "stall": _link("nothing passes, and comes later", silences=True, stall=True),
    "reset": Fault("connections reset", _links, _reset, weight=2),
    "hang up": Fault("connections closed", _links, _hung_up),
    "throttle": _link("20 kB a second", rate=20_000.0),
    "delay": _link("200 ms, give or take 100", delay_s=0.2, jitter_s=0.1),
    "flips": _link("one bit in 50,000 bytes turned around", flip_every=50_000),
    "silent": Fault("a hundred silent connections", _ports, _silent, harmless=True, weight=2),
    "garbage": Fault("random bytes", _ports, _garbage, harmless=True, weight=2),
    "hostile": Fault("hostile messages", _named("bound", "results"), _hostile, harmless=True),
    "unread streams": Fault("browsers that do not read", _named("web"), _unread_streams, harmless=True),
    "camera absent": _of_camera("the camera is gone", "absent"),
    "camera frozen": _of_camera("the picture stays the same", "frozen"),
    "camera silent": _of_camera("no more pictures", "silent"),
    "camera hangs up": _of_camera("hangs up after each picture", "hangs up"),
    "camera garbage": _of_camera("what comes is no JPEG", "garbage"),
}  # fmt: skip
"""By name."""
