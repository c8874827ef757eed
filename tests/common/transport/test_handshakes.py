"""Which connections ended before they were open."""

from framewire.common.transport.handshakes import Handshakes


def test_one_that_ends_without_a_success_never_was_open() -> None:
    handshakes = Handshakes()
    handshakes.began(3)
    assert handshakes.ended(3)
    assert not handshakes.ended(3)
    handshakes.began(3)
    handshakes.succeeded()
    assert not handshakes.ended(3)


def test_a_success_may_have_been_anybodys() -> None:
    handshakes = Handshakes()
    handshakes.began(3)
    handshakes.began(4)
    handshakes.succeeded()
    handshakes.began(5)
    assert not handshakes.ended(3)
    assert not handshakes.ended(4)
    assert handshakes.ended(5)
