"""When a socket counts as deaf, on a clock of the test's own."""

from framewire.common.clock import NS
from framewire.common.transport import Subscriber
from framewire.receiver.link import SILENCE_NS, Link


class Sockets:
    """Counts what is opened and closed."""

    def __init__(self) -> None:
        self.opened: list[Subscriber] = []

    def __call__(self) -> Subscriber:
        self.opened.append(Subscriber([], [], [b""], 100))
        return self.opened[-1]


def test_a_silent_socket_is_replaced_again_and_again() -> None:
    sockets = Sockets()
    link = Link(sockets, 0, connects=True)
    assert not link.replace_if_deaf(SILENCE_NS)
    assert link.replace_if_deaf(SILENCE_NS + 1)
    assert sockets.opened[0].socket.closed
    assert link.subscriber is sockets.opened[1]
    assert not link.replace_if_deaf(2 * SILENCE_NS + 1)
    assert link.replace_if_deaf(2 * SILENCE_NS + 2)
    link.subscriber.close()


def test_whoever_speaks_seldom_may_be_silent_for_longer() -> None:
    link = Link(Sockets(), 0, connects=True)
    link.heard(10 * NS)
    link.heard(20 * NS)
    assert not link.replace_if_deaf(50 * NS)
    assert link.replace_if_deaf(50 * NS + 1)
    link.subscriber.close()


def test_time_in_which_nobody_looked_is_no_silence() -> None:
    link = Link(Sockets(), 0, connects=True)
    link.excuse(100 * NS)
    assert not link.replace_if_deaf(100 * NS + SILENCE_NS)
    link.subscriber.close()


def test_a_bound_socket_is_not_replaced_because_peers_come_to_it() -> None:
    sockets = Sockets()
    link = Link(sockets, 0, connects=False)
    assert not link.replace_if_deaf(1000 * NS)
    assert sockets.opened == [link.subscriber]
    link.subscriber.close()
