"""From sender to website by other ways than one address, and senders that come back."""

import signal

import pytest
from websockets.sync.client import ClientConnection

from app.web.viewing import ask, take, watch
from framewire.common.endpoint import PATTERNS
from processes import Start, until
from websites import PICTURE, TOPIC, Website, start_sender


def looks_well(site: Website) -> None:
    """Frames by WebSocket, one after another, and what is asked for beside it."""
    with watch(site, TOPIC) as client:
        sequences = []
        for _ in range(20):
            sequences.append(take(client)[0]["sequence"])
            client.send("ok")
        assert sequences == sorted(set(sequences))
        assert ask(site, f"/snapshot/{TOPIC}").status == 200
        assert ask(site, "/healthz").text == "ok\n"


def test_through_a_relay(framewire: Start) -> None:
    upstream = ("--from", start_sender(framewire), "--bind", "tcp://127.0.0.1:*")
    site = Website(framewire, framewire("relay", *upstream, "--json").endpoint())
    looks_well(site)
    with watch(site, TOPIC) as client:
        assert take(client)[0]["hops"] == 1


def test_over_request_and_reply(framewire: Start) -> None:
    site = Website(framewire, start_sender(framewire, bind="req-rep+tcp://127.0.0.1:*"))
    looks_well(site)


@pytest.mark.parametrize("pattern", PATTERNS[:2])
def test_a_sender_comes_back_over_the_same_web_socket(
    framewire: Start, port: int, pattern: str
) -> None:
    endpoint = f"{pattern}+tcp://127.0.0.1:{port}"
    options = ("send", PICTURE, "--bind", endpoint, "--topic", TOPIC, "--json")
    sender = framewire(*options)
    sender.event("ready")
    site = Website(framewire, endpoint)
    with watch(site, TOPIC) as client:
        first = sender_of_next(client)
        sender.signal(signal.SIGKILL)
        sender.wait()
        framewire(*options).event("ready")
        until(lambda: sender_of_next(client) != first)
        looks_well(site)
    (stream,) = ask(site, "/api/streams").json["streams"]
    assert stream["restarts"] == 1


def sender_of_next(client: ClientConnection) -> str:
    sender = str(take(client)[0]["sender"])
    client.send("ok")
    return sender
