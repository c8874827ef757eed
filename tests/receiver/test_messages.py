"""Packets with what senders say in between, and topics that are chosen at run time."""

import threading
from time import sleep

import pytest

from framewire.common.clock import NS
from framewire.common.errors import ReceiveTimeout, UsageError
from framewire.common.frame import Packet, Status
from framewire.receiver import Receiver
from framewire.receiver import receiver as module
from framewire.receiver.links.subscribing import Subscribing
from receiver.publishing import DEADLINE_S, Station, packet, status, until
from receiver.reading import Connect, books_of


def _told(message: Packet | Status) -> int | str:
    return message.sequence if isinstance(message, Packet) else message.state


# -- statuses -------------------------------------------------------------------------------------


def test_statuses_come_in_their_places_between_packets(station: Station, connect: Connect) -> None:
    receiver = connect(keep="all", statuses=True)
    station.send(status(0), packet(0), status(1, "no-signal"), packet(1), packet(2))
    station.send(status(3, "ended", "the clip is over"))
    messages = receiver.messages()
    taken = [next(messages) for _ in range(6)]
    assert [_told(each) for each in taken] == ["live", 0, "no-signal", 1, 2, "ended"]
    last = taken[-1]
    assert isinstance(last, Status)
    assert (last.topic, last.reason) == ("lab/cam1", "the clip is over")
    assert books_of(receiver).delivered == receiver.stats.received == 3


def test_a_packet_says_when_it_was_handed_over(
    station: Station, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "wall_ns", lambda: 77)
    station_packet = packet(0)
    receiver = connect(keep="all", statuses=True)
    station.send(station_packet)
    message = next(receiver.messages())
    assert isinstance(message, Packet)
    assert (message.header, message.received_ns) == (station_packet.header, 77)


def test_statuses_come_only_to_who_wants_them(station: Station, connect: Connect) -> None:
    receiver = connect(keep="all")
    station.send(status(0), packet(0), status(1), packet(1))
    messages = receiver.messages()
    assert [_told(next(messages)) for _ in range(2)] == [0, 1]


def test_who_reads_frames_is_not_given_statuses(station: Station, connect: Connect) -> None:
    receiver = connect(keep="all", statuses=True)
    station.send(status(0), packet(0), status(1), packet(1))
    assert receiver.read().sequence == 0
    assert receiver.read_packet().sequence == 1


def test_statuses_have_no_place_among_the_newest_frames(station: Station) -> None:
    """Where frames replace each other, nobody could tell what a status came after."""
    with pytest.raises(UsageError, match="use keep='all'"):
        Receiver(station.url, statuses=True)


def test_messages_end_when_it_closes(station: Station, connect: Connect) -> None:
    receiver = connect(keep="all", statuses=True)
    receiver.close()
    assert list(receiver.messages()) == []


def test_messages_give_up_when_their_time_is_over(station: Station, connect: Connect) -> None:
    receiver = connect(keep="all", statuses=True, timeout=0.01)
    with pytest.raises(ReceiveTimeout, match=r"no frame in 0\.01 s"):
        next(receiver.messages())
    with pytest.raises(ReceiveTimeout, match=r"no frame in 0 s"):
        next(receiver.messages(timeout=0))


def test_statuses_have_a_weight(station: Station, connect: Connect) -> None:
    """So that no number of them fits into the queue while nobody reads."""
    receiver = connect(keep="all", statuses=True)
    station.send(status(0, reason="unplugged"))
    until(lambda: len(receiver._packets) == 1)
    assert receiver._packets.weight >= len("unplugged")


def test_statuses_do_not_prolong_a_timeout(
    station: Station, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = connect(keep="all", statuses=True)
    now_ns, turns = 1000 * NS, 0

    def get(timeout: float | None) -> Status | None:
        nonlocal now_ns, turns
        turns += 1
        assert timeout is not None
        assert turns < 100, "it waits for ever"
        if timeout < 1:
            return None
        now_ns += NS
        return status(0)

    with monkeypatch.context() as patch:
        patch.setattr(module, "monotonic_ns", lambda: now_ns)
        patch.setattr(receiver._packets, "get", get)
        with pytest.raises(ReceiveTimeout):
            receiver.read_packet(timeout=3.5)


# -- other topics ---------------------------------------------------------------------------------


def test_other_topics_can_be_chosen_while_it_runs(station: Station, connect: Connect) -> None:
    receiver = connect(keep="all", topics="lab")
    receiver.select([b"yard/"])

    def comes() -> bool:
        station.offer(packet(0, "lab/cam1"), packet(1, "yard"))
        station.look()
        return "yard" in receiver.stats.topics

    until(comes)
    assert station.subscriptions == 1
    while receiver.read_packet().topic != "yard":
        pass
    before = receiver.stats.topics["yard"].repeated
    station.send(packet(99, "lab/cam1"), packet(1, "yard"))
    until(lambda: receiver.stats.topics["yard"].repeated > before)
    assert "lab/cam1" not in receiver.stats.topics or books_of(receiver).received <= 1


def test_with_nothing_chosen_it_is_subscribed_to_nothing(
    station: Station, connect: Connect
) -> None:
    receiver = connect(topics=["lab", "yard"])
    station.wait_for_subscriptions(2)
    receiver.select([])

    def nothing() -> bool:
        station.look()
        return station.subscriptions == 0

    until(nothing)
    receiver.select([b""])
    station.wait_for_subscriptions()
    station.send(packet(0, "gate"))
    assert receiver.read_packet().topic == "gate"


def test_what_was_not_subscribed_to_is_no_loss(station: Station, connect: Connect) -> None:
    receiver = connect(keep="all", topics=["lab", "yard"])
    station.wait_for_subscriptions(2)

    def sent(number: int) -> None:
        for topic in ("lab", "yard"):
            station.send(packet(number, topic))
            while receiver.read_packet().topic != topic:
                pass

    def listens_to(*topics: bytes) -> None:
        receiver.select(topics)

        def so() -> bool:
            station.look()
            return station.subscriptions == len(topics)

        until(so)

    sent(0)
    sent(2)
    listens_to(b"lab/")
    station.send(packet(5, "lab"), packet(5, "yard"))
    assert receiver.read_packet().sequence == 5
    listens_to(b"lab/", b"yard/")
    sent(10)
    topics = receiver.stats.topics
    assert topics["lab"].lost == 1 + 2 + 4
    assert topics["yard"].lost == 1
    sent(12)
    assert receiver.stats.topics["yard"].lost == 2


def test_it_may_begin_with_nothing_chosen(station: Station) -> None:
    """A relay that nobody has asked for anything yet."""
    with Receiver(station.url, topics=None, timeout=DEADLINE_S) as receiver:
        receiver.select([b"yard/"])
        station.wait_for_subscriptions()
        assert station.subscriptions == 1
        station.send(packet(0, "lab"), packet(0, "yard"))
        assert receiver.read_packet().topic == "yard"


def test_the_last_choice_counts(station: Station, connect: Connect) -> None:
    receiver = connect(topics="lab")
    for topic in (b"a/", b"b/", b"yard/"):
        receiver.select([topic])

    def comes() -> bool:
        station.offer(packet(0, "yard"))
        return "yard" in receiver.stats.topics

    until(comes)
    assert _prefixes(receiver) == {b"yard/"}


def _prefixes(receiver: Receiver) -> frozenset[bytes]:
    (link,) = receiver._links
    assert isinstance(link, Subscribing)
    return link._prefixes


def test_choosing_after_the_end_is_no_error(station: Station, connect: Connect) -> None:
    receiver = connect()
    receiver.close()
    receiver.select([b"lab/"])


class Interrupted(Receiver):
    """A receiver whose thread is interrupted by another choice just when it takes one."""

    other: threading.Thread | None = None
    _chosen: frozenset[bytes] | None = None

    @property
    def _to_select(self) -> frozenset[bytes] | None:
        taken = self._chosen
        if taken == frozenset({b"gate/"}) and self.other is None:
            self.other = threading.Thread(target=self.select, args=([b"yard/"],))
            self.other.start()
            self.other.join(0.5)  # longer, where a lock lets it choose only afterwards
        return taken

    @_to_select.setter
    def _to_select(self, chosen: frozenset[bytes] | None) -> None:
        self._chosen = chosen


def test_a_choice_at_the_wrong_moment_is_not_lost(station: Station) -> None:
    with Interrupted(station.url, topics="lab") as receiver:
        station.wait_for_subscriptions()
        receiver.select([b"gate/"])
        until(lambda: receiver.other is not None and not receiver.other.is_alive())
        until(lambda: _prefixes(receiver) in ({b"gate/"}, {b"yard/"}))
        for _ in range(100):
            if _prefixes(receiver) == {b"yard/"}:
                return
            sleep(0.01)
        raise AssertionError("it holds on to the choice before")
