"""Bytes as text in which ZeroMQ writes keys: Z85 (RFC 32), four bytes in five characters. Pure."""

__all__ = ["ALPHABET", "decode", "encode"]

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"

_BASE = len(ALPHABET)


def encode(data: bytes) -> str:
    """As text; the number of bytes is a multiple of four."""
    text: list[str] = []
    for start in range(0, len(data), 4):
        value = int.from_bytes(data[start : start + 4], "big")
        group = []
        for _ in range(5):
            value, digit = divmod(value, _BASE)
            group.append(ALPHABET[digit])
        text += reversed(group)
    return "".join(text)


def decode(text: str) -> bytes:
    """The bytes; `ValueError` if it is no such text."""
    if len(text) % 5:
        raise ValueError("its length is not a multiple of five")
    data = bytearray()
    for start in range(0, len(text), 5):
        value = 0
        for character in text[start : start + 5]:
            value = value * _BASE + ALPHABET.index(character)  # ValueError: not one of them
        if value >> 32:
            raise ValueError("five characters stand for more than four bytes")
        data += value.to_bytes(4, "big")
    return bytes(data)
