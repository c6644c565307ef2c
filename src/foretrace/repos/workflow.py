"""GitHub Actions, read for how a project is built and tested, and turned into commands for a box: Activ without a runner.

    found = read_workflows(root)
    found.pythons, found.steps, found.test            # ['3.11', '3.12'], ['pip install -e .[dev]'], 'pytest -v tests'

CWM's *Activ* runs a repository's workflow and takes the container at the moment when tests would start (report, section
2.1). Here the steps up to the first test command are the plan: of the jobs, the one that tests; of its matrix, the row of
our Python; `uses:` of checkouts, Pythons and caches need nothing, others cannot be had and are told. Needs PyYAML (extra
`repos`).
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foretrace.repos import commands
from foretrace.repos.project import MAX_BYTES, table, text_of

_SETUP = re.compile(r"(actions/(checkout|setup-python|cache|upload-artifact|download-artifact)|astral-sh/setup-uv|codecov/)")
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_VERSION = re.compile(r"3\.\d+")


@dataclass(slots=True)
class Workflow:
    """What the job that tests does."""

    pythons: list[str] = field(default_factory=list)
    """Versions that the project is tested with, as `3.11`."""
    steps: list[str] = field(default_factory=list)
    """Commands before the first test, in order."""
    test: str = ""
    """The command that tests."""
    environment: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    """Actions that cannot be had here."""
    file: str = ""
    note: str = ""
    """Why nothing was read, if that is so."""


def read_workflows(root: Path, python: str = "") -> Workflow:
    """The best job of all workflows: one that tests, on Linux if it says, in a file whose name speaks of tests."""
    folder = root / ".github" / "workflows"
    files = sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")]) if folder.is_dir() else []
    if not files:
        return Workflow()
    try:
        import yaml
    except ModuleNotFoundError:
        return Workflow(note='workflows were not read: pip install "foretrace[repos]"')
    found = []
    for file in files:
        try:
            document = yaml.safe_load(text_of(file))
            is_small = _extent(document, {}) <= MAX_BYTES
        except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
            continue  # what PyYAML says of `!!int ''` or `!!timestamp x` is none of its own errors
        if not is_small:
            continue
        for job in table(document, "jobs").values():
            found.append(_read_job(table(job), table(document, "env"), file.name, python))
    tested = [job for job in found if job.test]
    return min(tested, key=_rank) if tested else Workflow()


def _extent(value: object, known: dict[int, float]) -> float:
    """Characters of a document with its aliases written out, as a text of it would be; infinite where it holds itself."""
    if isinstance(value, str | bytes):
        return len(value)
    if not isinstance(value, Mapping | list | tuple):
        return 1
    if id(value) not in known:
        known[id(value)] = math.inf  # as long as it is not known
        inner = [*value, *value.values()] if isinstance(value, Mapping) else value
        known[id(value)] = 1 + sum(_extent(each, known) for each in inner)
    return known[id(value)]


def _rank(job: Workflow) -> tuple[bool, bool, int]:
    speaks = re.search(r"test|ci|python|main|build", job.file) is not None
    return "pytest" not in job.test, not speaks, len(job.missing)


def _read_job(job: Mapping[str, Any], environment: Mapping[str, Any], file: str, python: str) -> Workflow:
    matrix = table(job, "strategy", "matrix")
    found = Workflow(file=file, pythons=_pythons(matrix, job))
    values = _row(matrix, python)
    for name, value in {**environment, **table(job, "env")}.items():
        if (text := _expanded(str(value), values)) is not None:
            found.environment[str(name)] = text
    if re.search(r"windows|macos", str(job.get("runs-on", ""))):
        return found
    steps = job.get("steps")
    for step in steps if isinstance(steps, list) else []:
        _read_step(table(step), values, found)
        if found.test:
            break
    return found


def _read_step(step: Mapping[str, Any], values: Mapping[str, str], found: Workflow) -> None:
    """Adds a step's commands, up to the one that tests."""
    uses = str(step.get("uses", ""))
    if uses and not _SETUP.search(uses):
        found.missing.append(uses)
    if _is_elsewhere(str(step.get("if", ""))) or not isinstance(step.get("run"), str):
        return
    folder = str(step.get("working-directory", ""))
    for command in _commands(step["run"]):
        text = _expanded(command, values)
        if text is None:
            continue
        text = f"cd {folder} && {text}" if folder else text
        if commands.is_test(text):
            found.test = text
            return
        found.steps.append(text)


def _is_elsewhere(condition: str) -> bool:
    """Whether a step is for other systems than Linux, or for publishing."""
    return (
        re.search(r"windows|macos|darwin|pypy|release|refs/tags|failure\(\)", condition, re.I) is not None
        and "!=" not in condition
    )


def _commands(script: str) -> Iterator[str]:
    """Commands of a script, one each; what spans lines stays together."""
    open_text = ""
    for line in script.replace("\\\n", " ").splitlines():
        open_text = f"{open_text}\n{line}" if open_text else line
        starts, ends = (
            len(re.findall(rf"(?m)^\s*({words})\b", open_text)) for words in ("if|for|while|case", "fi|done|esac")
        )
        if starts <= ends:
            if open_text.strip() and not open_text.strip().startswith("#"):
                yield open_text.strip()
            open_text = ""
    if open_text.strip():
        yield open_text.strip()


def _pythons(matrix: Mapping[str, Any], job: Mapping[str, Any]) -> list[str]:
    named = [name for name in matrix if "py" in str(name).lower() or name == "include"]
    texts = [str(value) for name in named for value in _list(matrix[name])]
    steps = job.get("steps")
    texts += [str(table(step, "with").get("python-version", "")) for step in (steps if isinstance(steps, list) else [])]
    versions = {version for text in texts for version in _VERSION.findall(text)}
    return sorted(versions, key=lambda version: int(version.split(".")[1]))


def _row(matrix: Mapping[str, Any], python: str) -> dict[str, str]:
    """One value for each name of a matrix: those that fit our Python, else the first."""
    row = {}
    for name, value in matrix.items():
        choices = [choice for choice in _list(value) if not isinstance(choice, Mapping)]
        if choices and name not in ("include", "exclude"):
            fitting = [choice for choice in choices if python and str(choice) == python]
            linux = [choice for choice in choices if "ubuntu" in str(choice)]
            row[f"matrix.{name}"] = str((fitting or linux or choices)[0])
    return row


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _expanded(text: str, values: Mapping[str, str]) -> str | None:
    """A text with its `${{ }}` filled in; None if one is not known."""
    known = {**values, "runner.os": "Linux", "github.workspace": "/testbed"}
    if any(name not in known for name in _EXPRESSION.findall(text)):
        return None
    return _EXPRESSION.sub(lambda match: known[match[1]], text)


def installs(workflow: Workflow) -> list[str]:
    """Those steps that only install packages of Python, which pip does better in one go."""
    return [step for step in workflow.steps if commands.is_install(step) and not re.search(r"\bapt(-get)?\b|\bsudo\b", step)]


def others(workflow: Workflow) -> list[str]:
    """The rest: commands that build something, without those that need an administrator, git or somebody's services."""
    unwanted = r"\b(apt(-get)?|sudo|brew|choco|git\s+(fetch|clone|push|config)|docker|gh|codecov|twine|tox|nox|pre-commit)\b"
    return [step for step in workflow.steps if not commands.is_install(step) and not re.search(unwanted, step)]
