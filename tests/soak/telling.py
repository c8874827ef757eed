"""How the soak's own programs speak, and how they end: as framewire's commands do."""

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["ending", "tell"]


def tell(event: str, **facts: object) -> None:
    """A JSON line on stdout. Who does not read it holds nothing up: what has no room is left out."""
    line = json.dumps({"event": event, **facts}) + "\n"
    try:
        sys.stdout.write(line)
        sys.stdout.flush()
    except BlockingIOError:
        return


@contextmanager
def ending(close: Callable[[], object]) -> Iterator[threading.Event]:
    """SIGTERM sets the event, and closes, from a thread of its own: what closes may wait."""
    ended = threading.Event()

    def end(number: int, frame: object) -> None:
        ended.set()
        threading.Thread(target=close, daemon=True).start()

    signal.signal(signal.SIGTERM, end)
    yield ended
