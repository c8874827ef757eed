"""How the soak's own programs speak, and how they end: as framewire's commands do."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import cyclopts

__all__ = ["ending", "run", "tell"]


def tell(event: str, **facts: object) -> None:
    """A JSON line on stdout. Who does not read it holds nothing up: what has no room is left out."""
    line = json.dumps({"event": event, **facts}) + "\n"
    with suppress(BlockingIOError):
        os.write(1, line.encode())  # what is shorter than PIPE_BUF goes whole or not at all


def run(main: Callable[..., None]) -> NoReturn:
    """Run it as a program, with its arguments; as `framewire` does, not ended by the interpreter,
    which takes long to unload everything."""
    os.set_blocking(1, False)
    cyclopts.run(main)
    os._exit(0)


@contextmanager
def ending(close: Callable[[], object]) -> Iterator[threading.Event]:
    """SIGTERM sets the event, and closes, from a thread of its own: what closes may wait."""
    ended = threading.Event()

    def end(number: int, frame: object) -> None:
        ended.set()
        threading.Thread(target=close, daemon=True).start()

    signal.signal(signal.SIGTERM, end)
    yield ended
