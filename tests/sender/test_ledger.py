"""The books that the threads of a sender share, and what statuses say meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from framewire.common.clock import NS
from framewire.common.frame import Frame, Packet, Status
from framewire.common.level import Level
from framewire.sender.ledger import Ledger
from framewire.sender.picture import Picture

if TYPE_CHECKING:
    from sender.conftest import MakeFrame, MakePacket

NOW_NS = 7 * NS


@pytest.fixture
def ledger() -> Ledger:
    return Ledger("own")


def wanted() -> bool:
    return True


def unwanted() -> bool:
    return False


def told(ledger: Ledger, topic: str = "lab/cam1") -> tuple[str, int]:
    """Which run and number a status would speak of now."""
    status = ledger.status(topic, NOW_NS)
    return status.sender, status.sequence


def said(number: int, run: str = "another", **fields: object) -> Status:
    status = Status(topic="lab/cam1", sender=run, sequence=number, sent_ns=1, state="live")
    return msgspec.structs.replace(status, **fields)


# -- numbers ------------------------------------------------------------------------------------


def test_frames_are_numbered_and_the_sources_losses_leave_holes(ledger: Ledger) -> None:
    assert ledger.number("cam", 0, wanted) == (0, 0, True)
    assert ledger.number("cam", 2, wanted) == (3, 2, True)
    assert ledger.number("other", 0, unwanted) == (0, 0, False)
    assert ledger.names == ("cam", "other")
    assert told(ledger, "cam") == ("own", 0)  # both are on their way


def test_a_topic_has_books_before_its_first_frame(ledger: Ledger) -> None:
    ledger.open("cam")
    assert told(ledger, "cam") == ("own", 0)
    ledger.number("cam", 0, unwanted)
    ledger.open("cam")  # again: nothing is forgotten
    assert told(ledger, "cam") == ("own", 1)


def test_there_is_nothing_to_say_of_a_topic_without_books(ledger: Ledger) -> None:
    with pytest.raises(KeyError):
        ledger.status("cam", NOW_NS)
    assert ledger.due(NOW_NS, NOW_NS) == ledger.last_words(NOW_NS) == []


def test_many_threads_get_numbers_of_their_own(ledger: Ledger, threads: ThreadPoolExecutor) -> None:
    def take(_: int) -> int:
        return ledger.number("cam", 0, unwanted)[0]

    assert sorted(threads.map(take, range(200))) == list(range(200))


# -- statuses never run ahead of frames ---------------------------------------------------------


def test_a_status_never_runs_ahead_of_what_is_forwarded(
    ledger: Ledger, packet: "MakePacket"
) -> None:
    given = [packet(number) for number in (5, 7, 8)]
    seen = []
    for each in given:
        ledger.follow(each, wanted)
        seen.append(told(ledger)[1])
    for each in given:
        ledger.settle(each)
        seen.append(told(ledger)[1])
    assert seen == [5, 5, 5, 6, 8, 9]


def test_a_status_never_mixes_two_runs(ledger: Ledger, packet: "MakePacket") -> None:
    given = [packet(n, sender="first") for n in (98, 99)]
    given += [packet(n, sender="second") for n in (0, 1)]
    for each in given:
        ledger.follow(each, wanted)
    seen = [told(ledger)]
    for each in given:
        ledger.settle(each)
        seen.append(told(ledger))
    # Whichever run is named, its number is not above what is still on its way.
    assert seen == [("first", 98), ("first", 99), ("first", 100), ("second", 1), ("second", 2)]


def test_a_frame_that_is_lost_on_the_way_is_told_once_the_others_have_gone(
    ledger: Ledger, packet: "MakePacket"
) -> None:
    for number in (0, 1, 2):
        ledger.follow(packet(number), wanted)
    ledger.settle(packet(0))
    ledger.lose("lab/cam1")
    assert told(ledger)[1] == 1
    ledger.settle(packet(2))
    assert told(ledger)[1] == 3
    assert ledger.snapshot()[0]["lab/cam1"].dropped == 1


def test_what_nobody_wants_is_not_waited_for(ledger: Ledger, packet: "MakePacket") -> None:
    assert not ledger.follow(packet(4), unwanted)
    ledger.pass_over("lab/cam1")
    assert told(ledger) == ("another", 5)
    assert ledger.snapshot()[0]["lab/cam1"].unwatched == 1


# -- what is said -------------------------------------------------------------------------------


def test_statuses_are_due_at_once_then_once_a_second_and_again_for_a_newcomer(
    ledger: Ledger,
) -> None:
    def due(now_ns: int) -> list[str]:
        return [status.topic for status in ledger.due(now_ns, 0)]

    ledger.open("a")
    assert due(NOW_NS) == ["a"]
    ledger.open("b")
    assert due(NOW_NS) == ["b"]
    assert due(NOW_NS + NS - 1) == []
    assert due(NOW_NS + NS) == ["a", "b"]
    ledger.tell_again()
    assert due(NOW_NS + NS) == ["a", "b"]
    assert due(NOW_NS + NS) == []


def test_an_announcement_is_of_one_topic_or_of_all(ledger: Ledger) -> None:
    ledger.open("a")
    ledger.open("b")
    ledger.due(NOW_NS, 0)
    ledger.announce("no-signal", "unplugged", "a")
    (status,) = ledger.due(NOW_NS, 123)
    assert (status.topic, status.state, status.reason) == ("a", "no-signal", "unplugged")
    assert status.sent_ns == 123
    ledger.announce("ended", "", None)
    assert {status.topic: status.state for status in ledger.due(NOW_NS, 0)} == {
        "a": "ended",
        "b": "ended",
    }


def test_the_last_word_is_ended_and_keeps_a_reason_that_was_given(ledger: Ledger) -> None:
    ledger.open("a")
    ledger.open("b")
    ledger.announce("no-signal", "unplugged", "a")
    ledger.announce("ended", "the file is over", "b")
    words = {status.topic: (status.state, status.reason) for status in ledger.last_words(NOW_NS)}
    assert words == {"a": ("ended", ""), "b": ("ended", "the file is over")}


def test_what_another_sender_said_is_said_on(ledger: Ledger) -> None:
    ledger.repeat(said(40, dropped=3, state="no-signal", reason="unplugged", hops=2))
    (status,) = ledger.due(NOW_NS, 5)
    assert (status.sender, status.sequence, status.dropped) == ("another", 40, 3)
    assert (status.state, status.reason, status.hops) == ("no-signal", "unplugged", 2)
    assert status.sent_ns == 5
    ledger.repeat(said(41, state="no-signal", reason="unplugged"))
    assert ledger.due(NOW_NS, 5) == []  # nothing new but a number: once a second is enough
    ledger.repeat(said(41))
    assert [status.state for status in ledger.due(NOW_NS, 5)] == ["live"]


def test_a_repeated_status_does_not_run_ahead_of_frames_on_their_way_either(
    ledger: Ledger, packet: "MakePacket"
) -> None:
    ledger.follow(packet(0), wanted)
    ledger.repeat(said(7))
    assert told(ledger)[1] == 0
    ledger.settle(packet(0))
    assert told(ledger)[1] == 7
    ledger.repeat(said(3))  # it was overtaken
    assert told(ledger)[1] == 7


def test_a_status_of_a_new_run_begins_it(ledger: Ledger, packet: "MakePacket") -> None:
    ledger.follow(packet(98), unwanted)
    ledger.repeat(said(0, run="restarted"))
    assert told(ledger) == ("restarted", 0)


# -- pictures -----------------------------------------------------------------------------------


def picture(frame: Frame) -> Picture:
    def encode(content: Frame | Packet, level: Level) -> Packet:
        return Packet(content.header, b"jpeg")

    return Picture(frame, encode)


def test_the_newest_picture_of_each_topic_is_held(ledger: Ledger, frame: "MakeFrame") -> None:
    first, second, other = (picture(frame(n, topic=t)) for n, t in ((0, "a"), (1, "a"), (0, "b")))
    for each in (first, second, other):
        ledger.open(each.header.topic)
        ledger.hold(each)
    assert ledger.newest() == {"a": second, "b": other}


def test_a_picture_that_nobody_wanted_counts_once_the_next_is_there(
    ledger: Ledger, frame: "MakeFrame"
) -> None:
    def unwatched() -> int:
        return ledger.snapshot()[0]["source"].unwatched

    pictures = [picture(frame(number)) for number in range(3)]
    ledger.open("source")
    ledger.hold(pictures[0])
    assert unwatched() == 0  # somebody may still ask for it
    ledger.hold(pictures[1])
    assert unwatched() == 1
    pictures[1].packet()
    ledger.hold(pictures[2])
    assert unwatched() == 1


# -- figures ------------------------------------------------------------------------------------


def test_figures(ledger: Ledger, packet: "MakePacket") -> None:
    topics, encoded, (p50, p95) = ledger.snapshot()
    assert (topics, encoded) == ({}, 0)
    assert np.isnan([p50, p95]).all()
    given = [packet(number, encode_us=1000 * number) for number in (1, 2, 3)]
    for each in given:
        ledger.follow(each, wanted)
        ledger.encoded(each)
        ledger.settle(each)
        ledger.sent(each)
    ledger.sent(given[2])  # to a second one who asked
    ledger.drop("lab/cam1")
    topics, encoded, (p50, p95) = ledger.snapshot()
    books = topics["lab/cam1"]
    assert (encoded, p50, p95) == (3, 2.0, 3.0)
    assert (books.captured, books.sent, books.dropped) == (3, 4, 1)
    assert books.sent_bytes == sum(len(each.payload) for each in (*given, given[2]))
