"""A grabber in a process or in the thread."""

import os
import sys
import threading

import pytest

from framewire.common.errors import SourceError
from framewire.sender.sources.apart import Apart
from framewire.sender.sources.capture import Here, capture
from framewire.sender.sources.grabber import Order, Traits
from sender.sources.scripted import Scripted

ORDER = Order("sender.sources.scripted:Scripted", {"steps": ["160x96", "none"]})


def test_in_a_process_where_that_can_be() -> None:
    assert isinstance(capture(ORDER), Apart)


def test_in_the_thread_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "name", "nt")
    assert isinstance(capture(ORDER), Here)


@pytest.mark.parametrize(("what", "value"), [("frozen", True), ("executable", "")])
def test_in_the_thread_of_a_program_without_a_python(
    monkeypatch: pytest.MonkeyPatch, what: str, value: object
) -> None:
    monkeypatch.setattr(sys, what, value, raising=False)
    assert isinstance(capture(ORDER), Here)


def test_here(capsys: pytest.CaptureFixture[str]) -> None:
    here = Here(ORDER.make())
    here.close()  # it is not open
    assert here.open(threading.Event()) == Traits(sized=True, remark="opened")
    shot = here.take(0.1)
    assert shot
    assert shot.missed == 0
    with pytest.raises(SourceError, match="it gives no more pictures"):
        here.take(0.1)
    here.close()
    here.close()
    assert capsys.readouterr().err == "released\n"


def test_an_order_makes_a_grabber() -> None:
    assert isinstance(ORDER.make(), Scripted)
    with pytest.raises(AttributeError):
        Order("sender.sources.scripted:Nothing").make()
