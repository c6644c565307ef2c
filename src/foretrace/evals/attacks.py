"""Attacks on scorers: submissions that try to pass without being right, and honest ones that must not suffer from it.

    attacks = load_attacks(Path("attacks"))              # its manifest.jsonl names the files, one an attack
    with attack_judge(Setting()) as judge:
        for attempt in attempts(attacks, judge): print(attempt.attack.id, attempt.verdict.reason, attempt.faults)

An attack is judged by the scorer of its family, and whatever it is, it is watched for files on the machine, for processes
that it leaves, for time, and for the next honest submission being judged as before. Call `confine.adopt_orphans` first: what
an attack leaves behind then becomes a child of this process, and is counted.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from foretrace.errors import UsageError
from foretrace.evals.benchmarks.coding import blocks
from foretrace.evals.benchmarks.cruxeval import input_scorer
from foretrace.evals.scorers.literal import LiteralScorer, read_call, read_output
from foretrace.evals.scorers.maths import maths_scorer, read_boxed
from foretrace.evals.scorers.patch import folder_row, patch_scorer
from foretrace.evals.scorers.program import ProgramScorer
from foretrace.evals.scorers.rules import same_with_tuples
from foretrace.evals.types import Item, Reason, Score, Setting, Verdict
from foretrace.sandbox import SandboxLimits

LIMITS = SandboxLimits(seconds=5, cpu_seconds=5, memory_mb=2048, file_mb=64)
SLACK_SECONDS = 20.0
"""Beyond the limits of all that an attack may run: the end of its processes, the removal of its files, a busy machine."""
_HOST_FILE = "no_host_file:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One submission, and what must become of it."""

    id: str
    family: str
    """`call`, `stdin`, `assert_program`, `crux_output`, `crux_input`, `test_output`, `math` or `patch`."""
    task: Mapping[str, Any]
    submission: str
    official: bool
    strict: bool
    """Whether it passes under each rule."""
    host_files: tuple[str, ...] = ()
    """That only an escape makes."""
    is_known_limit: bool = False
    why: str = ""
    folder: str = ""
    """In which a task finds its repository."""

    @classmethod
    def from_json(cls, case: Mapping[str, Any], folder: str = "") -> Self:
        """From `{"id", "family", "task", "submission", "expected", "expected_strict"}` and, if there are, more."""
        rules = case.get("must_also", ())
        return cls(
            id=case["id"],
            family=case["family"],
            task=case["task"],
            submission=case["submission"],
            official=case["expected"] == "pass",
            strict=case["expected_strict"] == "pass",
            host_files=tuple(rule.removeprefix(_HOST_FILE) for rule in rules if rule.startswith(_HOST_FILE)),
            is_known_limit=bool(case.get("known_limit")),
            why=case.get("why", ""),
            folder=folder,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What became of an attack."""

    attack: Attack
    verdict: Verdict
    seconds: float
    faults: tuple[str, ...]
    """What must not have happened; empty if all is well."""


Judge = Callable[[Attack], Verdict]


def load_attacks(folder: Path) -> list[Attack]:
    """The attacks of a folder, in the order of its manifest.

    Raises:
        UsageError: it has no manifest.

    """
    manifest = folder / "manifest.jsonl"
    if not manifest.is_file():
        raise UsageError(f"no attacks in {folder}: there is no {manifest.name}")
    files = [json.loads(line)["file"] for line in manifest.read_text("utf-8").splitlines() if line.strip()]
    return [Attack.from_json(json.loads((folder / file).read_text("utf-8")), str(folder)) for file in files]


@contextmanager
def attack_judge(setting: Setting) -> Iterator[Judge]:
    """The scorers of all families, each opened when it is first needed."""
    with ExitStack() as stack:
        scorers = _Scorers(setting, stack)
        yield lambda attack: _FAMILIES[attack.family](scorers, attack)


def attempts(attacks: Iterable[Attack], judge: Judge) -> Iterator[Attempt]:
    """Tries one after the other.

    Raises:
        UsageError: a file that an attack is known by is there before.

    """
    chosen = list(attacks)
    if already := sorted({file for attack in chosen for file in attack.host_files if os.path.lexists(file)}):
        raise UsageError(f"remove {' '.join(already)} first, or nobody can tell who made them")
    for attack in chosen:
        judge(_HONEST.get(attack.family) or replace(attack, submission=_HARMLESS))  # starts what is kept running
        idle = descendants()
        start = time.monotonic()
        verdict = judge(attack)
        seconds = time.monotonic() - start
        yield Attempt(
            attack=attack, verdict=verdict, seconds=seconds, faults=tuple(_faults(attack, verdict, seconds, idle, judge))
        )


def _faults(attack: Attack, verdict: Verdict, seconds: float, idle: int, judge: Judge) -> Iterator[str]:
    if verdict.reason is Reason.BROKEN:
        yield f"no verdict: {verdict.detail}"
    elif (verdict.official, verdict.strict) != (attack.official, attack.strict):
        yield f"official {verdict.official}, strict {verdict.strict}: {verdict.reason}, {verdict.detail}"
    if _are_more_than(idle):
        yield "a process is left"
    if seconds > SLACK_SECONDS + LIMITS.seconds * (2 + len(attack.task.get("tests", ()))):
        yield f"it took {seconds:.0f} seconds"
    yield from (f"it wrote {file}" for file in attack.host_files if os.path.lexists(file))
    honest = _HONEST.get(attack.family)
    if honest and not judge(honest).official:
        yield "an honest submission fails after it"


# ---------------------------------------------------------------------------------------------------
# Families


class _Scorers:
    """One of each kind, opened when it is first asked for."""

    def __init__(self, setting: Setting, stack: ExitStack) -> None:
        self._setting, self._stack = setting, stack

    @cached_property
    def programs(self) -> ProgramScorer:
        return self._stack.enter_context(ProgramScorer(self._setting, LIMITS))

    @cached_property
    def literals(self) -> LiteralScorer:
        return self._stack.enter_context(LiteralScorer(self._setting))

    @cached_property
    def inputs(self) -> Score:
        return self._stack.enter_context(input_scorer(self._setting))

    @cached_property
    def maths(self) -> Score:
        return self._stack.enter_context(maths_scorer(self._setting))

    @cached_property
    def patches(self) -> Score:
        return self._stack.enter_context(patch_scorer(self._setting))


def _call(scorers: _Scorers, attack: Attack) -> Verdict:
    name, tests = attack.task["fn_name"], attack.task["tests"]
    arguments = [", ".join(repr(json.loads(line)) for line in test["input"].splitlines()) for test in tests]
    calls = [f"Solution().{name}({texts})" for texts in arguments]
    expected = [json.loads(test["output"]) for test in tests]
    return scorers.programs.score_calls(attack.submission, calls, expected, same=same_with_tuples)


def _stdin(scorers: _Scorers, attack: Attack) -> Verdict:
    tests = [(test["input"], test["output"]) for test in attack.task["tests"]]
    return scorers.programs.score_stdin(attack.submission, tests)


def _assert_program(scorers: _Scorers, attack: Attack) -> Verdict:
    prompt, entry = attack.task["prompt"], attack.task["entry_point"]
    test = f"{attack.task['test']}\ncheck(candidate)\n"
    proxies = {"candidate": entry, entry: entry}
    return scorers.programs.score_asserts(prompt + attack.submission, test, context=prompt, proxies=proxies)


def _output(scorers: _Scorers, attack: Attack) -> Verdict:
    return scorers.literals.score(read_output(attack.submission), attack.task["output"])


def _test_output(scorers: _Scorers, attack: Attack) -> Verdict:
    assertion = next(iter(blocks(attack.submission)), attack.submission)
    return scorers.literals.score(read_output(assertion), attack.task["output"])


def _input(scorers: _Scorers, attack: Attack) -> Verdict:
    return scorers.inputs(Item(id=attack.id, row=attack.task), read_call(attack.submission))


def _math(scorers: _Scorers, attack: Attack) -> Verdict:
    return scorers.maths(Item(id=attack.id, row={"answer": attack.task["gold"]}), read_boxed(attack.submission))


def _patch(scorers: _Scorers, attack: Attack) -> Verdict:
    folder = Path(attack.folder, attack.task["repo"])
    row = folder_row(folder, attack.task["FAIL_TO_PASS"], attack.task["PASS_TO_PASS"])
    return scorers.patches(Item(id=attack.id, row=row), attack.submission)


_FAMILIES: Mapping[str, Callable[[_Scorers, Attack], Verdict]] = {
    "call": _call,
    "stdin": _stdin,
    "assert_program": _assert_program,
    "crux_output": _output,
    "test_output": _test_output,
    "crux_input": _input,
    "math": _math,
    "patch": _patch,
}
_SQUARES = {"tests": [{"input": "3", "output": "9"}]}
_HONEST = {
    family: Attack(id="honest", family=family, task=task, submission=submission, official=True, strict=True)
    for family, task, submission in (
        ("call", _SQUARES | {"fn_name": "square"}, "class Solution:\n    def square(self, n): return n * n\n"),
        ("stdin", _SQUARES, "print(int(input()) ** 2)\n"),
        (
            "assert_program",
            {
                "prompt": "def square(n):\n    'n * n'\n",
                "entry_point": "square",
                "test": "def check(f):\n    assert f(3) == 9\n",
            },
            "    return n * n\n",
        ),
        ("crux_output", {"output": "9"}, "3 * 3"),
        ("test_output", {"output": "9"}, "assert square(3) == 10 - 1"),
        ("crux_input", {"code": "def f(n):\n    return n * n\n", "input": "3", "output": "9"}, "f(-3)"),
        ("math", {"gold": "0.5"}, r"\boxed{\frac{1}{2}}"),
    )
}
"""Of each family one that is officially right, and takes a sandbox: before and after each attack."""
_HARMLESS = "--- /dev/null\n+++ b/NOTES\n@@ -0,0 +1 @@\n+Nothing.\n"
"""A patch that any repository takes."""


# ---------------------------------------------------------------------------------------------------
# Processes


def descendants() -> int:
    """How many living processes come from this one."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it has ended
            continue
        if state != "Z":
            parents[int(folder.name)] = int(parent)
    found, more = {os.getpid()}, {0}
    while more:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
    return len(found) - 1


def _are_more_than(idle: int) -> bool:
    """Whether more processes live than before, once they have had a second to end."""
    for _ in range(20):
        if descendants() <= idle:
            return False
        time.sleep(0.05)
    return True
