"""One target under the fuzzer, in a process that may be killed: NAME and libFuzzer's own options.

Only framewire's Python is instrumented, and the HTTP server that it uses. What is native below it (libjpeg-turbo, FFmpeg, msgspec)
is run, but the fuzzer does not see which of its branches an input takes.
"""

import resource
import sys

import atheris

from fuzz.table import load

_MEMORY_BYTES = 1 << 30
"""What the process may claim beyond what it has once all is loaded, touched or not: more than that
for a few kilobytes of input is a finding (MemoryError)."""


def _limit_memory() -> None:
    with open("/proc/self/statm") as facts:
        claimed = int(facts.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (claimed + _MEMORY_BYTES,) * 2)


def main() -> None:
    name, *options = sys.argv[1:]
    with atheris.instrument_imports(include=["framewire", "http"]):
        target = load(name)
        for seed in target.seeds():  # what is imported only when it is needed is needed now
            target.check(seed)

    def check(data: bytes) -> None:
        target.check(data)

    atheris.Setup([sys.argv[0], *options], check)
    _limit_memory()
    atheris.Fuzz()


if __name__ == "__main__":
    main()
