"""Keys under attack: who has none, or the wrong one, gets nothing; who is put right, all again."""

import ctypes
import shutil
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from faults.keyed import (
    MARKS,
    PATTERNS,
    Camera,
    Meeting,
    Tap,
    Viewer,
    all_flow,
    make_all_keys,
    meetings,
)
from faults.proxy import FaultProxy
from framewire.app.relay import Relay
from framewire.common.endpoint import parse_endpoint
from framewire.common.keyfile import read_public
from framewire.common.keytext import Keys
from framewire.common.transport import Subscriber, authenticator, open_sockets
from framewire.common.transport.curve import new_pair
from processes import Start, until

REFUSED_S = 3.0
"""Time in which whoever may come in does, and who may not has tried more than once."""
PUT_RIGHT_S = 10.0
CUT_OFF_S = 5.0
HANDSHAKE_BYTES = 1000
"""More than any handshake takes, less than a frame."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    make_all_keys()
    yield tmp_path
    assert open_sockets() == 0


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opened(
    stack: ExitStack, address: str = "tcp://127.0.0.1:*", *, tapped: bool = False
) -> list[Meeting]:
    """All six, both sides with the right keys and let in."""
    each_way = meetings(address, tapped=tapped)
    for each in each_way:
        stack.callback(each.close)
        each.let_in()
        each.bind()
        each.connect()
    return each_way


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:*", "tcp://[::1]:*", "ipc"])
def test_frames_flow_in_every_pattern_whoever_binds(
    address: str, folder: Path, stack: ExitStack
) -> None:
    if "::1" in address and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    began = time.monotonic()
    if address == "ipc":
        each_way = []
        for number, pattern in enumerate(PATTERNS):
            for binder in ("camera", "viewer"):
                each_way.append(Meeting(pattern, binder, f"ipc://{folder}/{number}{binder}"))
                stack.callback(each_way[-1].close)
                each_way[-1].let_in()
                each_way[-1].bind()
                each_way[-1].connect()
    else:
        each_way = opened(stack, address)
    all_flow(each_way, began, PUT_RIGHT_S)


WRONG = ("no key", "unknown key", "wrong server key", "the other side has none")
_HUNG_UP = "it hangs up at the first word"
LINES = {
    # what the side that binds says, and the side that connects
    "no key": (("it has no keys", _HUNG_UP), ("it speaks with keys only", _HUNG_UP)),
    "unknown key": (("refused the key",), ("it does not allow this key",)),
    "wrong server key": (("takes this side for another",), (_HUNG_UP,)),
    "the other side has none": (("it speaks with keys",), ("it speaks without keys", _HUNG_UP)),
}
KNOWN_S = 15.0
"""Who finds that only one of them has keys hangs up before the other has found it, once in two times."""


@pytest.mark.parametrize("wrong", WRONG)
def test_without_the_right_key_not_one_byte_of_a_frame(
    wrong: str, stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    """And both sides say why, and all is well soon after it was put right."""
    each_way = meetings(tapped=True)
    for each in each_way:
        stack.callback(each.close)
        _open_wrong(each, wrong)
    time.sleep(REFUSED_S)
    for each in each_way:
        assert not each.viewer.times
        assert each.tap
        assert each.tap.connections
        assert each.tap.most_bytes < HANDSHAKE_BYTES
        assert not any(each.tap.shows(mark) for mark in MARKS)
    with suppress(AssertionError):
        until(lambda: _all_told(each_way, wrong, caplog.messages), KNOWN_S)
    _check_lines(each_way, wrong, caplog.messages)
    moment = time.monotonic()
    for each in each_way:
        _put_right(each, wrong)
    all_flow(each_way, moment, PUT_RIGHT_S)


def _open_wrong(meeting: Meeting, wrong: str) -> None:
    if wrong != "unknown key":
        meeting.let_in()
    if wrong == "the other side has none":
        meeting.bind(plain=True)
    else:
        meeting.bind()
    if wrong == "no key":
        meeting.connect(plain=True)
    elif wrong == "wrong server key":
        meeting.connect(key=f"{meeting.connector}.key_secret", server_key="other.key")
    else:
        meeting.connect()


def _put_right(meeting: Meeting, wrong: str) -> None:
    """Where it is wrong, and nowhere else: the other side goes on as it is."""
    if wrong == "unknown key":
        meeting.let_in()
    elif wrong == "the other side has none":
        meeting.end(meeting.binder)
        meeting.bind()
    else:
        meeting.end(meeting.connector)
        meeting.connect()


def _check_lines(each_way: list[Meeting], wrong: str, messages: list[str]) -> None:
    """One line on each side, or two; the side that has no keys does not always know of it."""
    at_binder, at_connector = LINES[wrong]
    for each in each_way:
        assert each.tap
        bound, far = each.ends[each.binder].url, each.tap.url
        said = _lines(messages, f"{bound}: refused", at_binder)
        assert said or wrong == "the other side has none"
        assert len(said) <= 2, said
        assert 1 <= len(_lines(messages, f"{far}: no connection", at_connector)) <= 2


def _lines(messages: list[str], start: str, parts: tuple[str, ...]) -> list[str]:
    said = [line for line in messages if line.startswith(start)]
    assert all(any(part in line for part in parts) for line in said), said
    return said


def _all_told(each_way: list[Meeting], wrong: str, messages: list[str]) -> bool:
    try:
        _check_lines(each_way, wrong, list(messages))
    except AssertionError:
        return False
    return True


def test_a_revoked_key_is_cut_off_in_the_middle_of_a_stream(stack: ExitStack) -> None:
    each_way = opened(stack)
    all_flow(each_way, time.monotonic(), PUT_RIGHT_S)
    others = []
    for each in each_way:  # somebody else, who stays allowed, where there can be two
        each.let_in("other")
        if each.binder == "camera":
            keys = {"key": "other.key_secret", "server_key": "camera.key"}
            others.append(Viewer(each.ends["camera"].url, **keys))
            stack.callback(others[-1].close)
    moment = time.monotonic()
    until(lambda: all(other.got_since(moment) for other in others))
    revoked = time.monotonic()
    for each in each_way:
        each.revoke()
    until(lambda: time.monotonic() > revoked + CUT_OFF_S)
    for each in each_way:
        assert not each.viewer.got_since(revoked + CUT_OFF_S - 1), "cut off too late"
    assert all(other.got_since(revoked + CUT_OFF_S - 2) for other in others)
    time.sleep(1)
    for each in each_way:
        assert not each.viewer.got_since(revoked + CUT_OFF_S)
    moment = time.monotonic()
    for each in each_way:
        each.let_in()
    all_flow(each_way, moment, PUT_RIGHT_S)


def test_keys_hold_across_restarts_of_either_side(stack: ExitStack) -> None:
    each_way = opened(stack, tapped=True)
    all_flow(each_way, time.monotonic(), PUT_RIGHT_S)
    for side in ("binder", "connector"):
        for each in each_way:
            each.end(getattr(each, side))
        for each in each_way:
            each.bind() if side == "binder" else each.connect()
        all_flow(each_way, time.monotonic(), PUT_RIGHT_S)
    for each in each_way:
        assert each.tap
        assert each.tap.most_bytes > 10 * HANDSHAKE_BYTES  # frames did pass
        assert not any(each.tap.shows(mark) for mark in MARKS)


def test_a_bit_changed_on_the_way_ends_the_connection_and_no_frame_is_wrong(
    stack: ExitStack,
) -> None:
    each_way = opened(stack, tapped=True)
    all_flow(each_way, time.monotonic(), PUT_RIGHT_S)
    taps = [each.tap for each in each_way if each.tap]
    before = [len(tap.connections) for tap in taps]
    for tap in taps:
        tap.spoil = True
    until(lambda: not any(tap.spoil for tap in taps))
    spoiled = time.monotonic()
    time.sleep(0.5)  # what was on its way has come
    all_flow(each_way, time.monotonic(), PUT_RIGHT_S - (time.monotonic() - spoiled))
    assert all(len(tap.connections) > were for tap, were in zip(taps, before, strict=True))
    assert all(each.viewer.receiver.stats.malformed == 0 for each in each_way)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_keys_work_over_a_satellite(pattern: str, stack: ExitStack) -> None:
    """Round trips of 0.8 s: until a frame is here it takes longer than silence may last."""
    each = Meeting(pattern, "camera")
    stack.callback(each.close)
    each.let_in()
    each.bind()
    port = int(each.ends["camera"].url.rpartition(":")[2])
    proxy = stack.enter_context(FaultProxy(("127.0.0.1", port)))
    proxy.set(delay_s=0.4)
    each.connect(at=f"{pattern}tcp://127.0.0.1:{proxy.port}")
    until(lambda: len(each.viewer.times) > 0)


def test_each_address_has_the_key_of_who_is_there(folder: Path, stack: ExitStack) -> None:
    """A sender that binds one address and connects to two others, of different owners."""
    for name, key in (("viewers", "viewer"), ("cameras", "camera")):
        (folder / name).mkdir()
        shutil.copy(f"{key}.key", name)
    bound = [
        Viewer(bind="tcp://127.0.0.1:*", key=f"{name}.key_secret", allow="cameras")
        for name in ("viewer", "other")
    ]
    camera = Camera(
        "tcp://127.0.0.1:*",
        connect=[each.url for each in bound],
        key="camera.key_secret",
        allow="viewers",
        server_key=["viewer.key", "other.key"],
    )
    viewer = Viewer(camera.url, key="viewer.key_secret", server_key="camera.key")
    opened: list[Camera | Viewer] = [*bound, camera, viewer]
    for each in opened:
        stack.callback(each.close)
    until(lambda: all(len(each.times) > 5 for each in (*bound, viewer)), PUT_RIGHT_S)


def test_what_was_said_before_lets_nobody_in(stack: ExitStack) -> None:
    each_way = [each for each in opened(stack, tapped=True) if each.binder == "camera"]
    all_flow(each_way, time.monotonic(), PUT_RIGHT_S)
    calls = []
    for each in each_way:
        assert each.tap
        said, _ = each.tap.connections[0]
        port = int(each.ends["camera"].url.rpartition(":")[2])
        calls.append(stack.enter_context(closing(socket.create_connection(("127.0.0.1", port)))))
        calls[-1].sendall(said)
    time.sleep(REFUSED_S)
    assert all(len(_all_of(call)) < HANDSHAKE_BYTES for call in calls)
    all_flow(each_way, time.monotonic(), PUT_RIGHT_S)


def test_in_the_open_the_tap_sees_it_all(stack: ExitStack) -> None:
    """So that the other tests mean something."""
    each = Meeting("", "camera", tapped=True)
    stack.callback(each.close)
    each.bind(plain=True)
    each.connect(plain=True)
    all_flow([each], time.monotonic(), PUT_RIGHT_S)
    assert each.tap
    assert all(each.tap.shows(mark) for mark in MARKS)


def test_a_relay_with_a_key_of_its_own_on_both_sides(folder: Path, stack: ExitStack) -> None:
    for name, key in (("upstream", "relay"), ("downstream", "viewer")):
        (folder / name).mkdir()
        shutil.copy(f"{key}.key", name)
    camera = Camera("tcp://127.0.0.1:*", key="camera.key_secret", allow="upstream")
    stack.callback(camera.close)
    above = Tap(camera.url)
    stack.callback(above.close)
    relay = Relay(
        [above.url],
        ["tcp://127.0.0.1:*"],
        key="relay.key_secret",
        allow="downstream",
        server_key="camera.key",
    )
    stack.callback(relay.close)
    below = Tap(relay.endpoints[0])
    stack.callback(below.close)
    viewer = Viewer(below.url, key="viewer.key_secret", server_key="relay.key")
    stack.callback(viewer.close)
    stranger = Viewer(below.url, key="other.key_secret", server_key="relay.key")
    stack.callback(stranger.close)
    straight = Viewer(camera.url, key="viewer.key_secret", server_key="camera.key")
    stack.callback(straight.close)
    until(lambda: len(viewer.times) > 20)
    assert not stranger.times
    assert not straight.times, "the relay is let in there, not who is behind it"
    assert not any(tap.shows(mark) for tap in (above, below) for mark in MARKS)


def test_while_the_handler_of_keys_is_dead_nobody_comes_in(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who is in stays; and it starts again by itself."""
    camera_side = [each for each in opened(stack) if each.binder == "camera"]
    all_flow(camera_side, time.monotonic(), PUT_RIGHT_S)
    with monkeypatch.context() as patch:
        patch.setattr(authenticator, "_AGAIN_S", 2 * REFUSED_S)
        _kill_handler()
        until(lambda: "the handler of keys failed" in caplog.text)
        died = time.monotonic()
        late = []
        for each in camera_side:
            keys = {"key": "viewer.key_secret", "server_key": "camera.key"}
            late.append(Viewer(each.ends["camera"].url, **keys))
            stack.callback(late[-1].close)
        time.sleep(REFUSED_S)
        assert all(each.viewer.got_since(died + REFUSED_S - 1) for each in camera_side)
        assert not any(each.times for each in late)
    until(lambda: all(each.times for each in late), 2 * REFUSED_S + PUT_RIGHT_S)


def _kill_handler() -> None:
    (thread,) = (each for each in threading.enumerate() if each.name == "framewire-keys")
    assert thread.ident
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
    )


# -- by raw sockets -------------------------------------------------------------------------------

SIGNATURE = b"\xff" + bytes(7) + b"\x01\x7f"


def _greeting(mechanism: bytes, minor: int = 0) -> bytes:
    return SIGNATURE + bytes((3, minor)) + mechanism.ljust(20, b"\0") + bytes(32)


def _ready(kind: bytes) -> bytes:
    body = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
    return b"\x04" + bytes((len(body),)) + body


PEERS = {"": b"SUB", "req-rep+": b"REQ", "push-pull+": b"PULL"}
SUBSCRIBE_1, SUBSCRIBE_2 = b"\x02\x00\x01", b"\x00\x01\x01"  # to everything
ASK_2 = b"\x01\x00\x00\x00"  # an empty part, and an empty request

OLD: dict[str, Callable[[bytes], bytes]] = {
    "ZMTP 1.0": lambda kind: b"\x01\x00" + SUBSCRIBE_1,
    "ZMTP 2.0": lambda kind: (
        SIGNATURE
        + bytes((1, {b"SUB": 2, b"REQ": 3, b"PULL": 7}[kind]))
        + b"\0\0"
        + (ASK_2 if kind == b"REQ" else SUBSCRIBE_2)
    ),
    "ZMTP 3.0, NULL": lambda kind: (
        _greeting(b"NULL") + _ready(kind) + (ASK_2 if kind == b"REQ" else SUBSCRIBE_2)
    ),
    "ZMTP 3.1, NULL": lambda kind: _greeting(b"NULL", 1) + _ready(kind) + b"\x04\x0a\x09SUBSCRIBE",
    "ZMTP 3.0, PLAIN": lambda kind: _greeting(b"PLAIN") + b"\x04\x08\x05HELLO\x00\x00",
    "CURVE without a key": lambda kind: _greeting(b"CURVE") + _ready(kind) + SUBSCRIBE_2,
    "nothing": lambda kind: b"",
    "HTTP": lambda kind: b"GET / HTTP/1.1\r\n\r\n",
}


def test_older_protocols_get_a_greeting_and_nothing_else(stack: ExitStack) -> None:
    each_way = opened(stack)
    all_flow(each_way, time.monotonic(), PUT_RIGHT_S)
    calls = []
    for each in each_way:
        host = ("127.0.0.1", int(each.ends[each.binder].url.rpartition(":")[2]))
        kind = PEERS[each.ends[each.binder].url.partition("tcp://")[0]]
        for name, words in OLD.items():
            calls.append((name, stack.enter_context(closing(socket.create_connection(host)))))
            with suppress(ConnectionError):
                calls[-1][1].sendall(words(kind))
    time.sleep(REFUSED_S)
    for name, call in calls:
        answer = _all_of(call)
        assert len(answer) <= 64, name
        assert not any(mark in answer for mark in MARKS), name
    all_flow(each_way, time.monotonic(), PUT_RIGHT_S)


def _all_of(call: socket.socket) -> bytes:
    call.setblocking(False)
    answer = b""
    with suppress(BlockingIOError, ConnectionError):
        while data := call.recv(65536):
            answer += data
    return answer


FLOODS = {
    "endless parts": (b"\x01\x40" + b"x" * 64) * 1000,
    "200,000 subscriptions": b"".join(
        b"\x00" + bytes((9,)) + b"\x01" + b"%08d" % number for number in range(200_000)
    ),
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_floods_without_a_key_are_refused_and_memory_stays(
    pattern: str, framewire: Start, folder: Path, stack: ExitStack
) -> None:
    (folder / "allow").mkdir()
    shutil.copy("viewer.key", "allow")
    sender = framewire(
        "send", "pattern:320x240@30", "--json", "--bind", f"{pattern}tcp://127.0.0.1:*",
        "--key", "camera.key_secret", "--allow", "allow",
    )  # fmt: skip
    url = sender.endpoint()
    viewer = Viewer(url, key="viewer.key_secret", server_key="camera.key")
    stack.callback(viewer.close)
    until(lambda: len(viewer.times) > 30)
    before = sender.resident_bytes()
    port, kind = int(url.rpartition(":")[2]), PEERS[pattern]
    end, taken, calls = time.monotonic() + REFUSED_S, 0, 0
    while time.monotonic() < end:
        for flood in FLOODS.values():
            for mechanism in (b"NULL", b"CURVE"):
                taken += _flood(port, _greeting(mechanism) + _ready(kind), flood)
                calls += 1
        _knock(url)
    assert sender.process.poll() is None
    assert sender.resident_bytes() - before < 16 << 20
    assert viewer.got_since(end - 1)
    assert calls > 20
    assert taken / calls < 8 << 20  # what kernels took: nobody read on


def _knock(url: str) -> None:
    """With a key that was made for it, and to the right server: that is all that is wrong."""
    endpoint = parse_endpoint(url, bind=False)
    keys = Keys(new_pair(), None, {endpoint: read_public("camera.key")})
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(closing(Subscriber([], [endpoint], [b""], 1 << 20, keys)))
        time.sleep(0.05)


def _flood(port: int, greeting: bytes, flood: bytes) -> int:
    """Say it over and over until it hangs up, or 8 MB are gone; how many bytes were taken."""
    taken = 0
    with closing(socket.create_connection(("127.0.0.1", port))) as call:
        call.settimeout(0.2)
        with suppress(OSError):
            call.sendall(greeting)
            while taken < 8 << 20:
                taken += call.send(flood)
    return taken
