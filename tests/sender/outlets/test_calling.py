"""`req-rep`, a sender that connects: it makes itself known to the receiver that is bound."""

from contextlib import suppress
from typing import TYPE_CHECKING

from framewire.common import wire
from framewire.common.errors import TransportError
from framewire.common.request import Request
from framewire.sender import Sender
from sender.controls import Clock, Passes
from sender.peers import Asker, until

if TYPE_CHECKING:
    from sender.conftest import Chart, MakeAsker

BOUND = "req-rep+tcp://127.0.0.1:*"
HELLO = [b""]


def calling(asker: "MakeAsker") -> tuple[Asker, str]:
    """A receiver that is bound, and the address for senders."""
    receiver = asker(BOUND, bind=True)
    return receiver, receiver.endpoint


def test_it_speaks_first_and_is_asked_then(asker: "MakeAsker", chart: "Chart") -> None:
    receiver, address = calling(asker)
    with Sender(connect=address, topic="cam") as out:
        assert out.endpoints == (address,)
        assert receiver.hears() == HELLO
        receiver.ask(Request(id=1))
        until(lambda: out.receivers == 1)
        out.send(chart(0))
        while (parts := receiver.hears()) == HELLO:
            continue
        assert parts[0] == b"cam/"


def test_it_says_hello_every_200_ms_while_nobody_asks(
    clock: Clock, passes: Passes, asker: "MakeAsker", chart: "Chart"
) -> None:
    receiver, address = calling(asker)
    with Sender(connect=address, topic="cam") as out:

        def hellos() -> int:
            """How many came before the answer to a ping."""
            receiver.ask(Request(status=True))
            count = 0
            while receiver.hears() == HELLO:
                count += 1
            return count

        until_heard(receiver, clock)
        passes.two_more()
        hellos()
        passes.two_more()
        assert hellos() == 0  # its clock stands
        clock.forward(0.199)
        passes.two_more()
        assert hellos() == 0
        clock.forward(0.001)
        passes.two_more()
        assert hellos() == 1
        receiver.ask(Request(id=1))  # it waits
        receiver.ask(Request(status=True))
        assert receiver.status().topic == "cam"
        clock.forward(0.2)
        passes.two_more()
        assert hellos() == 0
        out.send(chart(0))
        assert receiver.packet().sequence == 0


def until_heard(receiver: Asker, clock: Clock) -> None:
    """Until the connection is there: a hello is said to nobody before."""
    heard: list[object] = []

    def came() -> bool:
        clock.forward(0.2)
        message = receiver.poll()
        heard.extend([] if message is None else [message])
        return bool(heard)

    until(came, "a hello")


def test_a_receiver_that_comes_back_is_greeted_again(asker: "MakeAsker", chart: "Chart") -> None:
    receiver, address = calling(asker)
    with Sender(connect=address, topic="cam") as out:
        assert receiver.hears() == HELLO
        out.send(chart(0))
        assert answered(receiver) == 0
        receiver.close()
        again = asker_again(asker, address)
        assert again.hears() == HELLO
        out.send(chart(1))
        assert answered(again) == 1


def asker_again(asker: "MakeAsker", address: str) -> Asker:
    """Bound where another one was closed just now; ZeroMQ gives an address back a little later."""
    bound: list[Asker] = []

    def binds() -> bool:
        with suppress(TransportError):
            bound.append(asker(address, bind=True))
        return bool(bound)

    until(binds, "bound again")
    return bound[0]


def answered(receiver: Asker) -> int:
    receiver.ask()
    while (parts := receiver.hears()) == HELLO:
        continue
    return wire.decode(parts).sequence


def test_two_receivers_are_served_apart(asker: "MakeAsker", chart: "Chart") -> None:
    (first, one), (second, two) = calling(asker), calling(asker)
    with Sender(connect=[one, two], topic="cam") as out:
        assert first.hears() == second.hears() == HELLO
        out.send(chart(0))
        assert answered(first) == answered(second) == 0
        assert out.wait_for_receivers(2, 20)
        until(lambda: out.stats.sent == 2)
        assert out.stats.encoded == 1


def test_an_address_that_nobody_is_bound_to_holds_up_nobody(
    asker: "MakeAsker", chart: "Chart"
) -> None:
    gone, address = calling(asker)
    gone.close()
    with Sender(BOUND, connect=address, topic="cam") as out:
        client = asker(out.endpoints[0])
        out.send(chart(0))
        assert client.gets().sequence == 0
