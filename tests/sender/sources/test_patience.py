"""When a camera counts as lost, and when it shows an old picture."""

import numpy as np
import pytest

from framewire.common.clock import NS
from framewire.common.frame import Image
from framewire.sender.sources.patience import (
    FIRST_NS,
    LOST_NS,
    QUIET_NS,
    BackOff,
    Patience,
    Stillness,
)

START = 100 * NS
NOISE = np.random.default_rng(1)


def noisy(*shape: int) -> Image:
    return NOISE.integers(0, 255, shape or (96, 160, 3), np.uint8)


# -- attempts -----------------------------------------------------------------------------------


def test_attempts_are_farther_and_farther_apart_until_one_works() -> None:
    back_off = BackOff()
    assert [back_off.next_s() for _ in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]
    back_off.worked()
    assert [back_off.next_s() for _ in range(2)] == [1, 2]


# -- pictures that do not come ------------------------------------------------------------------


def a_camera(*times_s: float) -> Patience:
    """Opened at START, with pictures so many seconds later."""
    patience = Patience()
    patience.opened(START)
    for at_s in times_s:
        patience.picture(START + round(at_s * NS))
    return patience


def test_a_camera_that_stops_is_told_and_given_up() -> None:
    patience = a_camera(0, 0.033, 0.066)
    last = START + round(0.066 * NS)
    assert patience.quiet(last + QUIET_NS - 1) == ""
    assert patience.quiet(last + QUIET_NS) == "it gives no picture for 2 s"
    assert not patience.over(last + LOST_NS - 1)
    assert patience.over(last + LOST_NS)


@pytest.mark.parametrize("times_s", [(), (1.0,)])
def test_the_first_pictures_are_told_of_but_waited_for(times_s: tuple[float, ...]) -> None:
    patience = a_camera(*times_s)
    since = START + round(sum(times_s) * NS)
    assert patience.quiet(since + QUIET_NS).endswith("no picture for 2 s")
    assert not patience.over(since + FIRST_NS - 1)
    assert patience.over(since + FIRST_NS)


def test_a_camera_that_opens_and_gives_nothing() -> None:
    assert a_camera().quiet(START + QUIET_NS) == "it opens, but gives no picture for 2 s"


def test_a_slow_camera_is_not_lost_between_two_pictures() -> None:
    patience = a_camera(0, 5, 10)
    assert not patience.quiet(START + 24 * NS)
    assert patience.quiet(START + 25 * NS) == "it gives no picture for 15 s"
    assert patience.over(START + 25 * NS)


def test_one_long_pause_is_forgotten() -> None:
    patience = a_camera(0, 0.1, 2.5, *(2.5 + i / 10 for i in range(1, 40)))
    assert patience.over(START + round(6.4 * NS) + LOST_NS)


def test_no_pause_is_waited_for_longer_than_a_minute() -> None:
    assert a_camera(0, 1000, 2000).over(START + 2060 * NS)


def test_what_cannot_be_shown_is_the_reason() -> None:
    patience = a_camera(0, 0.1)
    patience.damaged("it gives no whole picture")
    assert patience.quiet(START + NS) == ""
    assert patience.quiet(START + 3 * NS) == "it gives no whole picture"
    patience.picture(START + 4 * NS)
    assert patience.quiet(START + 30 * NS) == "it gives no picture for 11.7 s"


def test_time_in_which_nobody_looked_does_not_count() -> None:
    patience = a_camera(0, 0.1)
    patience.paused(60 * NS)
    assert patience.quiet(START + 62 * NS) == ""
    assert patience.quiet(START + 63 * NS)


def test_opening_begins_anew() -> None:
    patience = a_camera(0, 5, 10)
    patience.damaged("broken")
    patience.opened(START + 100 * NS)
    assert patience.quiet(START + 100 * NS + QUIET_NS).startswith("it opens, but")


# -- the same picture for ever ------------------------------------------------------------------


def shown(stillness: Stillness, pictures: list[Image | bytes], step_s: float = 0.1) -> list[bool]:
    return [
        stillness.see(picture, START + round(number * step_s * NS), QUIET_NS)
        for number, picture in enumerate(pictures)
    ]


def test_noise_is_no_still_picture() -> None:
    assert not any(shown(Stillness(), [noisy() for _ in range(60)]))


@pytest.mark.parametrize("picture", [noisy(), noisy(8, 6), bytes(10_000), b""])
def test_the_same_picture_for_two_seconds(picture: Image | bytes) -> None:
    seen = shown(Stillness(), [picture] * 40)
    # The first look at all of it comes with the second picture.
    assert seen.index(True) in (20, 21)
    assert all(seen[21:])


def test_a_picture_that_changes_somewhere_is_another_one() -> None:
    pictures: list[Image | bytes] = []
    picture = noisy(96, 160, 3)
    for number in range(60):
        picture = picture.copy()
        picture[95, 159, 2] = number  # not where the samples are taken
        pictures.append(picture)
    assert not any(shown(Stillness(), pictures))


def test_a_file_that_changes_somewhere_is_another_one() -> None:
    pictures: list[Image | bytes] = [b"x" * n + bytes(10_000 - n) for n in range(60)]
    assert not any(shown(Stillness(), pictures))


def test_few_pictures_are_not_enough() -> None:
    picture = noisy()
    assert shown(Stillness(), [picture] * 5, step_s=2) == [False, False, False, True, True]


def test_it_remembers_until_another_picture_comes() -> None:
    stillness, old = Stillness(), noisy()
    assert shown(stillness, [old] * 40)[-1]
    assert shown(stillness, [old] * 2) == [True, True]  # the camera was opened again
    assert shown(stillness, [noisy(), noisy(), old]) == [False, False, False]


def test_a_picture_that_is_not_contiguous() -> None:
    assert shown(Stillness(), [noisy(96, 320, 3)[:, ::2]] * 40)[-1]
