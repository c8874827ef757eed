"""Real sockets over tcp, ipc and inproc. Every wait ends on a condition or fails at a deadline."""

import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
import zmq

from framewire.common import transport
from framewire.common.clock import NS, monotonic_ns
from framewire.common.endpoint import Endpoint, parse_endpoint
from framewire.common.errors import TransportError
from framewire.common.stats import Patience
from framewire.common.transport import Publisher, Subscriber, Waker, open_sockets, wait

DEADLINE_S = 20
MAX_BYTES = 1 << 20
FRAME = [b"lab/cam1/", b"header", b"payload"]

T = TypeVar("T")


@pytest.fixture(autouse=True)
def nothing_is_left_open() -> Iterator[None]:
    before = open_sockets()  # 0, unless another test failed
    yield
    assert open_sockets() == before


@pytest.fixture
def waker() -> Iterator[Waker]:
    waker = Waker()
    yield waker
    waker.close()


@pytest.fixture(params=["tcp", "ipc", "inproc"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Endpoint:
    text = {"tcp": "tcp://127.0.0.1:*", "ipc": f"ipc://{tmp_path}/s", "inproc": "inproc://s"}
    return _bindable(text[request.param])


def _bindable(text: str) -> Endpoint:
    return parse_endpoint(text, bind=True)


def _connectable(text: str) -> Endpoint:
    return parse_endpoint(text, bind=False)


@dataclass
class Pair:
    """A publisher and a subscriber that found each other."""

    pub: Publisher
    sub: Subscriber
    waker: Waker

    def another(self, prefixes: Sequence[bytes]) -> Subscriber:
        return Subscriber([], [_connectable(self.pub.endpoints[0])], prefixes, MAX_BYTES)

    def next_changes(self, count: int) -> list[tuple[bool, bytes]]:
        """The next `count` changes of subscriptions."""
        return self._next(count, lambda: next(self.pub.subscriptions(), None))

    def next_messages(self, count: int = 1) -> list[list[bytes]]:
        return self._next(count, self.sub.receive)

    def _next(self, count: int, take: Callable[[], T | None]) -> list[T]:
        taken: list[T] = []
        deadline = monotonic_ns() + DEADLINE_S * NS
        while len(taken) < count:
            item = take()
            if item is not None:
                taken.append(item)
                continue
            assert monotonic_ns() < deadline, f"only {taken} of {count} came"
            # Both: a bound SUB answers a newcomer only while its own thread looks at it.
            wait([each for each in (self.pub, self.sub) if not each.socket.closed], self.waker)
        return taken


@contextmanager
def _patient_pair() -> Iterator[Pair]:
    with closing(Publisher([_bindable("tcp://127.0.0.1:*")], [], patient=True)) as pub:
        sub = Subscriber([], [_connectable(pub.endpoints[0])], [b""], MAX_BYTES)
        with closing(sub), closing(Waker()) as waker:
            pair = Pair(pub, sub, waker)
            pair.next_changes(1)
            yield pair


@contextmanager
def _pair(address: Endpoint, *prefixes: bytes, bind: str = "pub") -> Iterator[Pair]:
    prefixes = prefixes or (b"",)
    with closing(Waker()) as waker:
        if bind == "pub":
            pub = Publisher([address], [])
            sub = Subscriber([], [_connectable(pub.endpoints[0])], prefixes, MAX_BYTES)
        else:
            sub = Subscriber([address], [], prefixes, MAX_BYTES)
            pub = Publisher([], [_connectable(sub.endpoints[0])])
        with closing(pub), closing(sub):
            pair = Pair(pub, sub, waker)
            assert sorted(pair.next_changes(len(prefixes))) == [(True, p) for p in sorted(prefixes)]
            yield pair


# -- messages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("bind", ["pub", "sub"])
def test_a_message_arrives(address: Endpoint, bind: str) -> None:
    with _pair(address, bind=bind) as pair:
        assert pair.sub.receive() is None
        pair.pub.send(FRAME)
        assert pair.next_messages() == [FRAME]
        assert pair.sub.receive() is None


def test_subscriptions_are_seen_when_they_begin_and_end(address: Endpoint) -> None:
    with _pair(address, b"lab/", b"yard/") as pair:  # which sees them begin
        assert list(pair.pub.subscriptions()) == []
        pair.sub.close()
        assert sorted(pair.next_changes(2)) == [(False, b"lab/"), (False, b"yard/")]


def test_every_subscriber_of_a_topic_is_counted(address: Endpoint) -> None:
    with _pair(address, b"lab/") as pair:
        second = pair.another((b"lab/",))
        assert pair.next_changes(1) == [(True, b"lab/")]
        second.close()
        assert pair.next_changes(1) == [(False, b"lab/")]


def test_what_is_no_subscription_is_passed_over(address: Endpoint) -> None:
    with _pair(address) as pair:
        context = transport._contexts.acquire()
        stranger = context.socket(zmq.XSUB)  # it may send upstream what it likes
        stranger.connect(pair.pub.endpoints[0])
        for message in (b"rubbish", b"", b"\2x", b"\1good"):
            stranger.send(message)
        assert pair.next_changes(1) == [(True, b"good")]
        stranger.close(0)
        transport._contexts.release()


def test_a_prefix_never_takes_a_longer_number(address: Endpoint) -> None:
    with _pair(address, b"lab/cam1/") as pair:
        for topic in (b"lab/cam10/", b"lab/cam1/", b"lab/", b"lab/cam1", b"lab/cam1/left/"):
            pair.pub.send([topic, b"", b""])
        topics = [parts[0] for parts in pair.next_messages(2)]
        assert topics == [b"lab/cam1/", b"lab/cam1/left/"]
        assert pair.sub.receive() is None


def test_without_a_prefix_nothing_comes() -> None:
    with _pair(_bindable("inproc://s")) as pair, closing(pair.another(())) as silent:
        assert list(pair.pub.subscriptions()) == []
        pair.pub.send(FRAME)
        assert pair.next_messages() == [FRAME]
        assert silent.receive() is None  # inproc: it is there at once or never


@pytest.mark.parametrize("count", [1, 2, 4, 5, 100, 1025])
def test_a_wrong_number_of_parts_shows_and_the_stream_goes_on(
    address: Endpoint, count: int
) -> None:
    parts = [b"%d" % number for number in range(count)]
    with _pair(address) as pair:
        pair.pub.send(parts)
        pair.pub.send(FRAME)
        assert pair.next_messages(2) == [parts[:4], FRAME]


def test_the_end_of_an_endless_message_is_no_message() -> None:
    with _pair(_bindable("inproc://s")) as pair:
        pair.pub.send([b"x"] * 1025 + FRAME)
        assert pair.sub.receive() == [b"x"] * 4
        assert pair.sub.receive() is None


def test_a_message_above_the_limit_ends_the_connection(tmp_path: Path) -> None:
    with _pair(_bindable(f"ipc://{tmp_path}/s")) as pair:
        pair.pub.send([b"lab/", b"", bytes(MAX_BYTES)])
        pair.pub.send([b"lab/", b"", bytes(MAX_BYTES + 1)])
        assert pair.next_changes(1) == [(False, b"")]
        assert [len(parts[2]) for parts in pair.next_messages(1)] == [MAX_BYTES]
        assert pair.sub.receive() is None


# -- full queues: over inproc they are exactly the two marks, no kernel has buffers --------------

MARKS = transport.SEND_MARK_PER_TOPIC + transport.RECEIVE_MARK


def _fill(pair: Pair) -> None:
    for number in range(MARKS):
        pair.pub.send([b"lab/", b"", b"%d" % number])


def test_send_never_waits_and_a_full_queue_keeps_the_order() -> None:
    with _pair(_bindable("inproc://s")) as pair:
        _fill(pair)
        for _ in range(20):
            pair.pub.send(FRAME)
        numbers = [parts[2] for parts in pair.next_messages(MARKS)]
        assert numbers == [b"%d" % number for number in range(MARKS)]
        assert pair.sub.receive() is None


def _notice_room(pub: Publisher) -> None:
    """ZeroMQ looks for room only now and then between sends, but always before a vain receive."""
    assert list(pub.subscriptions()) == []


def test_a_slow_receiver_costs_the_others_nothing() -> None:
    with _pair(_bindable("inproc://s")) as pair, closing(pair.another((b"",))) as quick:
        pair.next_changes(1)
        for number in range(MARKS * 3):
            message = [b"lab/", b"", b"%d" % number]
            pair.pub.send(message)
            assert quick.receive() == message
            _notice_room(pair.pub)


def _after_the_first_attempt(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when a last word that was refused is about to be tried again."""
    tried, looks = threading.Event(), 0

    def clock() -> int:  # read for the deadline, then before each attempt
        nonlocal looks
        looks += 1
        if looks == 3:
            tried.set()
        return monotonic_ns()

    monkeypatch.setattr(transport, "monotonic_ns", clock)
    return tried


def _last_word_arrives(pair: Pair, tried: threading.Event) -> bool:
    """Whether it comes to a receiver that reads only after the first attempt."""
    taken: list[list[bytes] | None] = []
    with ThreadPoolExecutor(1) as threads:
        last = threads.submit(pair.pub.send_to_all, FRAME, DEADLINE_S * 1000)
        last.add_done_callback(lambda _: tried.set())
        assert tried.wait(DEADLINE_S)
        while not last.done():
            taken.append(pair.sub.receive())
    return FRAME in [*taken, *iter(pair.sub.receive, None)]


def test_a_last_word_waits_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = _after_the_first_attempt(monkeypatch)
    with _pair(_bindable("inproc://s")) as pair:
        _fill(pair)
        assert _last_word_arrives(pair, tried)


def test_a_last_word_waits_for_a_receiver_that_missed_something_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = _after_the_first_attempt(monkeypatch)
    with _pair(_bindable("inproc://s")) as pair:
        _fill(pair)
        pair.pub.send([b"lab/", b"", b"dropped"])
        assert _last_word_arrives(pair, tried)


def test_a_burst_reaches_a_receiver_that_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Far more at once than all queues hold; without patience most of it would be dropped."""
    monkeypatch.setattr(transport, "_PATIENT", (DEADLINE_S * NS, 0.05))
    burst = [[b"lab/", b"", bytes([number]) * MAX_BYTES] for number in range(50)]
    with ThreadPoolExecutor(1) as threads, _patient_pair() as pair:
        reader = threads.submit(pair.next_messages, len(burst))
        for message in burst:
            pair.pub.send(message)
        assert reader.result(DEADLINE_S) == burst


def test_each_topic_has_its_room_in_a_queue() -> None:
    """Frames of many topics at once, before the receiver reads any."""
    with _pair(_bindable("inproc://s")) as pair:
        pair.pub._patience = Patience(0, 0.0)
        pair.pub.carry(100)
        assert pair.pub.socket.getsockopt(zmq.SNDHWM) == 64 * transport.SEND_MARK_PER_TOPIC
        messages = [[b"cam%d/" % topic, b"", b"x"] for topic in range(64)]
        for message in messages:
            pair.pub.send(message)
        pair.pub.carry(1)  # it never shrinks under what waits
        assert pair.next_messages(64) == messages


def test_patience_with_a_receiver_that_does_not_read_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(transport, "pause", pauses.append)
    with _pair(_bindable("inproc://s")) as pair:
        _fill(pair)
        pair.pub._patience = Patience(0, 0.0)
        for _ in range(100):
            pair.pub.send(FRAME)
    assert pauses == []


def test_a_last_word_does_not_wait_for_ever() -> None:
    with _pair(_bindable("inproc://s")) as pair:
        _fill(pair)
        pair.pub.send_to_all(FRAME, 1)
        pair.pub.send(FRAME)  # dropped as ever
        assert FRAME not in pair.next_messages(MARKS)
        _notice_room(pair.pub)
        pair.pub.send(FRAME)
        assert pair.next_messages() == [FRAME]


def test_after_a_last_word_send_drops_again() -> None:
    with _pair(_bindable("inproc://s")) as pair:
        pair.pub.send_to_all(FRAME, 1000)
        _fill(pair)
        pair.pub.send(FRAME)


def test_what_keeps_queues_short_is_set() -> None:
    with _pair(_bindable("inproc://s")) as pair:
        sockets = pair.pub.socket, pair.sub.socket
        assert [each.get(zmq.LINGER) for each in sockets] == [0, 0]
        assert [each.get(zmq.HEARTBEAT_IVL) for each in sockets] == [0, 0]
        assert [each.get(zmq.TCP_KEEPALIVE) for each in sockets] == [1, 1]
        assert (pair.pub.socket.get(zmq.SNDHWM), pair.sub.socket.get(zmq.RCVHWM)) == (2, 4)
        assert pair.pub.socket.get(zmq.SNDBUF) == pair.sub.socket.get(zmq.RCVBUF) == 256 * 1024


# -- addresses ----------------------------------------------------------------------------------


def test_endpoints_are_the_addresses_in_use(tmp_path: Path) -> None:
    bind = [_bindable("tcp://localhost:*"), _bindable(f"ipc://{tmp_path}/s")]
    publisher = Publisher(bind, [_connectable("tcp://127.0.0.1:9")])
    tcp, ipc, connected = publisher.endpoints
    assert _connectable(tcp).host == "127.0.0.1"
    assert _connectable(tcp).address != "127.0.0.1:*"
    assert (ipc, connected) == (f"ipc://{tmp_path}/s", "tcp://127.0.0.1:9")
    publisher.close()


def test_one_message_goes_out_at_every_address() -> None:
    bind = [_bindable("tcp://127.0.0.1:*"), _bindable("inproc://b")]
    with closing(Publisher(bind, [])) as pub, closing(Waker()) as waker:
        pairs = [
            Pair(pub, Subscriber([], [_connectable(each)], [b""], MAX_BYTES), waker)
            for each in pub.endpoints
        ]
        pairs[0].next_changes(2)
        pub.send(FRAME)
        for pair in pairs:
            assert pair.next_messages() == [FRAME]
            pair.sub.close()


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _has_ipv6(), reason="no IPv6 on this machine")
def test_ipv6() -> None:
    with _pair(_bindable("tcp://[::1]:*")) as pair:
        pair.pub.send(FRAME)
        assert pair.next_messages() == [FRAME]


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("tcp://192.0.2.1:5555", "not one of this machine's"),  # TEST-NET-1, RFC 5737
        ("tcp://nosuchcard0:5555", "neither an address nor an interface of this machine"),
        ("tcp://a;b:5555", "Invalid argument"),  # no advice: what ZeroMQ says
        ("ipc://{tmp}/missing/s", "its folder does not exist"),
        ("ipc://{tmp}/file/s", "its folder does not exist"),
    ],
)
def test_addresses_that_cannot_be_bound(text: str, advice: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    endpoint = _bindable(text.format(tmp=tmp_path))
    with pytest.raises(TransportError, match=advice) as caught:
        Publisher([endpoint], [])
    assert str(caught.value).startswith(f"cannot bind {endpoint}: ")
    assert isinstance(caught.value.__cause__, zmq.ZMQError)


@pytest.mark.parametrize("text", ["tcp://127.0.0.1:*", "inproc://s"])
def test_an_address_in_use(text: str) -> None:
    with _pair(_bindable(text)) as pair:
        taken = _bindable(pair.pub.endpoints[0])
        with pytest.raises(TransportError, match="another program has that address"):
            Publisher([taken], [])
        with pytest.raises(TransportError, match="another program has that address"):
            Subscriber([taken], [], [b""], MAX_BYTES)


@pytest.mark.parametrize("name", ["file", "."])
def test_an_ipc_path_where_something_else_lies(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("keep me")
    with pytest.raises(TransportError, match="not a socket"):
        Publisher([_bindable(f"ipc://{tmp_path}/{name}")], [])
    assert (tmp_path / "file").read_text() == "keep me"
    assert open_sockets() == 0


def test_an_ipc_path_that_a_dead_sender_left(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(f"{tmp_path}/s")
    with _pair(_bindable(f"ipc://{tmp_path}/s")) as pair:
        pair.pub.send(FRAME)
        assert pair.next_messages() == [FRAME]


def test_an_ipc_path_in_use(tmp_path: Path) -> None:
    with _pair(_bindable(f"ipc://{tmp_path}/s")) as pair:
        try:
            with pytest.raises(TransportError, match="another program has that address"):
                Publisher([_bindable(pair.pub.endpoints[0])], []).close()
        finally:
            pair.pub.close()


def _unprivileged_ports_begin() -> int:
    path = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    return int(path.read_text()) if path.exists() else 1024


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0 or _unprivileged_ports_begin() < 2,
    reason="this user may bind every port",
)
def test_a_privileged_port() -> None:
    with pytest.raises(TransportError, match="choose a port above 1023"):
        Publisher([_bindable("tcp://127.0.0.1:1")], [])


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_that_is_not_ours(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(TransportError, match="may not bind there"):
        Publisher([_bindable(f"ipc://{tmp_path}/s")], [])


def test_the_advice_for_a_place_that_is_forbidden() -> None:
    """The two tests above are skipped for root; this one holds the words for everybody."""
    error = transport._bind_error(_bindable("tcp://127.0.0.1:1"), 13, "Permission denied")
    assert "choose a port above 1023 or another path" in str(error)


def test_an_address_that_cannot_be_connected_to() -> None:
    with pytest.raises(TransportError, match=r"cannot connect to tcp://a!:5555: Invalid argument"):
        Subscriber([], [_connectable("tcp://a!:5555")], [b""], MAX_BYTES)


def test_what_was_bound_is_given_back_when_the_next_fails() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    free, bad = _bindable(f"tcp://127.0.0.1:{port}"), _bindable("tcp://192.0.2.1:5555")
    with pytest.raises(TransportError):
        Publisher([free, bad], [])
    Publisher([free], []).close()


# -- life ---------------------------------------------------------------------------------------


def test_open_sockets_counts() -> None:
    first = Publisher([_bindable("inproc://s")], [])
    second = Subscriber([], [_connectable("inproc://s")], [b""], MAX_BYTES)
    assert open_sockets() == 2
    first.close()
    first.close()  # may be called again
    assert open_sockets() == 1
    second.close(linger_ms=100)
    assert open_sockets() == 0


def test_after_the_last_socket_a_new_context_serves() -> None:
    for _ in range(3):
        with _pair(_bindable("inproc://s")) as pair:
            pair.pub.send(FRAME)
            assert pair.next_messages() == [FRAME]
        assert open_sockets() == 0


def test_a_message_on_its_way_leaves_within_its_linger() -> None:
    with _pair(_bindable("tcp://127.0.0.1:*")) as pair:
        pair.pub.send([b"lab/", b"", bytes(MAX_BYTES)])
        pair.pub.close(linger_ms=DEADLINE_S * 1000)
        assert len(pair.next_messages()[0][2]) == MAX_BYTES


def test_no_more_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_contexts", transport._Contexts())
    context = transport._contexts.acquire()
    context.set(zmq.MAX_SOCKETS, 1)
    try:
        with closing(Publisher([_bindable("inproc://s")], [])):
            transport._contexts.release()
            with pytest.raises(TransportError):
                Publisher([], [_connectable("inproc://s")])
        assert open_sockets() == 0
    finally:
        context.term()


FORKING = """
import os
from framewire.common.endpoint import parse_endpoint
from framewire.common.transport import Publisher, Subscriber, open_sockets

place = parse_endpoint("inproc://s", bind=True)
parent = Publisher([place], [])
child = os.fork()
if child:
    assert open_sockets() == 1
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
publisher = Publisher([place], [])          # the parent's name is free here: another context
subscriber = Subscriber([], [place], [b""], 100)
assert list(publisher.subscriptions()) == [(True, b"")]
publisher.send([b"a", b"b", b"c"])
assert subscriber.receive() == [b"a", b"b", b"c"]
assert open_sockets() == 2
publisher.close()
subscriber.close()
os._exit(7)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_has_a_context_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING],
        check=False,
        timeout=DEADLINE_S,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (7, "")


# -- waking -------------------------------------------------------------------------------------


def _readable(waker: Waker) -> bool:
    return bool(select.select([waker.fileno()], [], [], 0)[0])


def test_a_waker_ends_a_wait_of_another_thread(waker: Waker) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(wait, [], waker, timeout_ms=-1)
        waker.wake()
        waiting.result(DEADLINE_S)
    assert not _readable(waker)  # taken back: the next wait waits again


def test_a_wake_up_before_the_wait_is_not_lost(waker: Waker) -> None:
    waker.wake()
    waker.wake()
    with ThreadPoolExecutor(1) as threads:
        threads.submit(wait, [], waker, timeout_ms=-1).result(DEADLINE_S)
    assert not _readable(waker)


def test_a_message_ends_a_wait_and_leaves_the_waker_alone(waker: Waker) -> None:
    with _pair(_bindable("inproc://s")) as pair:
        pair.pub.send(FRAME)
        wait([pair.sub], waker, timeout_ms=-1)
        assert pair.sub.receive() == FRAME


def test_a_wait_ends_by_itself(waker: Waker) -> None:
    wait([], waker, timeout_ms=1)


def test_wake_ups_never_block_or_pile_up(waker: Waker) -> None:
    for _ in range(100_000):  # far more than a socket pair holds
        waker.wake()
    waker.clear()
    assert not _readable(waker)
    waker.clear()


def test_waking_after_the_end_is_no_error() -> None:
    waker = Waker()
    waker.close()
    waker.wake()
