"""`with` closes, whatever happened inside."""

import pytest

from framewire.common.closing import Closing


class Door(Closing):
    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_with_gives_the_object_and_closes_it() -> None:
    door = Door()
    with door as entered:
        assert entered is door
        assert door.closed == 0
    assert door.closed == 1


def test_an_error_inside_closes_too_and_goes_on() -> None:
    door = Door()
    with pytest.raises(KeyError, match="inside"), door:
        raise KeyError("inside")
    assert door.closed == 1


def test_without_close_it_is_not_complete() -> None:
    with pytest.raises(NotImplementedError):
        Closing().close()
