"""`make fuzz`: every target for FUZZ_SECONDS, or those that are named. Exit code 1 if one broke.

python -m fuzz.all [--seconds N] [--folder .fuzz] [TARGET ...]
python -m fuzz.all --again TARGET FILE        # one input, without the fuzzer
"""

import argparse
import sys
from pathlib import Path

from fuzz.campaign import Outcome, fuzz, missing
from fuzz.table import TARGETS, load

_COLUMNS = "{:<14}{:>12}{:>10}{:>10}{:>10}{:>9}{:>7}  {}"
_HEAD = _COLUMNS.format(
    "target", "executions", "a second", "coverage", "features", "corpus", "MB", ""
)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"))
    parser.add_argument("--again", nargs=2, metavar=("TARGET", "FILE"))
    given = parser.parse_args()
    if given.again:
        taken = load(given.again[0]).check(Path(given.again[1]).read_bytes())
        print("taken" if taken else "refused, as it should be")
        return 0
    if missing():
        print(missing(), file=sys.stderr)
        return 1
    unknown = [name for name in given.targets if name not in TARGETS and ":" not in name]
    if unknown:
        parser.error(f"no target {', '.join(unknown)}: there are {', '.join(TARGETS)}")
    outcomes = []
    for name in given.targets or TARGETS:
        print(f"{name}: {given.seconds} s ...", flush=True)
        outcomes.append(fuzz(name, given.folder, seconds=given.seconds))
        if outcomes[-1].failed:
            print(f"{name}: BROKEN", flush=True)
    print(_HEAD)
    print("\n".join(map(_row, outcomes)))
    return max(map(_report, outcomes), default=0)


def _row(each: Outcome) -> str:
    new = f"+{each.features - each.seed_features}"
    figures = each.executions, each.per_second, each.coverage, new, each.corpus, each.resident_mb
    return _COLUMNS.format(each.target, *figures, "BROKEN" if each.failed else "")


def _report(outcome: Outcome) -> int:
    if outcome.failed:
        print(f"\n{outcome.target} broke:\n{outcome.tail}")
        if outcome.found:
            print(
                f"again: PYTHONPATH=tests {sys.executable} -m fuzz.all --again {outcome.target} {outcome.found}"
            )
            print(f"once it is mended, keep that file below tests/fuzz/found/{outcome.target}/")
    return int(outcome.failed)


if __name__ == "__main__":
    sys.exit(main())
