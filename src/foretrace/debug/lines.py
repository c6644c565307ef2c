"""A branch as a trace in JSON Lines v1, each step with how sure it is. Any reader of traces reads it.

    file.write(opening_line(session))
    file.writelines(step_lines(session))            # {…, "set": {"n": "3"}, "p": {"line": 0.99, "values": {"n": 0.61}}}
    file.write(closing_line(session))               # {"end": "returned", …}

Of what is returned or raised the name is empty. A step that is given, and each without a calibration, has no `p`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from foretrace.debug.session import Session
from foretrace.engine import Finish, StopReason, trace_of
from foretrace.trace import Header
from foretrace.trace.jsonl import FrameWriter, end_line, header_line

_DIGITS = 4


def opening_line(session: Session) -> str:
    """What is called, and by what it is predicted."""
    return header_line(_header(session))


def step_lines(session: Session) -> Iterator[str]:
    """A line a step, those that are known; with the end of it each."""
    writer = FrameWriter()
    for position in range(len(session.branch.timeline)):
        moment = session.at(position)
        yield sure_line(writer.line(moment.step.frame), moment.line_confidence, moment.confidences)


def closing_line(session: Session, more: Mapping[str, Any] = MappingProxyType({})) -> str:
    """How it ended, and more that is to be told."""
    return extended(end_line(_header(session)), more)


def sure_line(line: str, place: float | None, values: Mapping[str, float]) -> str:
    """The line of a frame, with how likely its source line (None: nobody knows) and each of its values are right."""
    if place is None:
        return line
    rounded = {name: round(share, _DIGITS) for name, share in values.items()}
    return extended(line, {"p": {"line": round(place, _DIGITS), "values": rounded}})


def extended(line: str, more: Mapping[str, Any]) -> str:
    """A line of JSON, with more members at its end."""
    return f"{line.rstrip()[:-1]}, {json.dumps(dict(more))[1:]}\n" if more else line


def _header(session: Session) -> Header:
    """The header of the branch that is shown; one that could go on has used its budget."""
    branch = session.branch
    finish = branch.finish or Finish(StopReason.BUDGET)
    frames = [step.frame for step in branch.timeline]
    return replace(trace_of(branch.prompt, frames, finish, session.predictor.name).header, path=session.path)
