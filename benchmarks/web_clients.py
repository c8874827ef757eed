"""What viewers in browsers cost the web server, and what a slow one costs the others.

    pip install -e '.[bench]'; python benchmarks/web_clients.py [--rounds 3] [--seconds 10]
        [--slow 65] [--scenarios many,slow]

*many*: a camera of 1280x720 at 10 frames a second (JPEG quality 85) is shown by `framewire web` to 1,
10 and 50 viewers, who acknowledge each frame as it comes. The floor is a bare server of the library
`websockets`, which sends the newest of some JPEGs that it has to those who acknowledged: no camera,
no ZeroMQ, no HTTP beside it. Its ratio is taken within a round. Fifty who read Motion JPEG come last.

*slow*: a camera of 30 frames a second, and four viewers who acknowledge at once; after --seconds
another one comes, for --slow seconds, who acknowledges twice a second; or two who read nothing of
what they asked for, one Motion JPEG and one WebSocket; or nobody, which shows what the machine does by
itself. Compared are the frames that the four get and how old those are, before and meanwhile.

All viewers of one kind are in one process that reads and decodes no picture: fifty decoders would
measure the processor of a small machine, which the camera and the server need, too. *Age* is the time
from capture until the viewer has the frame, on the one clock of this machine. Processor time is that
of the server's process (Linux: from /proc).
"""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import simplejpeg
from ends import (
    DISTINCT,
    END,
    MEADOW,
    QUALITY,
    Worker,
    add_choice,
    at_quantile,
    clip_frames,
    end_when_asked,
    main_or_end,
    parser,
    take_rounds,
    tell,
    workers,
)
from report import Column, Table, publish, ratios
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from framewire.sender import Sender

TOPIC = "bench"
MANY_FPS, FPS = 10, 30
OTHERS, PAUSE_S = 4, 0.5
SETTLE_S, AT_THE_END_S = 2.0, 5.0
MB = 1e6
Rows = list[tuple[float, float]]
"""Of each frame when it came, in seconds of the monotonic clock, and its age then in milliseconds."""


# -- the ends, each in its process ----------------------------------------------------------------


def run_camera(fps: str) -> None:
    pictures = cycle(list(clip_frames(MEADOW, DISTINCT)))
    sender = Sender("tcp://127.0.0.1:*", topic=TOPIC, quality=QUALITY, when_full="newest")
    tell(endpoint=sender.endpoints[0])
    for _ in ticks(float(fps)):
        sender.send(next(pictures), copy=False)


def ticks(fps: float) -> Iterator[None]:
    """One for each frame, as it is due; the time goes on while nobody takes them."""
    began_s, number = time.monotonic(), 0
    while True:
        number = max(number + 1, int((time.monotonic() - began_s) * fps))
        time.sleep(max(0.0, began_s + number / fps - time.monotonic()))
        yield


def run_bare(fps: str) -> None:
    """The floor: a server of pictures that are JPEG already."""
    asyncio.run(serve_bare(float(fps)))


async def serve_bare(fps: float) -> None:
    pictures = cycle(
        [
            simplejpeg.encode_jpeg(image, QUALITY, "BGR", "420", False)
            for image in clip_frames(MEADOW, DISTINCT)
        ]
    )
    newest = b""
    arrived = asyncio.Condition()

    async def give(websocket: ServerConnection) -> None:
        last = None
        async with websocket:
            while True:
                async with arrived:
                    while newest is last:
                        await arrived.wait()
                last = newest
                await websocket.send(last)
                await websocket.recv()

    async with serve(give, "127.0.0.1", 0, compression=None) as server:
        tell(port=server.sockets[0].getsockname()[1])
        began_s, number = time.monotonic(), 0
        while True:
            number += 1
            await asyncio.sleep(max(0.0, began_s + number / fps - time.monotonic()))
            head = json.dumps({"captured_ns": time.time_ns(), "sequence": number}).encode()
            async with arrived:
                newest = b"".join((len(head).to_bytes(4), head, next(pictures)))
                arrived.notify_all()


def run_viewers(kind: str, port: str, count: str) -> None:
    """Viewers of one kind: tells once all have asked, and at the end what came to them."""
    rows: Rows = []
    end_when_asked(lambda: {"rows": rows})
    asyncio.run(view(VIEWERS[kind], int(port), int(count), rows))


async def view(look: "Viewer", port: int, count: int, rows: Rows) -> None:
    looking = [asyncio.create_task(look(port, rows)) for _ in range(count)]
    await asyncio.sleep(SETTLE_S)
    tell(ready=True)
    await asyncio.gather(*looking)


def note(rows: Rows, captured_ns: int) -> None:
    rows.append((time.monotonic(), (time.time_ns() - captured_ns) / 1e6))


def web_socket(port: int) -> connect:
    url = f"ws://127.0.0.1:{port}/ws/{TOPIC}"
    return connect(url, compression=None, max_size=None, proxy=None)


async def watch(port: int, rows: Rows, *, pause_s: float = 0.0) -> None:
    async with web_socket(port) as client:
        async for message in client:
            assert isinstance(message, bytes)
            size = int.from_bytes(message[:4])
            note(rows, json.loads(message[4 : 4 + size])["captured_ns"])
            await asyncio.sleep(pause_s)
            await client.send("ok")


async def ask_for_stream(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /stream/{TOPIC} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return reader, writer


async def read_stream(port: int, rows: Rows) -> None:
    reader, _writer = await ask_for_stream(port)
    await reader.readuntil(b"\r\n\r\n")
    while True:
        lines = (await reader.readuntil(b"\r\n\r\n")).splitlines()
        facts = dict(line.split(b": ", 1) for line in lines if b": " in line)
        await reader.readexactly(int(facts[b"Content-Length"]) + len(b"\r\n"))
        note(rows, int(facts[b"X-Framewire-Captured-Ns"]))


async def read_nothing(port: int, _: Rows) -> None:
    """Of a stream, nor of a WebSocket."""
    _reader, writer = await ask_for_stream(port)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    async with web_socket(port) as client:
        client.transport.pause_reading()
        await asyncio.Event().wait()


Viewer = Callable[[int, Rows], Coroutine[Any, Any, None]]
VIEWERS: dict[str, Viewer] = {
    "websocket": watch,
    "slow": partial(watch, pause_s=PAUSE_S),
    "mjpeg": read_stream,
    "deaf": read_nothing,
}


# -- what is measured -----------------------------------------------------------------------------


def start_bare(start: Callable[..., Worker], fps: int) -> tuple[Worker, int]:
    server = start(subprocess.Popen, __file__, END, "run_bare", fps)
    return server, server.heard()["port"]


def start_framewire(start: Callable[..., Worker], fps: int) -> tuple[Worker, int]:
    endpoint = start(subprocess.Popen, __file__, END, "run_camera", fps).heard()["endpoint"]
    options = ("--listen", "127.0.0.1:0", "--json")
    server = start(subprocess.Popen, "-m", "framewire", "web", endpoint, *options)
    return server, int(server.heard()["url"].rstrip("/").rpartition(":")[2])


def start_viewers(start: Callable[..., Worker], kind: str, port: int, count: int) -> Worker:
    viewers = start(subprocess.Popen, __file__, END, "run_viewers", kind, port, count)
    viewers.heard()
    return viewers


def cpu_s(server: Worker) -> float:
    """Processor time of all its threads so far (Linux)."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Watched:
    """A stretch of time, and what the server's process took in it."""

    def __init__(self, server: Worker, seconds: float) -> None:
        self.began_s = time.monotonic()
        cpu_before_s = cpu_s(server)
        self.held = [server.resident_bytes()]
        while (left_s := self.began_s + seconds - time.monotonic()) > 0:
            time.sleep(min(1.0, left_s))
            self.held.append(server.resident_bytes())
        self.ended_s = time.monotonic()
        self.seconds = self.ended_s - self.began_s
        self.cpu_s = cpu_s(server) - cpu_before_s

    def ages(self, rows: Rows) -> list[float]:
        return [age for at_s, age in rows if self.began_s <= at_s < self.ended_s]


Kind = tuple[str, str, int]
"""Server, kind of viewers, how many."""
BARE = "bare websockets"
SERVERS = {BARE: start_bare, "framewire": start_framewire}
COUNTS = (1, 10, 50)
MANY: list[Kind] = [(server, "websocket", count) for count in COUNTS for server in SERVERS]
MANY.append(("framewire", "mjpeg", COUNTS[-1]))
MANY_COLUMNS = (
    Column("server, % of a core", 1),
    Column("ms of processor a delivered frame", 3),
    Column("ratio to bare websockets"),
    Column("age p50, ms", 1),
    Column("p95", 1),
    Column("p99", 1),
    Column("frames/s for each", 2),
    Column("server's memory, MB", 0),
)


def label(kind: Kind) -> str:
    server, viewers, count = kind
    if server == BARE:
        return f"{server}, {count}"
    return f"{server}, {count} {'WebSocket' if viewers == 'websocket' else 'Motion JPEG'}"


def measure_many(kind: Kind, seconds: float) -> tuple[float, ...]:
    server_name, viewers_kind, count = kind
    with workers() as start:
        server, port = SERVERS[server_name](start, MANY_FPS)
        viewers = start_viewers(start, viewers_kind, port, count)
        watched = Watched(server, seconds)
        ages = watched.ages(viewers.results()["rows"])
    return (
        100 * watched.cpu_s / watched.seconds,
        1000 * watched.cpu_s / len(ages),
        *(at_quantile(ages, level) for level in (0.5, 0.95, 0.99)),
        len(ages) / count / watched.seconds,
        max(watched.held) / MB,
    )


def many(rounds: int, seconds: float) -> Table:
    kinds = {label(kind): kind for kind in MANY}
    taken = take_rounds(rounds, list(kinds), lambda name: measure_many(kinds[name], seconds))
    whole = [each for each in taken if len(each) == len(kinds)]
    table = Table(f"720p, {MANY_FPS} frames a second", MANY_COLUMNS, plot=1)
    for name, (_, _, count) in kinds.items():
        cpu, cost, *others, held = zip(*(each[name] for each in whole), strict=True)
        floor = [each[label((BARE, "websocket", count))][1] for each in whole]
        memory = () if name.startswith(BARE) else held  # that one holds the pictures
        table.add(name, cpu, cost, ratios(cost, floor), *others, memory)
    return table


SLOW = {
    "nobody else": "",
    "two acknowledgements a second": "slow",
    "two who read nothing": "deaf",
}
SLOW_COLUMNS = (
    Column("its age p50, ms", 1),
    Column("p95", 1),
    Column("highest", 1, goal="<= 600"),
    Column(f"highest of the last {AT_THE_END_S:g} s", 1),
    Column("its frames/s"),
    Column("the others' frames/s, before", 1),
    Column("meanwhile / before", 3),
    Column("their age p99, ms, before", 1),
    Column("meanwhile / before"),
    Column("server's memory grew by, MB", 1),
)


def measure_slow(kind: str, seconds: float, slow_s: float) -> list[list[float]]:
    """A column each; those of the slow one are empty where it reads nothing."""
    with workers() as start:
        server, port = start_framewire(start, FPS)
        others = start_viewers(start, "websocket", port, OTHERS)
        before = Watched(server, seconds)
        odd = start_viewers(start, kind, port, 1) if kind else None
        meanwhile = Watched(server, slow_s)
        last = Watched(server, AT_THE_END_S)
        rows = others.results()["rows"]
        odd_rows = odd.results()["rows"] if odd else []
    ages = [*meanwhile.ages(odd_rows), *last.ages(odd_rows)]
    own = [at_quantile(ages, 0.5), at_quantile(ages, 0.95), max(ages, default=0.0)]
    own += [max(last.ages(odd_rows), default=0.0)]
    own += [len(ages) / (meanwhile.seconds + last.seconds)]
    return [
        *([value] if ages else [] for value in own),
        *([value] for value in compared(rows, before, meanwhile)),
        [(max(*meanwhile.held, *last.held) - max(before.held)) / MB],
    ]


def compared(rows: Rows, before: Watched, meanwhile: Watched) -> tuple[float, ...]:
    first, later = before.ages(rows), meanwhile.ages(rows)
    fps = [len(first) / OTHERS / before.seconds, len(later) / OTHERS / meanwhile.seconds]
    ages = [at_quantile(each, 0.99) for each in (first, later)]
    return fps[0], fps[1] / fps[0], ages[0], ages[1] / ages[0]


def slow(rounds: int, seconds: float, slow_s: float) -> Table:
    taken = take_rounds(
        rounds, list(SLOW), lambda name: measure_slow(SLOW[name], seconds, slow_s - AT_THE_END_S)
    )
    table = Table(f"720p, {FPS} frames a second, {slow_s:g} s", SLOW_COLUMNS, plot=8)
    for name in SLOW:
        runs = [each[name] for each in taken if name in each]
        table.add(name, *(joined(column) for column in zip(*runs, strict=True)))
    return table


def joined(values: Sequence[list[float]]) -> list[float]:
    return [value for each in values for value in each]


def main() -> None:
    made = parser(__doc__, seconds=10)
    made.add_argument("--slow", type=float, default=65.0, metavar="SECONDS")
    made.set_defaults(rounds=3)
    add_choice(made, "--scenarios", ("many", "slow"))
    options = made.parse_args()
    tables = []
    if "many" in options.scenarios:
        tables.append(many(options.rounds, options.seconds))
    if "slow" in options.scenarios:
        tables.append(slow(options.rounds, options.seconds, options.slow))
    publish("web_clients", tables)


if __name__ == "__main__":
    main_or_end(main, run_camera, run_bare, run_viewers)
