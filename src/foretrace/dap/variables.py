"""What an editor shows of a stop: scopes, variables and their parts; and how a variable is changed.

    variables = Variables(session, client, references)
    variables.scopes(arguments)         # Predicted locals, Real locals, Differences (1), Asked of the model
    variables.variables(arguments)
    variables.set_variable(arguments)   # on a branch of its own

The predicted and the real world stand beside each other as scopes of the stock Variables pane. What a number stands for
says where to look, not what was there: after a value was changed it shows the branch that is shown then.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from foretrace.dap.arguments import Arguments
from foretrace.dap.asking import Answer, Question, answer, questions
from foretrace.dap.client import Client
from foretrace.dap.parts import Path, find_part, new_value, part_at, parts_of, with_part
from foretrace.dap.references import References
from foretrace.debug import Moment, Session
from foretrace.debug.pure import type_name
from foretrace.debug.reading import Thing, read, show
from foretrace.debug.reality import texts_of
from foretrace.errors import UsageError
from foretrace.trace import Event

Variable = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FrameAt:
    """A frame of the stack: a step."""

    position: int


@dataclass(frozen=True, slots=True)
class Locals:
    """The values of a step, predicted or real."""

    position: int
    real: bool = False


@dataclass(frozen=True, slots=True)
class Differences:
    """What is wrong with a step."""

    position: int


@dataclass(frozen=True, slots=True)
class Questions:
    """What the model can be asked about a step."""

    position: int


@dataclass(frozen=True, slots=True)
class PartOf:
    """A part of a local, or all of it."""

    scope: Locals
    name: str
    path: Path = ()


@dataclass(frozen=True, slots=True)
class Fixed:
    """The parts of a value that an expression gave once."""

    text: str
    path: Path = ()


class Variables:
    """Of one session."""

    def __init__(self, session: Session, client: Client, references: References) -> None:
        self._session, self._client, self._references = session, client, references
        self._listings: list[tuple[type, Callable[[Any], Iterator[Variable]]]] = [
            (Locals, self._locals),
            (Differences, self._differences),
            (Questions, self._questions),
            (Question, self._question),
            (Answer, self._answer),
            (PartOf, self._parts_of_local),
            (Fixed, self._parts_of_fixed),
        ]

    def frame(self, arguments: Arguments) -> Moment:
        """The step of the frame that a request names, or the one that is shown."""
        if "frameId" not in arguments:
            return self._session.here
        frame = self._references.get(arguments.number("frameId"), FrameAt, "frameId")
        return self._session.at(frame.position)

    def scopes(self, arguments: Arguments) -> dict[str, Any]:
        """Answers `scopes`."""
        moment = self.frame(arguments)
        position, real = moment.position, moment.real
        found: list[tuple[str, Hashable, bool]] = [("Predicted locals", Locals(position), False)]
        if real is not None:
            found.append(("Real locals", Locals(position, real=True), False))
        if moment.comparison is not None:
            wrong = len(moment.comparison.wrong_at(position))
            found.append((f"Differences ({wrong})", Differences(position), False))
        found.append(("Asked of the model", Questions(position), True))
        scopes = [
            {"name": name, "variablesReference": self._references.add(what), "expensive": expensive}
            for name, what, expensive in found
        ]
        scopes[0]["presentationHint"] = "locals" if moment.step.frame.locals is not None else "returnValue"
        return {"scopes": scopes}

    def variables(self, arguments: Arguments) -> dict[str, Any]:
        """Answers `variables`."""
        what = self._references.get(arguments.number("variablesReference"), object, "variablesReference")
        listing = next((listing for kind, listing in self._listings if isinstance(what, kind)), None)
        if listing is None:
            raise UsageError(f"variablesReference {arguments.number('variablesReference')} is that of a frame")
        found = list(listing(what))
        start, count = max(arguments.number("start", 0), 0), arguments.number("count", 0)
        return {"variables": found[start : start + count] if count > 0 else found[start:]}

    def _fields(self, what: PartOf | Fixed, value: Any, note: str = "") -> Variable:
        """The fields that every variable and every result has; a note stands beside its type."""
        parts = len(parts_of(value))
        fields: Variable = {"variablesReference": self._references.add(what) if parts else 0}
        if self._client.shows_types:
            fields["type"] = f"{type_name(value)} {note}".rstrip()
        return fields | ({"indexedVariables": parts} if isinstance(value, list | tuple) else {})

    def result(self, text: str) -> Variable:
        """The answer to `evaluate` for the text of a value."""
        return {"result": text} | self._fields(Fixed(text), read(text))

    # -- changes --------------------------------------------------------------------------------------

    def set_variable(self, arguments: Arguments) -> dict[str, Any]:
        """Answers `setVariable`."""
        number, name = arguments.number("variablesReference"), arguments.text("name")
        what = self._references.get(number, object, "variablesReference")
        match what:
            case Locals(position, False):
                return self._set(position, "" if name in _UNNAMED.values() else name, (), arguments.text("value"))
            case PartOf(Locals(position, False), local, path):
                parts = parts_of(part_at(read(self._session.at(position).text(local)), path))
                at = next((at for at, part in enumerate(parts) if part.label == name), None)
                if at is None:
                    raise UsageError(f"there is no part {name} here")
                return self._set(position, local, (*path, at), arguments.text("value"))
            case Locals() | PartOf():
                raise UsageError("what is real cannot be changed; to go on from it, write `pin NAME` in the console")
        raise UsageError(f"{name} cannot be changed: only predicted values can")

    def set_expression(self, arguments: Arguments) -> dict[str, Any]:
        """Answers `setExpression`."""
        moment = self.frame(arguments)
        name, path = find_part(arguments.text("expression"), moment.before)
        return self._set(moment.position, name, path, arguments.text("value"))

    def _set(self, position: int, name: str, path: Path, value: str) -> dict[str, Any]:
        """Changes a value at a step, to which the session goes."""
        moment = self._session.at(position)
        text = moment.text(name)
        if path:
            value = show(with_part(read(text), path, new_value(value, moment.step.frame.state)))
        before = self._session.position, self._session.stop
        try:
            self._session.seek(position)
            self._session.set(name, value)
        except UsageError:
            self._session.position, self._session.stop = before
            raise
        new = part_at(read(self._session[name]), path)
        text = show(new) if path else self._session[name]
        return {"value": text} | self._fields(PartOf(Locals(position), name, path), new)

    # -- listings -------------------------------------------------------------------------------------

    def _locals(self, scope: Locals) -> Iterator[Variable]:
        moment = self._session.at(scope.position)
        frame = moment.real if scope.real else moment.step.frame
        if frame is None:
            return
        sure = {} if scope.real else how_sure(moment)
        for name, text in texts_of(frame).items():
            fields = self._fields(PartOf(scope, name), read(text), sure.get(name, ""))
            called = {"evaluateName": name} if name and not scope.real else {}
            yield {"name": name or _UNNAMED[frame.event], "value": text} | fields | called | _hint(scope.real)

    def _parts_of_local(self, what: PartOf) -> Iterator[Variable]:
        moment = self._session.at(what.scope.position)
        frame = moment.real if what.scope.real else moment.step.frame
        texts: Mapping[str, str] = texts_of(frame) if frame else {}
        value, expression = read(texts.get(what.name, "")), what.name
        for at in what.path:
            part_at(value, (at,))
            part = parts_of(value)[at]
            value, expression = part.value, expression + part.suffix if expression and part.suffix else ""
        for at, part in enumerate(parts_of(value)):
            fields = self._part(part.label, part.value, PartOf(what.scope, what.name, (*what.path, at)))
            called = expression and part.suffix and not what.scope.real
            yield fields | ({"evaluateName": expression + part.suffix} if called else {}) | _hint(what.scope.real)

    def _parts_of_fixed(self, what: Fixed) -> Iterator[Variable]:
        for at, part in enumerate(parts_of(part_at(read(what.text), what.path))):
            yield self._part(part.label, part.value, Fixed(what.text, (*what.path, at))) | _hint(True)

    def _part(self, label: str, value: Any, what: PartOf | Fixed) -> Variable:
        text = value.text if isinstance(value, Thing) else show(value)
        return {"name": label, "value": text} | self._fields(what, value)

    def _differences(self, what: Differences) -> Iterator[Variable]:
        comparison = self._session.at(what.position).comparison
        for wrong in comparison.wrong_at(what.position) if comparison else ():
            ours, theirs = (text if text is not None else "nothing" for text in (wrong.predicted, wrong.real))
            name = wrong.variable or f"({wrong.kind})"
            yield {"name": name, "value": f"{ours} ≠ {theirs}", "variablesReference": 0} | _hint(True)

    def _questions(self, what: Questions) -> Iterator[Variable]:
        for name, question in questions(self._session.at(what.position)):
            number = self._references.add(question)
            yield {"name": name, "value": "", "variablesReference": number, "presentationHint": {"lazy": True}}

    def _question(self, what: Question) -> Iterator[Variable]:
        """One variable, which stands in the place of the one that was clicked on."""
        found = answer(self._session.at(what.position), what)
        number = self._references.add(found) if found.rows else 0
        yield {"name": what.name, "value": found.summary, "variablesReference": number} | _hint(True)

    def _answer(self, what: Answer) -> Iterator[Variable]:
        for name, value in what.rows:
            yield {"name": name, "value": value, "variablesReference": 0} | _hint(True)


_UNNAMED = {Event.RETURN: "(returns)", Event.EXCEPTION: "(raises)"}
"""What is returned or raised has no name."""


def how_sure(moment: Moment) -> dict[str, str]:
    """How sure each predicted value is: its dots, and P(it is right) where that can be told."""
    sure = moment.confidences
    return {
        name: f"{dots} {sure[name]:.2f}" if name in sure else f"{dots} uncalibrated" for name, dots in moment.dots.items()
    }


def _hint(real: bool) -> dict[str, Any]:
    return {"presentationHint": {"attributes": ["readOnly"]}} if real else {}
