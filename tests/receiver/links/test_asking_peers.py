"""A link that asks, and senders that come and go: over connections that really begin and end."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from framewire.common import wire
from framewire.common.clock import NS
from framewire.receiver.links import asking as module
from framewire.receiver.links.asking import Asking
from receiver.answering import Asked, Desk, desk_again
from receiver.links.driving import EVERYTHING, WANT, Driven
from receiver.publishing import SENDER, packet, status, until


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> Iterator[Driven]:
    """A link that senders connect to."""
    with closing(Driven("req-rep+tcp://127.0.0.1:*", WANT, bind=True)) as driven:
        monkeypatch.setattr(module, "monotonic_ns", driven.now_ns)
        yield driven


def _next(driven: Driven, desk: Desk) -> Asked:
    return desk.next(driven.turn)


# -- a link that connects ---------------------------------------------------------------------


def test_a_sender_that_was_restarted_before_it_answered_is_asked_again(tmp_path: Path) -> None:
    place = f"req-rep+ipc://{tmp_path}/desk"
    with closing(Driven(place, EVERYTHING)) as link:
        with Desk(place) as desk:
            desk.answer(_next(link, desk), status(0))
            desk.answer(_next(link, desk), packet(4))
            lost = _next(link, desk)
        until(lambda: link.turn() is None and link.link.sockets[0].awaits_room)
        with desk_again(place) as desk:
            ping = _next(link, desk)
            assert (ping.request.status, ping.request.resume) == (True, True)
            assert ping.request.after == lost.request.after == {"lab/cam1": (SENDER, 4)}
            desk.answer(ping, status(5))
            desk.answer(_next(link, desk), packet(5))
            link.comes(4)
        assert link.came == [status(0), packet(4), status(5), packet(5)]


def test_it_asks_once_somebody_is_there(tmp_path: Path) -> None:
    place = f"req-rep+ipc://{tmp_path}/desk"
    with closing(Driven(place, WANT)) as link:
        for _ in range(3):
            assert link.turn() is None
            assert link.link.sockets[0].awaits_room  # who waits for it is woken
        with Desk(place) as desk:
            assert _next(link, desk).request.id == 1
            assert not link.link.sockets[0].awaits_room


# -- a link that is bound ---------------------------------------------------------------------


def test_a_sender_that_connects_says_so_and_is_asked(bound: Driven) -> None:
    (url,) = bound.link.endpoints
    with Desk(connect=url) as desk:
        bound.asks_nothing(desk)
        desk.greet()
        ping = _next(bound, desk)
        assert ping.request.status
        desk.greet()  # it goes on saying so while nobody has a request waiting at it
        desk.answer(ping, status(0))
        asked = _next(bound, desk)
        desk.answer(asked, packet(0))
        bound.comes(2)
        assert bound.came == [status(0), packet(0)]


def test_a_greeting_is_no_message(bound: Driven) -> None:
    with Desk(connect=bound.link.endpoints[0]) as desk:
        for _ in range(5):
            desk.greet()
        _next(bound, desk)
        assert bound.came == []


def test_two_senders_are_both_asked_and_neither_waits_for_the_other(bound: Driven) -> None:
    (url,) = bound.link.endpoints
    with Desk(connect=url) as silent, Desk(connect=url) as lively:
        for desk in (silent, lively):
            desk.greet()
            desk.answer(_next(bound, desk), status(0))
            _next(bound, desk)  # the silent one says nothing more to this
        for number in range(3, 10):
            bound.skipped_ns += NS // 10
            lively.say(b"", wire.encode_answer(packet(number), number - 1, 0))
            assert _next(bound, lively).request.id == number


def test_each_senders_frames_are_told_apart_by_what_it_was_asked() -> None:
    with closing(Driven("req-rep+tcp://127.0.0.1:*", EVERYTHING, bind=True)) as bound:
        (url,) = bound.link.endpoints
        with Desk(connect=url) as one, Desk(connect=url) as two:
            for number, desk in ((10, one), (20, two)):
                desk.greet()
                desk.answer(_next(bound, desk), status(0, topic=f"t{number}"))
                desk.answer(_next(bound, desk), packet(number, f"t{number}"))
            assert _next(bound, one).request.position("t10") == (SENDER, 10)
            assert _next(bound, two).request.position("t20") == (SENDER, 20)


def _peers(link: Asking) -> int:
    return len(link._peers)


def test_a_sender_that_went_away_is_forgotten(bound: Driven) -> None:
    (url,) = bound.link.endpoints
    with Desk(connect=url) as desk:
        desk.greet()
        _next(bound, desk)
        assert _peers(bound.link) == 1

    def forgotten() -> bool:
        bound.skipped_ns += NS // 10  # so that its answer is overdue, and it is asked again in vain
        bound.turn()
        return not _peers(bound.link)

    until(forgotten)


def test_a_sender_that_was_silent_for_half_a_minute_is_forgotten_until_it_greets(
    bound: Driven,
) -> None:
    with Desk(connect=bound.link.endpoints[0]) as desk:
        desk.greet()
        _next(bound, desk)
        bound.skipped_ns += 31 * NS
        bound.turn()
        assert _peers(bound.link) == 0
        desk.greet()
        assert _next(bound, desk).request.resume


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Driven]:
    """As `bound`, for two senders."""
    want = replace(WANT, most_peers=2)
    with closing(Driven("req-rep+tcp://127.0.0.1:*", want, bind=True)) as driven:
        monkeypatch.setattr(module, "monotonic_ns", driven.now_ns)
        yield driven


def test_strangers_do_not_pile_up(crowded: Driven) -> None:
    bound = crowded
    (url,) = bound.link.endpoints
    with Desk(connect=url) as one, Desk(connect=url) as two, Desk(connect=url) as three:
        for desk in (one, two):
            desk.greet()
            _next(bound, desk)
        three.greet()
        bound.asks_nothing(three)
        assert _peers(bound.link) == 2
        bound.skipped_ns += 31 * NS
        bound.turn()
        three.greet()
        assert _next(bound, three).request.resume


def test_a_sender_that_comes_back_is_asked_for_what_was_missed() -> None:
    with closing(Driven("req-rep+tcp://127.0.0.1:*", EVERYTHING, bind=True)) as bound:
        (url,) = bound.link.endpoints
        with Desk(connect=url) as desk:
            desk.greet()
            desk.answer(_next(bound, desk), status(0))
            desk.answer(_next(bound, desk), packet(4))
            bound.comes(2)
        with Desk(connect=url) as desk:
            desk.greet()
            assert _next(bound, desk).request.position("lab/cam1") == (SENDER, 4)


class Flood:
    """A socket at which a peer greets without end."""

    def __init__(self) -> None:
        self.greetings = 0

    def receive(self) -> tuple[bytes, list[bytes]] | None:
        self.greetings += 1
        return (b"peer", [b""]) if self.greetings < 100_000 else None


def test_greetings_without_end_stop_nobody(bound: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    flood = Flood()
    with monkeypatch.context() as patch:
        patch.setattr(bound.link, "_socket", flood)
        bound.link.receive()
    assert flood.greetings < 10_000
