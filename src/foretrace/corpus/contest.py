r"""Contest-style programs: they read standard input, print an answer, and come with inputs and the outputs wanted.

One JSON object a line, in any of these forms; `name`, `licence` and `correct` (true if left out) may be added:

    {"solution": "print(int(input()) * 2)", "inputs": ["2\n"], "outputs": ["4\n"]}
    {"code": "...", "tests": {"inputs": ["2\n"], "outputs": ["4\n"]}}
    {"solutions": {"language": [3], "solution": ["..."]}, "public_tests": {"input": [...], "output": [...]}}

The last is CodeContests': `solutions` and `incorrect_solutions`, of which those in Python 3 are taken, and `public_tests`,
`private_tests` and `generated_tests`. A program that is not correct has no outputs: what it should print is unknown.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from foretrace.corpus.jsonl import Row, licence_of, parsed, rows, texts_of
from foretrace.corpus.refusals import Refused
from foretrace.corpus.types import Origin, Subject
from foretrace.errors import UsageError

CONTEST_FORM = '{"solution": text, "inputs": [texts], "outputs": [texts]}'
_SOLUTIONS = ("solution", "code", "solutions", "incorrect_solutions")
_TESTS = ("tests", "public_tests", "private_tests", "generated_tests")
_PYTHON = {"3", "python3", "python", "py3"}
"""CodeContests numbers its languages; 3 is Python 3."""


def is_contest(row: Row) -> bool:
    """Whether a row's fields are those of a contest program."""
    return any(key in row for key in _SOLUTIONS) and any(key in row for key in ("inputs", *_TESTS))


def contest_programs(path: Path, licence: str = "") -> Iterator[Subject | Refused]:
    """Programs of a file, in its order.

    Raises:
        UsageError: a line is not of the form.

    """
    for number, row in rows(path):
        where = f"{path}, line {number}"
        inputs, outputs = _tests(row, where)
        origin = Origin(
            kind="contest",
            name=str(row.get("name") or path.name),
            path=path.name,
            line=number,
            licence=licence_of(row, licence),
        )
        for code, is_correct in dict(_solutions(row, where)).items():
            tree = parsed(code, where)
            if isinstance(tree, Refused):
                yield tree
                continue
            yield Subject(
                source=code,
                entry="<module>",
                origin=origin,
                calls=tuple(inputs),
                outputs=tuple(outputs) if is_correct else (),
                form="script",
            )


def _solutions(row: Row, where: str) -> Iterator[tuple[str, bool]]:
    """Programs of a row, and whether each is correct."""
    is_correct = bool(row.get("correct", True))
    found = False
    for key in _SOLUTIONS:
        value: Any = row.get(key)
        if value is None:
            continue
        found = True
        if isinstance(value, str):
            value = [value]
        if isinstance(value, dict):
            value = _in_python(value, key, where)
        for code in texts_of(value, key, where, CONTEST_FORM):
            yield code, is_correct and key != "incorrect_solutions"
    if not found:
        raise UsageError(f"{where}: no 'solution'; wanted: {CONTEST_FORM}")


def _in_python(value: dict[str, Any], key: str, where: str) -> list[str]:
    """Those of CodeContests' parallel lists that are in Python 3."""
    codes = texts_of(value.get("solution"), f"{key}.solution", where, CONTEST_FORM)
    languages = value.get("language", [3] * len(codes))
    if not isinstance(languages, list) or len(languages) != len(codes):
        raise UsageError(f"{where}: {key}.language is no list as long as {key}.solution")
    return [code for code, language in zip(codes, languages, strict=True) if str(language).lower() in _PYTHON]


def _tests(row: Row, where: str) -> tuple[list[str], list[str]]:
    """Inputs and outputs of a row; no outputs if any is missing."""
    inputs: list[str] = []
    outputs: list[str] = []
    groups = [row] if "inputs" in row else []
    for key in _TESTS:
        value = row.get(key)
        if isinstance(value, list) and all(isinstance(test, dict) for test in value):
            value = (
                {"inputs": [t.get("input") for t in value], "outputs": [t.get("output") for t in value]} if value else None
            )
        if value is not None and not isinstance(value, dict):
            raise UsageError(
                f'{where}: {key!r} is {type(value).__name__}; wanted: {{"inputs": [texts], "outputs": [texts]}}'
            )
        groups += [value] if value else []
    for group in groups:
        given = texts_of(group.get("inputs", group.get("input")), "inputs", where, CONTEST_FORM)
        wanted = texts_of(group.get("outputs", group.get("output", [])), "outputs", where, CONTEST_FORM)
        if wanted and len(wanted) != len(given):
            raise UsageError(f"{where}: {len(given)} inputs but {len(wanted)} outputs; wanted: one output for each input")
        inputs += given
        outputs += wanted
    if not groups:
        raise UsageError(f"{where}: no 'inputs'; wanted: {CONTEST_FORM}")
    return inputs, outputs if len(outputs) == len(inputs) else []
