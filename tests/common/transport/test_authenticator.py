"""Who is let in: folders of several sockets, changes, a handler that fails, and one that is killed."""

import ctypes
import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from common.transport.meeting import (
    DEADLINE_S,
    FRAME,
    MAX_BYTES,
    bindable,
    connectable,
    take,
    until,
)
from framewire.common.allowed import AllowList
from framewire.common.clock import NS, monotonic_ns, pause
from framewire.common.keys import make_keys, open_keys
from framewire.common.keytext import Keys
from framewire.common.transport import Publisher, Socket, Subscriber
from framewire.common.transport.authenticator import Door
from framewire.common.transport.zap import Question

NOBODY_S = 1.0
"""Time in which whoever may come in does."""
AGAIN_S = 10.0
"""Time in which who was kept waiting has tried again: a handshake lasts three seconds at most."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keys of pi and desk; `allow` lets desk in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "allow").mkdir()
    for name in ("pi", "desk"):
        make_keys(name)
    shutil.copy("desk.key", "allow")
    return tmp_path


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def publisher(stack: ExitStack, allow: str = "allow") -> Publisher:
    endpoint = bindable("tcp://127.0.0.1:*")
    keys = open_keys([endpoint], [], key="pi.key_secret", allow=allow, server_key=())
    return stack.enter_context(closing(Publisher([endpoint], [], keys=keys)))


def subscriber(
    stack: ExitStack, pub: Publisher, name: str = "desk", server: str = "pi"
) -> Subscriber:
    endpoint = connectable(pub.endpoints[0])
    keys = open_keys(
        [], [endpoint], key=f"{name}.key_secret", allow=None, server_key=f"{server}.key"
    )
    return _subscriber(stack, pub, keys)


def _subscriber(stack: ExitStack, pub: Publisher, keys: Keys | None) -> Subscriber:
    endpoint = connectable(pub.endpoints[0])
    return stack.enter_context(closing(Subscriber([], [endpoint], [b""], MAX_BYTES, keys)))


def comes_in(pub: Publisher, *others: Socket, within_s: float = NOBODY_S) -> bool:
    """Whether somebody subscribes within the time that it takes."""
    end_ns = monotonic_ns() + round(within_s * NS)
    found: list[object] = []

    def look() -> bool:
        found.extend(begins for begins, _ in pub.subscriptions() if begins)
        return bool(found) or monotonic_ns() > end_ns

    until(look, pub, *others)
    return bool(found)


def test_who_is_allowed_comes_in_and_gets_frames(folder: Path, opened: ExitStack) -> None:
    pub = publisher(opened)
    sub = subscriber(opened, pub)
    assert comes_in(pub, sub)
    pub.send(FRAME)
    assert take(1, sub.receive, pub, sub) == [FRAME]


def test_sockets_without_keys_meet_beside_those_that_have_some(
    folder: Path, opened: ExitStack
) -> None:
    """libzmq asks the handler about those, too, once there is one in the process."""
    keyed = publisher(opened)
    plain = opened.enter_context(closing(Publisher([bindable("tcp://127.0.0.1:*")], [])))
    assert comes_in(plain, _subscriber(opened, plain, None), within_s=DEADLINE_S)
    assert not comes_in(keyed, _subscriber(opened, keyed, None))


@pytest.mark.parametrize("who", ["other key", "no key", "wrong server"])
def test_who_is_not_allowed_does_not(folder: Path, opened: ExitStack, who: str) -> None:
    pub = publisher(opened)
    if who == "no key":
        sub = _subscriber(opened, pub, None)
    elif who == "other key":
        sub = subscriber(opened, pub, "pi")
    else:
        sub = subscriber(opened, pub, server="desk")
    assert not comes_in(pub, sub)


def test_keys_at_who_has_none(folder: Path, opened: ExitStack) -> None:
    pub = opened.enter_context(closing(Publisher([bindable("tcp://127.0.0.1:*")], [])))
    sub = subscriber(opened, pub)
    assert not comes_in(pub, sub)


def test_each_socket_has_its_own_folder(folder: Path, opened: ExitStack) -> None:
    (folder / "other").mkdir()
    shutil.copy("pi.key", "other")
    first, second = publisher(opened), publisher(opened, "other")
    subs = [subscriber(opened, pub, name) for pub in (first, second) for name in ("desk", "pi")]
    assert comes_in(first, *subs)
    assert comes_in(second, *subs)
    assert not comes_in(first, *subs)
    assert not comes_in(second, *subs)


def test_the_line_says_whose_key_was_refused(
    folder: Path, opened: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    pub = publisher(opened)
    subs = [subscriber(opened, pub, "pi") for _ in range(3)]
    assert not comes_in(pub, *subs)
    lines = [r.getMessage() for r in caplog.records if r.name == "framewire.keys"]
    key = open_keys(
        [], [connectable("tcp://a:1")], key="pi.key_secret", allow=None, server_key="pi.key"
    )
    assert key
    assert len(lines) == 1
    assert f"refused the key {key.own.public} from 127.0.0.1" in lines[0]
    assert "into allow" in lines[0]


def test_an_error_in_the_handler_lets_nobody_in_and_ends_nothing(
    folder: Path,
    opened: ExitStack,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pub = publisher(opened)
    with monkeypatch.context() as patch:
        patch.setattr(Door, "judge", lambda *_: 1 / 0)
        sub = subscriber(opened, pub)
        assert not comes_in(pub, sub)
    assert "ZeroDivisionError" in caplog.text
    assert comes_in(pub, sub, within_s=AGAIN_S)  # it tries again by itself


def test_a_killed_handler_starts_again(
    folder: Path,
    opened: ExitStack,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pub = publisher(opened)
    with monkeypatch.context() as patch:
        patch.setattr("framewire.common.transport.authenticator._AGAIN_S", 2 * NOBODY_S)
        kill_handler()
        until(lambda: "the handler of keys failed" in caplog.text)
        sub = subscriber(opened, pub)
        assert not comes_in(pub, sub)
    assert comes_in(pub, sub, within_s=AGAIN_S)


def kill_handler() -> None:
    """End the handler's loop from outside, wherever it is."""
    (thread,) = (each for each in threading.enumerate() if each.name == "framewire-keys")
    assert thread.ident
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
    )


def test_a_folder_that_does_not_answer_lets_nobody_in_and_holds_nothing_up(
    folder: Path, opened: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    look = AllowList.look
    pub = publisher(opened)
    first = subscriber(opened, pub)
    assert comes_in(pub, first)
    monkeypatch.setattr(AllowList, "look", lambda self: answers.wait(DEADLINE_S) and look(self))
    pause(1.2)  # it looks once a second
    second = subscriber(opened, pub)
    assert not comes_in(pub, second)
    pub.send(FRAME)
    assert take(1, first.receive, pub, first) == [FRAME]
    began_ns = monotonic_ns()
    opened.close()
    assert monotonic_ns() - began_ns < 5 * NS
    answers.set()
    until(lambda: "framewire-keys" not in {each.name for each in threading.enumerate()})


def test_revoked_keys_are_told_once(folder: Path) -> None:
    told: list[bool] = []
    door = Door(b"d", folder / "allow", "tcp://here", lambda: told.append(True))
    keys = open_keys(
        [], [connectable("tcp://a:1")], key="desk.key_secret", allow=None, server_key="pi.key"
    )
    assert keys
    (folder / "allow" / "desk.key").unlink()
    door.look()
    assert not told, "it was not inside"
    shutil.copy("desk.key", "allow")
    door.look()
    assert door.judge(Question(b"1", b"d", "", keys.own.public)) == "allowed"
    (folder / "allow" / "desk.key").unlink()
    door.look()
    door.look()
    assert told == [True]


def test_strangers_fill_no_memory(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    door = Door(b"d", folder / "allow", "tcp://here", lambda: None)
    for number in range(1000):
        assert door.judge(Question(b"1", b"d", "", f"{number:040}")) == "refused"
    assert len(door._refusals) == 256


def test_the_thread_ends_with_the_last_socket(folder: Path) -> None:
    with ExitStack() as stack:
        publisher(stack)
        assert "framewire-keys" in {each.name for each in threading.enumerate()}
    assert "framewire-keys" not in {each.name for each in threading.enumerate()}
