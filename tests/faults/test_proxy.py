"""The fault proxy does what it says, and nothing else."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from faults.proxy import FaultProxy
from processes import until

WAIT_S = 5.0


@contextmanager
def service(serve: Callable[[socket.socket], None]) -> Iterator[tuple[str, int]]:
    """The address of a server that does `serve` with each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take_all() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=take, args=(connection,), daemon=True).start()

        def take(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                serve(connection)

        threading.Thread(target=take_all, daemon=True).start()
        yield listener.getsockname()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def echo(connection: socket.socket) -> None:
    while piece := connection.recv(65536):
        connection.sendall(piece)
    connection.sendall(b"bye")


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with service(echo) as address, FaultProxy(address) as proxy:
        yield proxy


def call(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT_S)


def read(connection: socket.socket, size: int) -> bytes:
    taken = b""
    while len(taken) < size and (piece := connection.recv(size - len(taken))):
        taken += piece
    return taken


def echoed(connection: socket.socket, size: int = 4) -> float:
    """Seconds until it came back."""
    began, sent = time.monotonic(), bytes(size)
    connection.sendall(sent)
    assert read(connection, size) == sent
    return time.monotonic() - began


def test_without_faults_it_changes_nothing(proxy: FaultProxy) -> None:
    with call(proxy) as connection:
        echoed(connection, 300_000)
        assert proxy.accepted == proxy.connections == 1
        assert proxy.passed == {"client": 300_000, "target": 300_000}
        connection.shutdown(socket.SHUT_WR)
        assert read(connection, 4) == b"bye"
    until(lambda: not proxy.connections)


def test_delay_and_rate(proxy: FaultProxy) -> None:
    with call(proxy) as connection:
        proxy.set(delay_s=0.1, jitter_s=0.05)
        assert echoed(connection) >= 0.1
        proxy.set(rate=100_000)
        assert echoed(connection, 30_000) >= 0.3
        proxy.set()
        echoed(connection)


def test_what_is_stalled_comes_later_and_what_is_swallowed_never(proxy: FaultProxy) -> None:
    with call(proxy) as connection:
        connection.settimeout(0.2)
        proxy.set(stall=True)
        connection.sendall(b"late")
        with pytest.raises(TimeoutError):
            connection.recv(4)
        proxy.set(swallow=True)
        connection.sendall(b"gone")
        with pytest.raises(TimeoutError):
            connection.recv(4)
        with call(proxy) as another:
            another.sendall(b"here")
            until(lambda: proxy.connections == 2)
        proxy.set()
        echoed(connection)


def test_a_stall_keeps_what_was_sent(proxy: FaultProxy) -> None:
    with call(proxy) as connection:
        proxy.set(stall=True)
        connection.sendall(b"late")
        proxy.set()
        assert read(connection, 4) == b"late"


def test_flips_bits(proxy: FaultProxy) -> None:
    size = 200_000
    with call(proxy) as connection:
        proxy.set(flip_every=10_000)
        threading.Thread(target=connection.sendall, args=(bytes(size),), daemon=True).start()
        flipped = sum(byte.bit_count() for byte in read(connection, size))
        assert 10 < flipped < 100  # 40 in the mean: both ways
        proxy.set()
        echoed(connection)


def test_resets_and_hangs_up(proxy: FaultProxy) -> None:
    with call(proxy) as connection:
        echoed(connection)
        proxy.reset()
        assert not proxy.connections
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with call(proxy) as connection:
        echoed(connection)
        proxy.hang_up()
        assert connection.recv(1) == b""


def test_a_half_closed_side_may_still_speak(proxy: FaultProxy) -> None:
    with call(proxy) as connection:
        echoed(connection)
        proxy.half_close("target")
        assert read(connection, 4) == b"bye"


def test_refuses(proxy: FaultProxy) -> None:
    proxy.set(refuse=True)
    with pytest.raises(ConnectionResetError), call(proxy) as connection:
        connection.recv(1)
    proxy.set()
    with call(proxy) as connection:
        echoed(connection)


def test_a_target_that_is_not_there(proxy: FaultProxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        proxy.target = nobody.getsockname()
    with pytest.raises(ConnectionResetError), call(proxy) as connection:
        connection.recv(1)


def test_it_leaves_nothing_behind() -> None:
    threads = threading.active_count()
    with service(echo) as address:
        before = threading.active_count()
        with FaultProxy(address) as proxy:
            proxy.set(stall=True)
            connections = [call(proxy) for _ in range(20)]
            for each in connections:
                each.sendall(b"held")
            until(lambda: proxy.connections == 20)
        for each in connections:
            with pytest.raises(ConnectionResetError):
                each.recv(1)
            each.close()
        until(lambda: threading.active_count() <= before)
    until(lambda: threading.active_count() <= threads)


def test_a_storm_of_resets(proxy: FaultProxy) -> None:
    end = threading.Event()

    def call_again_and_again() -> None:
        while not end.is_set():
            with suppress(OSError), call(proxy) as connection:
                echoed(connection, 100_000)

    callers = [threading.Thread(target=call_again_and_again) for _ in range(4)]
    for each in callers:
        each.start()
    for _ in range(100):
        proxy.reset()
        time.sleep(0.005)
    end.set()
    for each in callers:
        each.join()
    with call(proxy) as connection:
        echoed(connection)
