"""A TCP connection that misbehaves on purpose: a proxy whose faults are set, and changed, at any time.

It works on a stream of bytes, so nothing is ever lost on it: for packets, see tests/namespaces.py.
"""

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self

__all__ = ["FaultProxy", "Faults", "Side"]

Side = Literal["client", "target"]

_PIECE_BYTES = 16384
_BUFFER_BYTES = 4 << 20  # in each direction of each connection; then TCP holds the rest back
_QUEUE_S = 0.05  # where the rate is limited: what may wait, like in a router with a short queue
_LEAST_BUFFER_BYTES = 32 << 10
_TICK_S, _LOOK_S = 0.01, 0.2
_DEADLINE_S = 10.0
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: close() resets


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with every connection now. The default: nothing."""

    delay_s: float = 0.0
    """How late each byte comes, in each direction ..."""
    jitter_s: float = 0.0
    """... give or take so much, at random; their order never changes."""
    rate: float | None = None
    """Bytes a second, in each direction of each connection. What waits then is 50 ms at most."""
    stall: bool = False
    """Nothing passes, nothing is lost: it comes when this ends."""
    swallow: bool = False
    """Everything is taken and nothing passed on; a new connection is accepted and leads nowhere."""
    refuse: bool = False
    """A new connection is reset at once."""
    flip_every: int | None = None
    """In each direction one bit in so many bytes is turned around."""


class FaultProxy:
    """Leads 127.0.0.1:`port` to `target`, (host, port), with the `faults` that are set.

    The methods may be called from any thread, while the block lasts:

        with FaultProxy(("127.0.0.1", 5555)) as proxy:
            ...  # connect to proxy.port
            proxy.set(delay_s=0.1, jitter_s=0.05)
            proxy.reset()
    """

    def __init__(self, target: tuple[str, int], port: int = 0) -> None:
        self.target = target
        """May be changed: new connections go there."""
        self.faults = Faults()
        self.accepted = 0
        """Connections so far."""
        self.passed: dict[Side, int] = {"client": 0, "target": 0}
        """Bytes so far, to either side."""
        self._connections: set[_Connection] = set()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fault-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_DEADLINE_S)
        self._loop.close()

    @property
    def connections(self) -> int:
        """Those that are open now."""
        return len(self._connections)

    def set(self, **faults: float | bool | None) -> None:
        """From now on these faults, and no others; without any, all is well again."""
        self.faults = replace(Faults(), **faults)  # type: ignore[arg-type]

    def reset(self) -> None:
        """End all connections at both ends by a RST."""
        self._call(self._end_all(abort=True))

    def hang_up(self) -> None:
        """End all connections at both ends by a FIN."""
        self._call(self._end_all(abort=False))

    def half_close(self, side: Side) -> None:
        """Tell one side of each connection that nothing more comes; it may still speak itself."""
        self._call(self._half_close(side))

    def _call(self, act: Coroutine[Any, Any, None]) -> None:
        """Do it in the proxy's thread, and wait until it is done."""
        asyncio.run_coroutine_threadsafe(act, self._loop).result(_DEADLINE_S)

    # -- its thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        self._listening = self._loop.create_task(self._listen())
        self._loop.run_forever()

    async def _listen(self) -> None:
        with self._listener:
            while True:
                client, _ = await self._loop.sock_accept(self._listener)
                self.accepted += 1
                connection = _Connection(client, self)
                if self.faults.refuse:
                    connection.close(abort=True)
                    continue
                self._connections.add(connection)
                # What is swallowed reaches nobody, unless it did before.
                connection.serve(None if self.faults.swallow else self.target)
                connection.ended.add_done_callback(partial(self._forget, connection))

    def _forget(self, connection: "_Connection", _: object) -> None:
        self._connections.discard(connection)

    async def _end_all(self, *, abort: bool) -> None:
        await asyncio.gather(*(each.end(abort=abort) for each in list(self._connections)))

    async def _half_close(self, side: Side) -> None:
        for connection in list(self._connections):
            connection.half_close(side)

    async def _end(self) -> None:
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        await self._end_all(abort=True)


class _Connection:
    """A client and the target; all of it belongs to the loop's thread."""

    def __init__(self, client: socket.socket, proxy: FaultProxy) -> None:
        self._sockets: dict[Side, socket.socket] = {"client": client}
        client.setblocking(False)
        self._proxy = proxy
        self.ended: asyncio.Task[None]
        """Once `serve` was called: done when the connection is closed."""

    def serve(self, target: tuple[str, int] | None) -> None:
        """Pass on what comes, until both directions have ended or one breaks; without a target,
        take what comes."""
        self.ended = asyncio.create_task(self._serve(target))

    async def end(self, *, abort: bool) -> None:
        if abort:
            self._abort()
        self.ended.cancel()
        await asyncio.gather(self.ended, return_exceptions=True)
        self.close()  # it may have ended before it began

    def half_close(self, side: Side) -> None:
        with contextlib.suppress(OSError, KeyError):
            self._sockets[side].shutdown(socket.SHUT_WR)

    def close(self, *, abort: bool = False) -> None:
        if abort:
            self._abort()
        for each in self._sockets.values():
            each.close()

    def _abort(self) -> None:
        """Let closing be a reset."""
        for each in self._sockets.values():
            with contextlib.suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)

    async def _serve(self, target: tuple[str, int] | None) -> None:
        client, loop = self._sockets["client"], asyncio.get_running_loop()
        try:
            if target is None:
                while await loop.sock_recv(client, _PIECE_BYTES):
                    pass
            else:
                far = self._sockets["target"] = socket.socket()
                far.setblocking(False)
                await loop.sock_connect(far, target)
                for each in (client, far):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                async with asyncio.TaskGroup() as ways:
                    for side in self._sockets:
                        way = _Way(self._sockets, side, self._proxy)
                        ways.create_task(way.take_in())
                        ways.create_task(way.give_out())
        except* OSError:
            self._abort()  # as one side broke it, the other sees it broken
        finally:
            self.close()


class _Way:
    """One direction of a connection."""

    def __init__(self, sockets: dict[Side, socket.socket], to: Side, proxy: FaultProxy) -> None:
        self._source = sockets["client" if to == "target" else "target"]
        self._sink, self._to, self._proxy = sockets[to], to, proxy
        self._random = random.Random(to)
        self._waiting: deque[tuple[float, bytes]] = deque()  # when it is due; b"": the end
        self._waiting_bytes = 0
        self._changed = asyncio.Event()
        self._to_flip = 0  # bytes until the next bit

    async def take_in(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while self._waiting_bytes >= self._capacity():
                await self._wait()
            piece = await loop.sock_recv(self._source, _PIECE_BYTES)
            faults = self._proxy.faults
            late_s = faults.delay_s + self._random.uniform(-1, 1) * faults.jitter_s
            self._waiting.append((loop.time() + max(0.0, late_s), piece))
            self._waiting_bytes += len(piece)
            self._changed.set()
            if not piece:
                return

    def _capacity(self) -> int:
        faults = self._proxy.faults
        if faults.rate is None:
            return _BUFFER_BYTES
        on_its_way_s = faults.delay_s + faults.jitter_s + _QUEUE_S
        return max(_LEAST_BUFFER_BYTES, round(faults.rate * on_its_way_s))

    async def give_out(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._waiting:
                await self._wait()
            due, piece = self._waiting.popleft()
            await asyncio.sleep(due - loop.time())
            while self._proxy.faults.stall:
                await asyncio.sleep(_TICK_S)
            if not piece:
                self._sink.shutdown(socket.SHUT_WR)
                return
            faults = self._proxy.faults
            if faults.rate is not None:
                await asyncio.sleep(len(piece) / faults.rate)
            if not faults.swallow:
                await loop.sock_sendall(self._sink, self._flipped(piece, faults.flip_every))
                self._proxy.passed[self._to] += len(piece)
            self._waiting_bytes -= len(piece)
            self._changed.set()

    async def _wait(self) -> None:
        """For a change here, or of the faults."""
        self._changed.clear()
        # Not `wait_for`, which can swallow a cancellation (before Python 3.12).
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_S):
                await self._changed.wait()

    def _flipped(self, piece: bytes, every: int | None) -> bytes:
        if not every:
            self._to_flip = 0
            return piece
        if not self._to_flip:
            self._to_flip = self._random.randrange(1, 2 * every)
        damaged = bytearray(piece)
        while self._to_flip <= len(damaged):
            damaged[self._to_flip - 1] ^= 1 << self._random.randrange(8)
            self._to_flip += self._random.randrange(1, 2 * every)
        self._to_flip -= len(damaged)
        return bytes(damaged)
