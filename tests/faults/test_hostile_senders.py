"""A publisher that sends everything that is no message, between honest frames, at all that receive.

Honest frames arrive or are counted lost; what is malformed is counted; nothing stops.
"""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from faults.hostile import LARGEST, TOPIC, honest, is_honest, lies, malformed
from framewire.app.relay import Relay
from framewire.app.web.access import Access
from framewire.app.web.entrance import listen_for_viewers
from framewire.app.web.running import Running
from framewire.common import wire
from framewire.common.errors import ReceiveTimeout
from framewire.common.frame import Packet, Status
from framewire.common.listening import Address
from framewire.common.recording import Recording
from framewire.receiver import Receiver, Recorder
from framewire.receiver.table import table
from framewire.receiver.watching import describe
from processes import commands
from receiver.publishing import status, until

DEADLINE_S = 20
Message = Packet | Status | Sequence[bytes]


def parts_of(message: Message) -> list[bytes]:
    if isinstance(message, Packet):
        return list(wire.encode(message))
    return list(wire.encode_status(message) if isinstance(message, Status) else message)


class Attacker:
    """A raw socket: whatever bytes it is given leave it, and a full queue is waited for."""

    def __init__(self, kind: int) -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket(kind)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SNDTIMEO, DEADLINE_S * 1000)
        self.socket.setsockopt(zmq.RCVTIMEO, DEADLINE_S * 1000)
        if kind == zmq.XPUB:
            self.socket.setsockopt(zmq.XPUB_NODROP, 1)
            self.socket.setsockopt(zmq.XPUB_VERBOSE, 1)  # each who subscribes is heard
        self.socket.bind("tcp://127.0.0.1:*")
        self.url = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def close(self) -> None:
        self.socket.close()
        self._context.term()

    def send(self, *messages: Message) -> None:
        for message in messages:
            self.socket.send_multipart(parts_of(message))


@contextmanager
def attacker(kind: int = zmq.XPUB) -> Iterator[Attacker]:
    with closing(Attacker(kind)) as it:
        yield it


class Taking:
    """Reads a receiver in a thread, all the time."""

    def __init__(self, receiver: Receiver) -> None:
        self.packets: list[Packet] = []
        self._receiver = receiver
        self._thread = threading.Thread(target=self._run, name="taking")
        self._thread.start()

    def _run(self) -> None:
        for each in self._receiver.packets():
            self.packets.append(each)

    @property
    def honest(self) -> list[int]:
        return [each.sequence for each in list(self.packets) if is_honest(each)]

    def join(self) -> None:
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()


@contextmanager
def taking(receiver: Receiver) -> Iterator[Taking]:
    taker = Taking(receiver)
    try:
        yield taker
    finally:
        receiver.close()
        taker.join()


MALFORMED = malformed()
LIES = lies()


def test_what_is_no_message_is_counted_and_nothing_else_happens() -> None:
    with attacker() as it, Receiver(it.url, keep="all") as receiver, taking(receiver) as taker:
        it.socket.recv()  # it has subscribed
        for number, message in enumerate(MALFORMED.values()):
            it.send(honest(number), message)
        it.send(honest(len(MALFORMED)))
        until(lambda: len(taker.honest) > len(MALFORMED))
        assert taker.honest == list(range(len(MALFORMED) + 1))
        assert len(taker.packets) == len(taker.honest)
        assert receiver.stats.malformed == len(MALFORMED)
        assert set(receiver.stats.topics) == {TOPIC}
        assert receiver.stats.lost == receiver.stats.topics[TOPIC].repeated == 0


@pytest.mark.parametrize("name", LIES)
def test_a_lie_costs_no_honest_frame_where_all_are_kept(name: str) -> None:
    with attacker() as it, Receiver(it.url, keep="all") as receiver, taking(receiver) as taker:
        it.socket.recv()
        it.send(honest(0))
        for number in range(1, 40):
            it.send(*LIES[name], honest(number))
        it.send(*(honest(number) for number in range(40, 60)))
        until(lambda: 59 in taker.honest)
        assert taker.honest == list(range(60))
        assert receiver.stats.malformed == 0
        assert receiver.stats.lost < 2**64  # so that it can be told
        assert describe(receiver.stats)
        assert table(receiver.stats).row_count == 1


@pytest.mark.parametrize("name", LIES)
def test_no_lie_stops_what_shows_the_newest(name: str) -> None:
    with attacker() as it, Receiver(it.url) as receiver, taking(receiver) as taker:
        it.socket.recv()
        it.send(honest(0))
        for number in range(1, 10):
            it.send(*LIES[name], honest(number))
        for number in range(10, 40):
            it.send(honest(number))
            if number > 20:  # for a moment they may have been late
                until(lambda: number in taker.honest)  # noqa: B023


def test_two_senders_of_one_topic_do_not_disturb_each_other() -> None:
    with attacker() as it, Receiver(it.url, keep="all") as receiver, taking(receiver) as taker:
        it.socket.recv()
        for number in range(200):
            it.send(honest(number), honest(1000 + 3 * number, sender="another"))
        until(lambda: len(taker.packets) == 400)
        figures = receiver.stats.topics[TOPIC]
        assert (figures.lost, figures.repeated, figures.restarts) == (2 * 199, 0, 1)


def test_a_sender_that_begins_anew_under_its_old_id() -> None:
    """Its numbers go back to 0, and its frames are new."""
    with attacker() as it, Receiver(it.url) as receiver, taking(receiver) as taker:
        it.socket.recv()
        for number in range(100):
            it.send(honest(number))
        until(lambda: 99 in taker.honest)
        before = len(taker.honest)
        for number in range(5):
            it.send(honest(number, captured_ns=LARGEST // 2 + number))
            until(lambda: taker.honest[before:][-1:] == [number])  # noqa: B023
        assert receiver.stats.restarts == 1


def test_a_topic_that_was_not_subscribed_to_does_not_come_in() -> None:
    with (
        attacker(zmq.PUB) as it,
        Receiver(it.url, keep="all", topics="lab") as receiver,
        taking(receiver) as taker,
    ):
        number = 0
        while not taker.honest:
            it.send(honest(number, topic="elsewhere"), honest(number))
            number += 1
            threading.Event().wait(0.01)
        assert set(receiver.stats.topics) == {TOPIC}


# -- a flood of topics -----------------------------------------------------------------------------


def test_a_flood_of_topics_stays_outside() -> None:
    with attacker() as it, Receiver(it.url, keep="all") as receiver, taking(receiver) as taker:
        it.socket.recv()
        it.send(honest(0))
        for number in range(3000):
            it.send(honest(0, topic=f"flood/{number}", metadata={}))
            if number % 100 == 0:
                it.send(status(0, topic=f"flood/status/{number}"))
        it.send(honest(1))
        until(lambda: taker.honest == [0, 1])
        assert len(receiver.stats.topics) == 1024
        assert receiver.stats.malformed == 1 + 3000 + 30 - 1024


# -- answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", ["newest", "all"])
def test_answers_that_are_none(keep: Any) -> None:
    with (
        attacker(zmq.ROUTER) as it,
        Receiver(f"req-rep+{it.url}", keep=keep, credits=1) as receiver,
        taking(receiver) as taker,
    ):
        number, waiting = 0, list(MALFORMED.values())
        while waiting:
            peer, _, body = it.socket.recv_multipart()
            asked = msgspec.msgpack.decode(body)
            for _ in range(8):
                if waiting and waiting[-1] != [
                    b""
                ]:  # a sender that connects says so that it is there
                    it.socket.send_multipart([peer, b"", *waiting.pop()])
                elif waiting:
                    waiting.pop()
            message: Packet | Status = status(number) if asked.get("status") else honest(number)
            number += not asked.get("status")
            it.socket.send_multipart([peer, b"", *wire.encode_answer(message, asked["id"], 0)])
        until(lambda: len(taker.honest) + receiver.stats.skipped == number)
        assert taker.honest == sorted(set(taker.honest))
        assert keep == "newest" or receiver.stats.skipped == 0
        # ROUTER and DEALER take an empty first part for the delimiter: two messages lose one.
        assert abs(receiver.stats.malformed - len(MALFORMED)) <= 3


def test_answers_of_what_was_not_asked_for() -> None:
    url = ""
    with attacker(zmq.ROUTER) as it:
        url = f"req-rep+{it.url}"
        with Receiver(url, topics="lab", credits=1) as receiver, taking(receiver) as taker:
            for number in range(30):
                peer, _, body = it.socket.recv_multipart()
                asked = msgspec.msgpack.decode(body)
                foreign = honest(number, topic="elsewhere", metadata={})
                it.socket.send_multipart([peer, b"", *wire.encode_answer(foreign, None, 0)])
                message: Packet | Status = status(number) if asked.get("status") else honest(number)
                it.socket.send_multipart([peer, b"", *wire.encode_answer(message, asked["id"], 0)])
            until(lambda: receiver.stats.malformed == 30)
            assert set(receiver.stats.topics) == {TOPIC}
            assert not [each for each in taker.packets if each.topic != TOPIC]


# -- work ---------------------------------------------------------------------------------------------


def test_work_that_is_none() -> None:
    with (
        attacker(zmq.PUSH) as it,
        Receiver(f"push-pull+{it.url}") as receiver,
        taking(receiver) as taker,
    ):
        for number, message in enumerate(MALFORMED.values()):
            it.send(honest(number), message)
        it.send(honest(len(MALFORMED)))
        until(lambda: len(taker.honest) > len(MALFORMED))
        assert taker.honest == list(range(len(MALFORMED) + 1))
        assert receiver.stats.malformed == len(MALFORMED)


# -- who stands behind a receiver --------------------------------------------------------------------------


def test_a_recorder_keeps_what_is_honest_and_nothing_that_is_malformed(tmp_path: Path) -> None:
    with (
        attacker() as it,
        Receiver(it.url, keep="all") as receiver,
        closing(Recorder(tmp_path / "out")) as recorder,
    ):
        it.socket.recv()
        sent = 0
        for message in (*MALFORMED.values(), *(each for lie in LIES.values() for each in lie)):
            it.send(honest(sent), message)
            sent += 1
            _record(receiver, recorder)
        it.send(honest(sent))
        last = honest(0)
        while not is_honest(last) or last.sequence < sent:
            last = receiver.read_packet(DEADLINE_S)
            recorder.write(last)
    files = sorted((tmp_path / "out").rglob("*.mkv"))
    assert [each.parent for each in files] == [tmp_path / "out" / TOPIC]
    with Recording(files[0]) as recording:
        recorded = [each.sequence for each in recording.packets() if is_honest(each)]
        assert recorded == list(range(sent + 1))
        assert recording.damaged == 0


def _record(receiver: Receiver, recorder: Recorder) -> None:
    """What has arrived."""
    with suppress(ReceiveTimeout):
        while True:
            recorder.write(receiver.read_packet(0))


def test_a_relay_passes_on_what_is_honest_and_nothing_that_is_malformed() -> None:
    with (
        attacker() as it,
        Relay([it.url], ["tcp://127.0.0.1:*"], queue=1024) as relay,
        Receiver(relay.endpoints[0], keep="all") as receiver,
        taking(receiver) as taker,
    ):
        it.socket.recv()
        messages = [*MALFORMED.values(), *(each for lie in LIES.values() for each in lie)]
        for number, message in enumerate(messages):
            it.send(honest(number), message)
            if number % 50 == 0:
                until(lambda: number in taker.honest)  # noqa: B023
        until(lambda: len(messages) - 1 in taker.honest)
        upstream, _ = relay.stats
        assert upstream.malformed == len(MALFORMED)
        assert receiver.stats.malformed == 0
        missed = len(messages) - len(set(taker.honest))
        assert missed <= receiver.stats.lost
        assert missed < len(messages) // 10


def test_browsers_go_on_seeing_what_is_honest() -> None:
    address = Address("127.0.0.1", 0)
    with (
        attacker() as it,
        listen_for_viewers(address) as listener,
        Receiver(it.url, topics=None) as receiver,
        Running(receiver, listener, Access.at(address, None, ())) as _,
    ):
        page = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with streaming(it):
            until(lambda: _got(f"{page}/snapshot/{TOPIC}")[0] == 200)
            status_code, listed = _got(f"{page}/api/streams")
            assert status_code == 200
            (stream,) = json.loads(listed)["streams"]
            assert stream["topic"] == TOPIC
            assert "\\u001b" not in listed.decode()  # as JSON writes an escape
            assert _got(f"{page}/healthz")[0] in (200, 503)
            code, text = _got(f"{page}/metrics")
            assert (code, text.count(b"framewire_frames_total{")) == (200, 1)
            before = _sequence(page)
            until(lambda: _sequence(page) > before)  # it goes on


@contextmanager
def streaming(it: Attacker) -> Iterator[None]:
    """All of it, again and again, while the block runs."""
    stop = threading.Event()

    def run() -> None:
        sequence = 0
        it.socket.setsockopt(zmq.XPUB_NODROP, 0)
        while not stop.is_set():
            for message in (
                *MALFORMED.values(),
                *(each for lie in LIES.values() for each in lie[:5]),
            ):
                it.send(honest(sequence), message)
                sequence += 1
                if stop.wait(0.002):
                    return

    thread = threading.Thread(target=run, name="streaming")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def _got(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def _sequence(page: str) -> int:
    with urllib.request.urlopen(f"{page}/snapshot/{TOPIC}", timeout=DEADLINE_S) as answer:
        return int(answer.headers["X-Framewire-Sequence"])


def test_the_commands_go_on(tmp_path: Path) -> None:
    """As processes, with all that they print: nothing of it reaches the terminal as it came."""
    with attacker() as it, commands(tmp_path) as start, streaming(it):
        began = [
            start("stats", it.url, "--once", "--duration", "4"),
            start("stats", it.url, "--once", "--duration", "4", "--json"),
            start("view", it.url, "--headless", "--duration", "4"),
            start("record", it.url, "--out", str(tmp_path / "out"), "--duration", "4"),
        ]
        for command in began:
            assert command.wait() == 0, command
            assert "Traceback" not in "".join(command.errors)
            assert "\x1b" not in "".join(command.errors)
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["lab"]
