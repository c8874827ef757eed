"""Addresses that a server listens at: ``HOST:PORT``, and the socket there."""

import errno
import ipaddress
import os
import re
import socket
from collections.abc import Collection
from dataclasses import dataclass

from framewire.common.errors import EndpointError, TransportError

__all__ = ["Address", "is_called", "listen", "parse_address"]

_SHAPE = re.compile(r"\A(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^:\[\]/\s\0]+):(?P<port>[0-9]{1,5})\Z")
_BACKLOG = 128
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """A host, without brackets, and a port; 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.partition("%")[0]).is_loopback
        except ValueError:  # a name: it may be anything
            return False

    @property
    def everywhere(self) -> bool:
        """Whether it stands for all addresses of this machine."""
        return self.host in ("0.0.0.0", "::")

    @property
    def names(self) -> Collection[str]:
        """What a server there may be called; empty: anything, as other machines know it by any name.

        A page of some other site can make its own name point at this machine. What is on loopback
        is not for that page: it may only be called by names that nobody else can give.
        """
        return {"localhost", "127.0.0.1", "::1", self.host} if self.local else ()


def is_called(host: str, names: Collection[str]) -> bool:
    """Whether a ``Host`` header, with a port or without, has one of these names. No names: any."""
    match = _HOST.fullmatch(host)
    return not names or bool(match and (match[1] or match[2]).lower() in names)


def parse_address(text: str) -> Address:
    """The address that `text` names, or `EndpointError` with what would work."""
    shape = _SHAPE.match(text)
    if not shape or int(shape["port"]) > 65535:
        raise EndpointError(
            f"bad address {text!r}: use HOST:PORT as in 127.0.0.1:8080; an IPv6 address goes in "
            "brackets, as in [::1]:8080"
        )
    return Address(shape["host"].strip("[]"), int(shape["port"]))


def listen(address: Address) -> socket.socket:
    """A listening TCP socket; `TransportError` says why there is none."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it means that two programs may have one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
        listener.listen(_BACKLOG)
    except (OSError, UnicodeError, TypeError) as error:  # the last two: no name of a host
        listener.close()
        raise TransportError(f"cannot listen at {address}: {_advice(error)}") from error
    return listener


def _advice(error: Exception) -> str:
    advice = {
        errno.EADDRINUSE: "another program has that port; end it, or choose another",
        errno.EACCES: "this user may not listen there; choose a port above 1023",
        errno.EADDRNOTAVAIL: "that address is not one of this machine's",
    }
    return advice.get(getattr(error, "errno", 0) or 0, str(error))
