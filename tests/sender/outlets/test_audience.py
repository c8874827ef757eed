"""Who listens to what."""

from hypothesis import given
from hypothesis import strategies as st

from framewire.sender.outlets.audience import Audience


def test_subscriptions_at_several_sockets_add_up() -> None:
    audience = Audience(16)
    audience.note("a", b"lab/", begins=True)
    audience.note("b", b"lab/", begins=True)
    audience.note("b", b"yard/", begins=True)
    assert (audience.size_at("a"), audience.size_at("b"), audience.size_at("c")) == (1, 2, 0)
    assert audience.prefixes == {b"lab/", b"yard/"}
    audience.note("a", b"lab/", begins=False)
    assert audience.wants(b"lab/cam1/")
    audience.forget("b")
    assert not audience.wants(b"lab/cam1/")
    assert audience.prefixes == frozenset()


def test_an_end_without_a_beginning_is_none() -> None:
    audience = Audience(16)
    audience.note("a", b"lab/", begins=True)
    audience.note("b", b"lab/", begins=False)
    audience.note("a", b"yard/", begins=False)
    audience.forget("c")
    assert audience.prefixes == {b"lab/"}


def test_too_many_prefixes_at_one_socket_stand_for_all() -> None:
    audience = Audience(2)
    for number in range(3):
        audience.note("a", b"%d/" % number, begins=True)
    audience.note("b", b"lab/", begins=True)
    assert audience.overflows
    assert audience.wants(b"anything/")
    audience.forget("a")
    assert not audience.overflows
    assert audience.prefixes == {b"lab/"}


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([b"x/", b"y/", b""]), st.booleans()))
)
def test_any_order_of_events_counts_what_is_there(events: list[tuple[str, bytes, bool]]) -> None:
    audience, there = Audience(16), {(at, p): 0 for at in "ab" for p in (b"x/", b"y/", b"")}
    for at, prefix, begins in events:
        audience.note(at, prefix, begins=begins)
        there[at, prefix] = max(0, there[at, prefix] + (1 if begins else -1))
    assert audience.prefixes == {prefix for (_, prefix), count in there.items() if count}
    for at in "ab":
        assert audience.size_at(at) == sum(c for (here, _), c in there.items() if here == at)
