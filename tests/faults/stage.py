"""A sender that is bound and one that connects, in every pattern, and receivers at both."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

from faults.observing import Connection, connections
from faults.proxy import FaultProxy
from faults.showing import Receiving, Showing, program
from framewire.common.endpoint import PATTERNS
from processes import Command, commands, free_port

__all__ = ["SIDES", "Side", "Stage", "stage", "where"]

Side = Literal["bound", "connecting"]
SIDES: tuple[Side, ...] = ("bound", "connecting")
"""What the sender does: the receiver does the other."""

Within = Callable[[list[str]], list[str]]


@dataclass(slots=True)
class Stage:
    """One receiver for each pattern and side: `receivers[pattern, side]`, all in one process."""

    senders: dict[Side, Command]
    receivers: dict[tuple[str, Side], Showing]
    ports: dict[tuple[str, Side], int]
    """Of the side that is bound."""
    proxies: dict[tuple[str, Side], FaultProxy]
    restart: Callable[[Side], Command]
    """Starts a sender again, with the same addresses."""

    def links(self, pattern: str, side: Side) -> set[Connection]:
        """The connections of the sender that lead to the receiver there."""
        port = self.ports[pattern, side]
        theirs = connections(self.receivers[pattern, side].pid)
        ends = {(each.remote_port, each.local_port) for each in theirs}
        return {
            each
            for each in connections(self.senders[side].process.pid)
            if port in (each.local_port, each.remote_port)
            and (each.local_port, each.remote_port) in ends
        }

    def signal_receivers(self, number: signal.Signals) -> None:
        next(iter(self.receivers.values())).process.send_signal(number)

    def holds(self, side: Side, link: Connection) -> bool:
        """Whether that connection is still there at the sender."""
        return link in connections(self.senders[side].process.pid)


def where(key: tuple[str, Side]) -> str:
    """For messages."""
    return f"{key[0]}, the sender is {key[1]}"


@contextmanager
def stage(
    source: str = "pattern:640x480@15",
    *,
    sender_host: str = "127.0.0.1",
    receiver_host: str = "127.0.0.1",
    at_sender: Within = lambda argv: argv,
    at_receiver: Within = lambda argv: argv,
    proxies: bool = False,
) -> Iterator[Stage]:
    """All of it, once every receiver shows frames; with `proxies` all connections lead through one."""
    ports = {(pattern, side): free_port() for pattern in PATTERNS for side in SIDES}
    insecure = [] if sender_host.startswith("127.") else ["--insecure"]
    with ExitStack() as stack:
        start = stack.enter_context(commands())
        between: dict[tuple[str, Side], FaultProxy] = {}
        if proxies:
            for key, port in ports.items():
                between[key] = stack.enter_context(FaultProxy(("127.0.0.1", port)))
        ways = {key: proxy.port for key, proxy in between.items()} or ports

        def send(side: Side) -> Command:
            option, host, used = (
                ("--bind", sender_host, ports)
                if side == "bound"
                else ("--connect", receiver_host, ways)
            )
            addresses = [f"{p}+tcp://{host}:{used[p, side]}" for p in PATTERNS]
            options = [word for each in addresses for word in (option, each)]
            return start("send", source, *options, *insecure, "--json", within=at_sender)

        def receiving(pattern: str, side: Side) -> Receiving:
            if side == "bound":
                return Receiving((f"{pattern}+tcp://{sender_host}:{ways[pattern, side]}",))
            endpoint = f"{pattern}+tcp://{receiver_host}:{ports[pattern, side]}"
            return Receiving((), {"bind": endpoint, "insecure": bool(insecure)})

        senders: dict[Side, Command] = {side: send(side) for side in SIDES}
        senders["bound"].event("ready")
        showing = program(*(receiving(*key) for key in ports), within=at_receiver)
        receivers = dict(zip(ports, stack.enter_context(showing), strict=True))
        for receiver in receivers.values():
            receiver.wait_for_frames()
        yield Stage(senders, receivers, ports, between, send)
