"""`framewire web` as a real process, as those who look at it find it."""

from typing import Any
from urllib.parse import urlsplit

from processes import Command, Start

PICTURE = "pattern:640x360@30"
TOPIC = "lab/cam1"


class Website:
    """A `web` of some senders, with more arguments perhaps: where it is, and its process."""

    def __init__(self, framewire: Start, *arguments: str, **options: Any) -> None:
        self.command: Command = framewire(
            "web", *arguments, "--listen", "127.0.0.1:0", "--json", **options
        )
        self.url = self.command.url()
        place = urlsplit(self.url)
        assert place.hostname
        assert place.port
        self.port = place.port
        self.host = place.netloc


def start_sender(framewire: Start, source: str = PICTURE, bind: str = "tcp://127.0.0.1:*") -> str:
    """A `send` of TOPIC; its endpoint."""
    sender = framewire("send", source, "--bind", bind, "--topic", TOPIC, "--json")
    return sender.endpoint()


def start_website(framewire: Start, source: str = PICTURE) -> Website:
    """A sender of TOPIC, and a website that shows it."""
    return Website(framewire, start_sender(framewire, source))
