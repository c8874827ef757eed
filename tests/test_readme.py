"""The README is run: every command of framewire and every Python block in it."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from processes import DEADLINE_S, Command, commands, free_port

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()

ENDLESS = {"send", "view"}
"""Commands that run until they are stopped, unless they are given a count or a file."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def adapted(text: str, port: int) -> str:
    """The same text for this machine: its own port, a test chart for the camera, paths."""
    text = text.replace(":5555", f":{port}").replace("camera:0", "pattern:320x240@30")
    text = text.replace("lab-pi", "127.0.0.1").replace("samples/clips", f"{ROOT}/samples/clips")
    return text


def command_lines(block: str) -> list[list[str]]:
    lines = (shlex.split(line, comments=True) for line in block.splitlines())
    return [line[1:] for line in lines if line and line[0] == "framewire"]


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
    before = os.environ.get("DISPLAY")
    os.environ["DISPLAY"] = f":{number}"
    yield
    if before is None:
        del os.environ["DISPLAY"]
    else:
        os.environ["DISPLAY"] = before
    server.kill()
    server.wait()


def with_address(line: list[str], port: int) -> list[str]:
    """Lines that rely on the default address get it in words, so that tests can share a machine."""
    endpoint = f"tcp://127.0.0.1:{port}"
    if any(endpoint.rsplit(":", 1)[1] in word for word in line) or line[0] in ("info", "devices"):
        return line
    if line[0] in ("send", "replay"):
        return [*line, "--bind", endpoint]
    return [line[0], endpoint, *line[1:]] if line[0] in ("view", "record", "stats") else line


def ends_by_itself(line: list[str]) -> bool:
    return line[0] not in ENDLESS or any(o in line for o in ("--count", "--duration", "--wait"))


@pytest.mark.usefixtures("display")
def test_the_commands_work_as_they_stand(tmp_path: Path) -> None:
    """Lines of one block are typed into terminals side by side; blocks follow each other."""
    ran = 0
    for block in blocks("sh"):
        port = free_port()
        with commands(tmp_path) as start:
            started: list[tuple[list[str], Command]] = []
            for line in command_lines(adapted(block, port)):
                started.append((line, start(*with_address(line, port))))
                if line[0] in ("info", "devices"):
                    started[-1][1].wait()
            for line, command in started:
                if ends_by_itself(line):
                    assert command.wait() == 0, command
                    ran += 1
            time.sleep(2 if any(not ends_by_itself(line) for line, _ in started) else 0)
            for line, command in reversed(started):
                if not ends_by_itself(line):
                    assert command.process.poll() is None, command
                    command.signal(signal.SIGINT)
                    assert command.wait() == 0, command
                    ran += 1
    assert ran >= 10
    assert (tmp_path / "yard.mkv").stat().st_size > 100_000


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^make (\w+)", README, re.MULTILINE)
    assert {"demo", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_the_python_blocks_work_as_they_stand(tmp_path: Path) -> None:
    port = free_port()
    running: list[subprocess.Popen[str]] = []
    printed = 0
    try:
        for number, block in enumerate(blocks("python")):
            script = tmp_path / f"block{number}.py"
            script.write_text(adapted(block, port))
            process = subprocess.Popen(
                [sys.executable, "-u", str(script)], stdout=subprocess.PIPE, text=True
            )
            running.append(process)
            assert process.stdout
            if "print" in block:
                lines = [process.stdout.readline() for _ in range(5)]
                assert all(line.strip() for line in lines)
                printed += 1
    finally:
        for process in running:
            process.kill()
            process.wait(DEADLINE_S)
            if process.stdout:
                process.stdout.close()
    assert printed >= 2


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("**/*.md")):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
