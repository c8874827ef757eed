"""A receiver that checks every frame and keeps books of its own. Run as a program, it is that.

It tells of each topic twice a second (`figures`), and of what is wrong at once (`violation`).
"""

import json
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from soak.books import Book
from soak.telling import ending, run, tell

_TELL_S = 0.5
_WAIT_S = 0.1


class Checker:
    """What is known of each topic, and what its pictures must show: `rules` by topic."""

    def __init__(self, rules: dict[str, str]) -> None:
        self._rules = rules
        self.books: dict[str, Book] = {}
        self.captured_s: dict[str, float] = {}

    def packet(self, packet: Any) -> None:
        from framewire.common.errors import JpegError
        from framewire.common.testchart import read_number
        from framewire.receiver import decode

        header, rule = packet.header, self._rules.get(packet.topic)
        if packet.topic.startswith("outsider"):
            tell("violation", invariant="keys", what="a frame of somebody without a key came in")
        if rule is None:
            return
        book = self.books.setdefault(packet.topic, Book())
        self.captured_s[packet.topic] = (
            header.sent_ns if header.replay else header.captured_ns
        ) / 1e9
        problems = [book.frame(header.sender, header.sequence)]
        if zlib.crc32(packet.payload) != header.crc32:
            problems.append(f"the bytes of frame {header.sequence} are damaged")
        try:
            number = read_number(decode(packet).image)
        except JpegError as error:
            problems.append(f"frame {header.sequence} does not decode: {error}")
        else:
            problems.append(book.picture(header.sender, header.sequence, number, rule))
        for problem in filter(None, problems):
            tell("violation", invariant="pictures", what=f"{packet.topic}: {problem}")

    def status(self, status: Any) -> None:
        if status.topic in self._rules:
            self.books.setdefault(status.topic, Book()).status(status.sender, status.sequence)

    def figures(self, stats: Any) -> Iterator[dict[str, object]]:
        for name in self._rules.keys() & stats.topics.keys():
            topic, book = stats.topics[name], self.books.get(name, Book())
            run = book.newest
            yield {
                "topic": name,
                "received": topic.received,
                "delivered": topic.delivered,
                "skipped": topic.skipped,
                "lost": topic.lost + topic.passed_by,
                "repeated": topic.repeated,
                "restarts": topic.restarts,
                "stale": topic.stale,
                "state": topic.state,
                "malformed": stats.malformed,
                "captured_s": self.captured_s.get(name, 0.0),
                "own_received": book.received,
                "own_lost": book.lost,
                "next": run.high if run else 0,
            }


def main(
    *connect: str,
    bind: str = "",
    rules: str,
    newest: bool = False,
    key: str = "",
    allow: str = "",
    server_key: list[str] | None = None,
) -> None:
    """Receive from there; `rules` is JSON: what the pictures of each topic must show."""
    from framewire.common.errors import ReceiveTimeout
    from framewire.receiver import Receiver

    keys: dict[str, Any] = {
        "key": key or None,
        "allow": allow or None,
        "server_key": server_key or (),
    }
    given = {name: value for name, value in keys.items() if value}
    checker = Checker(json.loads(rules))
    options: dict[str, Any] = {
        "keep": "newest" if newest else "all",
        "statuses": not newest,
        **given,
    }
    with (
        Receiver(*connect, bind=bind or (), **options) as receiver,
        ending(receiver.close) as ended,
    ):
        tell("ready", endpoints=list(receiver.endpoints))
        next_s = 0.0
        while not ended.is_set():
            with suppress(ReceiveTimeout):
                for message in _messages(receiver, newest):
                    if hasattr(message, "payload"):
                        checker.packet(message)
                    else:
                        checker.status(message)
                    if time.monotonic() >= next_s:
                        break
            if time.monotonic() >= next_s:
                next_s = time.monotonic() + _TELL_S
                for figures in checker.figures(receiver.stats):
                    tell("figures", **figures)
        for figures in checker.figures(receiver.stats):
            tell("figures", **figures)


def _messages(receiver: Any, newest: bool) -> Iterator[Any]:
    if not newest:
        yield from receiver.messages(_WAIT_S)
        return
    from framewire.common.errors import Closed

    with suppress(Closed):
        while True:
            yield receiver.read_packet(_WAIT_S)


if __name__ == "__main__":
    run(main)
