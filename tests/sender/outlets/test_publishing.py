"""`pub-sub`: who subscribes gets every frame and hears what has become of each topic."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from framewire.common.clock import NS
from framewire.sender import Sender
from sender.controls import Clock, Gate, Passes
from sender.peers import ADDRESS, DEADLINE_S, Listener, lost, until

if TYPE_CHECKING:
    from sender.conftest import Chart, Eventually, Listen, MakePacket


# -- nobody listens -----------------------------------------------------------------------------


def test_nothing_is_encoded_while_nobody_subscribes(
    listen: "Listen", chart: "Chart", gate: Gate
) -> None:
    with Sender(ADDRESS, topic="lab/cam1") as out:
        other = listen(ADDRESS, prefixes=(b"lab/cam10/", b"yard/"))
        assert out.wait_for_receivers(2, DEADLINE_S)
        for number in range(5):
            out.send(chart(number))
        assert (out.stats.captured, out.stats.unwatched) == (5, 5)
        listener = listen(ADDRESS, prefixes=(b"lab/cam1/",))
        assert out.wait_for_receivers(3, DEADLINE_S)
        out.send(chart(5))
        packet = listener.until_packets(1)[0]
        assert (packet.sequence, packet.header.dropped) == (5, 0)
        assert len(gate.images) == 1
        assert (out.stats.captured, out.stats.unwatched, out.stats.dropped) == (6, 5, 0)
    listener.until_ended()
    assert lost(listener.messages) == 0  # it came late; that is no loss
    assert other.messages == []


def test_nothing_is_forwarded_while_nobody_subscribes(
    listen: "Listen", packet: "MakePacket"
) -> None:
    with Sender(ADDRESS) as out:
        out.forward(packet(7))
        listener = listen(ADDRESS)
        assert out.wait_for_receivers(1, DEADLINE_S)
        out.forward(packet(8))
        assert listener.until_packets(1)[0].sequence == 8
        stats = out.stats.topics["lab/cam1"]
        assert (stats.captured, stats.unwatched) == (2, 1)
    listener.until_ended()
    assert lost(listener.messages) == 0


def test_when_the_last_receiver_leaves_nothing_is_encoded(
    listener: Listener, chart: "Chart", gate: Gate, eventually: "Eventually"
) -> None:
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(chart(0))
        listener.until_packets(1)
        listener.close()
        eventually(lambda: out.receivers == 0)
        out.send(chart(1))
        assert (out.stats.captured, out.stats.unwatched) == (2, 1)
        assert len(gate.images) == 1


def test_waiting_for_receivers(listen: "Listen", threads: ThreadPoolExecutor) -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(0)
        assert not out.wait_for_receivers(1, 0)
        assert not out.wait_for_receivers(1, 0.001)
        both = threads.submit(out.wait_for_receivers, 2)
        listen(ADDRESS)
        assert out.wait_for_receivers(1, DEADLINE_S)
        assert not both.done()
        listen(ADDRESS)
        assert both.result(DEADLINE_S)
        never = threads.submit(out.wait_for_receivers, 3)
        out.close()
        assert not never.result(DEADLINE_S)


# -- statuses -----------------------------------------------------------------------------------


def test_a_new_receiver_hears_the_state_at_once_and_then_every_second(
    listen: "Listen",
    chart: "Chart",
    clock: Clock,
    passes: Passes,
    eventually: "Eventually",
) -> None:
    def two_rounds() -> None:
        seen = passes.count
        eventually(lambda: passes.count > seen + 1)

    def quiet(listener: Listener, count: int) -> None:
        """Two more rounds and a frame that overtakes nothing: no status came."""
        two_rounds()
        had = len(listener.packets)
        out.send(chart(0))
        listener.until_packets(had + 1)
        assert len(listener.statuses) == count

    with Sender(ADDRESS, topic="cam") as out:
        out.send(chart(0))
        two_rounds()  # the first status was sent to nobody
        first = listen(ADDRESS)
        first.until(lambda: first.statuses)
        assert first.statuses[0].state == "live"
        quiet(first, 1)
        clock.now_ns += NS - 1
        quiet(first, 1)
        clock.now_ns += 1
        first.until(lambda: len(first.statuses) == 2)
        quiet(first, 2)
        second = listen(ADDRESS)
        second.until(lambda: second.statuses)  # the clock stands
        status = second.statuses[0]
        assert (status.topic, status.sequence) == ("cam", out.stats.captured)
    assert second.until_ended().sequence == out.stats.captured


def test_statuses_come_once_a_second_on_the_real_clock(listener: Listener) -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.announce("live", topic="cam")
        listener.until(lambda: len(listener.statuses) >= 3)
        sent = [status.sent_ns for status in listener.statuses]
    # The first two may be one change each; a slow machine can only make the rest later.
    assert sent[2] - sent[0] >= 0.9 * NS


def test_a_change_is_told_at_once(listener: Listener, chart: "Chart", clock: Clock) -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.send(chart(0), topic="a")
        out.send(chart(0), topic="b")
        listener.until(lambda: {s.topic for s in listener.statuses} == {"a", "b"})
        had = len(listener.statuses)
        out.announce("no-signal", "unplugged " + "x" * 2000, topic="a")
        listener.until(lambda: len(listener.statuses) > had)
        status = listener.statuses[-1]
        assert (status.topic, status.state, len(status.reason)) == ("a", "no-signal", 1024)
        had = len(listener.statuses)
        out.announce("live")
        listener.until(lambda: len(listener.statuses) == had + 2)
        states = {s.topic: (s.state, s.reason) for s in listener.statuses[had:]}
        assert states == {"a": ("live", ""), "b": ("live", "")}


def test_a_topic_can_be_announced_before_its_first_frame(listener: Listener) -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.announce("no-signal", "not plugged in", topic="lab/cam9")
        listener.until(lambda: listener.statuses)
        status = listener.statuses[0]
    assert (status.topic, status.state, status.sequence) == ("lab/cam9", "no-signal", 0)
    assert status.reason == "not plugged in"


def test_a_topic_may_be_announced_with_its_closing_slash(listener: Listener) -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.announce("no-signal", topic="lab/cam9/")
        listener.until(lambda: listener.statuses)
        assert listener.statuses[0].state == "no-signal"


def test_the_last_word_is_the_final_number(listener: Listener, chart: "Chart") -> None:
    with Sender(ADDRESS, topic="cam") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        for number in range(7):
            out.send(chart(number))
    last = listener.until_ended()  # everything that was accepted came before it
    assert listener.sequences() == list(range(7))
    assert (last.state, last.reason, last.sequence) == ("ended", "", 7)
    assert last.sender == listener.packets[0].header.sender


def test_the_last_word_keeps_a_reason_that_was_given(listener: Listener) -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        out.announce("ended", "the file is over", topic="clip")
    assert listener.until_ended().reason == "the file is over"


def test_every_topic_has_a_last_word(listener: Listener, chart: "Chart") -> None:
    with Sender(ADDRESS) as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)
        for number, topic in enumerate("aab"):
            out.send(chart(number), topic=topic)
    listener.until(lambda: sum(s.state == "ended" for s in listener.statuses) == 2)
    ended = {s.topic: s.sequence for s in listener.statuses if s.state == "ended"}
    assert ended == {"a": 2, "b": 1}


def test_a_status_never_runs_ahead_of_frames_on_their_way(
    listener: Listener, chart: "Chart", gate: Gate
) -> None:
    gate.shut()
    with Sender(ADDRESS, topic="cam", when_full="newest") as out:
        assert out.wait_for_receivers(timeout=DEADLINE_S)

        def told() -> int:
            had = len(listener.statuses)
            out.announce("live")
            listener.until(lambda: len(listener.statuses) > had)
            return listener.statuses[-1].sequence

        out.send(chart(0))
        gate.until_busy()
        assert told() == 0
        for number in range(1, 4):
            out.send(chart(number))
            assert told() == 0
        gate.open()
        listener.until_packets(2)
        listener.until(lambda: told() == 4)
    listener.until_ended()
    assert lost(listener.messages) == 2  # 1 and 2, which 3 replaced


def test_a_program_can_be_told_who_comes_and_leaves(listen: "Listen") -> None:
    seen: list[frozenset[bytes]] = []
    with Sender(ADDRESS) as out:
        out.on_audience = lambda: seen.append(out.demand)
        first = listen(ADDRESS, prefixes=(b"lab/",))
        until(lambda: seen)
        second = listen(ADDRESS, prefixes=(b"lab/", b"yard/"))
        until(lambda: out.receivers == 3)
        second.close()
        until(lambda: out.receivers == 1)
        first.close()
        until(lambda: seen[-1] == frozenset())
    assert seen[0] == {b"lab/"}
    assert {b"lab/", b"yard/"} in seen


# -- the last frame once more -------------------------------------------------------------------


def test_a_newcomer_gets_the_last_frame_of_each_topic_it_takes(
    listen: "Listen", chart: "Chart", packet: "MakePacket"
) -> None:
    with Sender(ADDRESS, repeat=True) as out:
        first = listen(ADDRESS)
        assert out.wait_for_receivers(1, DEADLINE_S)
        for number in range(3):
            out.forward(packet(number))
        out.send(chart(0), topic="yard")
        first.until_packets(4)
        second = listen(ADDRESS, prefixes=(b"lab/",))
        assert second.until_packets(1)[0].payload == first.packets[2].payload
        first.until_packets(5)  # which drops what it had already
        assert out.stats.sent == 4  # a repetition is none of the frames that were sent
    second.until_ended()
    assert (second.sequences(), first.sequences("yard")) == ([2], [0])
    assert lost(first.messages) == lost(second.messages) == 0


def test_many_newcomers_share_a_repetition(
    listen: "Listen", packet: "MakePacket", clock: Clock, passes: Passes
) -> None:
    with Sender(ADDRESS, repeat=True) as out:
        first = listen(ADDRESS)
        assert out.wait_for_receivers(1, DEADLINE_S)
        out.forward(packet(0))
        first.until_packets(1)
        listen(ADDRESS)
        first.until_packets(2)
        late = [listen(ADDRESS) for _ in range(3)]
        assert out.wait_for_receivers(5, DEADLINE_S)
        passes.two_more()
        clock.forward(0.1)
        for each in late:
            each.until_packets(1)
        passes.two_more()
    first.until_ended()
    assert first.sequences() == [0, 0, 0]


def test_a_frame_that_nobody_takes_any_more_is_not_repeated(
    listen: "Listen", packet: "MakePacket"
) -> None:
    with Sender(ADDRESS, repeat=True) as out:
        first = listen(ADDRESS)
        assert out.wait_for_receivers(1, DEADLINE_S)
        out.forward(packet(0))
        first.until_packets(1)
        first.close()
        until(lambda: out.receivers == 0)
        out.forward(packet(1))  # to nobody: so the last one is not known any more
        second = listen(ADDRESS)
        assert out.wait_for_receivers(1, DEADLINE_S)
    second.until_ended()
    assert second.packets == []
