"""What a project says of itself, read without running anything of it.

    project = read_project(folder)
    project.requires_python, project.dependencies, project.extras["test"]

Asked in this order, the first that knows wins: `pyproject.toml` (PEP 621 and 735; Poetry, Flit, PDM and Hatch have tables of
their own), `setup.cfg`, the literals in the call of `setup()`, and the `PKG-INFO` that an sdist carries. What only code can
tell, tells nothing here: pip will find out when it installs.
"""

import configparser
import email
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foretrace.repos import poetry
from foretrace.repos.setup_call import read_setup

MAX_BYTES = 1_000_000
_SELF = re.compile(r"\s*([A-Za-z0-9._-]+)\s*\[([^\]]+)\]")


@dataclass(slots=True)
class Project:
    """What is known of a project; empty where nothing tells it."""

    name: str = ""
    version: str = ""
    requires_python: str = ""
    classifiers: list[str] = field(default_factory=list)
    build_requirements: list[str] = field(default_factory=list)
    dependencies: list[str] = field(default_factory=list)
    extras: dict[str, list[str]] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    """Dependency groups of PEP 735, and what other tools have of that kind."""
    tables: Mapping[str, Any] = field(default_factory=dict)
    """`pyproject.toml`, whole."""
    is_installable: bool = False
    """Whether there is anything for pip to build."""

    def add(self, other: "Project") -> None:
        """Takes from another what this one does not know."""
        for name in (
            "name",
            "version",
            "requires_python",
            "classifiers",
            "build_requirements",
            "dependencies",
            "extras",
            "groups",
        ):
            if not getattr(self, name):
                setattr(self, name, getattr(other, name))

    def extra(self, name: str) -> list[str]:
        """What an extra asks for, and what the extras ask for that it names: `all = ["pkg[a,b]"]`."""
        return self._flat(self.extras.get(name, []), {name})

    def _flat(self, requirements: list[str], seen: set[str]) -> list[str]:
        """Each extra is opened once, or extras that name each other would take longer than anybody lives."""
        found = []
        for text in requirements:
            match = _SELF.match(text)
            if not match or _normal(match[1]) != _normal(self.name):
                found.append(text)
                continue
            for extra in (part.strip() for part in match[2].split(",")):
                if extra not in seen:
                    seen.add(extra)
                    found += self._flat(self.extras.get(extra, []), seen)
        return found


def read_project(root: Path) -> Project:
    """Reads what a repository's files tell."""
    project = _pyproject(root)
    project.add(_setup_cfg(root))
    project.add(_setup_py(root))
    project.add(_pkg_info(root))
    has_build = "build-system" in project.tables or "project" in project.tables
    project.is_installable = has_build or (root / "setup.py").is_file()
    if project.is_installable and not project.build_requirements:
        project.build_requirements = ["setuptools>=40.8", "wheel"]
    return project


def text_of(path: Path) -> str:
    """A file's text; empty if there is none, or too much of it."""
    if not path.is_file() or path.is_symlink() or path.stat().st_size > MAX_BYTES:
        return ""
    return path.read_text(encoding="utf-8-sig", errors="replace")


def table(data: object, *path: str) -> Mapping[str, Any]:
    """A table of tables; empty if it is not there, or something else."""
    for name in path:
        data = data.get(name) if isinstance(data, Mapping) else None
    return data if isinstance(data, Mapping) else {}


def strings(value: object) -> list[str]:
    """The texts in a list."""
    return [text for text in value if isinstance(text, str)] if isinstance(value, list | tuple) else []


def read_ini(path: Path) -> configparser.RawConfigParser:
    """A file in the form of `setup.cfg`; empty if it is not in that form."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text_of(path))
    except configparser.Error:
        return configparser.RawConfigParser()
    return parser


def read_toml(path: Path) -> Mapping[str, Any]:
    """A TOML file; empty if it is not in that form."""
    try:
        return tomllib.loads(text_of(path))
    except (ValueError, RecursionError):  # a number of thousands of digits is of the former
        return {}


def _pyproject(root: Path) -> Project:
    tables = read_toml(root / "pyproject.toml")
    found = Project(tables=tables, build_requirements=strings(table(tables, "build-system").get("requires")))
    found.add(_pep621(table(tables, "project")))
    found.groups = _groups(table(tables, "dependency-groups"))
    tools = table(tables, "tool")
    found.add(_poetry(table(tools, "poetry")))
    flit = table(tools, "flit", "metadata")
    found.add(
        Project(
            name=_text(flit.get("dist-name")) or _text(flit.get("module")),
            requires_python=_text(flit.get("requires-python")),
            dependencies=strings(flit.get("requires")),
            extras=_lists(table(flit, "requires-extra")),
        )
    )
    hatch = {
        name: [*strings(table(each).get("dependencies")), *strings(table(each).get("extra-dependencies"))]
        for name, each in table(tools, "hatch", "envs").items()
    }
    uv = {"dev": strings(table(tools, "uv").get("dev-dependencies"))}
    for more in (_lists(table(tools, "pdm", "dev-dependencies")), uv, hatch):
        for name, requirements in _lists(more).items():
            found.groups[name] = list(dict.fromkeys([*found.groups.get(name, []), *requirements]))
    return found


def _pep621(data: Mapping[str, Any]) -> Project:
    return Project(
        name=_text(data.get("name")),
        version=_text(data.get("version")),
        requires_python=_text(data.get("requires-python")),
        classifiers=strings(data.get("classifiers")),
        dependencies=strings(data.get("dependencies")),
        extras=_lists(table(data, "optional-dependencies")),
    )


def _poetry(data: Mapping[str, Any]) -> Project:
    main = table(data, "dependencies")
    needed = {name: value for name, value in main.items() if name != "python" and not table(value).get("optional")}
    groups = {name: table(group, "dependencies") for name, group in table(data, "group").items()}
    groups.setdefault("dev", table(data, "dev-dependencies"))
    return Project(
        name=_text(data.get("name")),
        version=_text(data.get("version")),
        requires_python=poetry.specifier(_text(main.get("python"))),
        dependencies=[poetry.requirement(name, value) for name, value in needed.items()],
        extras={
            name: [poetry.requirement(each, main[each]) for each in strings(members) if each in main]
            for name, members in table(data, "extras").items()
        },
        groups={
            name: [poetry.requirement(each, value) for each, value in members.items()]
            for name, members in groups.items()
            if members
        },
    )


def _groups(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """Dependency groups, with what they include of each other."""

    def flat(name: str, seen: set[str]) -> list[str]:
        found: list[str] = []
        for entry in data.get(name, []) if isinstance(data.get(name), list) else []:
            other = entry.get("include-group") if isinstance(entry, Mapping) else None
            if isinstance(entry, str):
                found.append(entry)
            elif isinstance(other, str) and other not in seen:
                seen.add(other)
                found += flat(other, seen)
        return found

    return {name: flat(name, {name}) for name in data}


def _setup_cfg(root: Path) -> Project:
    parser = read_ini(root / "setup.cfg")

    def get(section: str, option: str) -> str:
        return parser.get(section, option, fallback="") or ""

    extras = {}
    if parser.has_section("options.extras_require"):
        extras = {name: _cfg_lines(text or "") for name, text in parser.items("options.extras_require")}
    tests = _cfg_lines(get("options", "tests_require"))
    return Project(
        name=get("metadata", "name"),
        version=version if re.fullmatch(r"\d[\w.+!-]*", version := get("metadata", "version")) else "",
        requires_python=get("options", "python_requires"),
        classifiers=_cfg_lines(get("metadata", "classifiers")),
        dependencies=_cfg_lines(get("options", "install_requires")),
        extras=extras,
        groups={"test": tests} if tests else {},
    )


def _setup_py(root: Path) -> Project:
    words = read_setup(text_of(root / "setup.py"))
    tests = _one_or_many(words.get("tests_require"))
    extras = words.get("extras_require")
    return Project(
        name=_text(words.get("name")),
        version=_text(words.get("version")),
        requires_python=_text(words.get("python_requires")),
        classifiers=strings(words.get("classifiers")),
        dependencies=_one_or_many(words.get("install_requires")),
        extras={str(name): _one_or_many(value) for name, value in extras.items()} if isinstance(extras, dict) else {},
        groups={"test": tests} if tests else {},
    )


def _pkg_info(root: Path) -> Project:
    headers = email.message_from_string(text_of(root / "PKG-INFO"))
    found = Project(
        name=headers.get("Name", ""),
        version=headers.get("Version", ""),
        requires_python=headers.get("Requires-Python", ""),
        classifiers=[str(value) for value in headers.get_all("Classifier", [])],
    )
    for value in map(str, headers.get_all("Requires-Dist", [])):
        requirement, _, marker = value.partition(";")
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", marker)
        if extra:
            rest = re.sub(r"\s*(and\s+)?extra\s*==\s*['\"][^'\"]+['\"]\s*", "", marker).strip()
            rest = re.sub(r"^\((.*)\)$", r"\1", rest).removesuffix(" and").strip()
            found.extras.setdefault(extra[1], []).append(f"{requirement.strip()}; {rest}" if rest else requirement.strip())
        else:
            found.dependencies.append(value)
    return found


def _cfg_lines(text: str) -> list[str]:
    return [line for line in (re.sub(r"(^|\s)#.*", "", each).strip() for each in text.splitlines()) if line]


def _lists(data: Mapping[str, Any]) -> dict[str, list[str]]:
    return {name: strings(value) for name, value in data.items() if strings(value)}


def _one_or_many(value: object) -> list[str]:
    return _cfg_lines(value) if isinstance(value, str) else strings(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
