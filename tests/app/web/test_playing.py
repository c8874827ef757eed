"""Which frame is due, by a clock of our own."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.app.web.playing import Command, Jump, Order, Play, Player, command
from framewire.common.clock import NS

MS = NS // 1000


def do(player: Player, now_ns: int, what: str, turn: int = 1, **more: object) -> None:
    player.obey(command(json.dumps({"do": what, "turn": turn, **more})), now_ns)


def show(player: Player, now_ns: int, time_ns: int, next_ns: int | None) -> Order:
    order = player.order(now_ns)
    assert order is not None
    player.shown(order, time_ns, next_ns, now_ns)
    return order


@pytest.fixture
def player() -> Player:
    """Who stands at the first frame of three, 100 ms from each other."""
    player = Player()
    assert show(player, 0, 0, 100 * MS).at_ns == 0
    return player


def test_it_stands_at_first(player: Player) -> None:
    assert player.order(10**12) is None
    assert player.wait_s(10**12) is None


def test_playing_gives_what_is_due(player: Player) -> None:
    do(player, 0, "play")
    assert player.order(99 * MS) is None
    assert player.wait_s(40 * MS) == pytest.approx(0.06)
    order = show(player, 100 * MS, 100 * MS, 200 * MS)
    assert (order.at_ns, order.turn) == (100 * MS, 1)
    assert player.order(150 * MS) is None


def test_a_slow_browser_gets_the_newest_that_is_due(player: Player) -> None:
    do(player, 0, "play")
    order = player.order(5 * NS)
    assert order is not None
    assert order.at_ns == 5 * NS


@pytest.mark.parametrize("speed", [0.1, 0.5, 2, 16])
def test_speed(player: Player, speed: float) -> None:
    do(player, 0, "speed", speed=speed)
    do(player, 0, "play")
    assert player.wait_s(0) == pytest.approx(0.1 / speed)
    assert player.position_ns(10 * MS) == 10 * MS * speed


def test_speed_changes_on_the_way(player: Player) -> None:
    do(player, 0, "play")
    do(player, 40 * MS, "speed", speed=2)
    assert player.position_ns(50 * MS) == 60 * MS


def test_time_stands_still_until_the_frame_of_a_jump_is_there(player: Player) -> None:
    do(player, 0, "play")
    do(player, 10 * MS, "jump", 2, to_ns=7 * NS)
    order = player.order(10 * MS)
    assert order is not None
    assert (order.at_ns, order.turn) == (7 * NS, 2)
    player.shown(order, 7 * NS - 30 * MS, 7 * NS + 70 * MS, 3 * NS)
    assert player.order(3 * NS) is None
    assert player.position_ns(3 * NS + 20 * MS) == 7 * NS + 20 * MS


def test_an_older_frame_is_not_taken_for_the_answer(player: Player) -> None:
    do(player, 0, "jump", 2, to_ns=NS)
    first = player.order(0)
    assert first is not None
    do(player, 0, "jump", 3, to_ns=2 * NS)
    assert not player.is_current(first)
    second = player.order(0)
    assert second is not None
    assert (second.at_ns, second.turn) == (2 * NS, 3)
    assert player.is_current(second)


def test_steps_add_up_and_stand_still(player: Player) -> None:
    do(player, 0, "play")
    do(player, 0, "step", 2, by=1)
    do(player, 0, "step", 3, by=-3)
    order = show(player, 0, 0, 100 * MS)
    assert (order.at_ns, order.by, order.turn) == (None, -2, 3)
    assert player.order(NS) is None


def test_a_step_after_a_jump_counts_from_there(player: Player) -> None:
    do(player, 0, "jump", 1, to_ns=NS)
    do(player, 0, "step", 2, by=1)
    order = player.order(0)
    assert order is not None
    assert (order.at_ns, order.by) == (NS, 1)


def test_a_pause_is_answered(player: Player) -> None:
    do(player, 0, "play")
    do(player, 50 * MS, "pause", 2)
    order = show(player, 60 * MS, 0, 100 * MS)
    assert (order.at_ns, order.by, order.turn) == (None, 0, 2)
    assert player.order(NS) is None


def test_time_between_files_is_skipped_or_kept(player: Player) -> None:
    for skips, wait_s in ((True, 0.1), (False, 3600.0)):
        player = Player()
        do(player, 0, "skip", gaps=skips)
        do(player, 0, "play")
        order = player.order(0)
        assert order is not None
        player.shown(order, 0, 3600 * NS, 0, hole=True)
        assert player.wait_s(0) == pytest.approx(wait_s)


def test_the_end_and_more(player: Player) -> None:
    do(player, 0, "play")
    show(player, NS, 200 * MS, None)
    assert player.order(9 * NS) is None
    assert player.wait_s(9 * NS) is None
    assert player.position_ns(9 * NS) == 200 * MS
    player.more(300 * MS, 9 * NS)
    assert player.wait_s(9 * NS) == pytest.approx(0.1)


BAD = [
    "{}",
    '{"do":"jump","turn":1}',
    '{"do":"jump","turn":1,"to_ns":-1}',
    '{"do":"jump","turn":1,"to_ns":9223372036854775808}',
    '{"do":"jump","turn":1,"to_ns":"1"}',
    '{"do":"jump","turn":-1,"to_ns":1}',
    '{"do":"jump","turn":1,"to_ns":1,"more":1}',
    '{"do":"speed","turn":1,"speed":0.05}',
    '{"do":"speed","turn":1,"speed":17}',
    '{"do":"speed","turn":1,"speed":NaN}',
    '{"do":"step","turn":1,"by":1001}',
    '{"do":"step","turn":1,"by":0.5}',
    '{"do":"skip","turn":1,"gaps":1}',
    '{"do":"fly","turn":1}',
    '{"do":"play"}',
    "[]",
]


@pytest.mark.parametrize("text", BAD)
def test_bad_commands(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        command(text)


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text_is_a_command_or_the_one_error(text: str) -> None:
    with suppress(ValueError):
        assert isinstance(command(text), Command)


@given(
    st.lists(
        st.one_of(
            st.builds(Jump, turn=st.just(1), to_ns=st.integers(0, 10**18)),
            st.builds(Play, turn=st.just(1)),
            st.sampled_from(
                [command(f'{{"do":"{do}","turn":1}}') for do in ("pause", "play")]
                + [command('{"do":"step","turn":1,"by":2}')]
            ),
        )
    )
)
def test_whatever_is_asked_it_settles(commands: list[Command]) -> None:
    player = Player()
    for now_ns, each in enumerate(commands):
        player.obey(each, now_ns)
        order = player.order(now_ns)
        if order is not None:
            player.shown(order, (order.at_ns or 0), (order.at_ns or 0) + NS, now_ns)
        assert player.order(now_ns) is None
