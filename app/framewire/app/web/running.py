"""The web viewer at work: a receiver's packets, served in a thread of its own."""

import asyncio
import socket
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

from framewire.app.web.access import Access, Gate
from framewire.app.web.disk import Disk
from framewire.app.web.hub import Hub
from framewire.app.web.library import Library
from framewire.app.web.limits import LIMITS, Limits
from framewire.app.web.server import make_app
from framewire.app.web.serving import Server
from framewire.common.closing import Closing
from framewire.receiver import Receiver

__all__ = ["Running"]

_JOIN_S = 5.0


class Running(Closing):
    """Serves what `receiver` takes, at `listener`, until `close`.

    `receiver` was made with ``topics=None`` and ``keep="newest"`` and is closed here; `listener`,
    which came from `listen_for_viewers`, is not. `cert` and `key` (PEM) make it https. With `warm`,
    all is taken all the time. `recordings` is a folder to show them from. Raises `UsageError` if the certificate does not work.
    """

    def __init__(
        self,
        receiver: Receiver,
        listener: socket.socket,
        access: Access,
        *,
        cert: Path | None = None,
        key: Path | None = None,
        warm: bool = False,
        recordings: Path | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        self._receiver, self._listener = receiver, listener
        self._access, self._tls, self._warm = access, (cert, key), warm
        self._recordings, self._limits = recordings, limits
        self.hub: Hub
        """Of the server's own event loop."""
        self.loop: asyncio.AbstractEventLoop
        self.server: Server
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="framewire-web", daemon=True)
        self._thread.start()
        self._ready.wait()
        self.check()

    def check(self) -> None:
        """Raise what ended it, if something did."""
        error = self._error or self.hub.failure
        if error is not None:
            raise error

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - the top of this thread; `check` raises it
            self._error = error
        finally:
            self._receiver.close()
            self._ready.set()

    async def _serve(self) -> None:
        cert, key = self._tls
        with ExitStack() as stack:
            hub = stack.enter_context(Hub(self._receiver, warm=self._warm, limits=self._limits))
            folder = self._recordings
            library = stack.enter_context(Library(folder)) if folder is not None else None
            disk = stack.enter_context(Disk(self._limits))
            gate = Gate(make_app(hub, library, disk), self._access, secure=cert is not None)
            self.hub, self.server = hub, Server(gate, cert=cert, key=key, limits=self._limits)
            self.loop = asyncio.get_running_loop()
            self._ready.set()
            await self.server.serve([self._listener])

    def _end(self) -> None:
        self.server.should_exit = True
        self.hub.close()

    def close(self) -> None:
        """Let viewers go, and stop. May be called again."""
        with suppress(RuntimeError, AttributeError):  # it has ended, or never began
            self.loop.call_soon_threadsafe(self._end)
        self._thread.join(_JOIN_S)
