import io
import os
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from small_repository import as_sdist, write_repository

from foretrace.corpus.repositories.archive import pack, unpack
from foretrace.corpus.repositories.messages import decode, encode, join
from foretrace.corpus.repository import Suite, SuiteLimits, record_suite
from foretrace.errors import RecordError, UsageError
from foretrace.sandbox import backends
from foretrace.trace import Outcome

pytestmark = pytest.mark.skipif(bool(backends()["process"]), reason="the sandbox needs Linux")


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return record_suite(write_repository(tmp_path_factory.mktemp("repository")))


def verdicts(suite: Suite) -> dict[str, tuple[str, str]]:
    return {test.name.partition("::")[2]: (test.unrecorded, test.verdict) for test in suite.tests}


def of_tests(tmp_path: Path, tests: str, **limits: float) -> Suite:
    return record_suite(write_repository(tmp_path / "of-tests", tests), limits=SuiteLimits(**limits))  # type: ignore[arg-type]


def test_tests_end_recorded_as_they_do_unrecorded(suite: Suite) -> None:
    expected = dict.fromkeys(verdicts(suite), "passed") | {
        "test_fails": "failed",
        "test_expected_to_fail": "xfailed",
        "test_skipped": "skipped",
        "test_of_a_broken_fixture": "error",
    }
    assert len(expected) == 21
    assert verdicts(suite) == {name: (verdict, verdict) for name, verdict in expected.items()}
    assert not suite.differing
    assert not suite.ended


def test_what_a_suite_says_of_itself(suite: Suite) -> None:
    assert (suite.sandbox, suite.tree.licence) == ("process", "MIT")
    assert suite.python == ".".join(map(str, sys.version_info[:3]))
    assert suite.root.startswith(suite.folder + "/")
    assert not os.path.exists(suite.folder)
    assert "assert 1 == 2" in next(test.detail for test in suite.tests if test.name.endswith("test_fails"))


def test_failing_tests_are_kept_out_unless_asked_for(suite: Suite) -> None:
    assert not {"test_fails", "test_skipped"} & {test.name.partition("::")[2] for test in suite.usable()}
    assert len(suite.usable(failing=True)) == len(suite.usable()) + 1  # that of a broken fixture did nothing


def test_a_test_is_a_trace(suite: Suite) -> None:
    test = next(test for test in suite.tests if test.name.endswith("::test_square"))
    [trace] = test.traces()
    assert trace.header.path == f"{suite.root}/tests/test_area.py"
    assert trace.header.entry == "test_square"
    assert "def test_square" in trace.header.source
    assert "class Square" in trace.header.files[f"{suite.root}/src/shapes/area.py"]


def test_what_a_case_sets_up_is_a_trace_of_its_own(suite: Suite) -> None:
    case = next(test for test in suite.tests if "SquareCase" in test.name)
    assert [trace.header.entry for trace in case.traces()] == ["SquareCase.setUp", "SquareCase.test_area"]


def test_sources_are_kept_once(suite: Suite) -> None:
    assert len({id(test.texts) for test in suite.tests}) == 1
    assert len(suite.tests[0].texts) == 3
    assert not any(b"class Shape" in test.recording for test in suite.tests)


def test_an_sdist_is_as_good_as_a_directory(suite: Suite, tmp_path: Path) -> None:
    root = write_repository(tmp_path / "repository")
    init = root / "src/shapes/__init__.py"
    init.write_text("from importlib.metadata import version\n__version__ = version('shapes')\n")
    packed = record_suite(as_sdist(root, tmp_path / "shapes-1.0.tar.gz"))
    assert packed.tree.name == "shapes 1.0"
    assert verdicts(packed) == verdicts(suite)


def test_what_tests_write_stays_in_the_sandbox(tmp_path: Path) -> None:
    tests = (
        "from pathlib import Path\ndef test_a():\n    Path('src/shapes/units.py').write_text('')\n    Path('new').touch()\n"
    )
    root = write_repository(tmp_path / "repository", tests)
    suite = record_suite(root)
    assert verdicts(suite) == {"test_a": ("passed", "passed")}  # each run has a copy of its own
    assert not (root / "new").exists()
    assert "SCALE" in (root / "src/shapes/units.py").read_text()


@pytest.mark.parametrize("backend", ["process", "bubblewrap"])
def test_backends(tmp_path: Path, backend: str) -> None:
    if reason := backends()[backend]:
        pytest.skip(reason)
    tests = """
import os, signal, subprocess, sys
import pytest
def test_interpreter():
    code = "import shapes, wave, sys; print(sys.version)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == sys.version
def test_signal():
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
def test_version():
    assert sys.version_info[:3] == VERSION
"""
    suite = record_suite(
        write_repository(tmp_path / "repository", tests.replace("VERSION", str(tuple(sys.version_info[:3])))), backend
    )
    assert set(verdicts(suite).values()) == {("passed", "passed")}, [test.detail for test in suite.tests]
    assert suite.sandbox == backend


def test_a_test_that_notices_the_recorder_is_told_of(tmp_path: Path) -> None:
    suite = of_tests(
        tmp_path,
        "import sys\n"
        "def test_alone():\n"
        "    tools = getattr(sys, 'monitoring', None)\n"
        "    assert sys.gettrace() is None\n"
        "    assert not tools or not any(map(tools.get_tool, range(6)))\n"
        "def test_other():\n    pass\n",
    )
    assert verdicts(suite) == {"test_alone": ("passed", "failed"), "test_other": ("passed", "passed")}
    assert [test.name for test in suite.differing] == ["tests/test_area.py::test_alone"]
    assert [test.name for test in suite.usable()] == ["tests/test_area.py::test_other"]


def test_what_cannot_be_imported_is_told_of(tmp_path: Path) -> None:
    root = write_repository(tmp_path / "repository", "def test_a():\n    pass\n")
    (root / "tests/test_other.py").write_text("import not_there\n")
    suite = record_suite(root)
    assert verdicts(suite) == {"test_a": ("passed", "passed")}
    assert "not_there" in suite.uncollected["tests/test_other.py"]


def test_tests_py_is_found(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("def f():\n    return 1\n")
    (tmp_path / "tests.py").write_text("import module\ndef test_f():\n    assert module.f() == 1\n")
    assert verdicts(record_suite(tmp_path)) == {"test_f": ("passed", "passed")}


def test_limits(tmp_path: Path) -> None:
    suite = of_tests(
        tmp_path,
        "def test_long():\n    for _ in range(1000):\n        pass\n"
        "def test_short():\n    pass\n"
        "def test_hangs():\n    while True:\n        pass\n",
        events=50,
        seconds=0.5,
    )
    assert [v for v, _ in verdicts(suite).values()] == ["passed", "passed", "failed"]
    assert not suite.differing
    assert "0.5 seconds are over" in suite.tests[2].detail
    outcomes = [trace.header.outcome for test in suite.tests[:2] for trace in test.traces()]
    assert outcomes == [Outcome.TRUNCATED, Outcome.RETURNED]


@pytest.mark.parametrize(
    ("ending", "status"), [("import os\n    os._exit(3)", "exited 3"), ("import time\n    time.sleep(60)", "timeout")]
)
def test_what_ran_before_the_end_is_kept(tmp_path: Path, ending: str, status: str) -> None:
    suite = of_tests(tmp_path, f"def test_a():\n    pass\ndef test_b():\n    {ending}\n", suite_seconds=4.0)
    assert verdicts(suite) == {"test_a": ("passed", "passed")}
    assert suite.ended.startswith(status)
    assert [len(list(test.traces())) for test in suite.tests] == [1]


def test_what_is_no_repository(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or directory"):
        record_suite(tmp_path / "nothing")
    with pytest.raises(UsageError, match="not an interpreter"):
        record_suite(tmp_path, python=str(tmp_path / "python"))


def test_an_interpreter_without_pytest(tmp_path: Path) -> None:
    python = tmp_path / "bin/python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    with pytest.raises(RecordError, match="do not start"):
        record_suite(write_repository(tmp_path / "repository"), python=str(python))


def test_archives_are_not_trusted(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, kind, target in (
            ("p-1/a.py", tarfile.REGTYPE, ""),
            ("../evil", tarfile.REGTYPE, ""),
            ("/evil", tarfile.REGTYPE, ""),
            ("p-1/link.py", tarfile.SYMTYPE, "a.py"),
            ("p-1/passwords", tarfile.SYMTYPE, "/etc/passwd"),
            ("p-1/device", tarfile.CHRTYPE, ""),
            ("p-1/a.py/b.py", tarfile.REGTYPE, ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            data = b"1\n" if kind == tarfile.REGTYPE else b""
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    root = unpack(out.getvalue(), tmp_path / "out")
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"out/p-1/a.py", "out/p-1/link.py"}
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))
    assert root == tmp_path / "out/p-1"


def test_zips_and_damage(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.py", "1\n")
        archive.writestr("b/c.txt", "2\n")
    root = unpack(out.getvalue(), tmp_path / "zip")
    assert sorted(path.name for path in root.rglob("*.*")) == ["a.py", "c.txt"]
    for data in (b"nothing", out.getvalue()[:-30]):
        with pytest.raises(UsageError, match="not an archive"):
            unpack(data, tmp_path / f"damaged{len(data)}")


def test_packing_leaves_out_what_is_no_part_of_it(tmp_path: Path) -> None:
    for path in ("a/b.txt", ".git/config", "venv/pyvenv.cfg", "venv/lib/x.py", "a/__pycache__/b.pyc"):
        (tmp_path / "in" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / path).write_text("x")
    root = unpack(pack(tmp_path / "in"), tmp_path / "out")
    assert [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()] == ["a/b.txt"]


def test_messages() -> None:
    data = encode({"test": "a"}, b"body") + encode({})
    assert list(decode(data)) == [({"test": "a"}, b"body"), ({}, b"")]
    assert list(decode(data[:-1])) == [({"test": "a"}, b"body")]
    assert list(decode(encode({"a": 1}) + b"\xff" * 50)) == [({"a": 1}, b"")]
    assert list(decode(b"\x02\0\0\0\0\0\0\0[]")) == []
    assert join(b"abcd", [[1, 0], [2, 7]], {0: b"-", 1: b"+"}) == b"a-bcd"
