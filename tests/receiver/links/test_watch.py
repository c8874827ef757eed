"""When a socket counts as deaf, on a clock of the test's own."""

from framewire.common.clock import NS
from framewire.receiver.links.watch import SILENCE_NS, Watch


def test_a_silent_socket_is_deaf_again_and_again() -> None:
    watch = Watch(0)
    for began_ns in (0, 10 * NS, 20 * NS):
        assert not watch.is_deaf(began_ns + SILENCE_NS)
        assert watch.is_deaf(began_ns + SILENCE_NS + 1)
        watch.renew(began_ns + 10 * NS)


def test_every_valid_message_is_a_sign_of_life() -> None:
    watch = Watch(0)
    for second in range(1, 20):
        watch.heard(second * NS, frame=second % 2 == 0)
        assert not watch.is_deaf((second + 1) * NS)
    assert watch.is_deaf(19 * NS + SILENCE_NS + 1)


def test_whoever_speaks_seldom_may_be_silent_for_longer() -> None:
    watch = Watch(0)
    watch.heard(10 * NS, frame=True)
    watch.heard(20 * NS, frame=True)
    assert not watch.is_deaf(50 * NS)
    assert watch.is_deaf(50 * NS + 1)


def test_a_long_interval_is_forgotten_after_a_while() -> None:
    watch = Watch(0)
    watch.heard(100 * NS, frame=True)
    assert not watch.is_deaf(399 * NS)
    for second in range(101, 130):
        watch.heard(second * NS, frame=True)
    assert watch.is_deaf(129 * NS + SILENCE_NS + 1)


def test_time_in_which_nobody_looked_is_no_silence() -> None:
    watch = Watch(0)
    watch.excuse(100 * NS)
    assert not watch.is_deaf(100 * NS + SILENCE_NS)
    assert watch.is_deaf(100 * NS + SILENCE_NS + 1)


def test_a_sender_whose_pictures_come_too_slowly_gets_more_time_with_each_socket() -> None:
    """It is heard, so it is there; but each picture was cut off by our impatience."""
    watch, now_ns, allowed = Watch(0), 0, []
    for _ in range(6):
        watch.heard(now_ns, frame=False)
        silence_ns = next(n for n in range(0, 100 * NS, NS // 2) if watch.is_deaf(now_ns + n + 1))
        allowed.append(silence_ns // NS)
        now_ns += silence_ns + 1
        watch.renew(now_ns)
    assert allowed == [3, 6, 12, 24, 30, 30]


def test_once_a_picture_came_the_usual_patience_is_back() -> None:
    watch = Watch(0)
    watch.heard(0, frame=False)
    watch.renew(10 * NS)
    assert not watch.is_deaf(10 * NS + 2 * SILENCE_NS)
    watch.heard(10 * NS, frame=True)
    assert watch.is_deaf(10 * NS + SILENCE_NS + 1)


def test_where_nobody_was_heard_patience_does_not_grow() -> None:
    watch = Watch(0)
    watch.renew(10 * NS)
    watch.renew(20 * NS)
    assert watch.is_deaf(20 * NS + SILENCE_NS + 1)


def test_a_longer_silence_can_be_usual() -> None:
    watch = Watch(0, 10 * NS)
    assert not watch.is_deaf(10 * NS)
    assert watch.is_deaf(10 * NS + 1)
    watch.renew(20 * NS)
    assert not watch.is_deaf(30 * NS)
