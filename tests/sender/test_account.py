"""The books of a sender against a model, and what they say of runs that are passed on."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from framewire.common import wire
from framewire.common.frame import Header, Packet, Status
from framewire.sender.account import SenderStats, TopicAccount, TopicSent

OWN = "own"


def account(run: str = OWN) -> TopicAccount:
    topic = TopicAccount(OWN)
    topic.begin(run)
    return topic


def packet(sequence: int, run: str = OWN, dropped: int = 0) -> Packet:
    header = Header(
        sender=run, sequence=sequence, dropped=dropped, captured_ns=0, sent_ns=0,
        width=1, height=1, channels=3, codec="jpeg",
    )  # fmt: skip
    return Packet(header, b"xy")


fates = st.lists(st.sampled_from(["accept", "settle", "lose"]), max_size=60)


@given(fates, st.data())
def test_against_a_model(fates: list[str], data: st.DataObject) -> None:
    """Frames leave in their order, or are lost anywhere on the way."""
    topic = account()
    pending: list[int] = []
    lost = 0
    for fate in fates:
        if fate == "accept":
            pending.append(topic.number(0))
            topic.accept(pending[-1])
        elif fate == "settle" and pending:
            leaves = packet(pending.pop(0))
            topic.settle(leaves)
            topic.count_sent(leaves)
        elif fate == "lose" and pending:
            pending.pop(data.draw(st.integers(0, len(pending) - 1)))
            topic.lose()
            lost += 1
        status = topic.status("cam", 5)
        assert status.sequence <= min(pending, default=topic.numbers.next)
        if not pending:
            assert status.sequence == topic.numbers.next  # so that the last losses are told
        books = topic.snapshot()
        assert books.dropped == lost
        assert books.captured == books.sent + books.dropped + len(pending)
    assert topic.sent_bytes == 2 * topic.sent


def test_what_the_source_dropped_counts_as_captured_and_dropped() -> None:
    topic = account()
    assert topic.number(0) == 0
    assert topic.number(3) == 4
    assert topic.snapshot() == TopicSent(captured=5, sent=0, sent_bytes=0, dropped=3, unwatched=0)


def test_holes_of_a_camera_are_dropped_and_those_of_a_recording_are_history() -> None:
    topic = account()
    topic.follow(packet(0))
    topic.follow(packet(4, dropped=3))
    assert (topic.captured, topic.dropped) == (5, 3)
    topic.begin("recording")
    topic.follow(packet(10, "recording", dropped=7))
    topic.follow(packet(20, "recording", dropped=16))
    assert (topic.captured, topic.dropped) == (7, 3)
    assert topic.status("cam", 0).dropped == 16


def test_its_own_numbers_go_on_after_another_run_was_passed_on() -> None:
    topic = account()
    assert topic.number(0) == 0
    topic.begin("recording")
    topic.follow(packet(98, "recording"))
    assert topic.status("cam", 0).sequence == 99
    topic.begin(OWN)
    assert topic.number(0) == 1
    assert (topic.status("cam", 0).sender, topic.status("cam", 0).sequence) == (OWN, 2)


def test_while_frames_are_on_their_way_the_status_is_that_of_the_last_that_left() -> None:
    topic = account("first")
    topic.follow(packet(98, "first"))
    topic.accept(98)
    topic.begin("second")
    topic.follow(packet(0, "second"))
    topic.accept(0)
    assert (topic.status("cam", 0).sender, topic.status("cam", 0).sequence) == ("first", 98)
    topic.settle(packet(98, "first"))
    assert (topic.status("cam", 0).sender, topic.status("cam", 0).sequence) == ("first", 99)
    topic.settle(packet(0, "second"))
    assert (topic.status("cam", 0).sender, topic.status("cam", 0).sequence) == ("second", 1)


def test_each_who_gets_a_frame_counts_and_what_statuses_have_passed_can_still_be_dropped() -> None:
    topic = account()
    topic.accept(topic.number(0))
    topic.settle(packet(0))
    for _ in range(3):
        topic.count_sent(packet(0))
    topic.drop()
    books = topic.snapshot()
    assert (books.captured, books.sent, books.sent_bytes, books.dropped) == (1, 3, 6, 1)
    assert (topic.status("cam", 0).sequence, topic.status("cam", 0).dropped) == (1, 1)


def test_hops_are_those_of_the_last_frame_or_status() -> None:
    topic = account("camera")
    passed_on = packet(0, "camera")
    topic.follow(Packet(msgspec.structs.replace(passed_on.header, hops=3), b""))
    assert topic.status("cam", 0).hops == 3
    topic.repeat(Status(sender="camera", sequence=1, sent_ns=0, state="live", hops=2))
    assert topic.status("cam", 0).hops == 2


def test_a_status_is_a_message_of_the_protocol() -> None:
    status = account().status("lab/cam1", 7)
    assert wire.decode(wire.encode_status(status)) == status
    assert isinstance(status, Status)
    assert status.sent_ns == 7


def test_sums() -> None:
    topics = {"a": TopicSent(1, 2, 3, 4, 5), "b": TopicSent(10, 20, 30, 40, 50)}
    stats = SenderStats(topics, receivers=0, encoded=3, encode_ms=(1.0, 2.0))
    found = [stats.captured, stats.sent, stats.sent_bytes, stats.dropped, stats.unwatched]
    assert found == [11, 22, 33, 44, 55]
    assert SenderStats({}, 0, 0, (1.0, 2.0)).captured == 0
