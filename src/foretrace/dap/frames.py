"""Where a session stands, in the protocol's words: the stack, the reason of a stop, what an exception is.

    places = Places(session, client, "f")
    places.stack_trace(arguments, references)
    stopped(session)                    # the body of the event `stopped`
    exception_info(session)

Frames show the state before their line runs, as debuggers do.
"""

import os
from typing import Any

from foretrace.dap.arguments import Arguments
from foretrace.dap.client import Client
from foretrace.dap.references import References
from foretrace.dap.variables import FrameAt
from foretrace.debug import Moment, Reason, Session, Stop
from foretrace.errors import UsageError
from foretrace.trace import Divergence, Event

THREAD = 1
"""There is one: the branch that is shown."""
_WITH_CALL = 1
"""The source reference of a text that a call was appended to."""
_REASONS = dict.fromkeys((Reason.DIVERGENCE, Reason.CONFIDENCE), "exception")
"""Reasons that the protocol has no word for, and that an editor shows as it shows exceptions."""
_DESCRIPTIONS = {
    Reason.EXCEPTION: "an exception is predicted",
    Reason.DIVERGENCE: "the prediction is wrong here",
    Reason.CONFIDENCE: "the prediction is not sure here",
    Reason.END: "the prediction ends",
}


class Places:
    """Sources and frames of one session."""

    def __init__(self, session: Session, client: Client, function: str) -> None:
        """`function` is the one that the user named; where another one is entered, that was appended to the file."""
        self._session, self._client = session, client
        call = session.tree.root.prompt.call
        self._lines_of_file = call.source.count("\n") + 1 if call.entry == function else call.line - 1

    def source(self, line: int) -> dict[str, Any]:
        """The source of a line: the file, or the text that the call was appended to."""
        name = os.path.basename(self._session.path)
        if line > self._lines_of_file:
            return {"name": f"{name} and the call", "sourceReference": _WITH_CALL, "presentationHint": "deemphasize"}
        return {"name": name, "path": self._session.path}

    def is_ours(self, source: Arguments) -> bool:
        """Whether a client's source is the one that is debugged."""
        if source.number("sourceReference", 0) == _WITH_CALL:
            return True
        try:
            return os.path.realpath(source.text("path", "")) == os.path.realpath(self._session.path)
        except ValueError:  # no path that a file can have
            return False

    def source_text(self, arguments: Arguments) -> dict[str, Any]:
        """Answers `source`."""
        if not self.is_ours(arguments.section("source")) and arguments.number("sourceReference", 0) != _WITH_CALL:
            raise UsageError("only the source that is debugged is known here")
        return {"content": self._session.tree.root.prompt.call.source, "mimeType": "text/x-python"}

    def stack_trace(self, arguments: Arguments, references: References) -> dict[str, Any]:
        """Answers `stackTrace`."""
        stack = self._session.here.stack
        start, levels = max(arguments.number("startFrame", 0), 0), arguments.number("levels", 0)
        shown = stack[start:][: levels if levels > 0 else None]
        frames = [self._frame(position, references.add(FrameAt(position))) for position in shown]
        return {"stackFrames": frames, "totalFrames": len(stack)}

    def _frame(self, position: int, number: int) -> dict[str, Any]:
        timeline = self._session.branch.timeline
        frame, at = timeline[position].frame, position
        name, hint, line = frame.function, {}, frame.line
        if frame.ghost:
            name, hint = f"{name}: ghost line {frame.source.strip()!r}", {"presentationHint": "subtle"}
            while not line and (before := timeline.before(at)) is not None:
                at, line = before, timeline[before].frame.line
        place = {"source": self.source(line), "line": self._client.line_out(max(line, 1)), "column": self._client.lines_from}
        return {"id": number, "name": name, "canRestart": True} | place | hint


def stopped(session: Session) -> dict[str, Any]:
    """The body of the event `stopped`."""
    moment, stop = session.here, session.stop
    body: dict[str, Any] = {
        "reason": _REASONS.get(stop.reason, stop.reason.value),
        "threadId": THREAD,
        "allThreadsStopped": True,
        "description": ": ".join(filter(None, (_DESCRIPTIONS.get(stop.reason, stop.reason.value), _detail(moment, stop)))),
    }
    if body["reason"] == "exception":
        body["text"] = _detail(moment, stop)
    if stop.breakpoints:
        body["hitBreakpointIds"] = list(stop.breakpoints)
    return body


def exception_info(session: Session) -> dict[str, Any]:
    """Answers `exceptionInfo`.

    Raises:
        UsageError: the session stands at nothing of that kind.

    """
    moment, reason = session.here, session.stop.reason
    frame = moment.step.frame
    if reason in (Reason.DIVERGENCE, Reason.CONFIDENCE):
        return {"exceptionId": reason.value, "description": _detail(moment, session.stop), "breakMode": "always"}
    if frame.event is not Event.EXCEPTION:
        raise UsageError("no exception is predicted at this step")
    value = frame.value or ""
    kind = value.partition("(")[0]
    stack = "\n".join(f"  line {f.line}, in {f.function}" for f in (moment.timeline.frames[at] for at in moment.stack))
    return {
        "exceptionId": kind,
        "description": f"predicted: {value}{_really(moment)}",
        "breakMode": "always",
        "details": {"message": value, "typeName": kind, "stackTrace": stack},
    }


def _really(moment: Moment) -> str:
    real = moment.real
    if real is None:
        return ""
    if real.event in (Event.EXCEPTION, Event.RETURN):
        return f"\nreally: {real.event} {real.value}"
    return f"\nreally: goes on at line {real.line}"


def _detail(moment: Moment, stop: Stop) -> str:
    """More about a stop, for people."""
    frame = moment.step.frame
    if stop.reason is Reason.DIVERGENCE and moment.comparison:
        return "; ".join(told(wrong) for wrong in moment.comparison.wrong_at(moment.position))
    if stop.reason is Reason.CONFIDENCE:
        new = {value.name for value in moment.step.values if not value.unchanged}
        [(name, sure), *_] = sorted(((n, s) for n, s in moment.confidences.items() if n in new), key=lambda item: item[1])
        return f"{name or 'the result'} = {moment.before[name]}, {sure:.2f} sure"
    if stop.reason is Reason.STEP and frame.locals is None and not stop.detail:
        return f"{frame.function} {'returns' if frame.event is Event.RETURN else 'raises'} {frame.value}"
    return stop.detail


def told(wrong: Divergence) -> str:
    """A divergence in words."""
    ours, theirs = (text if text is not None else "nothing" for text in (wrong.predicted, wrong.real))
    return f"{wrong.kind} {wrong.variable or ''}".strip() + f": predicted {ours}, really {theirs}"
