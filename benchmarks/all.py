"""Every benchmark that needs no root, one after the other; `make bench` does it.

    pip install -e '.[bench]'; python benchmarks/all.py [--rounds N] [--seconds S] [--only NAME,...]

About two hours on two cores that have nothing else to do. --rounds and --seconds are passed
on: with both 1 it is a trial of fifteen minutes, whose figures mean nothing. A benchmark that fails does
not stop the others, and is named at the end (exit code 1). `slow_link.py` needs root, to make network
namespaces.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from ends import END_S, add_choice, leave_nothing_when_terminated
from report import RESULTS

MINUTES = {
    "latency": 30,
    "throughput": 20,
    "transcode": 3,
    "receiving": 8,
    "passthrough": 1,
    "capturing": 4,
    "recording": 2,
    "recording_many": 6,
    "replay_timing": 2,
    "fanout": 8,
    "jpeg_engine": 2,
    "startup": 3,
    "restarts": 5,
    "slow_receiver": 8,
    "stalled_receiver": 8,
    "web_clients": 18,
}
"""What each needs with its own numbers of rounds and seconds."""
LONGEST = 5  # times as long: then it hangs


def run(name: str, options: list[str]) -> bool:
    """Whether it went well; leaves none of its processes."""
    script = Path(__file__).with_name(f"{name}.py")
    process = subprocess.Popen([sys.executable, script, *options])
    try:
        return process.wait(MINUTES[name] * 60 * LONGEST) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        process.terminate()  # it ends its own, see `leave_nothing_when_terminated`
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, help="instead of each one's own")
    parser.add_argument("--seconds", type=float, help="instead of each one's own")
    add_choice(parser, "--only", MINUTES)
    given = vars(parser.parse_args())
    names = given.pop("only")
    options = [f"--{name}={value}" for name, value in given.items() if value is not None]
    failed = []
    for name in names:
        print(f"\n== {name}, about {MINUTES[name]} min ==\n", flush=True)
        began_s = time.monotonic()
        if not run(name, options):
            failed.append(name)
            print(f"{name} failed", file=sys.stderr)
        print(f"\n{name} took {(time.monotonic() - began_s) / 60:.1f} min", flush=True)
    print(f"\nTables and plots are in {RESULTS}")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    leave_nothing_when_terminated()
    main()
