"""Whole images: built, built again, failed, rescued, checked, listed. Fetches pytest and setuptools once, as wheels."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from small_image import needs_box

from foretrace.cli.main import cli
from foretrace.repos import (
    Attempt,
    BuildOptions,
    InstallPlan,
    Outcome,
    TestLimits,
    build,
    build_all,
    load_image,
    read_source,
    run_tests,
)
from foretrace.repos.check import check
from foretrace.repos.interpreters import find_interpreters
from foretrace.repos.wheels import TOOLS, Wheelhouse, find_installer
from foretrace.sandbox.environments import open_environment

pytestmark = needs_box

CODE = "def add(a, b):\n    return a + b\n\n\ndef half(n):\n    return n // 2\n"
TESTS = "from small import add, half\n\n\ndef test_add():\n    assert add(1, 2) == 3\n\n\ndef test_half():\n    assert half(4) == 2\n"
PROJECT = {
    "pyproject.toml": '[project]\nname = "small"\nversion = "1.0"\nlicense = "MIT"\n[build-system]\nrequires = ["setuptools"]\n'
    'build-backend = "setuptools.build_meta"\n',
    "small/__init__.py": CODE,
    "tests/test_small.py": TESTS,
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images that has what building needs."""
    folder = tmp_path_factory.mktemp("images")
    ours = next(each for each in find_interpreters() if each.minor == f"3.{sys.version_info[1]}")
    wheels = Wheelhouse(folder / ".cache" / "wheels")
    for requirements in (TOOLS, ["setuptools"], ["pytest"]):
        fetched = wheels.fetch(requirements, ours, folder / ".seed")
        if not fetched.is_complete:
            pytest.skip(f"no package index: {fetched.log[-200:]}")
    return folder


def write(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return str(root)


OPTIONS = BuildOptions(network=False, tests=TestLimits(seconds=60, runs=2))


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A project of this module's own."""
    return write(tmp_path_factory.mktemp("sources") / "small", PROJECT)


@pytest.fixture(scope="module")
def name(spec: str, out: Path) -> str:
    """Its image's."""
    built = build(read_source(spec), out, OPTIONS)
    assert built.image is not None, built.reason
    return built.name


def test_an_image_has_what_it_takes(name: str, out: Path) -> None:
    image = load_image(out / name)
    assert (image.name, image.origin.licence, image.packages["small"]) == ("small-1.0", "MIT", "1.0")
    assert image.passing == {"tests/test_small.py::test_add", "tests/test_small.py::test_half"}
    assert not image.flaky
    assert image.notes["used_network"] is False
    files = {
        path.relative_to(out / name / "layer").as_posix() for path in (out / name / "layer").rglob("*") if path.is_file()
    }
    assert not [file for file in files if file.startswith("testbed/") and file.endswith(".pyc")]
    assert not [file for file in files if "/pip/" in file or "/setuptools/" in file]
    assert (out / name / "Containerfile").read_text().count("RUN") >= 3
    with open_environment(image.image) as environment:
        told = environment.exec(["git", "log", "--format=%H %P", "--all"]).output.decode()
        assert told == f"{image.head} \n"
        assert environment.exec(["git", "status", "--porcelain"]).output == b""
        assert (
            environment.exec(["python", "-c", "import small; print(small.__file__)"]).output
            == b"/testbed/small/__init__.py\n"
        )
        assert environment.exec(["find", "/", "-xdev", "-name", "pip*", "-path", "*site-packages*"]).output == b""
        environment.write("/testbed/small/__init__.py", CODE.replace("a + b", "a - b").encode())
        run = run_tests(environment, image)
        assert run.outcomes["tests/test_small.py::test_add"] is Outcome.FAILED
        assert run.passed == {"tests/test_small.py::test_half"}
        assert environment.exec(["git", "diff", "--stat"]).output.decode().count("small/__init__.py") == 1


def test_nothing_is_built_twice(name: str, spec: str, out: Path) -> None:
    again = build(read_source(spec), out, OPTIONS)
    assert again.was_there
    assert again.image is not None
    assert again.image.digest == load_image(out / name).digest


@pytest.mark.slow
@pytest.mark.parametrize(
    "installer", ["pip", pytest.param("uv", marks=pytest.mark.skipif(not find_installer(""), reason="no uv"))]
)
def test_equal_sources_give_equal_images(spec: str, out: Path, tmp_path: Path, installer: str) -> None:
    made = []
    for place in (tmp_path / "a", tmp_path / "b"):
        place.mkdir()
        (place / ".cache").symlink_to(out / ".cache")
        built = build(read_source(spec), place, replace(OPTIONS, installer=installer, tests=TestLimits(runs=1)))
        assert built.image is not None, built.reason
        made.append((built.image.digest, built.image.head, sorted(built.image.passing)))
    assert made[0] == made[1]


def test_checking_tells_what_has_changed(name: str, out: Path, tmp_path: Path) -> None:
    image = load_image(out / name)
    assert check(image).ok
    subprocess.run(["cp", "-a", str(out / name), str(out / "changed")], check=True)
    changed = out / "changed" / "layer" / "testbed" / "small" / "__init__.py"
    changed.unlink()
    changed.write_text(CODE.replace("//", "*"))
    found = check(load_image(out / "changed"))
    subprocess.run(["rm", "-r", str(out / "changed")], check=True)
    assert not found.ok
    assert found.changed == ("layer",)
    assert found.different == {"tests/test_small.py::test_half": "passed, now failed"}


def test_flaky_tests_are_noted_and_hostile_ones_contained(out: Path, tmp_path: Path) -> None:
    hostile = (
        "import os, pathlib, socket, subprocess\nimport pytest\n\n\n"
        "@pytest.mark.parametrize('n', [os.urandom(4).hex()])\ndef test_new_name(n): ...\n\n\n"
        "def test_no_network():\n    with pytest.raises(OSError):\n        socket.create_connection(('198.51.100.1', 80), 1)\n\n\n"
        f"def test_writes():\n    for place in ('/testbed/x', '/opt/venv/x', '{tmp_path}/x', '/usr/x'):\n"
        "        try:\n            pathlib.Path(place).write_text('x')\n        except OSError:\n            pass\n\n\n"
        "def test_history():\n    subprocess.run(['git', 'commit', '--allow-empty', '-qm', 'x'])\n\n\n"
        "def test_nothing_is_left():\n    assert not os.path.exists('/testbed/x')\n\n\n"
        "def test_takes_its_time():\n    import time\n    time.sleep(0.01)\n"
    )
    spec = write(tmp_path / "hostile", {**PROJECT, "tests/test_hostile.py": hostile, "tests/test_a.py": TESTS * 4})
    built = build(read_source(spec), out, replace(OPTIONS, tests=TestLimits(seconds=60, least=0.4)))
    assert built.image is not None, built.reason
    names = {f"tests/test_hostile.py::{name}" for name in ("test_new_name", "test_takes_its_time")}
    assert {test.split("[")[0] for test in built.image.flaky} == names
    assert len(built.image.flaky) == 4
    assert not (tmp_path / "x").exists()
    assert not (built.image.folder / "layer" / "testbed" / "x").exists()
    assert "tests/test_hostile.py::test_nothing_is_left" not in built.image.passing


def test_what_does_not_build_is_put_on_the_path(out: Path, tmp_path: Path) -> None:
    escapes = f"import os\nos.system('touch {tmp_path}/escaped /testbed/was_here')\nraise SystemExit('no')\n"
    files = {"setup.py": escapes, "lib/small/__init__.py": CODE, "test_small.py": TESTS}
    built = build(read_source(write(tmp_path / "old", files)), out, OPTIONS)
    assert built.image is not None, built.reason
    assert built.image.plan.install == "path"
    assert built.image.notes["attempts"][0]["reason"].startswith("it does not install")
    assert len(built.image.passing) == 2
    assert not (tmp_path / "escaped").exists()
    assert not (built.image.folder / "layer" / "testbed" / "was_here").exists()


def test_failures_are_kept_with_their_reasons(out: Path, tmp_path: Path) -> None:
    spec = write(tmp_path / "bad", {**PROJECT, "tests/test_small.py": TESTS.replace("== 3", "== 4")})
    first = build(read_source(spec), out, OPTIONS)
    assert (first.image, first.reason) == (None, "50% of its tests pass, and 80% must")
    again = build(read_source(spec), out, OPTIONS)
    assert (again.reason, again.was_there) == (first.reason, True)
    (report,) = [
        data for path in (out / ".failed").glob("*.json") if (data := json.loads(path.read_text()))["source"] == spec
    ]
    assert "assert add(1, 2) == 4" in report["attempts"][0]["log"]
    assert len(report["attempts"]) == 1
    (tmp_path / "bad" / "tests" / "test_small.py").write_text(TESTS)
    (tmp_path / "bad" / "mended").write_text("")
    assert build(read_source(spec), out, replace(OPTIONS, retry=True)).image is not None
    assert not [path for path in (out / ".failed").glob("*.json") if json.loads(path.read_text())["source"] == spec]


def test_a_rescue_gives_a_plan_and_the_replay_decides(out: Path, tmp_path: Path) -> None:
    files = {
        **PROJECT,
        "tests/test_small.py": "from small import generated\n" + TESTS,
        "generate.sh": "echo x = 1 > small/generated.py\n",
    }
    spec = write(tmp_path / "generated", files)
    seen: list[Attempt] = []

    def rescue(attempt: Attempt) -> InstallPlan | None:
        seen.append(attempt)
        commands = ("false",) if len(seen) == 1 else ("sh generate.sh", "python -m pip list")
        return replace(attempt.plan, commands=commands, reasons=("a person",)) if len(seen) < 4 else None

    built = build(read_source(spec), out, OPTIONS, rescue=rescue)
    assert built.image is not None, built.reason
    assert built.image.plan.commands == ("sh generate.sh", "python -m pip list")
    assert "cannot import name 'generated'" in seen[0].log
    assert seen[1].reason.startswith("it does not install")
    assert (built.image.folder / "layer/testbed/small/generated.py").read_text() == "x = 1\n"
    with open_environment(built.image.image) as environment:
        assert environment.exec(["git", "status", "--porcelain"]).output == b""
    broken = write(tmp_path / "broken", {**files, "README": "another"})
    assert build(read_source(broken), out, OPTIONS, rescue=lambda attempt: attempt.plan).image is None


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_workflow_of_a_git_repository_builds_it(out: Path, tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    steps = "jobs: {test: {steps: [{run: pip install -e .}, {run: sh generate.sh}, {run: pytest tests}]}}\n"
    files = {**PROJECT, ".github/workflows/test.yml": steps, "generate.sh": "echo x = 1 > small/generated.py\n"}
    files |= {"tests/test_small.py": "from small.generated import x\n" + TESTS}
    root = write(tmp_path / "upstream", files)
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "one"], ["tag", "v3.1"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    built = build(read_source(f"git+file://{root}@v3.1"), out, OPTIONS)
    assert built.image is not None, built.reason
    assert built.image.plan.commands == ("sh generate.sh",)
    assert [attempt["reason"][:15] for attempt in built.image.notes["attempts"]] == ["no test passes:", ""]
    assert built.name == f"small-{built.image.origin.commit[:12]}"
    assert built.image.head != built.image.origin.commit


@pytest.mark.slow
def test_copies_of_the_code_beside_it_are_refused(out: Path, tmp_path: Path) -> None:
    command = "mkdir -p /opt/venv/lib/vendor && cp small/__init__.py /opt/venv/lib/vendor/copy.py"
    spec = write(tmp_path / "leaky", {**PROJECT, "small/__init__.py": CODE * 5})
    plan: list[InstallPlan] = []

    def rescue(attempt: Attempt) -> InstallPlan:
        plan.append(replace(attempt.plan, commands=(command,), requirements=("pytest",)))
        return plan[-1]

    (tmp_path / "leaky" / "tests" / "test_small.py").write_text(
        "import os\n" + TESTS.replace("== 3", "== 3 + (not os.path.exists('/opt/venv/lib/vendor'))")
    )
    built = build(read_source(spec), out, OPTIONS, rescue=rescue)
    assert "a copy of the code" in built.reason
    assert "opt/venv/lib/vendor/copy.py" in built.reason


def repos(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["repos", *map(str, arguments)])


def test_the_command_line(name: str, spec: str, out: Path, tmp_path: Path) -> None:
    result = repos("build", spec, tmp_path / "nowhere.tar.gz", "-o", out, "--offline")
    assert (result.exit_code, "no such source" in result.output) == (2, True)
    empty = write(tmp_path / "empty", {"a.py": "x = 1\n"})
    result = repos("build", spec, empty, "-o", out, "--offline", "--json")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [(row["ok"], row["was_there"]) for row in rows] == [(True, True), (False, False)]
    assert "no test" in rows[1]["reason"]
    result = repos("build", spec, empty, "-o", out, "--offline")
    assert "small-1.0  2 of 2 tests pass" in result.output
    assert "1 of 2 built" in result.output
    result = repos("list", out, "--json")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert name in [row["name"] for row in rows if row["ok"]]
    assert empty in [row["source"] for row in rows if not row["ok"]]
    assert "MIT" in repos("list", out).stdout
    result = repos("check", out, name)
    assert (result.exit_code, result.stdout.startswith("✓ small-1.0  2 tests pass")) == (0, True)
    assert repos("check", out, "nothing").exit_code == 2
    assert repos("build", spec, "-o", out, "--sandbox", "none").exit_code == 2


@pytest.mark.slow
def test_a_killed_build_leaves_nothing_half_done_and_goes_on(name: str, out: Path, tmp_path: Path) -> None:
    (tmp_path / ".cache").symlink_to(out / ".cache")
    sources = [write(tmp_path / "sources" / f"p{n}", {**PROJECT, "n.txt": str(n)}) for n in range(2)]
    command = [sys.executable, "-m", "foretrace", "repos", "build", *sources, "-o", str(tmp_path / "images"), "--offline"]
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / ".cache").symlink_to(out / ".cache")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "images" / ".work").glob("*/1/*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert list((tmp_path / "images" / ".work").iterdir())
    built = list(build_all(map(read_source, sources), tmp_path / "images", OPTIONS, workers=2))
    assert all(each.image for each in built), built
    assert {each.name for each in built} == {path.parent.name for path in (tmp_path / "images").glob("*/image.json")}
    assert not list((tmp_path / "images" / ".work").iterdir())
