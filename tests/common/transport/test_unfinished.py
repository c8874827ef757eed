"""How much came since the last whole message, as the kernel counts it."""

import socket
from collections.abc import Iterator

import pytest

from framewire.common.clock import NS
from framewire.common.transport.unfinished import Unfinished

pytestmark = pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="only Linux tells")

NONE_WAIT = bool  # no
MOST, QUEUE, SLACK = 1000, 3, 1 << 20
AGAIN_NS = NS // 10


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection: who sends, and who is watched."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as sender,
    ):
        watched, _ = server.accept()
        with watched:
            yield sender, watched


def send(sender: socket.socket, watched: socket.socket, size: int) -> None:
    """Send so much and read it."""
    while size:
        piece = min(size, 1 << 14)
        sender.sendall(bytes(piece))
        assert len(watched.recv(piece, socket.MSG_WAITALL)) == piece
        size -= piece


def test_a_message_without_an_end_is_found(ends: tuple[socket.socket, socket.socket]) -> None:
    sender, watched = ends
    number, unfinished = watched.fileno(), Unfinished(MOST, QUEUE)
    unfinished.begun(number)
    send(sender, watched, MOST + SLACK)
    assert list(unfinished.too_long([number], 0, NONE_WAIT)) == []
    send(sender, watched, 1)
    assert list(unfinished.too_long([number], AGAIN_NS - 1, NONE_WAIT)) == []  # not so soon
    assert list(unfinished.too_long([number], AGAIN_NS, NONE_WAIT)) == [number]


def test_whole_messages_may_be_any_number(ends: tuple[socket.socket, socket.socket]) -> None:
    sender, watched = ends
    number, unfinished = watched.fileno(), Unfinished(MOST, QUEUE)
    unfinished.begun(number)
    for at in range(4):
        send(sender, watched, MOST + SLACK)
        unfinished.whole(number)
        assert list(unfinished.too_long([number], at * AGAIN_NS, NONE_WAIT)) == []


def test_a_number_that_is_used_again_begins_anew(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    sender, watched = ends
    number, unfinished = watched.fileno(), Unfinished(MOST, QUEUE)
    unfinished.begun(number)
    send(sender, watched, 5000)
    unfinished.whole(number)
    unfinished.ended(number)
    unfinished.whole(number)  # of a connection that was not told of
    unfinished.begun(number)
    send(sender, watched, MOST + SLACK)
    assert list(unfinished.too_long([number], 0, NONE_WAIT)) == [number]


def test_where_any_size_is_right_nobody_is_found(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    sender, watched = ends
    unfinished = Unfinished(-1, QUEUE)
    unfinished.begun(watched.fileno())
    send(sender, watched, 2 * SLACK)
    assert list(unfinished.too_long([watched.fileno()], 0, NONE_WAIT)) == []


def test_what_waits_to_be_taken_may_be_several_messages(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    sender, watched = ends
    number, unfinished = watched.fileno(), Unfinished(MOST, QUEUE)
    unfinished.begun(number)
    send(sender, watched, (QUEUE + 1) * MOST + SLACK)
    assert list(unfinished.too_long([number], 0, lambda: True)) == []
    send(sender, watched, 1)
    assert list(unfinished.too_long([number], AGAIN_NS, lambda: True)) == [number]
