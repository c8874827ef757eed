"""A receiver that asks: what it delivers and counts of a sender's answers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from framewire.common.errors import ReceiveTimeout, UsageError
from framewire.common.frame import Status
from framewire.common.gaps import Missing
from framewire.common.testchart import read_number
from framewire.receiver import Receiver
from framewire.receiver import receiver as module
from receiver.answering import Asked, Desk, desk_again
from receiver.publishing import DEADLINE_S, SENDER, Station, packet, parts_of, status, until
from receiver.reading import books_of


@pytest.fixture
def desk(nothing_is_left: None) -> Iterator[Desk]:
    with Desk() as desk:
        yield desk


@pytest.fixture
def ask(desk: Desk) -> Iterator[Callable[..., Receiver]]:
    """Opens a receiver that asks at the desk, whose ping is answered; closes it at the end."""
    opened: list[Receiver] = []

    def open_one(**arguments: Any) -> Receiver:
        receiver = Receiver(desk.url, **{"timeout": DEADLINE_S, "credits": 1, **arguments})
        opened.append(receiver)
        ping = desk.next()
        assert (ping.request.status, ping.request.resume) == (True, True)
        desk.answer(ping, status(0))
        return receiver

    yield open_one
    for receiver in opened:
        receiver.close()


Ask = Callable[..., Receiver]


# -- what comes -----------------------------------------------------------------------------------


def test_each_answer_is_a_frame_and_brings_the_next_request(desk: Desk, ask: Ask) -> None:
    receiver = ask()
    for number in range(5):
        desk.answer(desk.next(), packet(number))
        frame = receiver.read()
        assert (frame.sequence, read_number(frame.image)) == (number, number)
    assert receiver.endpoints == (desk.url,)


def test_who_wants_the_newest_asks_on_while_nobody_reads(desk: Desk, ask: Ask) -> None:
    receiver = ask()
    for number in range(5):
        desk.answer(desk.next(), packet(number))
    desk.next()
    assert receiver.read_packet().sequence == 4
    assert books_of(receiver).skipped == 4


def test_frames_that_were_not_asked_for_pass_by(
    desk: Desk, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = ask()
    for number in (2, 3, 7):
        desk.answer(desk.next(), packet(number))
        receiver.read_packet()
    books = books_of(receiver)
    assert (books.received, books.lost, books.passed_by) == (3, 0, 3)
    assert (receiver.stats.lost, receiver.stats.passed_by) == (0, 3)
    assert caplog.messages == []


def test_of_all_frames_a_gap_is_a_loss_and_told(
    desk: Desk, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = ask(keep="all")
    for number in (2, 3, 7):
        desk.answer(desk.next(), packet(number))
    assert [receiver.read_packet().sequence for _ in range(3)] == [2, 3, 7]
    books = books_of(receiver)
    assert (books.lost, books.passed_by) == (3, 0)  # the ping's status (0) marked nothing
    assert books.missing == (Missing(SENDER, 4, 6),)
    assert caplog.messages == ["lab/cam1: 3 frame(s) lost, 4 to 6"]


def test_what_a_status_says_passed_by_is_no_loss_either(desk: Desk, ask: Ask) -> None:
    receiver = ask()
    desk.answer(desk.next(), packet(0))
    desk.answer(desk.next(), status(6))
    desk.next()  # it was taken: the next request is here
    books = books_of(receiver)
    assert (books.lost, books.passed_by) == (0, 5)


def test_an_answer_of_another_sender_run_is_a_restart(desk: Desk, ask: Ask) -> None:
    receiver = ask()
    for run in ("one", "two"):
        desk.answer(desk.next(), packet(3, sender=run))
        receiver.read_packet()
    assert receiver.stats.restarts == 1


def test_a_frame_that_came_again_is_dropped_and_asked_for_on(desk: Desk, ask: Ask) -> None:
    receiver = ask(keep="all")
    for number in (0, 1, 1, 2):
        desk.answer(desk.next(), packet(number))
    assert [receiver.read_packet().sequence for _ in range(3)] == [0, 1, 2]
    assert books_of(receiver).repeated == 1


def test_what_is_no_answer_is_counted_and_it_asks_again(desk: Desk, ask: Ask) -> None:
    receiver = ask()
    asked = desk.next()
    desk.say(asked.peer, [b"rubbish"])
    desk.say(asked.peer, list(parts_of(packet(0)))[:2])
    until(lambda: receiver.stats.malformed == 2)
    again = desk.next()  # once the answer is overdue
    assert again.request.resume
    desk.answer(again, status(1))
    desk.answer(desk.next(), packet(1))
    assert receiver.read_packet().sequence == 1


# -- what is asked --------------------------------------------------------------------------------


def test_it_asks_for_its_topics_and_its_level(desk: Desk, ask: Ask) -> None:
    ask(topics=["lab", "yard"], quality=60, scale=0.5)
    request = desk.next().request
    assert (request.topic, request.quality, request.scale) == (("lab", "yard"), 60, 0.5)


def test_other_topics_can_be_chosen_while_it_runs(desk: Desk, ask: Ask) -> None:
    receiver = ask()
    asked = desk.next()
    receiver.select([b"yard/"])
    desk.answer(asked, packet(0))
    until(lambda: _answered(desk).request.topic == "yard")


def _answered(desk: Desk) -> Asked:
    """The next request, which a status answers."""
    asked = desk.next()
    desk.answer(asked, status(9))
    return asked


def test_with_nothing_chosen_it_stops_asking(desk: Desk, ask: Ask) -> None:
    receiver = ask()
    asked = desk.next()
    receiver.select([])
    until(lambda: receiver._to_select is None)  # it has seen that
    desk.answer(asked, packet(0))
    assert receiver.read_packet().sequence == 0
    assert desk.look() is None
    receiver.select([b""])
    assert desk.next().request.topic == ""


def test_it_stops_asking_while_enough_waits_here(
    desk: Desk, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ENOUGH_BYTES", packet(0).weight + 1)
    receiver = ask(keep="all")
    for number in range(2):
        desk.answer(desk.next(), packet(number))
    until(lambda: receiver.stats.received == 2)
    assert desk.look() is None
    receiver.read_packet()  # there is room: that alone brings the next request
    desk.answer(desk.next(), packet(2))
    assert [receiver.read_packet().sequence for _ in range(2)] == [1, 2]
    assert receiver.stats.lost == 0


def test_it_may_ask_one_sender_and_subscribe_to_another(desk: Desk, station: Station) -> None:
    with Receiver(station.url, desk.url, timeout=DEADLINE_S, keep="all") as receiver:
        station.wait_for_subscriptions()
        desk.answer(desk.next(), status(0))
        desk.answer(desk.next(), packet(0, "asked"))
        assert receiver.read_packet().topic == "asked"
        station.send(packet(0, "published"))
        assert receiver.read_packet().topic == "published"
        assert receiver.endpoints == (station.url, desk.url)


def test_a_sender_that_is_restarted_before_it_answers_is_asked_again(tmp_path: Path) -> None:
    place = f"req-rep+ipc://{tmp_path}/desk"
    with Receiver(place, keep="all", timeout=DEADLINE_S, credits=1) as receiver:
        for first, run in ((0, "one"), (7, "two"), (7, "three")):
            with desk_again(place) as desk:
                ping = desk.next()
                assert (ping.request.status, ping.request.resume) == (True, True)
                desk.answer(ping, status(first, sender=run))
                desk.answer(desk.next(), packet(first, sender=run))
                assert receiver.read_packet().sequence == first
                desk.next()  # this one is never answered
        assert (receiver.stats.restarts, receiver.stats.lost) == (2, 0)


def test_senders_that_connect_are_asked() -> None:
    with Receiver(bind="req-rep+tcp://127.0.0.1:*", timeout=DEADLINE_S, credits=1) as receiver:
        for number in range(2):
            with Desk(connect=receiver.endpoints[0]) as desk:
                desk.greet()
                desk.answer(desk.next(), status(0, topic=f"t{number}"))
                desk.answer(desk.next(), packet(0, f"t{number}"))
                assert receiver.read_packet().topic == f"t{number}"


def test_a_sender_without_a_picture_says_so(desk: Desk, ask: Ask) -> None:
    receiver = ask(keep="all", statuses=True)
    desk.answer(desk.next(), status(0, "no-signal", "unplugged"))
    messages = receiver.messages()
    told = [next(messages) for _ in range(1)]
    while isinstance(told[-1], Status) and told[-1].state != "no-signal":
        told.append(next(messages))
    assert books_of(receiver).reason == "unplugged"


# -- arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [{"quality": 50}, {"quality": "auto"}, {"credits": 2}])
@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:5555", "push-pull+tcp://127.0.0.1:5555"])
def test_what_is_asked_of_a_sender_needs_one_that_is_asked(
    endpoint: str, asked: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="use a req-rep endpoint"):
        Receiver(endpoint, **asked)


@pytest.mark.parametrize("asked", [{"quality": 50}, {"quality": "auto"}])
def test_all_frames_come_as_they_are(asked: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="all frames come as they were sent"):
        Receiver("req-rep+tcp://127.0.0.1:5555", keep="all", **asked)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"quality": 0}, "quality is 1 to 100"),
        ({"quality": 101}, "quality is 1 to 100"),
        ({"quality": "best"}, "quality is 1 to 100"),
        ({"quality": 50.5}, "quality is 1 to 100"),
        ({"scale": 0}, "scale is"),
        ({"scale": 1.5}, "scale is"),
        ({"scale": float("nan")}, "scale is"),
        ({"credits": 0}, "credits is 1 to"),
        ({"credits": 9}, "credits is 1 to"),
    ],
)
def test_what_can_never_be_asked_for(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Receiver("req-rep+tcp://127.0.0.1:5555", **asked)


def test_a_timeout_names_the_address_that_was_asked(desk: Desk) -> None:
    with (
        Receiver(desk.url, timeout=0.01) as receiver,
        pytest.raises(ReceiveTimeout, match=r"from req-rep\+tcp://127"),
    ):
        receiver.read()
