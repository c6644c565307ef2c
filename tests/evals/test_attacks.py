"""Submissions that try to fool a scorer, to escape or to hang: each gets its verdict under both rules, and nothing is left.

Those in `hostile/` are ours. A folder that `FORETRACE_ATTACKS` names is tried as well, with the isolation of bubblewrap.
"""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from foretrace.errors import UsageError
from foretrace.evals.attacks import Attack, attempts, load_attacks
from foretrace.evals.types import Reason, Verdict
from foretrace.sandbox import backends

USABLE = [name for name, obstacle in backends().items() if not obstacle]
FOLDER = os.environ.get("FORETRACE_ATTACKS", "")
TRY = """
import json, sys
from foretrace.evals import attacks
from foretrace.evals.types import Setting
from foretrace.sandbox import SandboxLimits
from foretrace.sandbox.confine import adopt_orphans

adopt_orphans()
isolation, seconds, cases = json.load(sys.stdin)
attacks.LIMITS = SandboxLimits(seconds=seconds, cpu_seconds=5, memory_mb=1024, file_mb=64)
with attacks.attack_judge(Setting(isolation=isolation)) as judge:
    for attempt in attacks.attempts([attacks.Attack(**case) for case in cases], judge):
        print(json.dumps([attempt.attack.id, attempt.faults]), flush=True)
"""


HONEST = {
    "id": "x",
    "family": "crux_output",
    "task": {"output": "9"},
    "submission": "9",
    "expected": "pass",
    "expected_strict": "pass",
}


def test_a_folder_of_attacks_is_read_by_its_manifest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no attacks"):
        load_attacks(tmp_path)
    (tmp_path / "manifest.jsonl").write_text('{"file": "x.json"}\n')
    (tmp_path / "x.json").write_text(json.dumps(HONEST | {"expected_strict": "fail", "must_also": ["no_host_file:/none"]}))
    [attack] = load_attacks(tmp_path)
    assert (attack.official, attack.strict, attack.host_files) == (True, False, ("/none",))


def test_what_is_wrong_is_told(tmp_path: Path) -> None:
    written = tmp_path / "written"
    attack = replace(Attack.from_json(HONEST), host_files=(str(written),))
    left: list[subprocess.Popen[bytes]] = []

    def judge(attack: Attack) -> Verdict:
        if attack.id == "x":
            written.touch()
            left.append(subprocess.Popen(["sleep", "60"]))
        return Verdict(strict=False, official=not left, reason=Reason.WRONG, detail="so be it")

    try:
        [attempt] = attempts([attack], judge)
    finally:
        left[0].kill()
        left[0].wait()
    told = " / ".join(attempt.faults)
    for fault in (
        "official False, strict False: wrong, so be it",
        "a process is left",
        f"it wrote {written}",
        "an honest submission",
    ):
        assert fault in told
    with pytest.raises(UsageError, match="remove"):
        list(attempts([attack], judge))


def ours() -> list[Attack]:
    made = []
    for file in sorted((Path(__file__).parent / "hostile").glob("*.py")):
        content = runpy.run_path(str(file))
        for case in content["CASES"]:
            official, strict = case.pop("expected")
            made.append(Attack(**case, official=official, strict=strict, host_files=tuple(content.get("FILES", ()))))
    return made


def faults(attacks: Sequence[Attack], isolation: str, seconds: float) -> Mapping[str, Any]:
    """What was wrong with each; tried in a process of their own, whose children are only theirs."""
    told = json.dumps([isolation, seconds, [asdict(attack) for attack in attacks]])
    done = subprocess.run([sys.executable, "-c", TRY], input=told, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(line) for line in done.stdout.splitlines())


@cache
def faults_of_ours(isolation: str) -> Mapping[str, Any]:
    return faults(ours(), isolation, 1.5)


@cache
def faults_of_theirs() -> Mapping[str, Any]:
    return faults(load_attacks(Path(FOLDER)), "bubblewrap", 5)


@pytest.mark.parametrize("isolation", [pytest.param("process", marks=pytest.mark.slow), "bubblewrap"])
@pytest.mark.parametrize("name", [attack.id for attack in ours()])
def test_ours(name: str, isolation: str) -> None:
    if isolation not in USABLE:
        pytest.skip(backends()[isolation])
    assert faults_of_ours(isolation)[name] == []


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER, reason="set FORETRACE_ATTACKS to a folder of attacks")
@pytest.mark.parametrize("name", [attack.id for attack in load_attacks(Path(FOLDER))] if FOLDER else [""])
def test_theirs(name: str) -> None:
    attack = next(attack for attack in load_attacks(Path(FOLDER)) if attack.id == name)
    if faults_of_theirs()[name] and attack.is_known_limit:
        pytest.xfail(attack.why)
    assert faults_of_theirs()[name] == []
