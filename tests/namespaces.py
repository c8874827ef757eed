"""Two machines on this one: network namespaces with a link between them that can be slow, late or down.

Linux and root only; `skip_reason` says what is missing. Run as a program, this file is the delay
line that `Link.delay` starts.
"""

import asyncio
import contextlib
import functools
import json
import os
import random
import secrets
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal, Self

__all__ = ["Link", "LinkError", "Side", "call", "skip_reason"]

Side = Literal["a", "b"]

_OTHER: dict[Side, Side] = {"a": "b", "b": "a"}
_NOBODY = "02:00:00:00:00:99"
_COMMAND_S = 10.0  # what one `ip` or `tc` may take
_PIECE_BYTES, _PIECES = 16384, 1024  # of what is under way in one direction of a delay line


class LinkError(Exception):
    """The system refused what a link needs; the message says which command, and why."""


@functools.cache
def skip_reason() -> str:
    """Why there can be no `Link` here; empty if there can be one."""
    if sys.platform != "linux":
        return "network namespaces are Linux's own"
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    missing = [tool for tool in ("ip", "tc") if not shutil.which(tool)]
    if missing:
        return f"{' and '.join(missing)} not found: install iproute2"
    try:
        with Link(rate_bits=1_000_000):
            return ""
    except LinkError as error:  # a container's root, or a kernel without tbf
        return str(error)


class Link:
    """Namespaces `a` and `b`, each with a loopback of its own, and one cable between them.

    What `a` sends is limited to `rate_bits` a second (None: not at all), frame headers of the
    network included; what `b` sends is not. All processes that were started in it are killed and
    everything is removed when the block is left.
    """

    def __init__(self, rate_bits: int | None = None) -> None:
        tag = secrets.token_hex(4)
        network = f"10.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
        self._namespace: dict[Side, str] = {"a": f"fw-{tag}-a", "b": f"fw-{tag}-b"}
        self._interface: dict[Side, str] = {"a": f"fw{tag}a", "b": f"fw{tag}b"}
        self.address: dict[Side, str] = {"a": f"{network}.1", "b": f"{network}.2"}
        self._rate_bits = rate_bits
        self._started: list[subprocess.Popen[Any]] = []

    def __enter__(self) -> Self:
        try:
            self._make()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    # -- what it does -------------------------------------------------------------------------

    def run(
        self,
        side: Side,
        argv: Sequence[str],
        *,
        check: bool = True,
        timeout: float = 30.0,
        **options: Any,
    ) -> subprocess.CompletedProcess[Any]:
        """`subprocess.run` at that side; a failure raises, unless `check` is off."""
        return subprocess.run(self.at(side, argv), check=check, timeout=timeout, **options)

    def popen(self, side: Side, argv: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """`subprocess.Popen` at that side; its pid is the command's own."""
        process = subprocess.Popen(self.at(side, argv), **options)
        self._started.append(process)
        return process

    def down(self) -> None:
        """Take down `a`'s end: nothing gets through any more, and no connection is told."""
        self._set("a", "down")

    def up(self) -> None:
        """Bring it up again, as fast as it was."""
        self._set("a", "up")

    def swallow(self) -> None:
        """Send what goes to the other side, from either, to nobody: the link itself stays up."""
        for side, other in _OTHER.items():
            call("ip", "-n", self._namespace[side], "neigh", "replace", self.address[other],
                  "lladdr", _NOBODY, "dev", self._interface[side], "nud", "permanent")  # fmt: skip

    def deliver(self) -> None:
        """End that."""
        for side, other in _OTHER.items():
            call("ip", "-n", self._namespace[side], "neigh", "del", self.address[other],
                  "dev", self._interface[side])  # fmt: skip

    def set_rate(self, bits: int | None) -> None:
        """Limit what `a` sends from now on."""
        limit = f"tbf rate {bits}bit burst 32kb latency 50ms".split() if bits else ["pfifo_fast"]
        call("tc", "-n", self._namespace["a"], "qdisc", "replace", "dev", self._interface["a"],
              "root", *limit)  # fmt: skip

    def sent_bytes(self) -> int:
        """What `a` has sent so far, all headers included."""
        told = call("ip", "-n", self._namespace["a"], "-j", "-s", "link", "show", "dev",
                     self._interface["a"])  # fmt: skip
        return int(json.loads(told)[0]["stats64"]["tx"]["bytes"])

    def delay(self, port: int, seconds: float) -> None:
        """Let 127.0.0.1:`port` of `b` lead to `a`'s port, each byte `seconds` late, both ways.

        The delay is between this end and the program there: TCP on the link does not feel it.
        """
        line = self.popen(
            "b",
            [sys.executable, __file__, str(port), self.address["a"], str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert line.stdout
        ready, _, _ = select.select([line.stdout], [], [], _COMMAND_S)
        if not ready or not line.stdout.readline():
            raise LinkError("the delay line did not start")

    # -- how ----------------------------------------------------------------------------------

    def at(self, side: Side, argv: Sequence[str]) -> list[str]:
        """The command that runs `argv` at that side."""
        return ["ip", "netns", "exec", self._namespace[side], *argv]

    def _set(self, side: Side, state: str) -> None:
        call("ip", "-n", self._namespace[side], "link", "set", self._interface[side], state)

    def _make(self) -> None:
        for namespace in self._namespace.values():
            call("ip", "netns", "add", namespace)
            call("ip", "-n", namespace, "link", "set", "lo", "up")
        self._lay_cable()
        for side, namespace in self._namespace.items():
            call("ip", "-n", namespace, "addr", "add", f"{self.address[side]}/24", "dev",
                  self._interface[side])  # fmt: skip
            self._set(side, "up")
        if self._rate_bits:
            self.set_rate(self._rate_bits)

    def _lay_cable(self) -> None:
        """Put an interface into each namespace, joined to the other."""
        ends = [(self._interface[s], "netns", self._namespace[s]) for s in self._namespace]
        call("ip", "link", "add", *ends[0], "type", "veth", "peer", "name", *ends[1])

    def _remove(self) -> None:
        for process in self._started:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait(_COMMAND_S)
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
        for namespace in self._namespace.values():
            with contextlib.suppress(LinkError):  # it was never made
                self._kill_what_is_left(namespace)
                call("ip", "netns", "delete", namespace)

    def _kill_what_is_left(self, namespace: str) -> None:
        """A namespace lives, with its interfaces, as long as a process of it does."""
        for pid in call("ip", "netns", "pids", namespace).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def call(*argv: str) -> str:
    """What a command of the system prints; `LinkError` if it fails."""
    try:
        return subprocess.run(
            argv, check=True, capture_output=True, text=True, timeout=_COMMAND_S
        ).stdout
    except subprocess.TimeoutExpired:
        raise LinkError(f"{' '.join(argv)}: no end within {_COMMAND_S:g} s") from None
    except subprocess.CalledProcessError as error:
        raise LinkError(f"{' '.join(argv)}: {error.stderr.strip()}") from None


# -- the delay line -------------------------------------------------------------------------------

_Late = asyncio.Queue[tuple[float, bytes]]  # when it is due, and what; nothing: the end


async def _take_in(reader: asyncio.StreamReader, line: _Late, seconds: float) -> None:
    now = asyncio.get_running_loop().time
    while True:
        piece = await reader.read(_PIECE_BYTES)
        await line.put((now() + seconds, piece))
        if not piece:
            return


async def _give_out(line: _Late, writer: asyncio.StreamWriter) -> None:
    now = asyncio.get_running_loop().time
    while True:
        due, piece = await line.get()
        await asyncio.sleep(due - now())
        if not piece:
            writer.write_eof()
            return
        writer.write(piece)
        await writer.drain()


async def _join(
    seconds: float, far: tuple[str, int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One connection: both directions, until both have ended or one breaks."""
    with contextlib.closing(writer):
        try:
            far_reader, far_writer = await asyncio.open_connection(*far)
        except OSError:
            return  # refused there, so closed here
        with contextlib.closing(far_writer):
            try:
                async with asyncio.TaskGroup() as ways:
                    for source, sink in ((reader, far_writer), (far_reader, writer)):
                        line = _Late(_PIECES)
                        ways.create_task(_take_in(source, line, seconds))
                        ways.create_task(_give_out(line, sink))
            except* OSError:
                pass


def _end_with_input() -> None:
    """Whoever started this is gone when its input ends."""
    sys.stdin.read()
    os._exit(0)


async def _delay_line(port: int, host: str, seconds: float) -> None:
    join = functools.partial(_join, seconds, (host, port))
    server = await asyncio.start_server(join, "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    threading.Thread(target=_end_with_input, daemon=True).start()
    asyncio.run(_delay_line(int(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
