"""ZMTP by hand, right and wrong: what a peer of ZeroMQ may write (RFC 23/ZMTP 3.0, 15/ZMTP 2.0, 13/ZMTP 1.0)."""

__all__ = ["MORE", "command", "frame", "greeting", "message", "property_", "ready"]

MORE, LONG, COMMAND = 1, 2, 4


def greeting(mechanism: bytes = b"NULL", version: tuple[int, int] = (3, 0)) -> bytes:
    """The first 64 bytes of a peer."""
    signature = b"\xff" + bytes(8) + b"\x7f"
    return signature + bytes(version) + mechanism.ljust(20, b"\0") + bytes(32)


def frame(body: bytes, flags: int = 0, size: int | None = None) -> bytes:
    """A frame; `size` is what it says of its length, if that is not the truth."""
    said = len(body) if size is None else size
    if said < 256:
        return bytes((flags, said)) + body
    return bytes((flags | LONG,)) + said.to_bytes(8) + body


def command(name: bytes, body: bytes = b"", size: int | None = None) -> bytes:
    return frame(bytes((len(name),)) + name + body, COMMAND, size)


def property_(name: bytes, value: bytes, size: int | None = None) -> bytes:
    """Of READY; `size` is what it says of the value's length."""
    said = len(value) if size is None else size
    return bytes((len(name),)) + name + said.to_bytes(4) + value


def ready(kind: bytes, *more: bytes) -> bytes:
    """What ends the handshake of a socket of that kind, with `more` properties."""
    return command(b"READY", b"".join((property_(b"Socket-Type", kind), *more)))


def message(*parts: bytes) -> bytes:
    last = len(parts) - 1
    return b"".join(frame(part, MORE if at < last else 0) for at, part in enumerate(parts))
