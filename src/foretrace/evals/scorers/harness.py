"""SWE-bench's own harness, which alone may say that an issue of SWE-bench is resolved: Docker, its images, its package.

    with harness_scorer(Setting()) as score:
        score(item, patch)                               # item.row is the row of the data

It is run as a program, an instance at a time, and its report is read. Only where it ran no tests is nothing known: that
its environment broke it tells from logs, which a patch may write. Its rules are both of ours here.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from foretrace.errors import UsageError
from foretrace.evals.scorers.patch import is_a_patch
from foretrace.evals.types import Item, Reason, Score, Setting, Verdict

COMMAND = (sys.executable, "-m", "swebench.harness.run_evaluation")
SECONDS = 1_800
"""Of an instance's tests, as published."""
_MORE_SECONDS = 3_600
"""For fetching the image, at most."""
_MODEL, _RUN = "model", "foretrace"
_KEPT = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "XDG_RUNTIME_DIR")
_UNAPPLIED, _LATE = "Patch Apply Failed", "Test timed out"
_DETAIL = 300


def missing() -> str:
    """What the harness needs and this machine has not; empty if it has all."""
    if find_spec("swebench") is None:
        return "the package swebench is not installed: pip install swebench"
    if shutil.which("docker") is None:
        return "Docker is not installed"
    try:
        asked = subprocess.run(["docker", "version"], capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return "Docker does not answer"
    return "" if asked.returncode == 0 else f"Docker does not answer: {asked.stderr.strip()[:_DETAIL]}"


@contextmanager
def harness_scorer(setting: Setting) -> Iterator[Score]:
    """Scores a patch against `item.row`, a row of SWE-bench. Isolation is the harness's: one container an instance.

    Raises:
        UsageError: the harness cannot be run here.

    """
    if problem := missing():
        raise UsageError(
            f"only SWE-bench's own harness can tell what is resolved, and {problem}; without it there is "
            "swebench-verified-localisation: whether patches change the right files"
        )
    yield Harness(setting)


class Harness:
    """A `Score`."""

    def __init__(self, setting: Setting, command: Sequence[str] = COMMAND) -> None:
        """Runs nothing yet. `command` is that of the harness, without its options."""
        self._seconds, self._repeats, self._command = int(setting.seconds or SECONDS), setting.repeats, list(command)

    def __call__(self, item: Item, answer: str | None) -> Verdict:
        """The verdict on a patch."""
        if not is_a_patch(answer):
            return _verdict(Reason.UNPARSABLE, "there is no patch")
        assert answer is not None
        verdict = self._run(item, answer)
        for _ in range(self._repeats if verdict.strict else 0):
            again = self._run(item, answer)
            if not again.strict:
                return _verdict(Reason.BROKEN if again.reason is Reason.BROKEN else Reason.FLAKY, again.detail)
        return verdict

    def _run(self, item: Item, patch: str) -> Verdict:
        name = item.row["instance_id"]
        with tempfile.TemporaryDirectory(prefix="foretrace-") as scratch:
            folder = Path(scratch)
            prediction = {"instance_id": name, "model_name_or_path": _MODEL, "model_patch": patch}
            for file, content in (("data.jsonl", dict(item.row)), ("predictions.jsonl", prediction)):
                (folder / file).write_text(json.dumps(content) + "\n", encoding="utf-8")
            options = ["--dataset_name", "data.jsonl", "--predictions_path", "predictions.jsonl", "--instance_ids", name]
            options += ["--run_id", _RUN, "--max_workers", "1", "--timeout", str(self._seconds)]
            try:
                done = subprocess.run(
                    [*self._command, *options],
                    cwd=folder,
                    env={key: os.environ[key] for key in _KEPT if key in os.environ},
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=self._seconds + _MORE_SECONDS,
                )
            except subprocess.TimeoutExpired:
                return _verdict(Reason.BROKEN, "the harness did not end")
            log = folder / "logs" / "run_evaluation" / _RUN / _MODEL / name
            return _told(name, folder / f"{_MODEL}.{_RUN}.json", log, done)


def _told(name: str, report: Path, log: Path, done: "subprocess.CompletedProcess[str]") -> Verdict:
    """The verdict of a report of the harness."""
    if not report.is_file():
        return _verdict(Reason.BROKEN, f"the harness made no report: {(done.stderr or done.stdout).strip()[-_DETAIL:]}")
    told: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    if name in told.get("resolved_ids", ()):
        return _verdict(Reason.RIGHT, "", _counts(name, log))
    guess = told.get("failure_reasons", {}).get(name, "")
    if name in told.get("unresolved_ids", ()):  # whatever the log looks like: the patch may have written it
        counts = _counts(name, log)
        shown = [*(f"{what}: {n} of {of}" for what, (n, of) in counts.items()), *([guess] if guess else [])]
        return _verdict(Reason.WRONG, "; ".join(shown), counts)
    said = log / "run_instance.log"
    text = said.read_text(encoding="utf-8", errors="replace") if said.is_file() else done.stderr
    if _UNAPPLIED in text:
        return _verdict(Reason.REFUSED, "the patch does not apply")
    if _LATE in text:
        return _verdict(Reason.TIMEOUT, "its tests took too long")
    return _verdict(Reason.BROKEN, f"the harness failed: {guess or text.strip()[-_DETAIL:]}")


def _counts(name: str, log: Path) -> dict[str, tuple[int, int]]:
    """Tests that pass, of those that must."""
    file = log / "report.json"
    told = json.loads(file.read_text(encoding="utf-8")).get(name, {}).get("tests_status", {}) if file.is_file() else {}
    found = {}
    for ours, theirs in (("fail to pass", "FAIL_TO_PASS"), ("pass to pass", "PASS_TO_PASS")):
        passed, failed = (len(told.get(theirs, {}).get(what, ())) for what in ("success", "failure"))
        if passed + failed:
            found[ours] = (passed, passed + failed)
    return found


def _verdict(reason: Reason, detail: str, counts: dict[str, tuple[int, int]] | None = None) -> Verdict:
    is_right = reason is Reason.RIGHT
    return Verdict(strict=is_right, official=is_right, reason=reason, detail=detail, counts=counts or {})
