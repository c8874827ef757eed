"""When frames are recorded, where that is only around events."""

from framewire.receiver.sinks.events import Events


def test_before_an_event_all_is_kept_for_it() -> None:
    events: Events[str] = Events(10, 5, 100)
    assert events.of_frame(0) == 1
    assert events.keep(0, "a", 1, "first")
    assert events.keep(3, "a", 1, "second")
    drained = events.trigger(4)
    assert drained is not None
    assert drained.items == ["first", "second"]
    assert events.number == events.of_frame(4) == 1


def test_it_lasts_until_some_time_after_the_last_trigger() -> None:
    events: Events[str] = Events(10, 5, 100)
    events.trigger(0)
    assert not events.keep(5, "a", 1, "during")
    assert events.trigger(5) is None
    assert not events.keep(10, "a", 1, "during")
    assert not events.over(1, 10)
    assert events.keep(11, "a", 1, "after")
    assert events.over(1, 11)
    assert events.of_frame(11) == 2
    drained = events.trigger(12)
    assert drained is not None
    assert drained.items == ["after"]
    assert events.over(1, 12)
    assert not events.over(2, 12)
