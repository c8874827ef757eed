"""Shared options: each says what it does, and refuses what can never work."""

from typing import Annotated, get_origin

import pytest
from cyclopts import App, CycloptsError, Parameter

from framewire.common import options
from framewire.common.options import Count, Duration, Switch

NO_OPTIONS = {"Switch", "Length", "KeyOptions", "NO_KEYS"}


@pytest.mark.parametrize("name", sorted(set(options.__all__) - NO_OPTIONS))
def test_each_says_what_it_does(name: str) -> None:
    option = getattr(options, name)
    assert get_origin(option) is Annotated
    assert any(isinstance(note, Parameter) and note.help for note in option.__metadata__)


def parse(*words: str) -> object:
    app = App(result_action="return_value")

    @app.default
    def command(*, count: Count = None, duration: Duration = None, on: Switch = False) -> object:
        return count, duration, on

    return app(list(words), exit_on_error=False, print_error=False)


def test_values() -> None:
    assert parse("--count", "0", "--duration", "0.5", "--on") == (0, 0.5, True)


@pytest.mark.parametrize("words", ["--count -1", "--duration 0", "--duration -1", "--no-on"])
def test_what_can_never_work(words: str) -> None:
    with pytest.raises(CycloptsError):
        parse(*words.split())
