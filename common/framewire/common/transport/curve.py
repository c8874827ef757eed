"""CURVE: the arithmetic of keys, and what a socket is told of them."""

import zmq

from framewire.common.errors import KeyFileError
from framewire.common.keytext import KeyPair

__all__ = ["new_pair", "public_of", "use_as_client", "use_as_server"]


def new_pair() -> KeyPair:
    """A new pair, from the system's random numbers."""
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


def public_of(secret: str) -> str:
    """The public key that belongs to a secret one."""
    try:
        return zmq.curve_public(secret.encode()).decode()
    except zmq.ZMQError as error:
        raise KeyFileError(f"that is no secret key: {error}") from error


def use_as_server(socket: "zmq.Socket[bytes]", own: KeyPair, domain: bytes) -> None:
    """What is bound from now on talks with those only whom the handler of `domain` lets in.

    Without the last option libzmq lets everybody in where there is no handler.
    """
    socket.curve_server = 1
    socket.curve_publickey = own.public.encode()
    socket.curve_secretkey = own.secret.encode()
    socket.zap_domain = domain
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)


def use_as_client(socket: "zmq.Socket[bytes]", own: KeyPair, server: str) -> None:
    """What is connected from now on talks with the owner of the key `server` only."""
    socket.curve_server = 0
    socket.curve_publickey = own.public.encode()
    socket.curve_secretkey = own.secret.encode()
    socket.curve_serverkey = server.encode()
