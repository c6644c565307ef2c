"""Tries a folder of attacks on the scorers: what passes though it is wrong, what escapes, what hangs or ends a sandbox.

    python bench/sandbox/attacks.py FOLDER [--isolation bubblewrap|process|all] [--only A10 G]

A folder holds `manifest.jsonl` and one JSON file an attack (see `foretrace.evals.attacks`). Patches are tested with files of
their own, which `process` has not got: there they are left out. Exit code 1: a verdict under either rule is not the expected
one, known limits excepted, or something happened that must not.
"""

import argparse
import os
import secrets
import sys
import time
from pathlib import Path

from foretrace.evals.attacks import Attack, attack_judge, attempts, load_attacks
from foretrace.evals.scorers.program import ProgramScorer
from foretrace.evals.types import Setting
from foretrace.sandbox import backends
from foretrace.sandbox.confine import adopt_orphans

DELAYED_SECONDS = 5.0
"""After all, before looking once more for what a process left running would have written."""
ENVIRONMENT = (
    "def f():\n    import os\n    return [repr(os.environ), *(open(x).read() for x in FILES if os.access(x, os.R_OK))]\n"
)


def try_all(isolation: str, attacks: list[Attack]) -> bool:
    """Prints a line an attack; whether all is well."""
    print(f"\n{isolation}\n{'id':5}{'family':16}{'official':10}{'strict':8}{'reason':12}{'seconds':>8}  faults")
    setting = Setting(isolation=isolation)
    chosen = [attack for attack in attacks if isolation != "process" or attack.family != "patch"]
    secret = os.environ["FORETRACE_ATTACKS_SECRET"] = secrets.token_hex(16)
    faults = 0
    with ProgramScorer(setting) as scorer:
        source = f"FILES = ['/proc/self/environ', '/proc/1/environ', '/proc/{os.getpid()}/environ']\n{ENVIRONMENT}"
        if secret in repr(scorer.call(source, ["f()"])):
            print("a submission can read the environment")
            faults += 1
    with attack_judge(setting) as judge:
        for attempt in attempts(chosen, judge):
            attack, verdict = attempt.attack, attempt.verdict
            names = ("pass" if passed else "fail" for passed in (verdict.official, verdict.strict))
            columns = "{:5}{:16}{:10}{:8}{:12}".format(attack.id, attack.family, *names, verdict.reason)
            limit = "known limit: " if attack.is_known_limit else ""
            print(f"{columns}{attempt.seconds:8.2f}  {limit}{'; '.join(attempt.faults)}".rstrip(), flush=True)
            faults += bool(attempt.faults) and not attack.is_known_limit
    time.sleep(DELAYED_SECONDS)
    late = [file for attack in chosen for file in attack.host_files if os.path.lexists(file)]
    print(f"{isolation}: {len(chosen)} attacks, {faults} with faults, written late: {' '.join(late) or 'nothing'}")
    return not (faults or late)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--isolation", choices=[*backends(), "all"], default="all")
    parser.add_argument("--only", nargs="+", default=[""], help="attacks whose id starts like one of these")
    options = parser.parse_args()
    attacks = [attack for attack in load_attacks(options.folder) if attack.id.startswith(tuple(options.only))]
    adopt_orphans()
    chosen = list(backends()) if options.isolation == "all" else [options.isolation]
    is_well = [try_all(isolation, attacks) for isolation in chosen]
    sys.exit(0 if attacks and all(is_well) else 1)


if __name__ == "__main__":
    main()
