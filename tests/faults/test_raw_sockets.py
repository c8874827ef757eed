"""What a hostile peer may write to every port that framewire opens, byte by byte.

Whatever it is: the process lives, an honest peer that comes meanwhile is served within five seconds, and
those that were there before go on; and when the attackers are gone, so are their descriptors and memory.
"""

import os
import random
import socket
import socketserver
import struct
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from faults.zmtp import MORE, command, frame, greeting, message, property_, ready
from framewire.receiver import Receiver
from framewire.sender import Sender
from processes import Command, Start, commands, until
from scraping import scrape

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc (Linux)"),
    pytest.mark.timeout(120),
]

PATTERNS = ("pub-sub", "req-rep", "push-pull")
SERVED_S = 5.0
GONE_S = 20.0
"""Until libzmq has let go of the last: a handshake may take 3 s, and it backs off."""
MOST_BYTES = 48 << 20
ENDLESS_BYTES = 1 << 30
"""Three connections with 65 MiB each, and what comes until it is noticed on a busy machine."""
PER_PORT = 300
FEW = 8
"""Descriptors that come and go with honest peers; each attack holds ten times as many or more."""
PEERS = {
    "sender/pub-sub": b"SUB",
    "sender/req-rep": b"DEALER",
    "sender/push-pull": b"PULL",
    "receiver/pub-sub": b"XPUB",
    "receiver/req-rep": b"DEALER",
    "receiver/push-pull": b"PUSH",
}
"""What an honest peer of each port is."""


@dataclass
class Site:
    """A sender and receivers with every port that there is, and honest peers at all of them."""

    urls: dict[str, str]
    """Where ZeroMQ listens."""
    ports: dict[str, int]
    """The same, and where the small HTTP servers do."""
    metrics: dict[str, str]
    trigger: str
    processes: dict[str, Command]
    receivers: dict[str, Receiver]
    """Honest ones, there from the beginning; the honest sender is a process."""

    def frames(self, process: str) -> float:
        """How many frames a receiving process has taken in so far; this asks its metrics port."""
        told = scrape(self.metrics[process])
        return sum(
            value for (name, _), value in told.values.items() if name == "framewire_frames_total"
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with commands(tmp_path_factory.mktemp("attacked")) as start, ExitStack() as stack:
        binds = [("--bind", f"{pattern}+tcp://127.0.0.1:*") for pattern in PATTERNS]
        told = ("--metrics", "127.0.0.1:0", "--json")
        processes = {
            "sender": start("send", "pattern:160x120@30", *chain(*binds), *told),
            "taker": start("record", *binds[0], *binds[1], "--out", "kept", "--pre", "1s",
                           "--trigger", "http://127.0.0.1:0", *told),
            "worker": start("view", "--headless", *binds[2], *told),
        }  # fmt: skip
        ready = {name: each.event("ready") for name, each in processes.items()}
        urls = dict(zip(PEERS, chain(*(each["endpoints"] for each in ready.values())), strict=True))
        metrics = {name: str(each["metrics"]) for name, each in ready.items()}
        (trigger,) = processes["taker"].event("ready")["triggers"]
        served = [("--connect", urls[port]) for port in PEERS if port.startswith("receiver/")]
        start("send", "pattern:160x120@30", *chain(*served), "--json").event("ready")
        listening = {**urls, **{f"metrics of {name}": url for name, url in metrics.items()}}
        listening["trigger"] = trigger
        yield Site(
            urls=urls,
            ports={name: _port(url) for name, url in listening.items()},
            metrics=metrics,
            trigger=trigger,
            processes=processes,
            receivers={
                pattern: stack.enter_context(Receiver(urls[f"sender/{pattern}"]))
                for pattern in PATTERNS
            },
        )


def _port(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


# -- what is attacked with ------------------------------------------------------------------------

Attack = Callable[[ExitStack, str, int], None]
"""Does it to the port of that name; what is to stay open meanwhile goes on the stack."""


def _connected(stack: ExitStack, port: int, data: bytes = b"") -> socket.socket:
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), SERVED_S))
    _say(connection, data)
    return connection


def _say(connection: socket.socket, data: bytes) -> None:
    with suppress(OSError):  # the other end may have had enough
        connection.sendall(data)


def _shaken(stack: ExitStack, name: str, port: int, data: bytes) -> socket.socket:
    """As `_connected`, but a peer of ZeroMQ first ends its handshake as it should."""
    connection = _connected(stack, port, greeting() + ready(_kind(name)))
    came = b""
    with suppress(OSError):
        while name in PEERS and len(came) < 66:  # the other end's greeting, and READY after it
            came += connection.recv(4096) or b"?" * 66
    _say(connection, data)
    return connection


def _kind(name: str) -> bytes:
    return PEERS.get(name, b"SUB")


def _garbage(stack: ExitStack, name: str, port: int) -> None:
    chance = random.Random(name)
    for size in (1, 9, 10, 64, 65, 4096, 1 << 20):
        _connected(stack, port, chance.randbytes(size))
    for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\0\x01", bytes(1 << 20)):
        _connected(stack, port, data)


def _half_open(stack: ExitStack, name: str, port: int) -> None:
    """A handshake that stops after any number of bytes, three hundred times a port."""
    whole = greeting() + ready(_kind(name))
    for number in range(PER_PORT):
        _connected(stack, port, whole[: number % (len(whole) - 1)])


def _giant_frames(stack: ExitStack, name: str, port: int) -> None:
    for size in (2**63, 2**63 - 1, 2**64 - 1, 2**40, (64 << 20) + 1, 1 << 31):
        for flags in (0, MORE):
            _shaken(stack, name, port, frame(b"x", flags, size))
        _shaken(stack, name, port, command(b"PING", b"", size))
        _connected(stack, port, greeting() + command(b"READY", b"", size))


def _wrong_mechanisms(stack: ExitStack, name: str, port: int) -> None:
    for mechanism in (b"PLAIN", b"CURVE", b"GSSAPI", b"", b"X" * 20, b"NULL\0NULL", b"\xff" * 20):
        for said in (
            b"",
            ready(_kind(name)),
            command(b"HELLO", bytes(200)),
            command(b"ERROR", b"\x01x"),
        ):
            _connected(stack, port, greeting(mechanism) + said)
    for kind in (b"PUB", b"REQ", b"PAIR", b"", b"X" * 255, b"STREAM"):
        _connected(stack, port, greeting() + ready(kind) + message(b"", b"hello"))


def _old_versions(stack: ExitStack, name: str, port: int) -> None:
    """ZMTP 1.0 has no greeting but an identity, 2.0 a socket type in one byte; and versions to come."""
    _connected(stack, port, b"\x01\0" + frame(b"\x01") * 10)
    _connected(stack, port, b"\x06\0abcde" + b"\xff" + (2**63).to_bytes(8) + b"\0x")
    for kind in range(12):
        _connected(
            stack,
            port,
            b"\xff" + bytes(8) + b"\x7f\x01" + bytes((kind,)) + b"\0\0" + frame(b"\x01"),
        )
    for version in ((1, 0), (2, 0), (3, 1), (4, 0), (255, 255)):
        _connected(stack, port, greeting(version=version) + ready(_kind(name)) + frame(b"\x01"))


def _metadata_bombs(stack: ExitStack, name: str, port: int) -> None:
    many = b"".join(property_(b"X-%d" % number, b"y" * 100) for number in range(20_000))
    for more in (
        many,
        property_(b"X", bytes(4 << 20)),
        property_(b"X", b"", 2**31 - 1),
        property_(b"X", b"", 2**32 - 1),
        property_(b"", b""),
        property_(b"Identity", bytes(255)) * 100,
        property_(b"Resource", b"\xff" * 1000),
        b"\xff",
    ):
        _connected(stack, port, greeting() + ready(_kind(name), more) + frame(b"\x01"))


def _floods(stack: ExitStack, name: str, port: int) -> None:
    """Connections that come and go at once: closed, or reset, before and after a greeting."""
    for number in range(PER_PORT):
        with socket.create_connection(("127.0.0.1", port), SERVED_S) as connection:
            _say(connection, greeting() if number % 3 else b"")
            if number % 2:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _slow_bytes(stack: ExitStack, name: str, port: int) -> None:
    """Each byte a second after the last; in a thread that ends with the test."""
    whole = greeting() + ready(_kind(name)) if name in PEERS else b"GET /metrics HTTP/1.1\r\n\r\n"
    connections = [_connected(stack, port) for _ in range(20)]
    over = threading.Event()

    def drip() -> None:
        for byte in whole:
            for each in connections:
                _say(each, bytes((byte,)))
            if over.wait(1):
                return

    dripping = threading.Thread(target=drip)
    stack.callback(dripping.join)
    stack.callback(over.set)
    dripping.start()


def _wrong_messages(stack: ExitStack, name: str, port: int) -> None:
    """After a right handshake: commands where none belong, thousands of parts, subscriptions to all."""
    chance = random.Random(name)
    subscriptions = b"".join(message(b"\x01" + chance.randbytes(40)) for _ in range(5000))
    for said in (
        b"".join(message(chance.randbytes(200)) for _ in range(200)),
        message(*[b"x"] * 5000),
        message(*[b""] * 5000),
        b"".join(message(b"", chance.randbytes(100)) for _ in range(500)),
        command(b"SUBSCRIBE", b""), command(b"CANCEL", b"never"), command(b"", b""), command(b"X" * 255),
        frame(b"x", 0xFF), frame(b"x", 0x80), frame(b"\xff", 4), frame(b"", 4),
        subscriptions,
    ):  # fmt: skip
        _shaken(stack, name, port, said)


def _endless_messages(stack: ExitStack, name: str, port: int) -> None:
    """Always one more part, for a second or until it is cut off."""
    parts = frame(b"x" * 1000, MORE) * 64
    connection = _shaken(stack, name, port, b"")
    connection.settimeout(1)
    end = time.monotonic() + 1
    with suppress(OSError):
        while time.monotonic() < end:
            connection.sendall(parts)


# -- what must hold -------------------------------------------------------------------------------


def descriptors(process: Command) -> int:
    return len(os.listdir(f"/proc/{process.process.pid}/fd"))


def _honest_receivers_are_served(site: Site) -> None:
    """Those that were there, and one that comes now, at each port of the sender."""
    for pattern, receiver in site.receivers.items():
        assert receiver.read_packet(SERVED_S).payload, pattern
    for pattern in PATTERNS:
        with Receiver(site.urls[f"sender/{pattern}"]) as receiver:
            assert receiver.read_packet(SERVED_S).payload, pattern


def _honest_senders_are_heard(site: Site) -> None:
    """At each port of a receiver: the one that was there, and one that comes now."""
    for process in ("taker", "worker"):
        before = site.frames(process)
        until(lambda process=process, before=before: site.frames(process) > before, SERVED_S)  # type: ignore[misc]
    topic = f"new/{time.monotonic_ns()}"
    image = np.zeros((48, 64, 3), np.uint8)
    for port, process in (("pub-sub", "taker"), ("req-rep", "taker"), ("push-pull", "worker")):
        name = f"{topic}/{port}"
        with Sender(connect=[site.urls[f"receiver/{port}"]], topic=name) as sender:

            def came(name: str = name, process: str = process, sender: Sender = sender) -> bool:
                sender.send(image)
                time.sleep(0.03)
                return scrape(site.metrics[process]).has("framewire_frames_total", topic=name)

            until(came, SERVED_S)


def _an_honest_trigger_is_taken(site: Site) -> None:
    asking = urllib.request.Request(site.trigger, method="POST")
    with urllib.request.urlopen(asking, timeout=SERVED_S) as answer:
        assert answer.status == 202


def _withstands(site: Site, attack: Attack, most_bytes: int = MOST_BYTES) -> None:
    for receiver in site.receivers.values():
        receiver.read_packet(30)
    until(lambda: min(site.frames("taker"), site.frames("worker")) > 0)
    before = {
        name: (descriptors(each), each.resident_bytes()) for name, each in site.processes.items()
    }
    with ExitStack() as stack:
        for name, port in site.ports.items():
            attack(stack, name, port)
        _honest_receivers_are_served(site)
        _honest_senders_are_heard(site)
        _an_honest_trigger_is_taken(site)
    for name, process in site.processes.items():
        held, resident = before[name]
        until(lambda process=process, held=held: descriptors(process) <= held + FEW, GONE_S)  # type: ignore[misc]
        grown = process.resident_bytes() - resident
        assert grown < most_bytes, f"{name}: {grown >> 20} MiB more"
        assert process.process.poll() is None, process
        assert not any("Traceback" in line for line in process.errors), process


# -- and does -------------------------------------------------------------------------------------


def test_garbage(site: Site) -> None:
    _withstands(site, _garbage)


def test_half_open_handshakes_by_the_thousand(site: Site) -> None:
    _withstands(site, _half_open)


def test_giant_frames_and_commands(site: Site) -> None:
    _withstands(site, _giant_frames)


def test_wrong_mechanisms_and_socket_types(site: Site) -> None:
    _withstands(site, _wrong_mechanisms)


def test_peers_of_other_versions(site: Site) -> None:
    _withstands(site, _old_versions)


def test_metadata_bombs(site: Site) -> None:
    _withstands(site, _metadata_bombs)


def test_floods_of_connections(site: Site) -> None:
    _withstands(site, _floods)


def test_slow_bytes(site: Site) -> None:
    _withstands(site, _slow_bytes)


def test_messages_that_are_none(site: Site) -> None:
    _withstands(site, _wrong_messages)


def test_messages_without_an_end(site: Site) -> None:
    """A receiver takes messages of 64 MiB, so much may have come of each of two before they are cut."""
    _withstands(site, _endless_messages, ENDLESS_BYTES)


# -- who is connected to --------------------------------------------------------------------------


class _Endless(socketserver.BaseRequestHandler):
    """Poses as a sender: a good handshake, then a message without an end."""

    server: "_Hostile"

    def handle(self) -> None:
        with suppress(OSError):
            self.request.settimeout(SERVED_S)
            self.request.sendall(greeting() + ready(self.server.kind))
            self.request.recv(64, socket.MSG_WAITALL)
            self.request.recv(2)
            while True:
                self.request.sendall(frame(b"x" * 1000, MORE) * 64)
                self.server.sent.set()


class _Hostile(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, kind: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Endless)
        self.kind = kind
        self.sent = threading.Event()


@pytest.fixture
def hostile() -> Iterator[dict[str, _Hostile]]:
    """Servers that pose as the senders of each pattern."""
    with ExitStack() as stack:
        servers = {}
        for pattern, kind in zip(PATTERNS, (b"XPUB", b"ROUTER", b"PUSH"), strict=True):
            server = servers[pattern] = stack.enter_context(_Hostile(kind))
            stack.callback(server.shutdown)
            threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        yield servers


def test_senders_that_never_end_a_message(
    framewire: Start, site: Site, hostile: dict[str, _Hostile]
) -> None:
    bad = [f"{pattern}+tcp://127.0.0.1:{server.server_address[1]}"
           for pattern, server in hostile.items()]  # fmt: skip
    receiver = framewire("view", site.urls["sender/pub-sub"], *bad, "--headless", "--json")
    until(lambda: receiver.event("figures")["received"] > 0)
    for server in hostile.values():
        assert server.sent.wait(GONE_S)
    before = receiver.event("figures")["received"]
    until(lambda: receiver.event("figures")["received"] > before + 30, 2 * SERVED_S)
    assert receiver.resident_bytes() < ENDLESS_BYTES
    assert "does not end" in "".join(receiver.errors)
