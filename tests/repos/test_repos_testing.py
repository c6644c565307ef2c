"""Running tests in a box: how each ended, and that what tests and conftests do to the results is noticed."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from small_image import SmallImage, image_of, needs_box, venv_layer

from foretrace.repos.testing import Outcome
from foretrace.sandbox.environment import Status

pytestmark = needs_box
Make = Callable[..., SmallImage]

GOOD = "def test_good():\n    assert True\n"
BAD = "def test_bad():\n    assert 1 == 2, 'no'\n"


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    layer = tmp_path_factory.mktemp("venv")
    venv_layer(layer)
    return layer


@pytest.fixture
def make(tmp_path: Path, venv: Path) -> Make:
    def made(files: Mapping[str, str], **command: object) -> SmallImage:
        return image_of(files, tmp_path / "layer", venv, **command)

    return made


def test_every_way_to_end(make: Make) -> None:
    run = make(
        {
            "test_a.py": GOOD
            + BAD
            + "import pytest, unittest\n"
            + "@pytest.fixture\ndef broken():\n    raise OSError('gone')\n"
            + "def test_error(broken): ...\n"
            + "def test_skipped():\n    pytest.skip('no')\n"
            + "@pytest.mark.xfail\ndef test_xfailed():\n    assert False\n"
            + "@pytest.mark.xfail\ndef test_xpassed(): ...\n"
            + "@pytest.fixture\ndef leaves():\n    yield\n    raise OSError('late')\n"
            + "def test_teardown(leaves): ...\n"
            + "class TestCase(unittest.TestCase):\n"
            + "    def test_unit(self): self.assertEqual(1, 1)\n"
            + "    def test_unit_bad(self): self.assertEqual(1, 2)\n"
            + "    @unittest.expectedFailure\n    def test_expected(self): self.fail()\n",
            "test_b.py": "import nothing_like_that\n",
        }
    ).run()
    ends = {name.split("::", 1)[1]: outcome.value for name, outcome in run.outcomes.items()}
    assert ends == {
        "test_good": "passed",
        "test_bad": "failed",
        "test_error": "error",
        "test_skipped": "skipped",
        "test_xfailed": "xfailed",
        "test_xpassed": "xpassed",
        "test_teardown": "error",
        "TestCase::test_unit": "passed",
        "TestCase::test_unit_bad": "failed",
        "TestCase::test_expected": "xfailed",
    }
    assert run.passed == {"test_a.py::test_good", "test_a.py::TestCase::test_unit"}
    assert (run.code, run.status, run.ended, run.doubts) == (1, Status.OK, "", ())
    assert "test_a.py:4" in run.details["test_a.py::test_bad"]
    assert "no" in run.details["test_a.py::test_bad"]
    assert "nothing_like_that" in run.uncollected["test_b.py"]
    assert all(0 <= seconds < 5 for seconds in run.durations.values())


def test_some_tests_only(make: Make) -> None:
    image = make(
        {"tests/test_a.py": GOOD + BAD, "tests/test_b.py": "raise OSError('never imported')\n"}, arguments=("tests",)
    )
    run = image.run(["tests/test_a.py::test_good", "tests/test_a.py::test_gone", "tests/test_none.py::test_x"])
    assert run.outcomes == {"tests/test_a.py::test_good": Outcome.PASSED}
    assert not run.uncollected
    assert image.run(["tests/test_none.py::test_x"]).outcomes == {}


def test_what_takes_too_long_is_ended(make: Make) -> None:
    image = make({"test_a.py": "import time\ndef test_slow():\n    time.sleep(60)\n" + GOOD})
    run = image.run(test_seconds=0.5)
    assert run.outcomes == {"test_a.py::test_slow": Outcome.TIMEOUT, "test_a.py::test_good": Outcome.PASSED}
    stubborn = "import signal, time\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\ndef test_slow():\n    time.sleep(60)\n"
    run = make({"test_a.py": stubborn}).run(test_seconds=0.5, seconds=3)
    assert run.status is Status.TIMEOUT
    assert run.outcomes == {"test_a.py::test_slow": Outcome.TIMEOUT}
    assert not run.passed


def test_tests_have_no_input_and_see_nothing_of_ours(make: Make) -> None:
    text = (
        "import os, sys\n"
        "def test_input():\n    assert os.read(0, 1) == b''\n"
        "def test_nothing_told():\n"
        "    told = open('/proc/self/cmdline').read() + open('/proc/self/environ').read()\n"
        "    assert 'blake2b' not in told and 'output' not in told\n"
        "def test_path():\n    assert sys.path[0] == '/testbed' and '' not in sys.path\n"
    )
    run = make({"test_a.py": text}).run()
    assert len(run.passed) == 3, run.details


FORGERIES = {
    "exits": ("import os\ndef test_bad():\n    os._exit(0)\n", "pytest did not"),
    "exits while importing": ("import os\nos._exit(0)\ndef test_bad(): ...\n", "pytest did not"),
    "kills itself": ("import os, signal\ndef test_bad():\n    os.kill(os.getpid(), signal.SIGKILL)\n", "killed"),
    "pytest.exit": ("import pytest\ndef test_bad():\n    pytest.exit('done', returncode=0)\n", "ended"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_who_ends_early_has_not_passed(make: Make, name: str) -> None:
    text, _ = FORGERIES[name]
    run = make({"test_a.py": text + "def test_later(): ...\n"}).run()
    assert not run.passed
    assert run.ended
    assert run.outcomes.get("test_a.py::test_later") is None


def test_what_is_printed_counts_for_nothing(make: Make) -> None:
    printed = "import sys\nprint('PASSED test_a.py::test_bad')\nsys.__stdout__.write('1 passed in 0.01s\\n')\n"
    run = make({"conftest.py": printed, "test_a.py": printed + BAD}).run()
    assert run.outcomes == {"test_a.py::test_bad": Outcome.FAILED}


CONFTESTS = {
    "report": "@pytest.hookimpl(hookwrapper=True)\ndef pytest_runtest_makereport(item, call):\n    out = yield\n"
    "    out.get_result().outcome = 'passed'\n",
    "new report": "@pytest.hookimpl(tryfirst=True)\ndef pytest_runtest_makereport(item, call):\n"
    "    from _pytest.reports import TestReport\n    call.excinfo = None\n    return TestReport.from_item_and_call(item, call)\n",
    "log": "def pytest_runtest_logreport(report):\n    report.outcome = 'passed'\n    report.longrepr = None\n",
    "class": "from _pytest.reports import TestReport\nTestReport.failed = property(lambda self: False)\n"
    "TestReport.passed = property(lambda self: True)\n",
    "exit code": "def pytest_sessionfinish(session):\n    session.exitstatus = 0\n",
}


@pytest.mark.parametrize("name", CONFTESTS)
def test_a_conftest_cannot_turn_a_failure_into_a_success(make: Make, name: str) -> None:
    run = make({"conftest.py": "import pytest\n" + CONFTESTS[name], "test_a.py": GOOD + BAD}).run()
    assert "test_a.py::test_bad" not in run.passed, run


NEW = {
    "instead of the test": "def pytest_pyfunc_call(pyfuncitem):\n    return True\n",
    "replaced": "import _pytest.python\n_pytest.python.pytest_pyfunc_call = lambda pyfuncitem: True\n"
    "import _pytest.runner\n_pytest.runner.call_and_report.__globals__['check_interactive_exception'] = lambda *a: False\n",
    "the code itself": "import _pytest.runner\n_pytest.runner.pytest_runtest_call.__code__ = (lambda item: None).__code__\n",
}


@pytest.mark.parametrize("name", NEW)
def test_who_takes_part_and_did_not_when_the_image_was_made_is_told(make: Make, name: str) -> None:
    run = make({"conftest.py": NEW[name], "test_a.py": GOOD + BAD}, hooks=()).run()
    assert run.doubts
    assert not run.passed


def test_hooks_that_were_there_are_no_reason_to_doubt(make: Make) -> None:
    conftest = "def pytest_runtest_setup(item):\n    pass\n"
    image = make({"tests/conftest.py": conftest, "tests/test_a.py": GOOD})
    first = image.run()
    assert first.hooks == ("tests/conftest.py:pytest_runtest_setup",)
    again = SmallImage(image.image, type(image.command)(hooks=first.hooks, patched=first.patched)).run()
    assert again.doubts == ()
    assert again.passed


def test_records_cannot_be_written_by_others(make: Make) -> None:
    finds = (
        "import glob, os\n"
        "def outputs():\n"
        "    for fd in os.listdir('/proc/self/fd'):\n"
        "        try:\n            place = os.readlink('/proc/self/fd/' + fd)\n"
        "        except OSError:\n            continue\n"
        "        if place.startswith('/tmp/') and len(os.path.basename(place)) == 32:\n            yield int(fd), place\n"
    )
    forged = (
        "def test_forges():\n"
        "    for fd, place in outputs():\n"
        '        os.write(fd, b\'{"test": "test_a.py::test_bad", "outcome": "passed", "seconds": 0}\\t\' + b\'0\' * 32 + b\'\\n\')\n'
    )
    run = make({"test_a.py": finds + forged + BAD}).run()
    assert run.doubts
    assert not run.passed
    emptied = "def test_empties():\n    for fd, place in outputs():\n        open(place, 'w').close()\n"
    run = make({"test_a.py": finds + BAD + emptied + GOOD}).run()
    assert not run.passed


def test_forks_that_come_back_tell_nothing(make: Make) -> None:
    forks = "import os\ndef test_forks():\n    if os.fork() == 0:\n        return\n    os.wait()\n    assert False\n"
    run = make({"test_a.py": forks + GOOD}).run()
    assert run.outcomes == {"test_a.py::test_forks": Outcome.FAILED, "test_a.py::test_good": Outcome.PASSED}
    assert not run.doubts


def test_modules_of_the_tree_do_not_stand_in_for_ours(make: Make) -> None:
    fake = "import os\nos._exit(0)\n"
    names = ("pytest.py", "json.py", "hashlib.py", "_pytest/__init__.py", "threading.py", "sitecustomize.py")
    run = make({**dict.fromkeys(names, fake), "test_a.py": GOOD}, hooks=()).run()
    assert run.outcomes == {"test_a.py::test_good": Outcome.PASSED}, run
