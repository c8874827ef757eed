"""Everything that is done to the topology: a row a fault. To add one: a block, and its row."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

import zmq

from framewire.common.keyfile import read_public, read_secret
from soak.attacks import garbage, hostile_messages, silent_connections, unread_streams
from soak.camera import Trouble
from soak.topology import Topology

__all__ = ["FAULTS", "BrokenPromise", "Fault"]

_CUT_OFF_S = 5.0
"""In which who is revoked is cut off ..."""
_ON_ITS_WAY_S = 0.5
"""... and what was sent before then is there."""


class BrokenPromise(Exception):
    """A fault showed at once that something is wrong: the invariant's name, and what."""


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
    seconds: tuple[float, float] | None = None
    """How long it lasts, from and to, where not any time will do."""
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
        raise BrokenPromise("starts", f"{target} did not: {part.log.read_text()[-500:]}")


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
    """To `bound` by somebody whose key is let in, or it would not hear of it."""
    endpoint, keys = f"tcp://127.0.0.1:{topology.ports[target]}", topology.keys

    def identify(peer: zmq.Socket[bytes]) -> None:
        own = read_secret(keys.secret("insider"))
        assert own.secret
        assert own.public
        peer.curve_secretkey, peer.curve_publickey = own.secret.encode(), own.public.encode()
        peer.curve_serverkey = read_public(keys.public(target)).encode()

    if target == "results":
        return hostile_messages(endpoint, zmq.PUSH, "evil", lambda peer: None)
    return hostile_messages(endpoint, zmq.PUB, "evil", identify)


# -- keys -----------------------------------------------------------------------------------------


def _with_keys(topology: Topology) -> list[str]:
    return [name for name in topology.links if "worker" not in name]


@contextmanager
def _revoked(topology: Topology, target: str) -> Iterator[None]:
    sender, receiver = target.split(">")
    binds = (sender, receiver) if topology.keys.let_in(sender, receiver) else (receiver, sender)
    with topology.keys.revoked(*binds):
        since_s = time.time()
        yield
        _check_cut_off(topology, target, since_s + _CUT_OFF_S + _ON_ITS_WAY_S)


def _check_cut_off(topology: Topology, link: str, since_s: float) -> None:
    for flow in topology.flows:
        heard = topology.parts[flow.part].life.topics.get(flow.topic)
        if link in flow.way and heard and heard.figures.get("captured_s", 0.0) > since_s:
            late_s = heard.figures["captured_s"] - since_s
            what = f"{flow.part} got frames of {flow.topic} {late_s:.1f} s too long after: revoke {link}"
            raise BrokenPromise("keys", what)


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
    "reset": Fault("connections reset", _links, _reset, weight=2, seconds=(0.0, 0.0)),
    "hang up": Fault("connections closed", _links, _hung_up, seconds=(0.0, 0.0)),
    "throttle": _link("20 kB a second", rate=20_000.0),
    "delay": _link("200 ms, give or take 100", delay_s=0.2, jitter_s=0.1),
    "flips": _link("one bit in 50,000 bytes turned around", flip_every=50_000),
    "silent": Fault("a hundred silent connections", _ports, _silent, harmless=True, weight=2),
    "garbage": Fault("random bytes", _ports, _garbage, harmless=True, weight=2),
    "hostile": Fault("hostile messages", _named("bound", "results"), _hostile, harmless=True),
    "unread streams": Fault("browsers that do not read", _named("web"), _unread_streams, harmless=True),
    "revoke": Fault("its key is removed, and put back", _with_keys, _revoked, weight=2, seconds=(7.0, 9.0)),
    "camera absent": _of_camera("the camera is gone", "absent"),
    "camera frozen": _of_camera("the picture stays the same", "frozen"),
    "camera silent": _of_camera("no more pictures", "silent"),
    "camera hangs up": _of_camera("hangs up after each picture", "hangs up"),
    "camera garbage": _of_camera("what comes is no JPEG", "garbage"),
}  # fmt: skip
"""By name."""
