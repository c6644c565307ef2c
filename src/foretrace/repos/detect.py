"""From a repository's files to a plan: which Python, what to install, how to run the tests. Nothing is run.

    found = detect(folder, find_interpreters())
    found.plan, found.interpreter

Sources, in this order: the project's extras and dependency groups that are called like tests, files of requirements, tox,
nox, Makefiles, GitHub workflows. All that they name is installed in one go, less what only checks, documents or publishes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretrace.repos import commands, workflow
from foretrace.repos.declared import Needs, read_declared
from foretrace.repos.interpreters import Interpreter, choose
from foretrace.repos.plan import InstallPlan
from foretrace.repos.project import Project, read_ini, read_project, read_toml, strings, table
from foretrace.repos.requirements import TEST_NAME

_TEST_FOLDERS = ("tests", "test", "testing", "src/tests", "src/test")
_PLUGIN_SETTINGS = {
    "asyncio_mode": "pytest-asyncio",
    "django_settings_module": "pytest-django",
    "env": "pytest-env",
    "freezegun_ignore_list": "pytest-freezegun",
    "mock_use_standalone_module": "pytest-mock",
    "timeout": "pytest-timeout",
}
"""Plugins by their settings in pytest's configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """What was found."""

    plan: InstallPlan
    interpreter: Interpreter
    project: Project
    steps: tuple[str, ...] = ()
    """Commands of a workflow that build something; tried if the plan alone does not do."""


def detect(root: Path, pythons: Sequence[Interpreter], *, python: str = "") -> Detected:
    """Reads a repository.

    Args:
        root: its folder.
        pythons: what there is to choose from.
        python: a version to take whatever the project says, as `3.11`.

    Raises:
        UsageError: it needs a Python that is not there.

    """
    project = read_project(root)
    needs = Needs()
    flow = workflow.read_workflows(root)
    tested = flow.pythons or _classified(project)
    interpreter = choose(pythons, requires=f"=={python}.*" if python else project.requires_python, tested=tested)
    flow = workflow.read_workflows(root, interpreter.minor)
    _project_needs(project, needs)
    read_declared(root, needs)
    _workflow_needs(flow, root, needs)
    for extra in needs.extras:
        needs.add(project.extra(extra), f"extra {extra}")
    for group in needs.groups:
        needs.add(project.groups.get(group, []), f"group {group}")
    settings = pytest_settings(root)
    needs.add([plugin for name, plugin in _PLUGIN_SETTINGS.items() if name in settings], "pytest's configuration")
    plan = InstallPlan(
        python=interpreter.minor,
        requirements=tuple(dict.fromkeys(["pytest", *needs.requirements])),
        build_requirements=tuple(project.build_requirements),
        dependencies=tuple(project.dependencies),
        install="editable" if project.is_installable else "path",
        paths=tuple(path for path in (".", "src", "lib") if path == "." or _has_modules(root / path)),
        environment=_harmless(flow.environment),
        arguments=tuple(pytest_arguments(root, settings, needs.arguments)),
        reasons=tuple(dict.fromkeys(filter(None, [*needs.reasons, flow.note]))),
    )
    return Detected(plan=plan, interpreter=interpreter, project=project, steps=tuple(workflow.others(flow)))


def _project_needs(project: Project, needs: Needs) -> None:
    for name in project.extras:
        if TEST_NAME.fullmatch(name):
            needs.add(project.extra(name), f"extra {name}")
    for name, requirements in project.groups.items():
        if TEST_NAME.fullmatch(name):
            needs.add(requirements, f"group {name}")


def _workflow_needs(flow: workflow.Workflow, root: Path, needs: Needs) -> None:
    where = f"workflow {flow.file}"
    for step in workflow.installs(flow):
        needs.add_install(step, root, where)
    if flow.test:
        needs.add_test(flow.test, where)


def _classified(project: Project) -> list[str]:
    found = (re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", text) for text in project.classifiers)
    return [match[1] for match in found if match]


def _harmless(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables of a workflow that tests may look at; not those that steer tools, or CI itself."""
    unwanted = re.compile(
        r"(?i)(CI$|GITHUB|CODECOV|COVERALLS|TOKEN|SECRET|PASSWORD|PIP_|UV_|FORCE_COLOR|PY_COLORS|TOX|NOX|PATH$|PYTHON)"
    )
    return {name: value for name, value in environment.items() if not unwanted.match(name) and re.fullmatch(r"\w+", name)}


def _has_modules(folder: Path) -> bool:
    return any(folder.glob("*.py")) or any(folder.glob("*/__init__.py"))


def pytest_settings(root: Path) -> Mapping[str, Any]:
    """Pytest's configuration, as the first file has it that pytest itself would read; names in lower case."""
    for name, section in (("pytest.ini", "pytest"), (".pytest.ini", "pytest")):
        if (root / name).is_file():
            parser = read_ini(root / name)
            return dict(parser.items(section)) if parser.has_section(section) else {}
    tool = table(read_toml(root / "pyproject.toml"), "tool", "pytest")
    options = table(tool, "ini_options") or {name: value for name, value in tool.items() if name != "ini_options"}
    if options:
        return {name.lower(): value for name, value in options.items()}
    for name, section in (("tox.ini", "pytest"), ("setup.cfg", "tool:pytest")):
        parser = read_ini(root / name)
        if parser.has_section(section):
            return dict(parser.items(section))
    return {}


def pytest_arguments(root: Path, settings: Mapping[str, Any], declared: Sequence[str] | None) -> list[str]:
    """How pytest is called: without the options of plugins that are not there, on paths that are."""
    found = ["-o", "addopts="] if settings.get("addopts") else []
    found += ["-o", "required_plugins="] if settings.get("required_plugins") else []
    options, _ = commands.split_arguments(commands.kept_arguments(_words(settings.get("addopts", ""))))
    more, targets = commands.split_arguments(declared or [])
    found += [word for word in options if word] + [word for word in more if word not in options]
    targets = [target for target in targets if "--pyargs" in found or _exists(root, target)]
    paths = targets if targets or _words(settings.get("testpaths", "")) else _test_paths(root)
    if not settings.get("python_files") and not _finds(root, paths or _words(settings.get("testpaths", ""))):
        found += ["-o", "python_files=test*.py *_test.py tests.py *_tests.py"]
    return found + paths


def _words(value: object) -> list[str]:
    return strings(value) if isinstance(value, list) else commands.words(str(value or "").replace("\n", " "))


def _exists(root: Path, target: str) -> bool:
    path = (root / target.split("::")[0]).resolve()
    return any(root.glob(target)) if "*" in target else path.exists() and root.resolve() in (path, *path.parents)


def _test_paths(root: Path) -> list[str]:
    """Folders or files that hold tests, by their names."""
    folders = [name for name in _TEST_FOLDERS if (root / name).is_dir() and any((root / name).rglob("*.py"))]
    if folders:
        return folders[:1] if folders[0] == "tests" else folders
    inside = sorted(
        {path.relative_to(root).as_posix() for path in root.glob("*/test*") if path.is_dir() and any(path.rglob("*.py"))}
    )
    inside += sorted(path.relative_to(root).as_posix() for path in root.glob("src/*/test*") if path.is_dir())
    top = sorted(path.name for path in root.glob("*.py") if re.fullmatch(r"tests?(_.*)?\.py|.*_tests?\.py", path.name))
    return [*(path for path in inside if not re.match(r"(docs?|examples?|build)/", path)), *top]


def _finds(root: Path, paths: Sequence[str]) -> bool:
    """Whether pytest's own patterns match any file."""
    for path in [root / name for name in paths] or [root]:
        if path.is_file() or (path.is_dir() and (any(path.rglob("test_*.py")) or any(path.rglob("*_test.py")))):
            return True
    return bool(paths) and any("*" in name or "::" in name for name in paths)
