"""Which connections ended before they were open, as far as ZeroMQ's events tell. Pure."""

__all__ = ["Handshakes"]


class Handshakes:
    """Connections that may still be at their handshake, by their file descriptors.

    ZeroMQ tells of a success, but not whose it was. So after each nothing is said of those that were
    at it then: this misses a failure now and then, which comes again, but never makes one up.
    """

    def __init__(self) -> None:
        self._under_way: set[int] = set()

    def began(self, descriptor: int) -> None:
        """A connection was accepted or made."""
        self._under_way.add(descriptor)

    def succeeded(self) -> None:
        """One of them is open now."""
        self._under_way.clear()

    def ended(self, descriptor: int) -> bool:
        """A connection is gone; whether it surely never was open."""
        if descriptor not in self._under_way:
            return False
        self._under_way.remove(descriptor)
        return True
