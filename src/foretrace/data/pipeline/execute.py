"""One subject becomes rows: its calls run in the sandbox, and what is wanted of them is kept. The rest is told why not."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from foretrace.corpus.types import Subject, digest
from foretrace.data.pipeline.definition import Definition, Drop
from foretrace.data.pipeline.features import constructs, of_trace, texts
from foretrace.data.pipeline.job import HEAD, subject_seed
from foretrace.errors import FormatError
from foretrace.record.narrate import narrate
from foretrace.sandbox import Result, Sandbox, SandboxLimits, Status
from foretrace.trace import Outcome, Trace, binary_to_wire, read_binary

JOB = "foretrace.data.pipeline.job:run"
PRELOAD = ("foretrace.data.pipeline.job",)
LIMITS = SandboxLimits(seconds=60.0, cpu_seconds=50, memory_mb=1024, file_mb=256)

Row = dict[str, Any]


@dataclass(slots=True)
class Executed:
    """What became of a subject."""

    rows: list[Row] = field(default_factory=list)
    """Of the traces that are kept."""
    drops: list[Drop] = field(default_factory=list)
    coverage: float | None = None
    """Share of its lines that ran while arguments were looked for; None if they were not."""
    has_success: bool = False
    """Whether a call was found that returned and did something."""


def execute(subject: Subject, definition: Definition, sandbox: Sandbox) -> Executed:
    """Runs all calls of a subject."""
    payload = {
        "source": subject.source,
        "entry": subject.entry,
        "form": subject.form,
        "calls": subject.calls,
        "wanted": definition.calls,
        "tries": definition.tries if subject.form == "function" else 0,
        "seed": subject_seed(definition.seed, subject.source, subject.entry),
        "limits": asdict(definition.limits),
    }
    result = sandbox.run(JOB, json.dumps(payload).encode(), LIMITS)
    found = _Found(subject, definition)
    for head, body in _messages(result.output):
        found.take(head, body)
    return found.finish(result)


def identity(subject: Subject) -> Row:
    """Columns that say what a row is of."""
    origin = subject.origin
    return {
        "subject": subject.id,
        "kind": origin.kind,
        "name": origin.name,
        "path": origin.path,
        "line": origin.line,
        "entry": subject.entry,
    }


def trace_row(
    subject: Subject, trace: Trace, arguments: str, body: bytes, lines: frozenset[int], definition: Definition
) -> Row:
    """All columns but `passed` and `tokens` of a trace. `body`: its binary form; `lines`: those that its entry can run."""
    return {
        "id": digest(subject.source, subject.entry, arguments),
        **identity(subject),
        "licence": subject.origin.licence,
        "source": subject.source,
        "arguments": arguments,
        "characters": len(binary_to_wire(body)),
        "constructs": constructs(subject.source),
        "narration": narrate(trace) if definition.narrate and not definition.server else None,
        "trace": body,
        **of_trace(trace, lines),
    }


def _messages(output: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
    """What a job wrote, up to where it makes no sense."""
    at = 0
    while at + HEAD.size <= len(output):
        head_size, body_size = HEAD.unpack_from(output, at)
        start, at = at + HEAD.size, at + HEAD.size + head_size + body_size
        if at > len(output):
            return
        try:
            head = json.loads(output[start : start + head_size])
        except ValueError:
            return
        if not isinstance(head, dict) or not isinstance(head.get("kind"), str):
            return
        yield head, output[start + head_size : at]


class _Found:
    """What became of a subject's calls."""

    def __init__(self, subject: Subject, definition: Definition) -> None:
        self.subject, self.definition = subject, definition
        self.of = identity(subject)
        self.executed = Executed()
        self.lines: frozenset[int] = frozenset()
        self.clocks: list[str] = []
        self.folder = ""
        self.failure = ""
        self.is_done = False
        self.calls = 0
        self.traces: set[bytes] = set()

    def take(self, head: dict[str, Any], body: bytes) -> None:
        """One message of the job."""
        match head["kind"]:
            case "lines":
                self.lines = frozenset(line for line in head.get("lines", ()) if isinstance(line, int))
                self.folder = str(head.get("folder", ""))
                self.clocks = [str(name) for name in head.get("clocks", ())]
            case "explored" if isinstance(head.get("coverage"), float | int):
                self.executed.coverage = min(1.0, max(0.0, float(head["coverage"])))
                self.executed.has_success = head.get("success") is True
            case "failed":
                self.failure = str(head.get("message"))
            case "end":
                self.is_done = True
            case "call":
                self.calls += 1
                self._take_call(head, str(head.get("arguments")), body)

    def _take_call(self, head: dict[str, Any], arguments: str, body: bytes) -> None:
        if head.get("problem"):
            return self._drop("record", "the arguments could not be evaluated", str(head["problem"]), arguments)
        if self.clocks:
            return self._drop("filter", "not pure: asks the clock or the system", ", ".join(self.clocks), arguments)
        if head.get("touched"):
            return self._drop("filter", "not pure: touches files or the system", str(head["touched"][0]), arguments)
        if not head.get("steady"):
            return self._drop("filter", "not pure: differs when called again", "", arguments)
        try:
            traces = list(read_binary(body))
        except FormatError as error:
            return self._drop("record", "the recording is damaged", str(error), arguments)
        if not traces or not traces[0].frames:
            return self._drop("record", "nothing of the source ran", "", arguments)
        return self._judge(traces[0], arguments, body, head.get("printed"))

    def _judge(self, trace: Trace, arguments: str, body: bytes, printed: object) -> None:
        if trace.header.outcome is Outcome.TRUNCATED:
            return self._drop("filter", f"too long: {trace.header.detail}", "", arguments)
        if self.folder and any(self.folder in text for text in texts(trace.frames)):
            return self._drop("filter", "not pure: shows where it ran", "", arguments)
        if not self.definition.keep_cut_values and any("…" in text for text in texts(trace.frames)):
            return self._drop("filter", "a value was too large to be shown whole", "", arguments)
        row = trace_row(self.subject, trace, arguments, body, self.lines, self.definition)
        if row["characters"] > self.definition.max_characters:
            return self._drop("filter", "too long: bytes", f"{row['characters']} characters", arguments)
        if body in self.traces:
            return self._drop("duplicates", "the same trace from other arguments", "", arguments)
        self.traces.add(body)
        self.executed.rows.append(row | {"passed": self._passed(arguments, printed)})
        return None

    def _passed(self, arguments: str, printed: object) -> bool | None:
        subject = self.subject
        at = subject.calls.index(arguments) if subject.form == "script" and arguments in subject.calls else -1
        if not 0 <= at < len(subject.outputs) or not isinstance(printed, str):
            return None
        return printed.split() == subject.outputs[at].split()

    def finish(self, result: Result) -> Executed:
        """All of it."""
        if self.failure:
            self._drop("record", "its top level or its entry failed", self.failure)
        elif result.status is not Status.DONE or not self.is_done:
            self._drop("record", f"the run ended early: {result.status}", result.stderr[-300:].decode("utf-8", "replace"))
        elif not self.calls:
            self._drop("arguments", "no call was found that the function takes", "")
        self._balance()
        return self.executed

    def _balance(self) -> None:
        """Keeps of the calls that raise one an exception, and no more than there are that return."""
        returned = sum(row["outcome"] == Outcome.RETURNED for row in self.executed.rows)
        seen: Counter[str] = Counter()
        kept = []
        for row in self.executed.rows:
            if row["outcome"] == Outcome.RAISED and self.subject.form == "function":
                name = str(row["value"]).partition("(")[0]
                seen[name] += 1
                if seen[name] > 1 or seen.total() > max(returned, 1):
                    self._drop("filter", "too many calls that raise", str(row["value"]), row["arguments"])
                    continue
            kept.append(row)
        self.executed.rows = kept

    def _drop(self, stage: str, reason: str, detail: str, arguments: str | None = None) -> None:
        self.executed.drops.append(Drop(stage, reason, detail, arguments, self.of))
