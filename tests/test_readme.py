"""The README and the guide are run: every command of framewire and every Python block in them."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from processes import DEADLINE_S, free_port

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
GUIDE = ROOT / "docs" / "guide"
SECURITY = GUIDE / "security.md"
PAGES = [
    README,
    GUIDE / "patterns.md",
    GUIDE / "recording.md",
    SECURITY,
    GUIDE / "sources.md",
    GUIDE / "web.md",
]

TOOLS = {"mkdir", "cp"}
"""What is typed besides; each is waited for, as everything that `PREPARES`."""
PREPARES = {"info", "devices", "keygen", *TOOLS}
SENDING = {"send", "replay"}
RECEIVING = {"view", "record", "snapshot", "stats"}
ENDLESS = {"send", "relay", "web", "samples/worker.py"}
"""What runs until it is stopped, unless it is given one of `ENDS`."""
ENDS = {"--count", "--duration", "--wait"}
SAMPLE_ADDRESSES = {
    "samples/worker.py": ("push-pull+tcp://127.0.0.1:5557", "push-pull+tcp://127.0.0.1:5558"),
    "samples/collect.py": ("push-pull+tcp://127.0.0.1:5558",),
}
HOSTS = re.compile(r"(?<=//)(?:lab-pi|hall-pi|pi-a|pi-b|hub|desk)(?=:)")
PORT = re.compile(r"(?<=:)(?:55\d\d|8080)\b")


class Ports(dict[str, int]):
    """A free port of this machine for each that a page names."""

    def __missing__(self, name: str) -> int:
        self[name] = free_port()
        return self[name]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def adapted(text: str, ports: Ports) -> str:
    """The same text for this machine: its own ports, a test chart for the camera, paths."""
    text = PORT.sub(lambda match: str(ports[match[0]]), HOSTS.sub("127.0.0.1", text))
    return text.replace("camera:0", "pattern:320x240@30").replace('"samples/', f'"{ROOT}/samples/')


def typed(block: str) -> list[list[str]]:
    """The words of each line that starts framewire, a sample or a tool, without the first two's own."""
    lines = block.replace("\\\n", " ").splitlines()
    split = (shlex.split(line, comments=True) for line in lines)
    return [
        words if words[0] in TOOLS else words[1:]
        for words in split
        if words and words[0] in ("framewire", "python", *TOOLS)
    ]


def in_full(words: list[str]) -> list[str]:
    """What relies on a default address names it, so that tests can share a machine; a viewer ends."""
    if words[0] == "view" and not ENDS & set(words):
        words = [*words, "--count", "10"]
    if words[0] == "web" and "--listen" not in words:
        words = [*words, "--listen", "127.0.0.1:8080"]
    if any("://" in word for word in words):
        return words
    if words[0] in SENDING:
        return [*words, "--bind", "tcp://127.0.0.1:5555"]
    if words[0] in RECEIVING:
        return [words[0], "tcp://127.0.0.1:5555", *words[1:]]
    return [*words, *SAMPLE_ADDRESSES.get(words[0], ())]


def ends_by_itself(words: list[str]) -> bool:
    return words[0] not in ENDLESS or bool(ENDS & set(words))


class Terminal:
    """One line, typed in a terminal of its own."""

    def __init__(self, words: list[str], ports: Ports, folder: Path) -> None:
        self.words = words
        self.is_sample = words[0].startswith("samples/")
        self._output = folder / f"{words[0].replace('/', '-')}-{id(self)}.out"
        program = [sys.executable, *(() if self.is_sample else ("-m", "framewire"))]
        if words[0] in TOOLS:
            program = []
        arguments = [adapted(word, ports) for word in words]
        arguments = [str(ROOT / a) if a.startswith("samples/") else a for a in arguments]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*program, *arguments], stdout=output, stderr=subprocess.STDOUT, cwd=folder
            )

    def check_ended(self) -> None:
        """Wait until it ends; it has to end well."""
        try:
            code = self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end: {self}") from None
        assert code == 0, f"exit code {code}: {self}"

    def check_stops(self) -> None:
        """It still runs, and ends well when the user says so."""
        assert self.process.poll() is None, f"it ended: {self}"
        if not self.is_sample:
            self.process.send_signal(signal.SIGINT)
            self.check_ended()

    def close(self) -> None:
        self.process.kill()
        self.process.wait(DEADLINE_S)

    def __repr__(self) -> str:
        return f"{' '.join(self.words)}\n{self._output.read_text()}"


@contextmanager
def terminals(block: str, folder: Path) -> Iterator[list[Terminal]]:
    """Every line of a block, typed one after the other; what prepares the next is waited for."""
    ports = Ports()
    started: list[Terminal] = []
    try:
        for words in typed(block):
            started.append(Terminal(in_full(words), ports, folder))
            if words[0] in PREPARES:
                started[-1].check_ended()
        yield started
    finally:
        for terminal in started:
            terminal.close()


def make_keys(page: Path, folder: Path) -> None:
    """Make the keys that a page speaks of, and put them where it says."""
    lines = [words for block in blocks(page, "sh") for words in typed(block)]
    for words in lines:
        if words[0] in ("keygen", *TOOLS):
            terminal = Terminal(words, Ports(), folder)
            terminal.check_ended()


@pytest.fixture(scope="module")
def display() -> Iterator[None]:
    """A display for windows, if Xvfb is there."""
    if not shutil.which("Xvfb"):
        pytest.skip("Xvfb is not installed here: no window can be opened")
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x1024x24"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as numbers:
        number = numbers.readline().strip()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISPLAY", f":{number}")
        patch.setenv("BROWSER", "true")  # what would be opened in a browser is not
        yield
    server.kill()
    server.wait()


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("display")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_work_as_they_stand(page: Path, tmp_path: Path) -> None:
    """Lines of one block are typed into terminals side by side; blocks follow each other."""
    ran = 0
    recordings: list[str] = []
    for block in blocks(page, "sh"):
        recordings += re.findall(r"--out (\S+\.mkv)", block)
        with terminals(block, tmp_path) as started:
            ending = [each for each in started if ends_by_itself(each.words)]
            endless = [each for each in started if not ends_by_itself(each.words)]
            for terminal in ending:
                terminal.check_ended()
            if endless and not ending:
                time.sleep(2)  # nothing else tells that it got through its beginning
            for terminal in reversed(endless):
                terminal.check_stops()
            ran += len(started)
    assert ran >= 3
    for recording in recordings:
        assert (tmp_path / recording).stat().st_size > 100_000, recording


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^make (\w+)", README.read_text(), re.MULTILINE)
    assert {"demo", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert "make test" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("page", PAGES[:4], ids=lambda page: page.stem)
def test_the_python_blocks_work_as_they_stand(page: Path, tmp_path: Path) -> None:
    """Those of a page run side by side; what prints has to print, the others to go on."""
    ports = Ports()
    make_keys(page, tmp_path)
    running: list[subprocess.Popen[str]] = []
    endless: list[subprocess.Popen[str]] = []
    try:
        for number, block in enumerate(blocks(page, "python")):
            script = tmp_path / f"block{number}.py"
            script.write_text(adapted(block, ports))
            process = subprocess.Popen(
                [sys.executable, "-u", str(script)], stdout=subprocess.PIPE, text=True, cwd=tmp_path
            )
            running.append(process)
            assert process.stdout
            if "print" in block:
                lines = [process.stdout.readline() for _ in range(5)]
                assert all(line.strip() for line in lines), block
                process.kill()  # the machine is for the others now
            else:
                endless.append(process)
        assert all(process.poll() is None for process in endless)
        assert len(running) > len(endless)
    finally:
        for process in running:
            process.kill()
            process.wait(DEADLINE_S)
            if process.stdout:
                process.stdout.close()


def test_links_lead_somewhere() -> None:
    for page in (README, *(ROOT / "docs").glob("**/*.md")):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
