"""Turns: whoever is ready first waits for those before it, and nobody waits for ever."""

import threading
import time
from random import Random

import pytest

from framewire.common.turns import Turns

DEADLINE_S = 20


def test_numbers_go_in_order_whoever_is_ready_first() -> None:
    turns, went = Turns(), []

    def go(number: int, pause_s: float) -> None:
        time.sleep(pause_s)
        with turns.turn(number):
            went.append(number)

    random = Random(1)
    threads = [threading.Thread(target=go, args=(n, random.random() / 100)) for n in range(40)]
    for thread in reversed(threads):
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert went == list(range(40))


def test_only_one_has_its_turn() -> None:
    turns = Turns()
    began, end, second = (threading.Event() for _ in range(3))

    def first() -> None:
        with turns.turn(0):
            began.set()
            end.wait(DEADLINE_S)

    def next_one() -> None:
        with turns.turn(1):
            second.set()

    threads = [threading.Thread(target=each) for each in (first, next_one)]
    for thread in threads:
        thread.start()
    assert began.wait(DEADLINE_S)
    assert not second.wait(0.05)
    end.set()
    assert second.wait(DEADLINE_S)
    for thread in threads:
        thread.join(DEADLINE_S)


def test_whose_turn_it_is() -> None:
    turns = Turns()
    assert turns.is_on(0)
    assert not turns.is_on(1)
    with turns.turn(0):
        assert not turns.is_on(1)
    assert turns.is_on(1)


def test_a_turn_that_fails_is_over() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="oops"), turns.turn(0):
        raise ValueError("oops")
    assert turns.is_on(1)
