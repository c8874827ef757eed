"""Other services at the port, and other clients of ours: who is right is served again, and nothing leaks."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import pytest
import zmq

from faults.observing import descriptors, resident_bytes, threads
from faults.proxy import FaultProxy
from faults.showing import Receiving, program, showing
from faults.strangers import SAYINGS, SERVICES, Serve, Service, announced, oversized, says
from framewire.common.endpoint import PATTERNS
from processes import Start, free_port, until

AGAIN_S = 10.0
SETTLED_S, LOOKED_S = 4.0, 6.0
MORE_BYTES = 20_000_000
FLOWS_BYTES = 30_000
OVER_BYTES = 65 << 20  # the limit is 64 MiB

_PEER = {"pub-sub": b"PUB", "req-rep": b"ROUTER", "push-pull": b"PUSH"}
_CALLED = {"pub-sub": b"SUB", "req-rep": b"ROUTER", "push-pull": b"PULL"}
"""What a connecting sender expects."""
_WRONG = {"pub-sub": zmq.REP, "req-rep": zmq.PUB, "push-pull": zmq.ROUTER}


@dataclass(slots=True)
class Held:
    """What a process holds."""

    descriptors: int
    threads: int
    resident_bytes: int

    @classmethod
    def by(cls, pid: int) -> "Held":
        return cls(descriptors(pid), threads(pid), resident_bytes(pid))

    def check(self, before: "Held") -> None:
        assert self.threads <= before.threads
        assert self.descriptors <= before.descriptors + 4  # what is just being made
        assert self.resident_bytes <= before.resident_bytes + MORE_BYTES


@contextmanager
def wrong_socket(kind: int) -> Iterator[tuple[str, int]]:
    """A ZeroMQ socket of another kind, bound."""
    with zmq.Context() as context, context.socket(kind) as stranger:
        stranger.linger = 0
        yield "127.0.0.1", stranger.bind_to_random_port("tcp://127.0.0.1", 20000, 32000)


def services(stack: ExitStack, kinds: dict[str, bytes]) -> dict[tuple[str, str], FaultProxy]:
    """A proxy to each service, for each pattern."""
    found = {}
    for pattern in PATTERNS:
        kind = kinds[pattern]
        large: dict[str, Serve] = {
            "an exabyte": says(announced(kind)),
            "65 MiB": oversized(kind, OVER_BYTES),
        }
        addresses = {
            name: stack.enter_context(Service(serve)).address
            for name, serve in {**SERVICES, **large}.items()
        }
        addresses["wrong kind"] = stack.enter_context(wrong_socket(_WRONG[pattern]))
        for name, address in addresses.items():
            found[pattern, name] = stack.enter_context(FaultProxy(address))
    return found


def flows(proxies: dict[tuple[str, str], FaultProxy], side: str) -> None:
    """Frames come through every proxy in time."""
    before = {key: proxy.passed[side] for key, proxy in proxies.items()}  # type: ignore[index]
    end_s = time.monotonic() + AGAIN_S
    for key, proxy in proxies.items():
        while proxy.passed[side] < before[key] + FLOWS_BYTES:  # type: ignore[index]
            assert time.monotonic() < end_s, key
            time.sleep(0.05)


def test_receivers_find_their_sender_after_any_other_service(framewire: Start) -> None:
    with ExitStack() as stack:
        addresses = [word for p in PATTERNS for word in ("--bind", f"{p}+tcp://127.0.0.1:*")]
        sender = framewire("send", "pattern:640x480@30", *addresses, "--json")
        right = dict(zip(PATTERNS, sender.event("ready")["endpoints"], strict=True))
        proxies = services(stack, _PEER)
        calls = [f"{pattern}+tcp://127.0.0.1:{p.port}" for (pattern, _), p in proxies.items()]
        receiver = stack.enter_context(showing(*calls))
        until(lambda: bool(receiver.figures))
        time.sleep(SETTLED_S)
        before = Held.by(receiver.pid)
        time.sleep(LOOKED_S)
        Held.by(receiver.pid).check(before)
        assert not receiver.frames
        for (pattern, _), proxy in proxies.items():
            proxy.target = "127.0.0.1", int(right[pattern].rpartition(":")[2])
            proxy.hang_up()
        flows(proxies, "client")


def test_senders_that_connect_find_their_receiver_after_any_other_service(framewire: Start) -> None:
    with ExitStack() as stack:
        ports = {pattern: free_port() for pattern in PATTERNS}
        proxies = services(stack, _CALLED)
        calls = [f"{pattern}+tcp://127.0.0.1:{p.port}" for (pattern, _), p in proxies.items()]
        options = [word for call in calls for word in ("--connect", call)]
        sender = framewire("send", "pattern:640x480@30", *options, "--json")
        until(lambda: all(proxy.accepted for proxy in proxies.values()))
        time.sleep(SETTLED_S)
        before = Held.by(sender.process.pid)
        time.sleep(LOOKED_S)
        Held.by(sender.process.pid).check(before)
        bound = [Receiving((), {"bind": f"{p}+tcp://127.0.0.1:{ports[p]}"}) for p in PATTERNS]
        shows = stack.enter_context(program(*bound))
        until(lambda: all(each.endpoint for each in shows))
        for (pattern, _), proxy in proxies.items():
            proxy.target = "127.0.0.1", ports[pattern]
            proxy.hang_up()
        flows(proxies, "target")


def visit(port: int, words: bytes) -> None:
    """Say it and leave when there is an answer, or none."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as client:
        client.sendall(words)
        client.settimeout(0.2)
        client.recv(4096)
        time.sleep(0.02)  # so that all of it is heard


def knock(ports: list[int], end: threading.Event) -> None:
    """Every stranger at every port, again and again."""
    while not end.is_set():
        for port in ports:
            for words in SAYINGS.values():
                if end.is_set():
                    return
                visit(port, words)


@contextmanager
def wrong_sockets(ports: list[int]) -> Iterator[None]:
    """A REQ, a PUB, a SUB, a PUSH, a PULL and a DEALER at each port, which send what they can."""
    kinds = (zmq.REQ, zmq.PUB, zmq.SUB, zmq.PUSH, zmq.PULL, zmq.DEALER, zmq.XPUB)
    with zmq.Context() as context, ExitStack() as stack:
        for kind in kinds:
            each = stack.enter_context(context.socket(kind))
            each.linger = 0
            for port in ports:
                each.connect(f"tcp://127.0.0.1:{port}")
            with suppress(zmq.ZMQError):
                each.subscribe(b"")
            with suppress(zmq.ZMQError):
                each.send(b"who is there?", zmq.DONTWAIT)
        yield


@pytest.mark.parametrize("bound", ["sender", "receiver"])
def test_strangers_that_call_disturb_nobody(framewire: Start, bound: str) -> None:
    endpoints = {pattern: f"{pattern}+tcp://127.0.0.1:{free_port()}" for pattern in PATTERNS}
    ports = [int(each.rpartition(":")[2]) for each in endpoints.values()]
    option = "--bind" if bound == "sender" else "--connect"
    options = [word for each in endpoints.values() for word in (option, each)]
    sender = framewire("send", "pattern:320x240@30", *options, "--json")
    if bound == "sender":
        sender.event("ready")
        receiving = [Receiving((each,)) for each in endpoints.values()]
    else:
        receiving = [Receiving((), {"bind": each}) for each in endpoints.values()]
    with program(*receiving) as shows, ExitStack() as stack:
        for each in shows:
            each.wait_for_frames()
        attacked = sender.process.pid if bound == "sender" else shows[0].pid
        calm = Held.by(attacked)
        end = threading.Event()
        callers = [threading.Thread(target=knock, args=(ports, end)) for _ in range(4)]
        for caller in callers:
            caller.start()
        for caller in callers:
            stack.callback(caller.join)
        stack.callback(end.set)
        with wrong_sockets(ports):
            time.sleep(2)
            before = Held.by(attacked)
            began_s = time.time()
            time.sleep(5)
            assert Held.by(attacked).resident_bytes <= before.resident_bytes + MORE_BYTES
            for each, pattern in zip(shows, PATTERNS, strict=True):
                assert len(each.since(began_s)) > 5 * (1 if pattern == "push-pull" else 5), pattern
        end.set()
        for each in shows:
            each.wait_for_frames()
        until(lambda: descriptors(attacked) <= calm.descriptors, AGAIN_S)
        assert threads(attacked) <= calm.threads
