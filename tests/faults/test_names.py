"""Names that would be paths, commands, markup or orders to a terminal, wherever a name comes in.

They are refused, nothing is written outside, nothing is run, nothing is rendered.
"""

import io
import logging
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from faults.bombs import SIDE, good
from faults.hostile import TOPIC, TRUE, honest
from faults.test_hostile_senders import attacker, taking
from framewire.app.main import run
from framewire.app.web.access import Access
from framewire.app.web.entrance import listen_for_viewers
from framewire.app.web.running import Running
from framewire.common.container import RecordingReader
from framewire.common.errors import ProtocolError, RecordingError, TopicError
from framewire.common.frame import Packet
from framewire.common.listening import Address
from framewire.common.printable import printable
from framewire.common.recording import Recording
from framewire.common.recording_writer import RecordingWriter
from framewire.common.request import Request, decode_request, encode_request
from framewire.common.terminal import LiveLine, set_up_logging
from framewire.common.topic import check_topic
from framewire.common.wire import decode
from framewire.receiver import Images, Receiver, Recorder
from framewire.receiver.table import table
from framewire.receiver.watching import _save, describe, print_topics, trouble
from framewire.sender import Sender
from receiver.publishing import packet, status, until

ROOT = Path(__file__).parents[2]
NAMES = {
    "a path upwards": "../../x",
    "the folder above": "..",
    "this folder": ".",
    "a path upwards inside": "lab/../../x",
    "an absolute path": "/etc/passwd",
    "a home": "~root",
    "a drive": "C:\\x",
    "an encoded path": "..%2f..%2fx",
    "an empty part": "lab//x",
    "a line feed": "lab\n",
    "a line feed inside": "lab\nframewire: all is well",
    "a zero byte": "lab\0x",
    "a command": "$(touch pwned)",
    "another command": "`touch pwned`",
    "a pipe": "|touch pwned",
    "markup": "<img src=x onerror=alert(1)>",
    "markup of rich": "[red]x[/red]",
    "a template": "{{7*7}}",
    "an escape sequence": "\x1b[2J\x1b]0;pwned\x07",
    "an escape sequence in one character": "\x9b2J",
    "text from right to left": "\u202egnp.exe",
    "nothing to be seen": "lab\u200b",
    "another alphabet": "\uff4c\uff41\uff42",
    "a space": "lab cam",
    "nothing": "",
    "4 KB": "x" * 4096,
}
ESCAPES = "\x1b[2J\x1b]0;pwned\x07\r\n\x9b1A\u202eevil\u2066[red]<b>&"
"""What a sender may say as its reason, and no terminal may get."""


@pytest.fixture(autouse=True)
def nothing_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The test works in a folder of a folder; in that one, nothing appears."""
    inside = tmp_path / "outside" / "deep" / "inside"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    yield inside
    found = {each for each in tmp_path.rglob("*") if inside not in each.parents}
    assert found == {inside, inside.parent, inside.parent.parent}
    assert not list(tmp_path.rglob("pwned"))


def named(name: str) -> Packet:
    return packet(0, name, good(), width=SIDE, height=SIDE)


# -- topics ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NAMES)
def test_a_name_that_is_no_topic_is_refused_everywhere(kind: str, nothing_outside: Path) -> None:
    name = NAMES[kind]
    pixels = np.zeros((8, 8, 3), np.uint8)
    with (
        Sender("inproc://names", topic="fine") as sender,
        closing(Recorder(nothing_outside / "out")) as recorder,
        Images(nothing_outside / "images") as images,
    ):
        for refuse in (
            lambda: check_topic(name),
            lambda: Sender("inproc://other", topic=name),
            lambda: sender.send(pixels, topic=name),
            lambda: sender.forward(named(name), topic=name),
            lambda: sender.announce("live", topic=name),
            lambda: Receiver("inproc://names", topics=[name]),
            lambda: recorder.write(named(name)),
            lambda: images.write(named(name)),
        ):
            with pytest.raises(TopicError) as caught:
                refuse()
            assert str(caught.value).isprintable()
            assert len(str(caught.value)) < 400
    if name:
        with pytest.raises(ProtocolError) as refused:
            decode_request(encode_request(Request(topic=name)))
        assert str(refused.value).isprintable()
    with pytest.raises(ProtocolError) as malformed:
        decode([name.encode() + b"/", *TRUE[1:]])
    assert str(malformed.value).isprintable()
    assert not list((nothing_outside / "out").rglob("*"))
    assert not list((nothing_outside / "images").rglob("*"))


@pytest.mark.parametrize("kind", ["a path upwards", "markup", "an escape sequence", "4 KB"])
@pytest.mark.parametrize("command", ["send", "view", "record", "stats", "relay"])
def test_commands_refuse_it_in_one_line(
    kind: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = {
        "send": ["pattern:", "--bind", "inproc://x"],
        "view": ["inproc://x", "--headless"],
        "record": ["inproc://x", "--out", "out"],
        "stats": ["inproc://x"],
        "relay": ["--from", "inproc://x"],
    }[command]
    assert run([command, *arguments, f"--topic={NAMES[kind]}"]) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert printed[:-1].isprintable()
    assert "topic" in printed


# -- recordings -----------------------------------------------------------------------------------


def forged(path: Path, *names: str) -> Path:
    """A recording whose pictures carry headers with these topics, as its author pleased."""
    frames = [packet(n, name, good(), width=SIDE, height=SIDE) for n, name in enumerate(names)]
    with closing(RecordingWriter(path, frames[0].header)) as writer:
        for each in frames:
            writer.write(each)
    return path


@pytest.mark.parametrize("kind", NAMES)
def test_a_recording_with_such_a_name_in_it(
    kind: str, nothing_outside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = forged(nothing_outside / "forged.mkv", "fine", NAMES[kind], "fine")
    with Recording(path) as recording:
        assert ([each.sequence for each in recording.packets()], recording.damaged) == ([0, 2], 1)
    with closing(RecordingReader(path)) as reader:
        assert ([each.sequence for each in reader.packets()], reader.damaged) == ([0, 2], 1)
    for number, form in enumerate(("images", "csv", "jsonl")):
        out = nothing_outside / f"out{number}"
        run(["export", str(path), "--to", form, "--out", str(out)])
        if form == "images":
            assert {each.parent for each in out.rglob("*.jpg")} == {out / "fine"}
    assert run(["info", "--check", str(path)]) == 1
    run(["repair", str(path), "--out", str(nothing_outside / "repaired.mkv")])
    run(["replay", str(path), "--bind", "inproc://replayed", "--speed", "0"])
    run(["record", "inproc://nobody", "--out", str(nothing_outside / "o"), "--duration", "0.01"])
    printed = "".join(capsys.readouterr())
    assert all(line.isprintable() for line in printed.split("\n"))


@pytest.mark.parametrize("kind", NAMES)
def test_a_recording_that_holds_nothing_else_is_none(
    kind: str, nothing_outside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = forged(nothing_outside / "forged.mkv", NAMES[kind])
    with pytest.raises(RecordingError):
        Recording(path)
    run(["export", str(path), "--to", "images", "--out", str(nothing_outside / "out")])
    run(["replay", str(path), "--bind", "inproc://replayed", "--speed", "0"])
    run(["info", str(path)])
    assert all(line.isprintable() for line in "".join(capsys.readouterr()).split("\n"))
    assert not list((nothing_outside / "out").rglob("*.jpg"))


def test_the_longest_topic_has_its_files(nothing_outside: Path) -> None:
    """254 characters: as a folder, as the name of a snapshot, and as many folders."""
    for topic in ("x" * 254, "-" * 254, "a/" * 126 + "a"):
        with closing(Recorder(nothing_outside / "out")) as recorder:
            recorder.write(named(topic))
        with Images(nothing_outside / "images") as images:
            images.write(named(topic))
        _save({topic: named(topic)}, [topic], True)
    assert len(list(nothing_outside.glob("*.jpg"))) == 3
    assert len(list((nothing_outside / "out").rglob("*.mkv"))) == 3
    assert len(list((nothing_outside / "images").rglob("*.jpg"))) == 3


# -- addresses ---------------------------------------------------------------------------------------


def test_addresses_of_the_web_viewer_that_name_no_topic() -> None:
    address = Address("127.0.0.1", 0)
    with (
        listen_for_viewers(address) as listener,
        Receiver("inproc://nobody", topics=None) as receiver,
        Running(receiver, listener, Access.at(address, None, ())),
    ):
        page = f"http://127.0.0.1:{listener.getsockname()[1]}"
        for name in NAMES.values():
            for place in ("snapshot", "stream"):
                quoted = urllib.parse.quote(name, safe="")
                with pytest.raises(urllib.error.HTTPError) as caught:
                    urllib.request.urlopen(f"{page}/{place}/{quoted}", timeout=20)
                with caught.value as answer:
                    text = answer.read().decode()
                assert answer.code == 404, name
                assert answer.headers["Content-Type"].startswith("text/plain")
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert all(line.isprintable() for line in text.split("\n"))
            query = urllib.parse.urlencode({"topic": name})
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f"{page}/api/streams?{query}", timeout=20)
            assert caught.value.code == 404
            caught.value.close()
        assert receiver.stats.topics == {}


def test_the_page_puts_text_where_text_is_meant() -> None:
    """Nothing that comes from a sender is made into elements: there is no way in the page to do it."""
    scripts = list((ROOT / "app/framewire/app/web/page").rglob("*.js"))
    assert scripts
    for script in scripts:
        for way in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
        ):
            assert way not in script.read_text(), script


def test_no_shell_is_started_anywhere() -> None:
    for side in ("common", "sender", "receiver", "app"):
        for path in (ROOT / side / "framewire").rglob("*.py"):
            text = path.read_text()
            for way in ("shell=True", "os.system", "os.popen", "getoutput", "pickle.load", "eval("):
                assert way not in text, path


# -- terminals ------------------------------------------------------------------------------------------


@pytest.fixture
def told() -> Iterator[Receiver]:
    """A receiver that was told the worst."""
    with attacker() as it, Receiver(it.url) as receiver, taking(receiver):
        it.socket.recv()
        it.send(honest(0), status(1, "no-signal", ESCAPES))
        until(lambda: bool(receiver.stats.topics) and receiver.stats.topics[TOPIC].reason != "")
        yield receiver


def _is_clean(text: str) -> bool:
    """Whether there is nothing that a terminal obeys, but for line feeds."""
    return all(line.isprintable() for line in text.split("\n"))


def test_what_a_sender_says_reaches_no_terminal_as_it_came(
    told: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    stats = told.stats
    assert stats.topics[TOPIC].reason == ESCAPES  # programs get what was said
    assert trouble(stats.topics[TOPIC]).isprintable()
    assert describe(stats).isprintable()
    print_topics(stats)
    assert capsys.readouterr().out.isascii()

    console = Console(file=io.StringIO(), width=400, force_terminal=False)
    console.print(table(stats))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert _is_clean(shown)
    assert "[red]<b>&" in shown  # as text, not as markup


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_renewed_line_is_one_line() -> None:
    terminal = _Terminal()
    with LiveLine(out=terminal) as line:
        line.update(lambda: f"lab/cam1: {ESCAPES}")
    shown = terminal.getvalue().removeprefix("\r\x1b[2K").removesuffix("\n")
    assert shown.isprintable()


def test_a_line_of_the_log_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers.clear()
    try:
        set_up_logging(verbose=False)
        log = logging.getLogger("framewire.test")
        log.warning("it said %s", ESCAPES)
        try:
            raise ValueError(ESCAPES)
        except ValueError:
            log.exception("and %s", ESCAPES)
    finally:
        root.handlers[:] = before
    printed = capsys.readouterr().err
    first, second, *trace = printed.splitlines()
    assert first.startswith("framewire: it said \\x1b[2J")
    assert second.startswith("framewire: and \\x1b[2J")
    assert _is_clean(printed)
    assert trace


def test_a_complaint_about_a_message_quotes_it_written_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with attacker() as it, Receiver(it.url) as receiver, taking(receiver):
        it.socket.recv()
        header = TRUE[1].replace(b"\xa5codec\xa4jpeg", b"\xa5codec\xa4\x1b[2J")
        assert header != TRUE[1]
        it.send([TRUE[0], header, TRUE[2]])
        until(lambda: receiver.stats.malformed == 1)
    assert caplog.messages
    assert all(message.isprintable() for message in caplog.messages)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, äöü, 日本語", "plain text, äöü, 日本語"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x9b", "\\x9b"),
        ("\u202e\u2066\u200f", "\\u202e\\u2066\\u200f"),
        ("\U000e0041", "\\U000e0041"),
        ("", ""),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(printable(text)) == shown


def test_printable_is_no_longer_than_it_may_be() -> None:
    assert printable("x" * 10, 10) == "x" * 10
    assert printable("x" * 11, 10) == "x" * 10 + "…"


def test_errors_that_quote_a_file_are_one_line(
    nothing_outside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = nothing_outside / "\x1b[2Jforged\n.mkv"
    path.write_bytes(b"no recording")
    assert run(["info", str(path)]) == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert printed[:-1].isprintable()
