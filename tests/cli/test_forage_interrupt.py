"""Ctrl-C in `foretrace forage run`: it ends at once, finished episodes are kept, and those at work are gone on with."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from small_image import needs_box

from foretrace.errors import FormatError
from foretrace.forager.journal import Journal, read_trajectory
from foretrace.forager.tasks.instance import Instance, write_instances
from foretrace.forager.trajectory import Action, Ending, Header, Step
from foretrace.forager.trajectory import Result as Ended
from foretrace.repos.history import files_of, squash
from foretrace.repos.image import LAYER, MANIFEST, RepoImage
from foretrace.repos.plan import InstallPlan
from foretrace.repos.sources import Origin
from foretrace.repos.testing import TestCommand

pytestmark = needs_box
MARKER = f"{600 + os.getpid() / 1e7}"
"""Seconds that nobody else sleeps."""
START = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from foretrace.cli.main import main; main()"
)
"""`python -m foretrace`, also where these tests were started by a shell that has its jobs ignore Ctrl-C."""


def image(folder: Path) -> RepoImage:
    """An image with one file, whose tests nobody runs."""
    testbed = folder / LAYER / "testbed"
    testbed.mkdir(parents=True)
    (testbed / "a.py").write_text("x = 1\n")
    head = squash(testbed, files_of(testbed), created="2024-01-01T00:00:00+00:00")
    made = RepoImage(
        folder=folder,
        origin=Origin(name="a", version="1", source="here"),
        head=head,
        digest="sha256:a",
        layers=(LAYER,),
        python="3",
        packages={},
        modules=("a",),
        plan=InstallPlan(python="3"),
        command=TestCommand(),
        tests={},
        seconds=0.0,
        build_seconds=0.0,
        bytes=0,
        new_bytes=0,
    )
    (folder / MANIFEST).write_text(json.dumps(made.as_json()))
    return made


def record(folder: Path, task: str, *commands: str) -> None:
    """A trajectory of commands, to be replayed."""
    (folder / f"{task}.jsonl").unlink(missing_ok=True)
    journal = Journal.claim(folder, task)
    assert journal is not None
    with journal:
        journal.begin(Header(episode=task, task=task, policy={"name": "p"}, system="", prompt="", repo="a"))
        for number, command in enumerate(commands, 1):
            journal.append(Step(number=number, action=Action.call("bash", command), role="tool: bash"))
        journal.append(Step(number=len(commands) + 1, action=Action(content="I give up.", ends=True)))
        journal.finish(Ended(ending=Ending.GAVE_UP))


def steps_of(path: Path) -> int:
    """How many steps of an episode are on the disk."""
    try:
        return len(read_trajectory(path).steps)
    except (OSError, FormatError):
        return 0


def until(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def sleepers() -> list[str]:
    """Processes that are at the command of the episode that is interrupted."""
    wanted = f"sleep\0{MARKER}\0".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found += [process.name] if (process / "cmdline").read_bytes() == wanted else []
        except OSError:
            continue
    return found


def test_what_is_at_work_is_left_as_it_is_and_gone_on_with(tmp_path: Path) -> None:
    made, recorded = image(tmp_path / "images/a-1"), tmp_path / "recorded"
    tasks, run = tmp_path / "tasks.jsonl", tmp_path / "run"
    common = {"repo": "a", "patch": "", "problem_statement": "x", "fail_to_pass": ("t",), "image": made.digest}
    write_instances(tasks, [Instance(instance_id=name, **common) for name in ("quick", "slow", "later")])
    record(recorded, "quick", "echo quick")
    record(recorded, "slow", "echo one > a.py", f"sleep {MARKER}")
    record(recorded, "later", f"sleep {MARKER}")
    settings = f"--policy replay:{recorded} -o {run} --images {made.folder.parent} --no-grade -j 1 --seconds 900 --turns 9"
    command = [sys.executable, "-c", START, "forage", "run", str(tasks), *settings.split()]
    done, part = (run / f"trajectories/{name}" for name in ("quick.replay.0.jsonl", "slow.replay.0.jsonl.part"))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: bool(done.exists() and sleepers()), process)
        before = part.read_bytes()
        assert steps_of(part) == 1
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, said[0]) == (1, "")
    assert "stopped: 1 episodes" in said[1]
    assert "Traceback" not in said[1]
    assert part.read_bytes() == before
    assert sorted(path.name for path in part.parent.iterdir()) == [done.name, part.name]
    deadline = time.monotonic() + 20
    while sleepers() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not sleepers()

    first = done.read_bytes()
    record(recorded, "slow", "echo one > a.py", "cat a.py")
    record(recorded, "later", "echo later")
    again = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "3 episodes in" in again.stdout
    assert done.read_bytes() == first
    whole = read_trajectory(part.with_suffix(""))
    assert part.with_suffix("").read_bytes().startswith(before)  # the header and the first step are those of the first run
    assert [step.action.argument for step in whole.steps[:2]] == ["echo one > a.py", "cat a.py"]
    assert whole.steps[1].observation.startswith("<output>\none\n")
