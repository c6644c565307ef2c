r"""The program scorer: code runs in the sandbox, gets inputs and gives values; what is expected never goes there.

    with ProgramScorer(Setting()) as scorer:
        scorer.score_calls("def f(n): return n * n", ["f(3)", "f(5)"], [9, 25])        # Verdict(strict=True, …)
        scorer.score_stdin("print(int(input()) ** 2)", [("3\n", "9\n")])
        scorer.score_asserts("def f(n): return n * n", "assert candidate(3) == 9", proxies={"candidate": "f"})

What passes is run once more, since who passes now and then has not solved it.
"""

import json
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from foretrace.evals.scorers import rules
from foretrace.evals.scorers.boxes import limits_of, open_box, require_isolation
from foretrace.evals.scorers.outcomes import (
    ENDINGS,
    Outcome,
    Same,
    broken,
    ended_early,
    failed,
    judge_calls,
    judge_test,
    last_line,
    passed,
    read_outcome,
    status_of,
)
from foretrace.evals.scorers.values import shown
from foretrace.evals.types import Reason, Setting, Verdict
from foretrace.sandbox import Result, Sandbox, SandboxLimits, Status

LIMITS = SandboxLimits(seconds=10, cpu_seconds=10, memory_mb=1024, file_mb=64)
QUICK_LIMITS = SandboxLimits(seconds=3, cpu_seconds=3, memory_mb=512, file_mb=16)
"""Of one small call or expression; the seconds are CRUXEval's."""

_CHILD, _TRUSTED = "foretrace.evals.scorers.child", "foretrace.evals.scorers.trusted"


class ProgramScorer:
    """Not for two threads at once. Sandboxes start when they are first needed."""

    def __init__(self, setting: Setting | None = None, limits: SandboxLimits = LIMITS) -> None:
        """Starts nothing yet.

        Args:
            setting: isolation, and seconds in place of every limit's.
            limits: where a call names none.

        Raises:
            RefusedError: this isolation cannot be had here.

        """
        self.setting = setting or Setting()
        self._limits = limits
        require_isolation(self.setting)
        self._code: Sandbox | None = None
        self._tests: Sandbox | None = None
        self._thread = ThreadPoolExecutor(1)  # a sandbox ends with the thread that started it: tests have one for good

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the sandboxes."""
        for box in (self._code, self._tests):
            if box is not None:
                box.close()
        self._code = self._tests = None
        self._thread.shutdown()

    def call(self, source: str, calls: Sequence[str], *, setup: str = "", limits: SandboxLimits | None = None) -> Outcome:
        """Values of expressions in the namespace of `source`, after `setup`, all in one process (trusted code, too: gold).

        Args:
            source: the submission, run as a module called `submission`.
            calls: texts of expressions, such as `f([1, 2])` or `Solution().f(**{'n': 3})`, by the benchmark.
            setup: run after `source`, by the benchmark: imports, classes for arguments.
            limits: for all of it together.

        """
        result = self._run("call", {"source": source, "setup": setup, "calls": list(calls)}, limits)
        return read_outcome(result, len(calls))

    def score_calls(
        self,
        source: str,
        calls: Sequence[str],
        expected: Sequence[Any],
        *,
        setup: str = "",
        same: Same = rules.same,
        limits: SandboxLimits | None = None,
    ) -> Verdict:
        """Whether each call gives what is expected, in every repetition. As many values as calls, or it is not passed."""
        assert len(calls) == len(expected), "a benchmark gives one expected value a call"
        if not calls:
            return broken("there is no test")
        return self._repeated(
            lambda: judge_calls(calls, expected, self.call(source, calls, setup=setup, limits=limits), same)
        )

    def score_stdin(self, source: str, tests: Sequence[tuple[str, str]], *, limits: SandboxLimits | None = None) -> Verdict:
        """Whether the program prints for each standard input what is expected; `limits` are for one test.

        Strict: the same lines, but for space at their ends and blank lines around. Official: else, numbers as `Decimal`s.
        """
        if not tests:
            return broken("there is no test")
        return self._repeated(lambda: self._judge_program(source, tests, limits))

    def score_asserts(
        self,
        source: str,
        test: str,
        *,
        proxies: Mapping[str, str],
        context: str = "",
        is_exact: bool = True,
        limits: SandboxLimits | None = None,
    ) -> Verdict:
        """Whether `test` runs to its end, in a process of its own; it reaches the submission through proxies only.

        Args:
            source: the submission.
            test: trusted: assertions, or what calls them (`def check(candidate): …` and `check(candidate)`).
            proxies: names in the test and what they are in the submission: functions, or classes whose methods are called.
            context: trusted: run before the test in its namespace (HumanEval's prompt, whose helpers tests use).
            is_exact: strictly, `assert candidate(3) == 9` wants the same types too.
            limits: for all of it together.

        """
        job = {"context": context, "test": test, "proxies": dict(proxies), "is_exact": is_exact}

        def judge() -> Verdict:
            code, told = self._talk({"source": source, "setup": ""}, job, limits)
            if Status.BROKEN in (code.status, told.status if isinstance(told, Result) else None):  # it may have ended before
                code, told = self._talk({"source": source, "setup": ""}, job, limits)
            return judge_test(code, told)

        return self._repeated(judge)

    def _repeated(self, judge: Callable[[], Verdict]) -> Verdict:
        first = judge()
        if not first.official:
            return first
        for _ in range(self.setting.repeats):
            again = judge()
            if again.reason is Reason.BROKEN:
                return again
            if (again.strict, again.official) != (first.strict, first.official):
                return failed(Reason.FLAKY, f"it passed, and then: {again.detail or again.reason}")
        return first

    def _judge_program(self, source: str, tests: Sequence[tuple[str, str]], limits: SandboxLimits | None) -> Verdict:
        strict, loose = True, ""
        for at, (stdin, expected) in enumerate(tests, 1):
            result = self._run("program", source, limits, stdin)
            test = f"test {at} of {len(tests)}"
            if result.status is not Status.DONE and (result.status, result.code) != (Status.EXITED, 0):
                return ended_early(result, f"{test}: {last_line(result) or ENDINGS[status_of(result)]}")
            printed = result.output.decode("utf-8", "replace")
            is_strict, is_official = rules.same_lines(expected, printed)
            if not is_official:
                return failed(Reason.WRONG, f"{test}: it prints {shown(printed)}, not {shown(expected)}")
            if not is_strict:
                strict, loose = False, loose or f"{test}: it prints {shown(printed)} for {shown(expected)}"
        return passed(strict, loose)

    def _talk(
        self, submission: dict[str, str], job: dict[str, Any], limits: SandboxLimits | None
    ) -> tuple[Result, dict[str, Any] | Result]:
        """What became of the submission; what its test tells, or how that ended instead."""
        if self._tests is None:
            self._tests = open_box(self.setting, preload=[_TRUSTED])
        tests, chosen = self._tests, limits_of(self.setting, limits or self._limits)
        ours, theirs = socket.socketpair()

        def run_test() -> Result:
            with theirs:  # its end is told to the submission
                return tests.run(f"{_TRUSTED}:check", json.dumps(job).encode(), chosen, channel=theirs)

        test = self._thread.submit(run_test)
        with ours:
            code = self._run("serve", submission, limits, channel=ours)
        result = test.result()
        if result.status is not Status.DONE:
            return code, result
        told: dict[str, Any] = json.loads(result.output)
        return code, told

    def _run(
        self,
        job: str,
        payload: Any,
        limits: SandboxLimits | None,
        stdin: str = "",
        channel: socket.socket | None = None,
    ) -> Result:
        if self._code is None:
            self._code = open_box(self.setting, preload=[_CHILD])
        text = payload if isinstance(payload, str) else json.dumps(payload)
        chosen = limits_of(self.setting, limits or self._limits)
        return self._code.run(f"{_CHILD}:{job}", text.encode("utf-8", "surrogatepass"), chosen, stdin, channel)
