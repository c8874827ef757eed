"""Modules of this folder as programs of their own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["run"]


def run(
    module: str,
    *arguments: str,
    within: Callable[[list[str]], list[str]] = lambda argv: argv,
) -> "subprocess.Popen[str]":
    """`python -m MODULE ARGUMENTS`, with its input and output; `within` as for a `Command`."""
    return subprocess.Popen(
        within([sys.executable, "-m", module, *arguments]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
