"""Breakpoints of an editor on those of a session: at lines, on values, and the checkboxes of "Exceptions".

    requests = BreakpointRequests(session, places, client, references)
    requests.set_lines(arguments)           # each replaces those of its kind
    requests.set_filters(arguments)
    requests.data_info(arguments)           # can this variable be watched?

One that cannot be hit is answered as not verified, with the reason, which editors show where it was set.
"""

import json
from bisect import bisect_left
from dataclasses import replace
from typing import Any

from foretrace.dap.arguments import Arguments
from foretrace.dap.client import Client
from foretrace.dap.frames import Places
from foretrace.dap.references import References
from foretrace.dap.variables import Locals
from foretrace.debug import Breakpoint, DataBreakpoint, Filters, Session
from foretrace.debug.confidence import Confidence
from foretrace.errors import ForetraceError, UsageError
from foretrace.trace.flow import scopes_of

FILTERS: list[dict[str, Any]] = [
    {
        "filter": "exception",
        "label": "Predicted exceptions",
        "description": "Stops where an exception is predicted to be raised.",
        "default": True,
    },
    {
        "filter": "divergence",
        "label": "Divergence from reality",
        "description": "Stops where the prediction goes wrong. What is real must be known.",
    },
    {
        "filter": "confidence",
        "label": "Low confidence",
        "description": "Stops where a new value is less sure than the condition says. The model must be calibrated.",
        "supportsCondition": True,
        "conditionDescription": "how sure it must be at least, such as 0.8 (which is what it is without a condition)",
    },
]
_CONFIDENCE = 0.8
_MOST = 1_000


class BreakpointRequests:
    """Those of one session."""

    def __init__(self, session: Session, places: Places, client: Client, references: References) -> None:
        self._session, self._places, self._client, self._references = session, places, client, references
        self._lines: list[int] = []
        self._data: list[int] = []
        source = session.tree.root.prompt.call.source
        scopes = (scope for scope in scopes_of(source) if scope.kind not in ("module", "class"))
        self._reachable = sorted({line for scope in scopes for line in [*scope.spans, *scope.entries]})
        """Lines at which something runs, or a function is entered."""

    def set_lines(self, arguments: Arguments) -> dict[str, Any]:
        """Answers `setBreakpoints`."""
        items = _limited(arguments.items("breakpoints"))
        if not self._places.is_ours(arguments.section("source")):
            why = "another file is debugged; breakpoints stop only there"
            return {"breakpoints": [{"verified": False, "message": why} for _ in items]}
        self._remove(self._lines)
        return {"breakpoints": [self._add_line(item) for item in items]}

    def _add_line(self, item: Arguments) -> dict[str, Any]:
        wanted = self._client.line_in(item.number("line"))
        after = bisect_left(self._reachable, wanted)
        if after == len(self._reachable):
            return {"verified": False, "message": "no line of a function is here or below: nothing stops here"}
        line = self._reachable[after]
        condition, hits = item.text("condition", ""), item.text("hitCondition", "")
        told = self._add(self._lines, Breakpoint(line=line, condition=condition, hits=hits))
        return told | {"line": self._client.line_out(line), "source": self._places.source(line)}

    def data_info(self, arguments: Arguments) -> dict[str, Any]:
        """Answers `dataBreakpointInfo`."""
        name = arguments.text("name")
        if "variablesReference" in arguments:
            number = arguments.number("variablesReference")
            scope = self._references.get(number, object, "variablesReference")
            if not isinstance(scope, Locals) or scope.real:
                return {"dataId": None, "description": "only a predicted local can be watched, as a whole"}
            moment = self._session.at(scope.position)
        else:
            moment = self._session.here
        if name not in moment.step.frame.state:
            return {"dataId": None, "description": f"{name} is no local here"}
        function = moment.step.frame.function
        return {
            "dataId": json.dumps([function, name]),
            "description": f"{name} of {function}",
            "accessTypes": ["write"],
            "canPersist": True,
        }

    def set_data(self, arguments: Arguments) -> dict[str, Any]:
        """Answers `setDataBreakpoints`."""
        items = _limited(arguments.items("breakpoints"))
        self._remove(self._data)
        return {"breakpoints": [self._add_data(item) for item in items]}

    def _add_data(self, item: Arguments) -> dict[str, Any]:
        try:
            match json.loads(item.text("dataId")):
                case [str(function), str(name)]:
                    pass
                case _:
                    raise ValueError
        except (ValueError, RecursionError):
            return {"verified": False, "message": "this is no dataId of dataBreakpointInfo"}
        return self._add(self._data, DataBreakpoint(name=name, function=function, condition=item.text("condition", "")))

    def _add(self, numbers: list[int], wanted: Breakpoint | DataBreakpoint) -> dict[str, Any]:
        try:
            number = self._session.breakpoints.add(wanted)
        except UsageError as error:
            return {"verified": False, "message": str(error)}
        numbers.append(number)
        return {"id": number, "verified": True}

    def _remove(self, numbers: list[int]) -> None:
        for number in numbers:
            self._session.breakpoints.remove(number)
        numbers.clear()

    def set_filters(self, arguments: Arguments) -> dict[str, Any]:
        """Answers `setExceptionBreakpoints`."""
        options = dict.fromkeys(arguments.texts("filters"), "")
        options |= {item.text("filterId"): item.text("condition", "") for item in arguments.items("filterOptions")}
        self._session.breakpoints.filters = Filters()
        told = [self._set_filter(name, condition.strip()) for name, condition in options.items()]
        return {"breakpoints": told}

    def _set_filter(self, name: str, condition: str) -> dict[str, Any]:
        try:
            self._session.breakpoints.filters = self._with(self._session.breakpoints.filters, name, condition)
        except ForetraceError as error:
            return {"verified": False, "message": str(error)}
        waits_for = self._waits_for(name)
        return {"verified": not waits_for} | ({"message": waits_for} if waits_for else {})

    def _with(self, filters: Filters, name: str, condition: str) -> Filters:
        match name:
            case "exception":
                return replace(filters, exception=True)
            case "divergence":
                return replace(filters, divergence=True)
            case "confidence":
                return replace(filters, confidence=_number(condition) if condition else _CONFIDENCE)
        raise UsageError(f"there is no filter {name!r}; those there are: {', '.join(f['filter'] for f in FILTERS)}")

    def _waits_for(self, name: str) -> str:
        """What a filter cannot do without, if it is not there."""
        session = self._session
        if name == "divergence" and session.tree.reality(session.branch) is None:
            return "what is real is not known yet: write `real` in the console, or give a trace in launch.json"
        if name == "confidence" and not (isinstance(session.judge, Confidence) and session.judge.is_calibrated):
            return f"{session.predictor.name} has no calibration: how sure it is cannot be told"
        return ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no number; write a confidence, such as 0.8") from error


def _limited(items: list[Arguments]) -> list[Arguments]:
    if len(items) > _MOST:
        raise UsageError(f"{len(items)} breakpoints are more than {_MOST}")
    return items
