"""Requirements as text: names, files of them, which ones tests need, and which distribution has a module.

read_file(root / "requirements-dev.txt", root)            # ['pytest>=7', 'hypothesis']
wanted(["pytest>=7", "sphinx", "ruff==0.4"])              # ['pytest>=7']
distribution_of("yaml")                                   # 'pyyaml'
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_NAME = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(\[[^\]]*\])?\s*(.*)", re.DOTALL)
_MAX_BYTES = 200_000
TEST_NAME = re.compile(r"(?i)(.*[-_.])?(tests?|testing|dev|develop|development|ci|all)([-_.].*)?")
"""Names of extras, groups, environments and files of requirements that tests may need."""

_UNNEEDED = re.compile(
    r"(sphinx.*|furo|mkdocs.*|docutils.*|numpydoc|myst-.*|nbsphinx|ruff|mypy|mypy-extensions|black|blacken.*|flake8.*|pep8.*"
    r"|pycodestyle|pyflakes|pydocstyle|pylint.*|isort|autopep8|yapf|bandit|pyright|basedpyright|ty|pyroma|vulture|codespell"
    r"|docformatter|interrogate|pre-commit.*|prek|tox.*|nox|build|twine|wheel|flit|flit-core|hatch|hatchling|hatch-.*|bump.*"
    r"|towncrier|check-.*|codecov|coverage|coveralls.*|zest.*|invoke|commitizen|ipdb|ipython|jupyter.*|notebook"
    r"|pytest-(cov|sugar|benchmark|flake8|black|mypy|pylint|ruff|isort|codspeed|checkdocs|enabler|pep8|xdist|memray|mypy-.*)"
    r"|doc8|rstcheck|readme-renderer|memray|types-.*|.*-stubs|pyinstaller|sdist|uv|pdm|poetry|pip|setuptools.*|atheris"
    r"|cibuildwheel|scriv|gitpython|safety|licensecheck|mutmut|cosmic-ray|asv|pyperf)"
)
"""What checks, documents, measures or publishes a project; its tests do without."""

_DISTRIBUTIONS = {
    "attr": "attrs", "bs4": "beautifulsoup4", "crypto": "pycryptodome", "cv2": "opencv-python-headless", "dateutil":
    "python-dateutil", "docx": "python-docx", "dotenv": "python-dotenv", "flask_sqlalchemy": "flask-sqlalchemy",
    "github": "pygithub", "git": "gitpython", "google.protobuf": "protobuf", "importlib_metadata": "importlib-metadata",
    "jose": "python-jose", "jwt": "pyjwt", "ldap": "python-ldap", "magic": "python-magic", "markdown": "markdown", "mock":
    "mock", "mpl_toolkits": "matplotlib", "openssl": "pyopenssl", "pil": "pillow", "pkg_resources": "setuptools<81",
    "pretend": "pretend", "psycopg2": "psycopg2-binary", "pytest_asyncio": "pytest-asyncio", "pytest_mock": "pytest-mock",
    "ruamel": "ruamel.yaml", "serial": "pyserial", "skimage": "scikit-image", "sklearn": "scikit-learn", "slugify":
    "python-slugify", "socks": "pysocks", "typing_extensions": "typing-extensions", "usb": "pyusb", "win32api": "pywin32",
    "yaml": "pyyaml", "zmq": "pyzmq", "zope.interface": "zope.interface", "multipart": "python-multipart", "lxml": "lxml",
    "distutils": "setuptools<81", "nose": "pynose", "fakeredis": "fakeredis", "gi": "pygobject", "pywintypes": "pywin32",
    "ujson": "ujson", "levenshtein": "levenshtein", "xdist": "pytest-xdist", "pytest_cov": "pytest-cov", "imp": "",
}  # fmt: skip
"""Distributions that are not called like what they hold; empty: there is none to install."""
_FIXTURES = {
    "mocker": "pytest-mock", "benchmark": "pytest-benchmark", "httpbin": "pytest-httpbin", "freezer": "pytest-freezer",
    "httpserver": "pytest-httpserver", "subtests": "pytest-subtests", "datadir": "pytest-datadir", "snapshot": "syrupy",
    "event_loop": "pytest-asyncio<0.23", "requests_mock": "requests-mock", "faker": "faker", "fs": "pyfakefs",
    "file_regression": "pytest-regressions", "data_regression": "pytest-regressions", "testdir": "", "aiohttp_client":
    "pytest-aiohttp", "qtbot": "pytest-qt", "respx_mock": "respx", "httpx_mock": "pytest-httpx", "responses": "responses",
}  # fmt: skip
"""Plugins by the fixtures that they bring."""


def name_of(requirement: str) -> str:
    """The distribution's name, normalised as PEP 503 has it; empty where there is none."""
    match = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", match[1]).lower() if match else ""


def extras_of(requirement: str) -> tuple[str, ...]:
    """Extras that a requirement asks for: of `a[b,c]` they are `b` and `c`."""
    match = _NAME.match(requirement)
    return tuple(part.strip() for part in match[2][1:-1].split(",") if part.strip()) if match and match[2] else ()


def unpinned(requirement: str) -> str:
    """The same with whatever version there is; markers stay."""
    match = _NAME.match(requirement)
    if not match:
        return requirement
    _, semicolon, marker = match[3].partition(";")
    return f"{match[1]}{match[2] or ''}" + (f"; {marker.strip()}" if semicolon else "")


def wanted(requirements: Iterable[str]) -> list[str]:
    """Those that tests may need, each once; what is none, or has a template's braces in it, is left out."""
    found = (text.strip() for text in requirements)
    return list(dict.fromkeys(text for text in found if text and "{" not in text and _is_wanted(text)))


def _is_wanted(requirement: str) -> bool:
    name = name_of(requirement)
    has_address = re.match(r"[^;]*(@|://)", requirement) is not None
    return bool(name) and not has_address and not _UNNEEDED.fullmatch(name)


def distribution_of(module: str) -> str:
    """The distribution that has a module, by a short table and else by its name; empty where there is none to install."""
    first = module.split(".")[0]
    return next((_DISTRIBUTIONS[key] for key in (module.lower(), first.lower()) if key in _DISTRIBUTIONS), first)


def distribution_of_fixture(fixture: str) -> str:
    """The pytest plugin that brings a fixture; empty if it is not known."""
    return _FIXTURES.get(fixture, "")


def read_file(path: Path, root: Path) -> list[str]:
    """Requirements of a file and of those that it includes, as long as they lie in the repository."""
    return list(dict.fromkeys(_lines(path, root.resolve(), set())))


def _lines(path: Path, root: Path, seen: set[Path]) -> Iterator[str]:
    path = path.resolve()
    if path in seen or root not in path.parents or not path.is_file() or path.stat().st_size > _MAX_BYTES:
        return
    seen.add(path)
    text = path.read_text(encoding="utf-8-sig", errors="replace").replace("\\\n", " ")
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        include = re.match(r"(?:-r|--requirement)[\s=]*(\S+)", line)
        if include:
            yield from _lines(path.parent / include[1], root, seen)
        elif line and not line.startswith("-"):
            yield re.sub(r"\s+--hash[= ]\S+", "", line).strip()
