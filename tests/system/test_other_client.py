"""A client written from docs/PROTOCOL.md alone, with nothing of framewire in it: the one printed there."""

import re
import subprocess
import sys
from pathlib import Path

from processes import Start

PROTOCOL = Path(__file__).parents[2] / "docs" / "PROTOCOL.md"


def client_program() -> str:
    programs: list[str] = re.findall(
        r"^```python\n(.*?)^```", PROTOCOL.read_text(), re.DOTALL | re.MULTILINE
    )
    return next(program for program in programs if "sys.argv" in program)


def test_the_documents_client_reads_the_stream(framewire: Start, tmp_path: Path) -> None:
    program = client_program()
    assert "framewire" not in re.sub(r"#.*|\"\"\".*?\"\"\"", "", program)
    script = tmp_path / "client.py"
    script.write_text(program)
    sender = framewire("send", "pattern:320x240@30", "--bind", "tcp://127.0.0.1:*", "--topic",
                       "lab/cam1", "--json")  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(script), sender.endpoint()],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == 10
    assert all(line[0].rstrip("/") == "lab/cam1" and line[2:4] == ["320", "240"] for line in lines)
    sequences = [int(line[1]) for line in lines]
    assert sequences == list(range(sequences[0], sequences[0] + 10))
