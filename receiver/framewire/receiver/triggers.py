"""What triggers an event recording from outside: a signal, a line on stdin, a POST by HTTP.

Each says so in its own thread or in a signal handler; the recording loop asks with `taken`.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, TextIO
from urllib.parse import SplitResult, urlsplit

from framewire.common.answering import Answering, Request
from framewire.common.closing import Closing
from framewire.common.errors import EndpointError, UsageError
from framewire.common.listening import Address, parse_address

__all__ = ["Triggers", "http_address"]


def http_address(trigger: str, *, insecure: bool) -> Address:
    """The address of ``http://127.0.0.1:8090``; `EndpointError` if other machines can reach it."""
    parts = _split(trigger)
    if parts.scheme != "http" or parts.path not in ("", "/", "/trigger"):
        raise UsageError(
            f"bad trigger {trigger!r}: use stdin, or http://127.0.0.1:PORT (POST /trigger)"
        )
    address = parse_address(parts.netloc)
    if not address.local and not insecure:
        raise EndpointError(
            f"refusing to listen at {address}: whoever reaches it could trigger recordings; "
            "use 127.0.0.1, or allow it with --insecure"
        )
    return address


def _split(url: str) -> SplitResult:
    """An address in its parts; of one that cannot be taken apart, none."""
    try:
        return urlsplit(url)
    except ValueError:  # brackets that do not match
        return SplitResult("", "", "", "", "")


class Triggers(Closing):
    """Listens for triggers: SIGUSR1 where there is such a signal, and what `wanted` names.

    To be made and closed in the main thread.
    """

    def __init__(
        self, wanted: Iterable[str], *, insecure: bool = False, stdin: TextIO | None = None
    ) -> None:
        self._pending: SimpleQueue[str] = SimpleQueue()  # one may put from a signal handler
        self._server: Answering | None = None
        self.addresses: list[str] = []
        """Where POST /trigger is taken."""
        wanted = list(wanted)
        http = [http_address(each, insecure=insecure) for each in wanted if each != "stdin"]
        if len(http) > 1:
            raise UsageError("one http trigger is enough")
        for address in http:
            self._serve(address)
        if "stdin" in wanted:
            self._read(stdin or sys.stdin)
        self._before: Any = None
        if hasattr(signal, "SIGUSR1"):
            self._before = signal.signal(signal.SIGUSR1, self._noted)

    def taken(self) -> Iterator[str]:
        """Who has triggered since the last call: ``signal``, ``stdin`` or ``http``, each time."""
        with suppress(Empty):
            while True:
                yield self._pending.get_nowait()

    def _noted(self, number: int, frame: FrameType | None) -> None:
        self._pending.put("signal")

    def _read(self, lines: TextIO) -> None:
        def run() -> None:
            with suppress(OSError, ValueError):  # closed meanwhile
                for _ in lines:
                    self._pending.put("stdin")

        # Nothing can wake who reads stdin: the thread ends with it, or with the program.
        threading.Thread(target=run, name="framewire-stdin", daemon=True).start()

    def _serve(self, address: Address) -> None:
        trigger = {"trigger": lambda _: self._pending.put("http")}
        self._server = Answering(
            address, type("_Trigger", (_Request,), trigger), "framewire-trigger"
        )
        self.addresses.append(f"http://{self._server.address}/trigger")

    def close(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGUSR1, self._before)
            self._before = None
        if self._server is not None:
            self._server.close()


class _Request(Request):
    """POST /trigger; whatever its body. A browser's page of somebody else may not."""

    trigger: Callable[[], None]

    def do_POST(self) -> None:
        if self.headers.get("Origin") is not None:
            self.send(403, "not from a page in a browser")
        elif _split(self.path).path != "/trigger":
            self.send(404, "POST /trigger records an event")
        else:
            self.trigger()
            self.send(202, "triggered")

    def do_GET(self) -> None:
        self.send(405, "POST /trigger records an event", allow="POST")
