"""From a world with failing tests to repairs in the order in which to try them. All that is run is run in forks.

with Lookahead(history.fork, command) as lookahead:
diagnosis = diagnose(lookahead, prompt, read_tree(environment))
diagnosis.candidates[0], diagnosis.wanted
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from foretrace.corpus.episodes import is_of_tests
from foretrace.errors import SandboxError
from foretrace.forager.repair.candidate import Candidate
from foretrace.forager.repair.code import Code
from foretrace.forager.repair.evidence import Survey, Watched
from foretrace.forager.repair.ideas import Context, candidates
from foretrace.forager.repair.localise import Suspect, Told, read_issue, suspects, test_command
from foretrace.forager.repair.lookahead import Lookahead
from foretrace.sandbox.environment import Environment

_LIST = "git ls-files -z '*.py'; git grep -lzI -e '^#!.*python' -- ':!*.py' || true"
"""Modules, and programs in Python, which need not have a suffix."""
_FAILING, _PASSING = 15, 40
"""Tests whose lines are looked at, at most."""


@dataclass(frozen=True)
class Diagnosis:
    """What is known, and what to try."""

    told: Told
    survey: Survey
    watched: Watched
    wanted: tuple[str, ...]
    """Tests that fail and should pass."""
    suspects: tuple[Suspect, ...]
    candidates: tuple[Candidate, ...]

    @property
    def error(self) -> str:
        """Class of what the first failing test ends with."""
        return next((test.error for test in self.survey.failing if test.test in self.wanted), "")


def read_tree(environment: Environment) -> dict[str, Code]:
    """The Python files of a repository that can be read, tests left out."""
    listed = environment.exec(["sh", "-c", _LIST], seconds=60).output.decode("utf-8", "surrogateescape")
    found = {}
    for path in dict.fromkeys(filter(None, listed.split("\0"))):
        if not is_of_tests(path):
            try:
                found[path] = Code(path, environment.read(path).decode())
            except (SandboxError, SyntaxError, UnicodeDecodeError):
                continue  # nothing that could be changed and still be understood
    return found


def diagnose(lookahead: Lookahead, issue: str, tree: Mapping[str, Code]) -> Diagnosis:
    """Runs the tests, looks at the lines that failing ones run, and thinks of repairs.

    Raises:
        SandboxError: the environment broke.

    """
    told = read_issue(issue)
    survey = _survey(lookahead, told, issue)
    wanted = _wanted(told, survey)
    suspected = suspects(survey, tree, told)
    watched = _watched(lookahead, survey, wanted, suspected)
    context = Context(tree, watched, survey.messages(wanted))
    found = candidates(suspected, context)
    return Diagnosis(told, survey, watched, wanted, tuple(suspected), tuple(found))


def _survey(lookahead: Lookahead, told: Told, issue: str) -> Survey:
    """All tests, by the first command that finds those that are told; options that are configured may want other plugins."""
    base = test_command(issue)
    files = " ".join(map(shlex.quote, dict.fromkeys(test.split("::")[0] for test in told.tests)))
    others = [f"{base} {files}", f"{base} -o addopts=", f"{base} -o addopts= --doctest-modules {files}"]
    found, best = Survey((), {}), -1
    for command in [base, *others]:
        lookahead.command = command
        survey = lookahead.survey()
        known = {test.test for test in survey.tests}
        missing = [test for test in told.tests if test not in known and test.split("::")[0] not in survey.uncollected]
        if known and not missing:
            return survey
        if len(known) > best:
            found, best, base = survey, len(known), command
    lookahead.command = base
    return found


def _wanted(told: Told, survey: Survey) -> tuple[str, ...]:
    if told.all_tests:
        return told.tests
    failing = [test.test for test in survey.failing]
    return tuple(dict.fromkeys([*told.tests, *failing]))


def _watched(lookahead: Lookahead, survey: Survey, wanted: Sequence[str], suspected: Sequence[Suspect]) -> Watched:
    seconds = {test.test: test.seconds for test in survey.tests}
    failing = sorted((test for test in wanted if test in seconds), key=seconds.__getitem__)[:_FAILING]
    functions = [each.function for each in suspected if each.function is not None]
    passing = [
        test.test
        for test in sorted(survey.passing, key=lambda test: test.seconds)
        if any(line in f.lines for f in functions for line in test.calls.get(f.code.path, ()))
    ][:_PASSING]
    files = sorted({each.code.path for each in suspected})
    return lookahead.watch([*failing, *passing], failing, files)
