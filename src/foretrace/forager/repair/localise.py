"""Where the mistake may be: what the issue says, else which functions failing tests call and passing ones do not.

told = read_issue(prompt)                     # Told(path="pkg/a.py", function="Parser.read", tests=("tests/…::test_b",))
suspects(survey, tree, told)                  # functions, the most suspicious first
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from foretrace.corpus.episodes import is_of_tests
from foretrace.forager.repair.code import Code, Function
from foretrace.forager.repair.evidence import Survey

_QUOTED = re.compile(r"`([^`\n]+)`")
_MORE = re.compile(r"^- and \d+ more\b", re.MULTILINE)
_COMMAND = re.compile(r"`?((?:python\S*\s+-m\s+)pytest\b[^`\n]*)")


@dataclass(frozen=True)
class Told:
    """What an issue names."""

    path: str = ""
    function: str = ""
    """Dotted name within the file."""
    tests: tuple[str, ...] = ()
    all_tests: bool = False
    """Whether it names all that fail."""


@dataclass(frozen=True)
class Suspect:
    """A function, or the top of a file."""

    code: Code
    function: Function | None
    score: float
    """From 0 to 1."""


def read_issue(text: str) -> Told:
    """Reads what stands in backquotes: files, functions and tests."""
    quoted = _QUOTED.findall(text)
    tests = tuple(dict.fromkeys(each for each in quoted if "::" in each))
    paths = [each for each in quoted if each.endswith(".py") and "::" not in each and not is_of_tests(each)]
    names = [each for each in quoted if re.fullmatch(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", each) and not each.endswith(".py")]
    path = paths[0] if paths else ""
    return Told(path, names[0] if path and names else "", tests, bool(tests) and not _MORE.search(text))


def test_command(text: str) -> str:
    """How the tests are run, if a text says so."""
    found = _COMMAND.search(text)
    return " ".join(found[1].split()) if found else "python -m pytest"


def suspects(survey: Survey, tree: Mapping[str, Code], told: Told, *, limit: int = 12) -> list[Suspect]:
    """Where to look, the most suspicious first: the function that is told, else by the tests (Ochiai) and tracebacks."""
    if told.path in tree:
        code = tree[told.path]
        function = code.function(told.function) if told.function else None
        if function is not None or told.function == "":
            named = [Suspect(code, function, 1.0)]
            return named if function is not None else [*named, *_by_tests(survey, {told.path: code}, limit)]
    return _by_tests(survey, tree, limit)


def _by_tests(survey: Survey, tree: Mapping[str, Code], limit: int) -> list[Suspect]:
    failing = [test.test for test in survey.failing]
    ends = [test.places[-1][:2] for test in survey.failing if test.places]
    found: dict[tuple[str, str], Suspect] = {}
    for each in survey.spectrum.suspicious(failing):
        code = tree.get(each.path)
        function = code.around(each.line) if code is not None else None
        if code is None or function is None or each.line not in range(function.lines.start, function.node.lineno + 1):
            continue
        near = sum(path == code.path and line in function.lines for path, line in ends)
        score = 0.7 * each.score + 0.3 * (near / len(ends) if ends else 0.0)
        found[(code.path, function.name)] = Suspect(code, function, score)
    tops = [Suspect(tree[path], None, 0.5) for path in _broken_files(survey, tree)]
    ranked = sorted(found.values(), key=lambda each: -each.score)[:limit]
    return [*tops, *ranked]


def _broken_files(survey: Survey, tree: Mapping[str, Code]) -> list[str]:
    """Files of the tree that are named where others cannot be imported."""
    text = "\n".join([*survey.uncollected.values(), *survey.messages()])
    return [path for path in tree if re.search(rf"(?<![\w/]){re.escape(path)}:\d+", text)]
