"""Endpoints: ``[pattern+]tcp://host:port``, ``[pattern+]ipc://path``, ``[pattern+]inproc://name``. Pure."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from framewire.common.errors import EndpointError

__all__ = ["PATTERNS", "Endpoint", "check_exposure", "parse_endpoint", "parse_endpoints"]

PATTERNS = ("pub-sub", "req-rep", "push-pull")
"""How the two ends talk; the first is the default. docs/guide/patterns.md says which is for what."""

_SHAPE = re.compile(r"\A(?:(?P<pattern>[a-z-]+)\+)?(?P<transport>[a-z]+)://(?P<address>[^\0\n]+)\Z")
_TCP = re.compile(r"\A(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^:\[\]/\s]+):(?P<port>[0-9]{1,5}|\*)\Z")
_IPC_MAX_BYTES = 107  # sun_path in <sys/un.h>, less its closing zero


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A checked address. `str(endpoint)` gives it back with its pattern where that is not pub-sub."""

    pattern: str
    transport: str
    address: str

    @property
    def url(self) -> str:
        """What ZeroMQ takes."""
        return f"{self.transport}://{self.address}"

    def __str__(self) -> str:
        return self.url if self.pattern == PATTERNS[0] else f"{self.pattern}+{self.url}"

    @property
    def host(self) -> str:
        """Host of a tcp endpoint without brackets; empty for the others."""
        return self.address.rpartition(":")[0].strip("[]") if self.transport == "tcp" else ""

    @property
    def ipv6(self) -> bool:
        return ":" in self.host

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it when it is bound."""
        if self.transport != "tcp" or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.partition("%")[0]).is_loopback
        except ValueError:  # a name or an interface: it may be anything
            return False


def parse_endpoint(text: str, *, bind: bool) -> Endpoint:
    """The endpoint that `text` names, or `EndpointError` with the nearest thing that would work.

    A port ``*`` lets the system choose, where the endpoint is bound.
    """
    shape = _SHAPE.match(text)
    if not shape:
        hint = f"did you mean tcp://{text}?" if _TCP.match(text) else "use tcp://HOST:PORT"
        raise EndpointError(f"bad endpoint {text!r}: {hint}")
    pattern = shape["pattern"] or PATTERNS[0]
    if pattern not in PATTERNS:
        raise EndpointError(
            f"bad endpoint {text!r}: unknown pattern {pattern!r}, use {', '.join(PATTERNS)}"
        )
    endpoint = Endpoint(pattern, shape["transport"], shape["address"])
    fault = _address_fault(endpoint, bind)
    if fault:
        raise EndpointError(f"bad endpoint {text!r}: {fault}")
    return endpoint


def _address_fault(endpoint: Endpoint, bind: bool) -> str:
    if endpoint.transport == "ipc":
        long = len(endpoint.address.encode(errors="surrogateescape")) > _IPC_MAX_BYTES
        return f"an ipc path has at most {_IPC_MAX_BYTES} bytes" if long else ""
    if endpoint.transport == "inproc":
        return ""
    if endpoint.transport != "tcp":
        return f"unknown transport {endpoint.transport!r}, use tcp, ipc or inproc"
    tcp = _TCP.match(endpoint.address)
    if not tcp:
        return "use tcp://HOST:PORT; an IPv6 address goes in brackets, as in tcp://[::1]:5555"
    if tcp["port"] == "*":
        return "" if bind else "a port to connect to must be a number"
    if not 1 <= int(tcp["port"]) <= 65535:
        return "a port is a number from 1 to 65535"
    if tcp["host"] in ("*", "0.0.0.0", "[::]") and not bind:
        return f"{tcp['host']} names no machine to connect to"
    return ""


def parse_endpoints(texts: str | Iterable[str], *, bind: bool) -> tuple[Endpoint, ...]:
    """Several endpoints; a single string is one."""
    texts = (texts,) if isinstance(texts, str) else texts
    return tuple(parse_endpoint(text, bind=bind) for text in texts)


def check_exposure(endpoints: Iterable[Endpoint], *, insecure: bool) -> None:
    """Refuse, with `EndpointError`, to bind where strangers reach it, unless that is asked for."""
    for endpoint in endpoints:
        if not endpoint.local and not insecure:
            raise EndpointError(
                f"refusing to bind {endpoint} without keys: anyone who reaches this machine could "
                "connect; make keys with `framewire keygen NAME` and use --key and --allow (key=, allow= "
                "in Python), or allow anyone with --insecure (insecure=True)"
            )
