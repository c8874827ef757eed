"""What triggers an event from outside."""

import http.client
import io
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from framewire.common.errors import EndpointError, TransportError, UsageError
from framewire.receiver.triggers import Triggers, http_address
from receiver.publishing import DEADLINE_S, until

HERE = "http://127.0.0.1:0"


@pytest.fixture
def http_trigger() -> Iterator[Triggers]:
    with Triggers([HERE]) as triggers:
        yield triggers


def _request(
    triggers: Triggers, method: str, path: str = "", headers: dict[str, str] | None = None
) -> int:
    address = urlsplit(triggers.addresses[0])
    connection = http.client.HTTPConnection(address.netloc, timeout=DEADLINE_S)
    connection.request(method, path or address.path, headers=headers or {})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no such signal")
def test_a_signal() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with Triggers([]) as triggers:
        assert list(triggers.taken()) == []
        os.kill(os.getpid(), signal.SIGUSR1)
        until(lambda: list(triggers.taken()) == ["signal"])
        assert list(triggers.taken()) == []
    assert signal.getsignal(signal.SIGUSR1) == before


def test_each_line_on_stdin() -> None:
    found: list[str] = []
    with Triggers(["stdin"], stdin=io.StringIO("door\n\nbell\n")) as triggers:

        def all_came() -> bool:
            found.extend(triggers.taken())
            return len(found) == 3

        until(all_came)
    assert found == ["stdin"] * 3


def test_a_post(http_trigger: Triggers) -> None:
    assert _request(http_trigger, "POST") == 202
    assert list(http_trigger.taken()) == ["http"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/", {}, 404),
        ("GET", "/trigger", {}, 405),
        ("PUT", "/trigger", {}, 501),
        ("POST", "/trigger", {"Origin": "http://elsewhere.example"}, 403),
        ("POST", "/trigger", {"Host": "elsewhere.example"}, 421),
    ],
)
def test_what_does_not_trigger(
    http_trigger: Triggers, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    assert _request(http_trigger, method, path, headers) == status
    assert list(http_trigger.taken()) == []


def test_an_address_that_cannot_be_taken_apart(
    http_trigger: Triggers, capsys: pytest.CaptureFixture[str]
) -> None:
    port = urlsplit(http_trigger.addresses[0]).port
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
        client.sendall(b"POST http://[ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.0 404"
    assert list(http_trigger.taken()) == []
    assert not capsys.readouterr().err


def test_who_says_nothing_keeps_nobody_waiting(http_trigger: Triggers) -> None:
    address = urlsplit(http_trigger.addresses[0])
    assert address.port
    with ExitStack() as stack:
        for _ in range(20):
            client = socket.create_connection(("127.0.0.1", address.port), DEADLINE_S)
            stack.enter_context(client).sendall(b"POST /trigger HTTP/1.1\r\nX-Slow")
        assert _request(http_trigger, "POST") == 202
    assert list(http_trigger.taken()) == ["http"]


def test_a_body_is_of_no_account(http_trigger: Triggers) -> None:
    address = urlsplit(http_trigger.addresses[0])
    for body in (b"{}", b"x" * 60_000):
        connection = http.client.HTTPConnection(address.netloc, timeout=DEADLINE_S)
        connection.request("POST", "/trigger", body)
        assert connection.getresponse().read() == b"triggered\n"
        connection.close()
    assert list(http_trigger.taken()) == ["http"] * 2


@pytest.mark.parametrize(
    "bad",
    [
        "door",
        "https://127.0.0.1:1",
        "http://127.0.0.1",
        "http://127.0.0.1:1/other",
        "http://[::1:8090",
    ],
)
def test_what_is_no_trigger(bad: str) -> None:
    with pytest.raises(UsageError):
        Triggers([bad])


def test_other_machines_are_refused_unless_allowed() -> None:
    with pytest.raises(EndpointError, match="--insecure"):
        http_address("http://0.0.0.0:0", insecure=False)
    assert str(http_address("http://0.0.0.0:0", insecure=True)) == "0.0.0.0:0"
    with pytest.raises(UsageError, match="one http trigger"):
        Triggers([HERE, HERE])


def test_a_port_that_is_taken(http_trigger: Triggers) -> None:
    address = urlsplit(http_trigger.addresses[0])
    with pytest.raises(TransportError, match="another program has that port"):
        Triggers([f"http://{address.netloc}"])
