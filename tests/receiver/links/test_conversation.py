"""What is asked of one sender and when, with a steering and a clock of the test's own."""

import math

import pytest

from framewire.common.clock import NS
from framewire.common.frame import Header
from framewire.common.level import Level
from framewire.common.request import Request, decode_request, encode_request
from framewire.common.wire import Answer
from framewire.receiver.links.conversation import Conversation, Had
from framewire.receiver.links.steering import Steering
from receiver.publishing import SENDER, packet, status

PATIENCE_NS = 3 * NS // 2


class Scripted(Steering):
    """Does as it is told, and writes down what it hears."""

    def __init__(self, allowed: int = 1) -> None:
        self.allowed = allowed
        self.told: Level = Level()
        self.delay_ns = 0
        self.far_ms = 0.3
        self.heard: list[tuple[int, int, int, int, Header | None]] = []
        self.resets = -1  # its own beginning is one
        super().__init__()

    @property
    def level(self) -> Level:
        return self.told

    @property
    def round_trip_ms(self) -> float:
        return self.far_ms

    def ready_ns(self, outstanding: int, now_ns: int) -> int | None:
        return now_ns + self.delay_ns if outstanding < self.allowed else None

    def answered(
        self, *, asked_ns: int, now_ns: int, waited_ns: int, size: int, header: Header | None
    ) -> None:
        self.heard.append((asked_ns, now_ns, waited_ns, size, header))

    def reset(self) -> None:
        self.resets += 1


@pytest.fixture
def steering() -> Scripted:
    return Scripted()


def _started(steering: Scripted, *, everything: bool = False) -> Conversation:
    """One whose first request was answered, at 0."""
    talk = Conversation(steering, Had() if everything else None)
    ping = talk.next((), 0)
    talk.answered(Answer(request=ping.id), status(0), 0, 0)
    steering.heard.clear()
    return talk


def test_a_far_sender_is_pinged_thrice(steering: Scripted) -> None:
    steering.far_ms = 40.0
    talk = Conversation(steering)
    for _ in range(3):
        ping = talk.next((), 0)
        assert ping.status
        assert talk.due_ns(0) is None  # one at a time, or they would delay each other
        talk.answered(Answer(request=ping.id), status(0), 0, 0)
    assert not talk.next((), 0).status


# -- requests -----------------------------------------------------------------------------------


def test_the_first_request_of_a_connection_is_a_ping(steering: Scripted) -> None:
    """It measures the path without a picture, and says that nothing before it counts."""
    talk = Conversation(steering)
    assert not talk.waits
    assert talk.due_ns(5) == 5
    assert talk.next((), 5) == Request(status=True, resume=True, id=1)
    assert talk.waits
    assert talk.due_ns(6) is None
    talk.answered(Answer(request=1), status(0), 0, 10)
    assert not talk.waits
    assert talk.due_ns(10) == 10
    assert talk.next((), 10) == Request(id=2)


def test_the_steering_says_when_and_what_to_ask(steering: Scripted) -> None:
    talk = _started(steering)
    steering.told, steering.delay_ns = Level(60, 0.5), 7
    assert talk.due_ns(100) == 107
    request = talk.next((), 107)
    assert (request.quality, request.scale) == (60, 0.5)
    assert talk.due_ns(108) is None  # one is out, and no more may be


def test_as_many_requests_are_out_as_may_be(steering: Scripted) -> None:
    steering.allowed = 3
    talk = _started(steering)
    numbers = []
    while talk.due_ns(1) is not None:
        numbers.append(talk.next((), 1).id)
    assert numbers == [2, 3, 4]
    talk.answered(Answer(request=3), packet(0), 10, 2)  # answers may overtake each other
    assert talk.due_ns(2) == 2
    assert talk.next((), 2).id == 5


@pytest.mark.parametrize(
    ("topics", "asked"), [((), ""), (("lab",), "lab"), (("lab", "yard"), ("lab", "yard"))]
)
def test_the_topics_are_named(
    steering: Scripted, topics: tuple[str, ...], asked: str | tuple[str, ...]
) -> None:
    request = Conversation(steering).next(topics, 0)
    assert request.topic == asked
    assert decode_request(encode_request(request)) == request  # a sender takes it


def test_who_wants_the_newest_says_nothing_of_what_came(steering: Scripted) -> None:
    talk = _started(steering)
    talk.answered(Answer(request=talk.next((), 1).id), packet(4), 10, 2)
    assert talk.next((), 3).after is None


def test_who_wants_all_says_what_came_last_of_each_topic(steering: Scripted) -> None:
    talk = _started(steering, everything=True)
    for sequence, topic, sender in ((4, "a", "one"), (7, "b", "two"), (5, "a", "one")):
        request = talk.next((), 1)
        message = packet(sequence, topic, sender=sender)
        talk.answered(Answer(request=request.id), message, 10, 2)
    request = talk.next((), 3)
    assert request.after == {"a": ("one", 5), "b": ("two", 7)}
    assert decode_request(encode_request(request)) == request


def test_who_wants_all_and_has_nothing_yet_says_so(steering: Scripted) -> None:
    steering.allowed = 2
    talk = _started(steering, everything=True)
    assert [talk.next((), 1).after for _ in range(2)] == [{}, {}]


def test_a_frame_counts_as_had_whatever_it_answers(steering: Scripted) -> None:
    """Also one that was asked for on the connection before: it is here."""
    talk = _started(steering, everything=True)
    talk.answered(Answer(), packet(8), 10, 1)
    talk.answered(Answer(request=999), packet(9), 10, 1)
    assert talk.next((), 2).after == {"lab/cam1": (SENDER, 9)}


def test_positions_do_not_grow_without_bound(steering: Scripted) -> None:
    talk = _started(steering, everything=True)
    payload = packet(0).payload
    for number in range(1030):
        talk.answered(Answer(), packet(number, f"t{number}", payload), 10, 1)
        talk.answered(Answer(), packet(number, "t0", payload), 10, 1)  # this one speaks often
    after = talk.next((), 2).after
    assert isinstance(after, dict)
    assert len(after) == 1024
    assert after["t0"] == (SENDER, 1029)
    assert "t1" not in after
    assert decode_request(encode_request(talk.next((), 3))).after == after


# -- answers ------------------------------------------------------------------------------------


def test_the_steering_hears_of_each_answer(steering: Scripted) -> None:
    talk = _started(steering)
    frame = packet(3)
    talk.answered(Answer(request=talk.next((), 100).id, waited_us=7), frame, 1234, 250)
    talk.answered(Answer(request=talk.next((), 300).id), status(4), 0, 350)
    assert steering.heard == [(100, 250, 7000, 1234, frame.header), (300, 350, 0, 0, None)]


@pytest.mark.parametrize("number", [None, 0, 77, 2**63 - 1])
def test_answers_to_what_was_not_asked_tell_the_steering_nothing(
    steering: Scripted, number: int | None
) -> None:
    talk = _started(steering)
    talk.next((), 1)
    talk.answered(Answer(request=number), packet(0), 10, 2)
    assert steering.heard == []
    assert talk.waits


def test_a_repeated_answer_counts_once(steering: Scripted) -> None:
    talk = _started(steering)
    request = talk.next((), 1)
    for now_ns in (2, 3):
        talk.answered(Answer(request=request.id), packet(0), 10, now_ns)
    assert len(steering.heard) == 1


def test_an_answer_that_is_no_message_is_one_all_the_same(steering: Scripted) -> None:
    """A picture that was damaged, say: the next request need not wait."""
    talk = _started(steering)
    talk.answered(Answer(request=talk.next((), 1).id), None, 10, 2)
    assert not talk.waits
    assert talk.due_ns(2) == 2


def test_a_damaged_frame_measures_no_round_trip() -> None:
    talk = Conversation(Steering(credits=1))
    talk.answered(Answer(request=talk.next((), 0).id), None, 500_000, NS)
    assert math.isnan(talk.steering.round_trip_ms)


# -- what does not come -------------------------------------------------------------------------


def test_an_answer_is_waited_for_a_second_and_a_half(steering: Scripted) -> None:
    talk = _started(steering)
    assert not talk.is_overdue(100 * NS)  # nothing is out
    talk.next((), 100 * NS)
    assert not talk.is_overdue(100 * NS + PATIENCE_NS)
    assert talk.is_overdue(100 * NS + PATIENCE_NS + 1)


def test_the_oldest_request_decides(steering: Scripted) -> None:
    steering.allowed = 2
    talk = _started(steering)
    first = talk.next((), 0)
    talk.next((), NS)
    assert talk.is_overdue(PATIENCE_NS + 1)
    talk.answered(Answer(request=first.id), packet(0), 10, NS)
    assert not talk.is_overdue(PATIENCE_NS + 1)


def test_after_what_did_not_come_it_begins_anew_from_what_is_here(steering: Scripted) -> None:
    talk = _started(steering, everything=True)
    talk.answered(Answer(request=talk.next((), 1).id), packet(4), 10, 2)
    talk.next((), 3)
    talk.reset()
    assert steering.resets == 1
    assert not talk.waits
    assert talk.due_ns(9) == 9
    request = talk.next((), 9)
    assert (request.status, request.resume) == (True, True)
    assert request.after == {"lab/cam1": (SENDER, 4)}
    talk.answered(Answer(request=request.id), status(5), 0, 10)
    request = talk.next((), 11)
    assert (request.status, request.resume) == (False, False)


def test_numbers_are_never_used_again(steering: Scripted) -> None:
    talk = Conversation(steering)
    numbers = []
    for now_ns in range(5):
        numbers.append(talk.next((), now_ns).id)
        talk.reset()
    assert numbers == [1, 2, 3, 4, 5]


def test_a_late_answer_teaches_patience(steering: Scripted) -> None:
    """On a slow link a picture may take longer than that: it would be asked for without end."""
    talk = _started(steering)
    slow = talk.next((), 0)
    talk.reset()
    ping = talk.next((), 2 * NS)
    talk.answered(Answer(request=slow.id), packet(0), 10, 4 * NS)
    assert steering.heard == []  # of a connection before this one, for all that is known
    assert talk.waits
    assert not talk.is_overdue(2 * NS + 8 * NS)
    assert talk.is_overdue(2 * NS + 8 * NS + 1)
    talk.answered(Answer(request=ping.id), status(1), 0, 5 * NS)
    talk.next((), 5 * NS)
    assert not talk.is_overdue(5 * NS + 9 * NS)  # three times what the last one took
    assert talk.is_overdue(5 * NS + 9 * NS + 1)


def test_patience_comes_back_with_quick_answers(steering: Scripted) -> None:
    talk = _started(steering)
    talk.answered(Answer(request=talk.next((), 0).id), packet(0), 10, NS)
    talk.next((), NS)
    assert not talk.is_overdue(NS + 3 * NS)
    talk.answered(Answer(request=talk.next((), NS).id), packet(1), 10, NS + 1)
    talk.reset()
    talk.next((), 2 * NS)
    assert talk.is_overdue(2 * NS + PATIENCE_NS + 1)


def test_what_was_given_up_is_not_remembered_for_ever(steering: Scripted) -> None:
    talk = Conversation(steering)
    first = talk.next((), 0)
    for now_ns in range(40):
        talk.reset()
        talk.next((), now_ns)
    talk.answered(Answer(request=first.id), packet(0), 10, 100 * NS)
    talk.reset()
    talk.next((), 200 * NS)
    assert talk.is_overdue(200 * NS + PATIENCE_NS + 1)  # it taught nothing
