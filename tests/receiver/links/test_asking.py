"""A link that asks, against a sender in the same thread: what it sends, and what it makes of answers."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from framewire.common import wire
from framewire.common.clock import NS
from framewire.common.request import Request
from framewire.receiver.links import asking as module
from framewire.receiver.links.link import Want
from receiver.answering import Asked, Desk
from receiver.links.driving import ALL_TOPICS, EVERYTHING, WANT, Driven
from receiver.publishing import packet, status


@pytest.fixture
def desk(nothing_is_left: None) -> Iterator[Desk]:
    with Desk("req-rep+inproc://desk") as desk:  # inproc: what was sent is there
        yield desk


@contextmanager
def _driven(url: str, want: Want, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driven]:
    with closing(Driven(url, want)) as driven:
        monkeypatch.setattr(module, "monotonic_ns", driven.now_ns)
        yield driven


@pytest.fixture
def link(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driven]:
    with _driven(desk.url, WANT, monkeypatch) as driven:
        yield driven


@pytest.fixture
def collector(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driven]:
    """A link that wants all frames."""
    with _driven(desk.url, EVERYTHING, monkeypatch) as driven:
        yield driven


def _begun(driven: Driven, desk: Desk) -> Asked:
    """Answer the ping; the first request after it."""
    ping = desk.next(driven.turn)
    assert (ping.request.status, ping.request.resume) == (True, True)
    desk.answer(ping, status(0))
    return desk.next(driven.turn)


# -- requests -----------------------------------------------------------------------------------


def test_it_pings_then_asks_then_asks_again(link: Driven, desk: Desk) -> None:
    asked = _begun(link, desk)
    assert asked.request == Request(id=2)
    link.asks_nothing(desk)
    desk.answer(asked, packet(4))
    again = desk.next(link.turn)
    assert again.request == Request(id=3)
    assert link.came == [status(0), packet(4)]


@pytest.mark.parametrize(
    ("prefixes", "topic"),
    [
        ({b""}, ""),
        ({b"lab/"}, "lab"),
        ({b"lab/cam1/", b"yard/"}, ("lab/cam1", "yard")),
        ({b"", b"lab/"}, ""),  # all is all
        ({b"lab/ca"}, "lab"),  # a subscription may end anywhere, a request may not
        ({b"la"}, ""),
    ],
)
def test_it_asks_for_the_topics_that_were_chosen(
    link: Driven, desk: Desk, prefixes: set[bytes], topic: str | tuple[str, ...]
) -> None:
    link.link.select(frozenset(prefixes))
    assert _begun(link, desk).request.topic == topic


@pytest.mark.parametrize("prefix", [b"lab cam/", b"lab//", b"../", b"x" * 300 + b"/", b"a\n/"])
def test_a_prefix_that_is_no_topic_spoils_nothing(link: Driven, desk: Desk, prefix: bytes) -> None:
    link.link.select(frozenset({b"yard/", prefix}))
    desk.next(link.turn)


def test_more_topics_than_a_request_may_name_are_asked_for_all_the_same(
    link: Driven, desk: Desk
) -> None:
    link.link.select(frozenset(b"cam%d/" % number for number in range(1025)))
    desk.next(link.turn)


def test_other_topics_count_from_the_next_request_on(link: Driven, desk: Desk) -> None:
    asked = _begun(link, desk)
    link.link.select(frozenset({b"yard/"}))
    link.asks_nothing(desk)  # one is out already
    desk.answer(asked, packet(0))
    assert desk.next(link.turn).request.topic == "yard"


def test_with_nothing_chosen_it_asks_nothing(link: Driven, desk: Desk) -> None:
    asked = _begun(link, desk)
    link.link.select(frozenset())
    desk.answer(asked, packet(0))
    link.asks_nothing(desk)
    socket = link.link.sockets[0]
    link.skipped_ns = 100 * NS
    link.asks_nothing(desk)
    assert link.link.sockets[0] is socket  # silence is no fault where nothing is asked for
    link.link.select(ALL_TOPICS)
    assert desk.next(link.turn).request.topic == ""


def test_without_room_it_asks_nothing(link: Driven, desk: Desk) -> None:
    asked = _begun(link, desk)
    link.room = False
    desk.answer(asked, packet(0))
    link.asks_nothing(desk)
    assert link.came[1:] == [packet(0)]  # what is under way is taken
    link.room = True
    assert desk.next(link.turn).request.id == 3


def test_silence_is_no_fault_where_there_is_no_room(link: Driven, desk: Desk) -> None:
    asked = _begun(link, desk)
    link.room = False
    desk.answer(asked, packet(0))
    link.comes(2)
    socket = link.link.sockets[0]
    link.skipped_ns = 100 * NS
    link.turn()
    assert link.link.sockets[0] is socket


@pytest.mark.parametrize("credits", [1, 2, 5, 8])
def test_as_many_requests_are_under_way_as_were_asked_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, credits: int
) -> None:
    want = Want(everything=False, max_message_bytes=1 << 20, credits=credits)
    with _driven(desk.url, want, monkeypatch) as driven:
        asked = [_begun(driven, desk), *(desk.next(driven.turn) for _ in range(credits - 1))]
        driven.asks_nothing(desk)
        for number in range(10):
            desk.answer(asked.pop(0), packet(number))
            asked.append(desk.next(driven.turn))
        driven.asks_nothing(desk)
        assert [each.request.id for each in asked] == list(range(12, 12 + credits))


def test_quality_and_scale_go_with_every_request(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    want = Want(everything=False, max_message_bytes=1 << 20, quality=60, scale=0.5)
    with _driven(desk.url, want, monkeypatch) as driven:
        request = _begun(driven, desk).request
        assert (request.quality, request.scale) == (60, 0.5)


def test_all_frames_are_asked_for_from_the_last_that_came(collector: Driven, desk: Desk) -> None:
    desk.answer(_begun(collector, desk), packet(4))
    asked = desk.next(collector.turn)
    assert asked.request.position("lab/cam1") == (packet(4).header.sender, 4)


@pytest.mark.parametrize("want", [WANT, EVERYTHING])
def test_a_gap_is_a_loss_only_where_all_was_asked_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, want: Want
) -> None:
    with _driven(desk.url, want, monkeypatch) as driven:
        assert driven.link.partial != want.everything


# -- what does not come -------------------------------------------------------------------------


def test_what_is_not_answered_is_asked_again(collector: Driven, desk: Desk) -> None:
    desk.answer(_begun(collector, desk), packet(4))
    lost = desk.next(collector.turn)
    collector.skipped_ns += 2 * NS
    again = desk.next(collector.turn)
    assert (again.request.status, again.request.resume) == (True, True)
    assert again.request.after == lost.request.after
    desk.answer(again, status(5))
    assert desk.next(collector.turn).request.after == lost.request.after


def test_a_late_answer_is_taken_too(collector: Driven, desk: Desk) -> None:
    late = _begun(collector, desk)
    collector.skipped_ns += 2 * NS
    ping = desk.next(collector.turn)
    desk.answer(late, packet(7))
    desk.answer(ping, status(8))
    asked = desk.next(collector.turn)
    assert collector.came == [status(0), packet(7), status(8)]
    assert asked.request.position("lab/cam1") == (packet(7).header.sender, 7)


GARBAGE = {
    "no parts to speak of": [b"x"],
    "two parts": [b"lab/cam1/", b"x"],
    "no msgpack": [b"lab/cam1/", b"\xc1\xc1", b"x"],
    "empty parts": [b"", b"", b""],
    "four parts": [b"lab/cam1/", b"", b"", b""],
    "a request that is no number": [b"lab/cam1/", b"\x81\xa7request\xa1x", b""],
    "a deep header": [b"lab/cam1/", b"\x91" * 5000, b""],
}


@pytest.mark.parametrize("parts", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_no_answer_and_it_asks_again(
    link: Driven, desk: Desk, parts: list[bytes]
) -> None:
    asked = _begun(link, desk)
    desk.say(asked.peer, parts)
    link.comes(2)
    assert link.came[1:] == [None]
    link.asks_nothing(desk)  # the answer may still come
    link.skipped_ns += 2 * NS
    desk.answer(desk.next(link.turn), status(0))
    assert desk.next(link.turn).request == Request(id=4)


def test_a_damaged_answer_is_one_and_it_goes_on_at_once(link: Driven, desk: Desk) -> None:
    asked = _begun(link, desk)
    topic, header, payload = wire.encode_answer(packet(0), asked.request.id, 0)
    desk.say(asked.peer, [topic, header, payload[:-9]])
    assert desk.next(link.turn).request.id == 3


def test_a_sender_that_is_silent_for_long_is_connected_to_anew(link: Driven, desk: Desk) -> None:
    first = desk.next(link.turn)
    socket = link.link.sockets[0]
    link.skipped_ns += 4 * NS
    link.turn()
    assert link.link.sockets[0] is not socket
    again = desk.next(link.turn)
    assert again.request.resume
    assert again.peer != first.peer


def test_time_in_which_nobody_looked_is_no_silence(link: Driven, desk: Desk) -> None:
    desk.next(link.turn)
    socket = link.link.sockets[0]
    link.skipped_ns += 100 * NS
    link.link.excuse(100 * NS)
    link.turn()
    assert link.link.sockets[0] is socket
