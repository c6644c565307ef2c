"""What the files beside a project's metadata declare about its tests: tox, nox, Makefiles, files of requirements.

    needs = Needs()
    read_declared(root, needs)
    needs.requirements, needs.arguments, needs.reasons

Each reader adds what it finds to the same `Needs` and says where it found it.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from foretrace.repos import commands
from foretrace.repos.project import read_ini, read_toml, strings, table, text_of
from foretrace.repos.requirements import TEST_NAME, read_file, wanted

_FOLDERS = ("", "requirements", "requirement", "reqs", "tests", "test", "ci", "dev", ".ci")


@dataclass(slots=True)
class Needs:
    """What tests need, as far as it was found."""

    requirements: list[str] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    arguments: list[str] | None = None
    """Of pytest; those of the first file that has some."""
    environment: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def add(self, requirements: Iterable[str], reason: str) -> None:
        """More requirements."""
        found = [text for text in wanted(requirements) if text not in self.requirements]
        self.requirements += found
        if found:
            self.reasons.append(reason)

    def add_install(self, command: str, root: Path, reason: str, folder: Path | None = None) -> None:
        """What a command of pip installs."""
        found = commands.read_install(command)
        files = [text for name in found.files for text in read_file((folder or root) / name, root)]
        self.extras += [name for name in found.extras if name not in self.extras]
        self.groups += [name for name in found.groups if name not in self.groups]
        self.add([*found.requirements, *files], reason)

    def add_test(self, command: str, reason: str) -> None:
        """The arguments of a command that runs pytest."""
        arguments = commands.test_arguments(command)
        reason = f"{reason}: how tests run"
        if arguments is not None and self.arguments is None:
            self.arguments = arguments
            self.reasons.append(reason)
        elif arguments is not None and reason in self.reasons:
            self.arguments = _both(self.arguments or [], arguments)


def _both(first: list[str], second: list[str]) -> list[str]:
    """Arguments of two runs as one; where one of them runs all there is, so does it."""
    (options, targets), (more, others) = commands.split_arguments(first), commands.split_arguments(second)
    options += [word for word in more if word not in options]
    return options + (list(dict.fromkeys([*targets, *others])) if targets and others else [])


def read_declared(root: Path, needs: Needs) -> None:
    """All files that are read without knowing how a project is organised."""
    for path in requirement_files(root):
        needs.add(read_file(path, root), path.relative_to(root).as_posix())
    _tox(root, needs)
    _nox(root, needs)
    _makefile(root, needs)


def requirement_files(root: Path) -> list[Path]:
    """Files of requirements that tests may need, by their names."""
    found = []
    for folder in (root / name for name in _FOLDERS):
        for path in sorted(folder.glob("*.txt")) + sorted(folder.glob("*requirements*.in")):
            inside = folder != root and TEST_NAME.fullmatch(folder.name) is not None
            is_requirements = "require" in path.name or (folder != root and "req" in folder.name)
            is_compiled = path.suffix == ".txt" and path.with_suffix(".in").exists()
            if is_requirements and not is_compiled and (TEST_NAME.fullmatch(path.stem) or inside):
                found.append(path)
    return list(dict.fromkeys(found))


def _tox(root: Path, needs: Needs) -> None:
    for dependencies, extras, groups, lines in _tox_environments(root):
        files = [text for name in _included(dependencies) for text in read_file(root / name, root)]
        needs.extras += [name for name in extras if name not in needs.extras]
        needs.groups += [name for name in groups if name not in needs.groups]
        needs.add([*_without_factors(dependencies), *files], "tox")
        for line in lines:
            needs.add_test(re.sub(r"\{posargs:?([^{}]*)\}", r"\1", line), "tox")


def _tox_environments(root: Path) -> Iterator[tuple[list[str], list[str], list[str], list[str]]]:
    """Dependencies, extras, groups and commands of the environment that all others are made from."""
    parsers = [(read_ini(root / "tox.ini"), "testenv"), (read_ini(root / "setup.cfg"), "tox:testenv")]
    for parser, section in parsers:
        names = [name for name in (section, f"{section}:test", f"{section}:tests") if parser.has_section(name)]
        for name in names:
            lines = {
                option: [line.strip() for line in (parser.get(name, option, fallback="") or "").splitlines() if line.strip()]
                for option in ("deps", "extras", "dependency_groups", "commands")
            }
            parts = [part.strip() for line in lines["extras"] for part in line.split(",") if part.strip()]
            yield lines["deps"], parts, lines["dependency_groups"], lines["commands"]
    for tables in (read_toml(root / "tox.toml"), table(read_toml(root / "pyproject.toml"), "tool", "tox")):
        base = table(tables, "env_run_base")
        lines_of = [" ".join(strings(words)) for words in base.get("commands", []) if isinstance(words, list)]
        yield strings(base.get("deps")), strings(base.get("extras")), strings(base.get("dependency_groups")), lines_of


def _without_factors(lines: Iterable[str]) -> list[str]:
    """Dependencies of tox, without the environments that they are for; those of another Python are left out."""
    found = []
    for line in lines:
        factor, colon, rest = line.partition(":")
        if colon and re.fullmatch(r"[\w!{},.\s-]+", factor) and not re.match(r"\s*//", rest):
            if "!" in factor or not re.search(r"py(3|\{3)|test|dev|ci", factor):
                continue
            line = rest.strip()
        found.append(re.sub(r"^[.]\[.*", "", line) if not line.startswith("-") else "")
    return [line for line in found if line]


def _included(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        match = re.search(r"(?:^|\s)-r\s*(\S+)", line)
        if match:
            yield re.sub(r"\{toxinidir\}/?", "", match[1])


def _nox(root: Path, needs: Needs) -> None:
    """Literals in `session.install(...)` of the sessions that test."""
    try:
        tree = ast.parse(text_of(root / "noxfile.py"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and re.search(r"test|unit", function.name):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    words = [
                        each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)
                    ]
                    if node.func.attr == "install":
                        needs.add_install("pip install " + " ".join(f"'{word}'" for word in words), root, "noxfile.py")
                    elif node.func.attr == "run":
                        needs.add_test(" ".join(words), "noxfile.py")


def _makefile(root: Path, needs: Needs) -> None:
    """Recipes of targets that test, and what any target installs for them."""
    target = ""
    for line in text_of(root / "Makefile").replace("\\\n", " ").splitlines():
        head = re.match(r"([\w./ -]+?)\s*:(?!=)", line)
        if head:
            target = head[1]
        elif line.startswith("\t") and TEST_NAME.fullmatch(target.split(" ")[0]):
            command = line.strip().lstrip("@-")
            if commands.is_install(command):
                needs.add_install(command, root, "Makefile")
            elif commands.is_test(command):
                needs.add_test(command, "Makefile")
