"""Shell commands as people write them in workflows, Makefiles and tox: what they install, and how they run tests.

    read_install("python -m pip install -e .[test] -r dev.txt")   # Install(extras=['test'], files=['dev.txt'], project=True)
    test_arguments("coverage run -m pytest -v tests/unit")        # ['tests/unit']

Nothing is run. Of pytest's options only those of pytest itself that change what is collected are taken: coverage,
parallelism, verbosity and the like are the caller's affair, and options of plugins would fail without them.
"""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field

from foretrace.repos.requirements import extras_of

_INSTALL = re.compile(
    r"(?:^|[\s;&|])(?:(?:\S*python\S*\s+-m\s+)?(?:uv\s+)?pip[\d.]*\s+install|poetry\s+install|uv\s+sync|pdm\s+install)(?:\s|$)"
)
_TEST = re.compile(
    r"(?:^|[\s;&|/])(?:pytest|py\.test|tox|nox|hatch\s+(?:run\s+\S*test|test)|make\s+\S*(?:test|check)\S*|\S*python\S*\s+(?:-\S+\s+)*"
    r"(?:-m\s+(?:pytest|unittest|tox|nox|nose\S*|coverage\s+run)|setup\.py\s+test)|coverage\s+run|nosetests)(?:\s|$)"
)
_PYTEST = re.compile(r"(?:^|[\s;&|/])(?:pytest|py\.test)(?=\s|$)")
_WITH_VALUE = {"-k", "-m", "-p", "-c", "-o", "-W", "--ignore", "--ignore-glob", "--deselect", "--import-mode", "--rootdir"}
_WITH_VALUE |= {"--doctest-glob", "--confcutdir", "--override-ini", "--pythonwarnings"}
_ALONE = {"--doctest-modules", "--doctest-continue-on-failure", "--doctest-ignore-import-errors", "--pyargs", "--noconftest"}
_IGNORED_WITH_VALUE = {"-n", "--maxfail", "--durations", "--tb", "--color", "-r", "--junitxml", "--junit-xml", "--log-level"}
_IGNORED_WITH_VALUE |= {"--cov", "--cov-config", "--numprocesses", "--dist", "--timeout", "--reruns", "--basetemp"}
_INSTALL_WITH_VALUE = {"-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--target", "-t", "--python", "-p"}
_INSTALL_WITH_VALUE |= {"-c", "--constraint", "--config-settings", "--only-binary", "--no-binary"}


@dataclass(slots=True)
class Install:
    """What a command installs."""

    requirements: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    project: bool = False
    """Whether the repository itself is among it."""


def is_test(command: str) -> bool:
    """Whether a command runs tests."""
    return _TEST.search(command) is not None and not is_install(command)


def is_install(command: str) -> bool:
    """Whether a command installs packages of Python."""
    return _INSTALL.search(command) is not None


def read_install(command: str) -> Install:
    """What a command installs; all that can be told without a shell."""
    found = Install()
    for part in re.split(r"&&|\|\||;|\n", command):
        match = _INSTALL.search(f" {part}")
        if match:
            _read_words(words(f" {part}"[match.end() :]), found)
    return found


def _read_words(texts: list[str], found: Install) -> None:
    rest = iter(texts)
    for word in rest:
        option, equals, value = word.partition("=")
        if option in ("-r", "--requirement"):
            found.files.append(value if equals else next(rest, ""))
        elif word.startswith("-r") and len(word) > 2:
            found.files.append(word[2:])
        elif option in ("--group", "--with", "--only-group"):
            found.groups += (value if equals else next(rest, "")).split(",")
        elif option in ("--extra", "-E", "--extras"):
            found.extras += (value if equals else next(rest, "")).replace(",", " ").split()
        elif option in _INSTALL_WITH_VALUE and not equals:
            next(rest, "")
        elif not word.startswith("-"):
            _read_package(word, found)


def _read_package(word: str, found: Install) -> None:
    local = re.fullmatch(r"(?:\./?|\$\{?PWD\}?/?|\{toxinidir\}/?)(\[[^\]]*\])?", word)
    if local:
        found.project = True
        found.extras += extras_of(f"x{local[1] or ''}")
    elif re.match(r"[A-Za-z0-9][\w.-]*(\[[^\]]*\])?\s*($|[<>=!~;@])", word) and not word.endswith(
        (".whl", ".tar.gz", ".zip")
    ):
        found.requirements.append(word)


def test_arguments(command: str) -> list[str] | None:
    """Arguments of the first pytest in a command, as far as they say what to collect; None if it runs none."""
    for part in re.split(r"&&|\|\||;|\n", command):
        match = _PYTEST.search(f" {part}")
        if match and not is_install(part):
            return kept_arguments(words(f" {part}"[match.end() :]))
    return None


def kept_arguments(texts: list[str]) -> list[str]:
    """Of pytest's arguments, those that say what to collect and how; templates and variables are left out."""
    kept: list[str] = []
    rest = iter(texts)
    for word in rest:
        option, equals, _ = word.partition("=")
        if option in _WITH_VALUE:
            value = [] if equals else [next(rest, "")]
            if not any("$" in text or "{" in text for text in (word, *value)):
                kept += [word, *value]
        elif option in _IGNORED_WITH_VALUE and not equals:
            if not (option == "--cov" or option == "-r"):  # those may stand alone
                next(rest, "")
        elif word in _ALONE or (not word.startswith("-") and re.fullmatch(r"[\w./:*?-]+", word) and word != "."):
            kept.append(word)
    return kept


def split_arguments(arguments: Iterable[str]) -> tuple[list[str], list[str]]:
    """Pytest's options, and what it is asked to run."""
    options, targets = [], []
    rest = iter(arguments)
    for word in rest:
        if not word.startswith("-"):
            targets.append(word)
            continue
        options.append(word)
        if word in _WITH_VALUE:
            options.append(next(rest, ""))
    return options, targets


def words(text: str) -> list[str]:
    """The words of a command as a shell has them, up to a pipe or a redirection; a quote that does not close is none."""
    text = re.split(r"(?<![<>=!~\w'\"])\d?>|\|", text, maxsplit=1)[0]
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return text.split()
