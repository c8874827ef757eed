"""Processes that end with the one that started them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from framewire.common.children import Child
from framewire.common.errors import FramewireError
from processes import until

PARENT = """
import subprocess, sys, time
from framewire.common.children import Child
child = Child({module!r}, stdout=subprocess.PIPE)
assert child.output.readline()
print(child.process.pid, flush=True)
time.sleep(60)
"""

POLITE = """
import signal, sys, time
def ended(*_):
    open("ended", "w").close()
    sys.exit(0)
signal.signal(signal.SIGTERM, ended)
print("here", flush=True)
time.sleep(60)
"""

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("here", flush=True)
time.sleep(60)
"""

ECHO = """
import sys
print(sys.argv[1:], repr(sys.stdin.read()), __name__, flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where modules of a test are, and where its processes run."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def family(folder: Path, program: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A parent, and the process number of its child, which runs `program`."""
    (folder / "childs_program.py").write_text(program)
    script = PARENT.format(module="childs_program")
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        number = int(parent.stdout.readline())
        try:
            yield parent, number
        finally:
            parent.kill()


def is_gone(number: int) -> bool:
    """Whether a process ended; one that nobody has waited for yet counts."""
    try:
        return "State:\tZ" in Path(f"/proc/{number}/status").read_text()
    except FileNotFoundError:
        return True


def test_it_is_asked_to_end_when_its_parent_was_killed(folder: Path) -> None:
    with family(folder, POLITE) as (parent, child):
        parent.kill()
        until(lambda: is_gone(child), 5)
    assert (folder / "ended").exists()


def test_it_is_killed_if_it_does_not_listen(folder: Path) -> None:
    with family(folder, STUBBORN) as (parent, child):
        parent.kill()
        until(lambda: is_gone(child), 8)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_process_that_its_parent_forked_does_not_keep_it(folder: Path) -> None:
    fork = "import os\nforked = os.fork()\nif forked == 0: time.sleep(60), os._exit(0)\n"
    script = PARENT.replace(
        "print(child", f"{fork}print(forked, file=sys.stderr, flush=True)\nprint(child"
    )
    (folder / "childs_program.py").write_text(POLITE)
    with subprocess.Popen(
        [sys.executable, "-c", script.format(module="childs_program")],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as parent:  # fmt: skip
        assert parent.stdout
        assert parent.stderr
        number, forked = int(parent.stdout.readline()), int(parent.stderr.readline())
        try:
            parent.kill()
            until(lambda: is_gone(number), 5)
            assert not is_gone(forked)
        finally:
            os.kill(forked, signal.SIGKILL)


def test_it_runs_a_module_with_arguments_and_nothing_to_read(folder: Path) -> None:
    (folder / "childs_program.py").write_text(ECHO)
    with Child("childs_program", "a", "--b", stdout=subprocess.PIPE) as child:
        assert child.output.readline() == b"['a', '--b'] '' __main__\n"


def test_it_gets_the_descriptors_that_are_passed(folder: Path) -> None:
    (folder / "childs_program.py").write_text("import os, sys; os.write(int(sys.argv[1]), b'x')")
    reader, writer = os.pipe()
    with Child("childs_program", str(writer), pass_fds=[writer]):
        os.close(writer)
        assert os.read(reader, 2) == b"x"
    os.close(reader)


def test_it_has_time_to_end_and_is_killed_after_it(folder: Path) -> None:
    (folder / "childs_program.py").write_text(POLITE)
    with Child("childs_program", stdout=subprocess.PIPE) as polite:
        polite.output.readline()
        polite.stop()
        polite.close(10)
    assert polite.process.returncode == 0
    polite.stop()
    (folder / "childs_program.py").write_text(STUBBORN)
    with Child("childs_program", stdout=subprocess.PIPE) as stubborn:
        stubborn.output.readline()
        stubborn.stop()
    assert stubborn.process.returncode == -signal.SIGKILL


def test_ctrl_c_is_its_parents(folder: Path) -> None:
    (folder / "childs_program.py").write_text(POLITE)
    with Child("childs_program") as child:
        assert os.getpgid(child.process.pid) != os.getpgid(0)


def test_a_process_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/missing/python")
    with pytest.raises(FramewireError, match="no other process could be started"):
        Child("json.tool")
