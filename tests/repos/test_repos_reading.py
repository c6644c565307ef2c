"""What is read of a repository without running it: requirements, commands, metadata, tox, nox, Makefiles, workflows."""

import json
from pathlib import Path

import pytest

from foretrace.repos import commands
from foretrace.repos.declared import Needs, read_declared
from foretrace.repos.poetry import requirement, specifier
from foretrace.repos.project import read_project
from foretrace.repos.requirements import distribution_of, extras_of, name_of, read_file, unpinned, wanted
from foretrace.repos.setup_call import read_setup
from foretrace.repos.workflow import installs, others, read_workflows


def write(root: Path, **files: str) -> Path:
    """Files by names in which `__` is a dot, as `setup__py`."""
    for name, text in files.items():
        path = root / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_requirements_are_taken_apart() -> None:
    assert name_of("Typing_Extensions>=4; python_version < '3.11'") == "typing-extensions"
    assert name_of("-r other.txt") == ""
    assert extras_of("a[b, c]>=1") == ("b", "c")
    assert unpinned("a[b]==1.0; os_name == 'nt'") == "a[b]; os_name == 'nt'"
    assert unpinned("a >= 1, < 2") == "a"
    assert distribution_of("yaml.nodes") == "pyyaml"
    assert distribution_of("pkg_resources") == "setuptools<81"
    assert distribution_of("whatever") == "whatever"


def test_what_only_checks_or_publishes_is_not_wanted() -> None:
    given = [
        "pytest>=7",
        "sphinx",
        "ruff==0.4",
        "pytest-cov",
        "pytest-mock",
        "a @ https://host/a.whl",
        "{[base]deps}",
        "pytest>=7",
        "mypy",
    ]
    assert wanted(given) == ["pytest>=7", "pytest-mock"]


def test_files_of_requirements_include_each_other_within_the_repository(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    (tmp_path / "secret.txt").write_text("leaked\n")
    (root / "dev.txt").write_text("-r base.txt\n-r ../secret.txt\na==1 \\\n    --hash=sha256:00\n# no\n-e .\nb # why\n")
    (root / "base.txt").write_text("-r dev.txt\nc>=1\n")
    assert read_file(root / "dev.txt", root) == ["c>=1", "a==1", "b"]


@pytest.mark.parametrize(
    ("command", "requirements", "files", "extras", "project"),
    [
        ("python -m pip install -e .[test,dev] pytest", ["pytest"], [], ["test", "dev"], True),
        ("pip install -r dev.txt --upgrade 'a>=1'", ["a>=1"], ["dev.txt"], [], False),
        ("uv pip install --system -rdev.txt a", ["a"], ["dev.txt"], [], False),
        ("cd x && pip3 install . || true", [], [], [], True),
        ("pip install --index-url https://host/simple a", ["a"], [], [], False),
        ("poetry install --with test --extras 'a b'", [], [], ["a", "b"], False),
        ("echo pip install", [], [], [], False),
    ],
)
def test_installing_commands(
    command: str, requirements: list[str], files: list[str], extras: list[str], project: bool
) -> None:
    found = commands.read_install(command)
    assert (found.requirements, found.files, found.extras, found.project) == (requirements, files, extras, project)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("pytest", []),
        ("coverage run -m pytest -v -n 4 --cov=x tests/unit -k 'not slow'", ["tests/unit", "-k", "not slow"]),
        ("python -Im pytest --doctest-modules --maxfail 1 src", ["--doctest-modules", "src"]),
        ("py.test $ARGS {posargs} tests | tee log", ["tests"]),
        ("pip install pytest", None),
        ("tox -e py", None),
    ],
)
def test_testing_commands(command: str, arguments: list[str] | None) -> None:
    assert commands.test_arguments(command) == arguments
    assert commands.is_test(command) is not commands.is_install(command)


def test_poetrys_versions() -> None:
    pairs = {"^1.2.3": ">=1.2.3,<2", "^0.2": ">=0.2,<0.3", "~1.2": ">=1.2,<1.3", "*": "", "1.*": "==1.*", ">=1,<2": ">=1,<2"}
    assert {text: specifier(text) for text in pairs} == pairs
    assert (
        requirement("a", {"version": "^1", "extras": ["x"], "markers": "os_name == 'nt'"}) == "a[x]>=1,<2; os_name == 'nt'"
    )
    assert requirement("a", {"version": "*", "python": ">=3.11"}) == 'a; python_version >= "3.11"'


def test_setup_is_read_and_not_run() -> None:
    source = (
        "import os\nos._exit(1)\ndeps = ['a']\ntests = {'test': deps + ['b'], 'bad': open('x').read()}\n"
        "setuptools.setup(name='x', install_requires=deps, extras_require=tests, version=find(), **dict(python_requires='>=3.8'))\n"
    )
    assert read_setup(source) == {
        "name": "x",
        "install_requires": ["a"],
        "extras_require": {"test": ["a", "b"]},
        "python_requires": ">=3.8",
    }
    assert read_setup("setup(") == {}


def test_projects_of_every_kind(tmp_path: Path) -> None:
    pep621 = read_project(
        write(
            tmp_path / "a",
            pyproject__toml='[project]\nname = "a-b"\nrequires-python = ">=3.9"\ndependencies = ["c"]\n'
            '[project.optional-dependencies]\nall = ["A_b[x]", "y"]\nx = ["z"]\n'
            '[dependency-groups]\ndev = [{include-group = "test"}, "d"]\ntest = ["t"]\n[tool.uv]\ndev-dependencies = ["u"]\n',
        )
    )
    assert pep621.extra("all") == ["z", "y"]
    assert pep621.groups == {"dev": ["t", "d", "u"], "test": ["t"]}
    assert (pep621.requires_python, pep621.dependencies, pep621.is_installable) == (">=3.9", ["c"], True)

    poetry = read_project(
        write(
            tmp_path / "b",
            pyproject__toml='[tool.poetry]\nname = "b"\n[tool.poetry.dependencies]\npython = "^3.9"\nc = "^1"\n'
            'o = {version = "*", optional = true}\n[tool.poetry.group.test.dependencies]\npytest = "*"\n'
            '[tool.poetry.extras]\nmore = ["o"]\n[build-system]\nrequires = ["poetry-core"]\n',
        )
    )
    assert (poetry.requires_python, poetry.dependencies, poetry.groups["test"]) == (">=3.9,<4", ["c>=1,<2"], ["pytest"])
    assert (poetry.extra("more"), poetry.build_requirements) == (["o"], ["poetry-core"])

    old = read_project(
        write(
            tmp_path / "c",
            setup__cfg="[options]\npython_requires = >=3.6\ninstall_requires =\n  c  # why\n[options.extras_require]\ntest =\n  t\n",
            setup__py="from setuptools import setup\nsetup(name='c', tests_require=['n'])\n",
        )
    )
    assert (old.name, old.dependencies, old.extra("test"), old.groups) == ("c", ["c"], ["t"], {"test": ["n"]})
    assert old.build_requirements == ["setuptools>=40.8", "wheel"]

    sdist = read_project(
        write(
            tmp_path / "d",
            **{
                "PKG-INFO": 'Name: d\nRequires-Dist: c>1; python_version>"3"\nRequires-Dist: t; (os_name=="nt") and extra == "test"\n'
            },
        )
    )
    assert sdist.dependencies == ['c>1; python_version>"3"']
    assert sdist.extra("test") == ['t; os_name=="nt"']
    assert not sdist.is_installable


def test_damaged_files_tell_nothing(tmp_path: Path) -> None:
    write(
        tmp_path,
        pyproject__toml="[[[",
        setup__cfg="= no",
        tox__ini="[",
        noxfile__py="def (",
        setup__py="(",
        Makefile="\t\x00",
    )
    assert read_project(tmp_path).name == ""
    read_declared(tmp_path, Needs())


def test_files_that_would_grow_without_end_take_no_time(tmp_path: Path) -> None:
    names = [f"e{number}" for number in range(40)]
    each = json.dumps([f"p[{name}]" for name in names])
    every = "[" + "".join(f"{{include-group = '{name}'}}, " for name in names) + "'x']"
    extras, groups = ("\n".join(f"{name} = {text}" for name in names) for text in (each, every))
    setup = [
        "a0 = ['x']",
        *(f"a{n} = [" + f"a{n - 1}, " * 30 + "]" for n in range(1, 15)),
        "setup(name='s', tests_require=a14)",
    ]
    bomb = ["x: &x0 [y, y]", *(f"x{n}: &x{n} [" + f"*x{n - 1}, " * 9 + "]" for n in range(1, 12))]
    jobs = "jobs: {t: {env: {A: *x11}, strategy: {matrix: {3: [1], include: *x11}}, steps: [{run: pytest}]}}"
    workflows = {".github/workflows/a.yml": "\n".join([*bomb, jobs]), ".github/workflows/b.yml": "a: !!int ''"}
    for name, text in {
        "pyproject.toml": f"[project]\nname = 'p'\n[project.optional-dependencies]\n{extras}\n[dependency-groups]\n{groups}\n",
        "setup.py": "\n".join(setup),
        **workflows,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    project = read_project(tmp_path)
    assert (project.extra("e0"), project.groups["e1"]) == ([], ["x"] * 40)
    assert read_setup("\n".join(setup)) == {"name": "s"}
    assert read_workflows(tmp_path).test == ""
    (tmp_path / ".github/workflows/c.yml").write_text("jobs: {t: {strategy: {matrix: {3: [1]}}, steps: [{run: pytest}]}}")
    assert read_workflows(tmp_path).test == "pytest"
    write(tmp_path, pyproject__toml=f"a = {'9' * 5000}")
    assert read_project(tmp_path).name == "s"


def test_tox_nox_and_makefiles(tmp_path: Path) -> None:
    write(
        tmp_path,
        tox__ini="[testenv]\ndeps =\n  pytest\n  py27: mock\n  {py310,py311}: new\n  -r{toxinidir}/more.txt\n  .[x]\n"
        "extras = tests\ncommands =\n  pytest -v {posargs:tests}\n",
        more__txt="more\n",
        noxfile__py="def tests(session):\n    session.install('.[fast]', 'fromnox')\n    session.run('pytest', 'unit')\n",
        Makefile="test:\n\t@pip install made\n\tpytest elsewhere\npublish:\n\tpip install never\n",
    )
    needs = Needs()
    read_declared(tmp_path, needs)
    assert needs.requirements == ["pytest", "new", "more", "fromnox", "made"]
    assert needs.extras == ["tests", "fast"]
    assert needs.arguments == ["tests"]


WORKFLOW = """
name: CI
on: push
env: {MODE: fast}
jobs:
  lint:
    steps:
      - run: ruff check .
  test:
    runs-on: ${{ matrix.os }}
    strategy:
      matrix:
        os: [windows-latest, ubuntu-latest]
        python-version: ["3.9", "3.11", "3.12"]
    steps:
      - uses: actions/checkout@v4
      - uses: someone/database@v1
      - name: windows only
        if: runner.os == 'Windows'
        run: choco install x
      - run: sudo apt-get install -y libx
      - run: |
          python -m pip install -e .[test] \\
            extra==${{ matrix.python-version }}
          if [ -f x ]; then
            make x
          fi
          echo ${{ secrets.TOKEN }}
      - run: python setup.py build_ext --inplace
      - run: pytest -v tests
      - run: codecov
"""


def test_a_workflow_is_read_up_to_its_tests(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    write(
        tmp_path / ".github" / "workflows",
        ci__yml=WORKFLOW,
        bad__yml="a: [",
        docs__yaml="jobs: {docs: {steps: [{run: make html}]}}",
    )
    flow = read_workflows(tmp_path, "3.11")
    assert (flow.file, flow.test, flow.pythons, flow.environment) == (
        "ci.yml",
        "pytest -v tests",
        ["3.9", "3.11", "3.12"],
        {"MODE": "fast"},
    )
    assert installs(flow) == ["python -m pip install -e .[test]    extra==3.11"]
    assert others(flow) == ["if [ -f x ]; then\n  make x\nfi", "python setup.py build_ext --inplace"]
    assert flow.missing == ["someone/database@v1"]
    assert read_workflows(tmp_path / "nowhere").test == ""
