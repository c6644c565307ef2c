"""Processes: what one that is killed was doing is done again; none outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from foretrace.data.workers import Workers
from foretrace.errors import PipelineError


def square(number: int) -> int:
    return number * number


def die(folder: Path, times: int, number: int) -> int:
    """Kills its process the first so many times that it is asked for 3."""
    before = len(list(folder.iterdir()))
    if number == 3 and before < times:
        (folder / str(before)).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("count", [0, 1, 2])
def test_every_item_is_done_once(count: int) -> None:
    with Workers(count) as run:
        assert sorted(run(square, range(10))) == [n * n for n in range(10)]
        assert sorted(run(square, ())) == []


def test_what_a_killed_process_did_is_done_again(tmp_path: Path) -> None:
    with Workers(2) as run:
        assert sorted(run(partial(die, tmp_path, 2), range(6))) == list(range(6))


def test_a_process_that_is_always_killed_is_a_clear_error(tmp_path: Path) -> None:
    with Workers(2) as run, pytest.raises(PipelineError, match="killed 3 times"):
        list(run(partial(die, tmp_path, 100), range(6)))


def test_a_mistake_is_passed_on() -> None:
    with Workers(2) as run, pytest.raises(TypeError):
        list(run(square, ["x"]))  # type: ignore[list-item]


SCRIPT = """
import sys, time
from foretrace.data.workers import Workers
if __name__ == "__main__":
    with Workers(2) as run:
        list(run(time.sleep, [0, 0.001]))
        print("ready", flush=True)
        time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_no_process_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) >= 2
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(map(is_alive, children)):
        time.sleep(0.05)
    assert not any(map(is_alive, children))


def is_alive(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
