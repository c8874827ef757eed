"""What all sockets share, tried with publishers and subscribers: addresses, parts, their life."""

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import zmq

from common.transport.meeting import (
    DEADLINE_S,
    FRAME,
    MAX_BYTES,
    Pair,
    bindable,
    connectable,
    pair_at,
)
from framewire.common.endpoint import Endpoint
from framewire.common.errors import TransportError
from framewire.common.transport import Publisher, Subscriber, open_sockets, sockets

# -- parts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 4, 5, 100, 1025])
def test_a_wrong_number_of_parts_shows_and_the_stream_goes_on(
    address: Endpoint, count: int
) -> None:
    parts = [b"%d" % number for number in range(count)]
    with pair_at(address) as pair:
        pair.pub.send(parts)
        pair.pub.send(FRAME)
        assert pair.next_messages(2) == [parts[:4], FRAME]


@pytest.mark.parametrize("count", [1026, 1027])
def test_the_message_behind_an_endless_one_is_whole(count: int) -> None:
    with pair_at(bindable("inproc://s")) as pair:
        pair.pub.send([b"x"] * count)
        pair.pub.send(FRAME)
        assert pair.next_messages(2) == [[b"x"] * 4, FRAME]


def test_the_end_of_an_endless_message_is_no_message() -> None:
    with pair_at(bindable("inproc://s")) as pair:
        pair.pub.send([b"x"] * 1025 + FRAME)
        assert pair.sub.receive() == [b"x"] * 4
        assert pair.sub.receive() is None


# -- addresses ----------------------------------------------------------------------------------


def test_endpoints_are_the_addresses_in_use(tmp_path: Path) -> None:
    bind = [bindable("tcp://localhost:*"), bindable(f"ipc://{tmp_path}/s")]
    publisher = Publisher(bind, [connectable("tcp://127.0.0.1:9")])
    tcp, ipc, connected = publisher.endpoints
    assert connectable(tcp).host == "127.0.0.1"
    assert connectable(tcp).address != "127.0.0.1:*"
    assert (ipc, connected) == (f"ipc://{tmp_path}/s", "tcp://127.0.0.1:9")
    publisher.close()


def test_one_message_goes_out_at_every_address() -> None:
    bind = [bindable("tcp://127.0.0.1:*"), bindable("inproc://b")]
    with closing(Publisher(bind, [])) as pub:
        pairs = [
            Pair(pub, Subscriber([], [connectable(each)], [b""], MAX_BYTES))
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
    with pair_at(bindable("tcp://[::1]:*")) as pair:
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
    endpoint = bindable(text.format(tmp=tmp_path))
    with pytest.raises(TransportError, match=advice) as caught:
        Publisher([endpoint], [])
    assert str(caught.value).startswith(f"cannot bind {endpoint}: ")
    assert isinstance(caught.value.__cause__, zmq.ZMQError)


@pytest.mark.parametrize("text", ["tcp://127.0.0.1:*", "inproc://s"])
def test_an_address_in_use(text: str) -> None:
    with pair_at(bindable(text)) as pair:
        taken = bindable(pair.pub.endpoints[0])
        with pytest.raises(TransportError, match="another program has that address"):
            Publisher([taken], [])
        with pytest.raises(TransportError, match="another program has that address"):
            Subscriber([taken], [], [b""], MAX_BYTES)


@pytest.mark.parametrize("name", ["file", "."])
def test_an_ipc_path_where_something_else_lies(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("keep me")
    with pytest.raises(TransportError, match="not a socket"):
        Publisher([bindable(f"ipc://{tmp_path}/{name}")], [])
    assert (tmp_path / "file").read_text() == "keep me"
    assert open_sockets() == 0


def test_an_ipc_path_that_a_dead_sender_left(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(f"{tmp_path}/s")
    with pair_at(bindable(f"ipc://{tmp_path}/s")) as pair:
        pair.pub.send(FRAME)
        assert pair.next_messages() == [FRAME]


def test_an_ipc_path_in_use(tmp_path: Path) -> None:
    with pair_at(bindable(f"ipc://{tmp_path}/s")) as pair:
        try:
            with pytest.raises(TransportError, match="another program has that address"):
                Publisher([bindable(pair.pub.endpoints[0])], []).close()
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
        Publisher([bindable("tcp://127.0.0.1:1")], [])


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_that_is_not_ours(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(TransportError, match="may not bind there"):
        Publisher([bindable(f"ipc://{tmp_path}/s")], [])


def test_the_advice_for_a_place_that_is_forbidden() -> None:
    """The two tests above are skipped for root; this one holds the words for everybody."""
    error = sockets._bind_error(bindable("tcp://127.0.0.1:1"), 13, "Permission denied")
    assert "choose a port above 1023 or another path" in str(error)


def test_an_address_that_cannot_be_connected_to() -> None:
    with pytest.raises(TransportError, match=r"cannot connect to tcp://a!:5555: Invalid argument"):
        Subscriber([], [connectable("tcp://a!:5555")], [b""], MAX_BYTES)


def test_what_was_bound_is_given_back_when_the_next_fails() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    free, bad = bindable(f"tcp://127.0.0.1:{port}"), bindable("tcp://192.0.2.1:5555")
    with pytest.raises(TransportError):
        Publisher([free, bad], [])
    Publisher([free], []).close()


# -- life ---------------------------------------------------------------------------------------


def test_open_sockets_counts() -> None:
    first = Publisher([bindable("inproc://s")], [])
    second = Subscriber([], [connectable("inproc://s")], [b""], MAX_BYTES)
    assert open_sockets() == 2
    first.close()
    first.close()  # may be called again
    assert open_sockets() == 1
    second.close(linger_ms=100)
    assert open_sockets() == 0


def test_after_the_last_socket_a_new_context_serves() -> None:
    for _ in range(3):
        with pair_at(bindable("inproc://s")) as pair:
            pair.pub.send(FRAME)
            assert pair.next_messages() == [FRAME]
        assert open_sockets() == 0


def test_a_message_on_its_way_leaves_within_its_linger() -> None:
    with pair_at(bindable("tcp://127.0.0.1:*")) as pair:
        pair.pub.send([b"lab/", b"", bytes(MAX_BYTES)])
        pair.pub.close(linger_ms=DEADLINE_S * 1000)
        assert len(pair.next_messages()[0][2]) == MAX_BYTES


def test_no_more_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_contexts", sockets._Contexts())
    context = sockets._contexts.acquire()
    context.set(zmq.MAX_SOCKETS, 1)
    try:
        with closing(Publisher([bindable("inproc://s")], [])):
            sockets._contexts.release()
            with pytest.raises(TransportError):
                Publisher([], [connectable("inproc://s")])
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
