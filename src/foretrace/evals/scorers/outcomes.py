"""What came out of a sandbox, read as if by an enemy, and the verdict on it.

    outcome = read_outcome(result, count=2)          # replies of `child.call`
    judge_calls(["f(3)", "f(5)"], [9, 25], outcome, rules.same)

A pass needs evidence for each test: a value for each call and no more, an end that was reached, assertions that held.
"""

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from foretrace.evals.scorers.values import NotPlainError, from_text, shown
from foretrace.evals.types import Reason, Verdict
from foretrace.sandbox import Result, Status

MAX_OUTPUT = 32 << 20
"""Bytes of replies to all calls of one process."""
MAX_SAID = 1000
"""Characters of what is told of an exception."""

Same = Callable[[Any, Any], tuple[bool, bool]]
"""Of the expected and of the returned value, which is plain: the verdict under the strict and under the official rule."""

_REASONS = {Status.TIMEOUT: Reason.TIMEOUT, Status.KILLED: Reason.KILLED, Status.BROKEN: Reason.BROKEN}
ENDINGS = {
    Status.DONE: "it gave no values",
    Status.EXITED: "it ended its process",
    Status.KILLED: "it crashed, or used up its memory",
    Status.TIMEOUT: "it took too long",
    Status.BROKEN: "the sandbox failed",
}


@dataclass(frozen=True, slots=True)
class Called:
    """What became of one call."""

    value: Any = None
    error: str = ""
    """Why there is no value: `ValueError: …`, or that it is none that can be carried; empty if there is one."""
    is_exact: bool = True
    """Whether it was of the type that it has here, and not of one derived from that, or NumPy's."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of calls, in one process."""

    status: Status
    calls: tuple[Called, ...]
    """Fewer than were asked for if the process ended, or its source raised."""
    error: str = ""
    """Why there are fewer."""
    seconds: float = 0.0


def status_of(result: Result) -> Status:
    """How it ended. Time is up by the clock or by the processor's, whichever comes first on a machine as busy as it is."""
    is_out_of_time = result.status is Status.KILLED and result.code == signal.SIGXCPU
    return Status.TIMEOUT if is_out_of_time else result.status


def read_outcome(result: Result, count: int) -> Outcome:
    """Of the replies of `child.call`, or of `child.serve`, which replies to its source only (`count` 0)."""
    replies = [] if len(result.output) > MAX_OUTPUT else result.output.decode("ascii", "replace").split("\n")[:-1]
    loaded = _called(replies[0]) if replies else Called(error=last_line(result) or ENDINGS[status_of(result)])
    calls = tuple(map(_called, replies[1 : count + 1])) if not loaded.error else ()
    missing = "" if len(replies) == count + 1 and not loaded.error else loaded.error or ENDINGS[status_of(result)]
    if len(replies) > count + 1:
        calls, missing = (), "it gave more values than were asked for"
    return Outcome(status_of(result), calls, missing, result.seconds)


def _called(reply: str) -> Called:
    try:
        value = from_text(reply[1:])
        if reply.startswith(("v", "w")):
            return Called(value, is_exact=reply.startswith("v"))
        return Called(error=said_of(value)[1] or "it raised")
    except NotPlainError as error:
        return Called(error=f"no value: {error}")


def said_of(reply: Any) -> tuple[list[str], str]:
    """The bases of an exception and what it says, of a reply that tells one.

    Raises:
        NotPlainError: it does not.

    """
    match reply:
        case [list(bases), str(said)] if all(isinstance(base, str) for base in bases):
            return bases, said[:MAX_SAID]
    raise NotPlainError("neither a value nor an exception")


def judge_calls(calls: Sequence[str], expected: Sequence[Any], outcome: Outcome, same: Same) -> Verdict:
    """Whether all values are what is expected; the first that is not is told."""
    strict, loose = True, ""
    for at, (text, wanted, called) in enumerate(zip(calls, expected, outcome.calls, strict=False), 1):
        call = f"call {at} of {len(calls)}, {text[:100]}"
        if called.error:
            return failed(_reason_of(called.error), f"{call}: {called.error}")
        is_strict, is_official = _applied(same, wanted, called.value)
        if not is_official:
            return failed(Reason.WRONG, f"{call} gives {shown(called.value)}, not {shown(wanted)}")
        if not (is_strict and called.is_exact):
            derived = "" if called.is_exact else ", of a type of its own,"
            strict, loose = False, loose or f"{call} gives {shown(called.value)}{derived} for {shown(wanted)}"
    if outcome.status is not Status.DONE or len(outcome.calls) != len(calls):
        reason = _REASONS.get(outcome.status) or _reason_of(outcome.error)
        return failed(reason, outcome.error or ENDINGS[outcome.status])
    return passed(strict, loose)


def _applied(same: Same, wanted: Any, value: Any) -> tuple[bool, bool]:
    try:
        return same(wanted, value)
    except Exception:  # a rule for numbers meets a text, an integer that is no float: it is not what was wanted
        return False, False


def judge_test(code: Result, told: dict[str, Any] | Result) -> Verdict:
    """Of what became of the submission, and of what the test tells."""
    loaded = read_outcome(code, 0)
    if isinstance(told, Result):
        ended = code if code.status is not Status.DONE else told
        return ended_early(ended, f"the test did not come to its end: {ENDINGS[status_of(ended)]}")
    if told["unsupported"]:
        return broken(f"the test cannot be put to code in another process: {told['unsupported']}")
    if loaded.error or told["foreign"]:
        why = loaded.error or told["foreign"]
        return ended_early(code, why) if code.status is not Status.DONE else failed(_reason_of(why), why)
    if told["error"]:
        return failed(Reason.WRONG if told["is_wrong"] else _reason_of(told["error"]), told["error"])
    if not (told["asserts"] and told["calls"]):
        return broken("the test asserts nothing, or calls nothing")
    return passed(not told["loose"], told["loose"])


def last_line(result: Result) -> str:
    """Of what it says on standard error."""
    return result.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:200]


def _reason_of(error: str) -> Reason:
    return Reason.KILLED if error.startswith("MemoryError") else Reason.ERROR


def ended_early(result: Result, detail: str) -> Verdict:
    """Of what did not come to its end."""
    return failed(_REASONS.get(status_of(result), Reason.ERROR), detail)


def passed(strict: bool, loose: str) -> Verdict:
    """Official; strict too unless something was loose."""
    return Verdict(strict=strict, official=True, reason=Reason.RIGHT if strict else Reason.WRONG, detail=loose)


def failed(reason: Reason, detail: str) -> Verdict:
    """Under both rules."""
    return Verdict(strict=False, official=False, reason=reason, detail=detail)


def broken(detail: str) -> Verdict:
    """Of nothing: the harness failed."""
    return failed(Reason.BROKEN, detail)
