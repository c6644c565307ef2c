"""One clause for each kind of statement, and the line that it announces.

text, leads_to = clause(moment)         # ("`3 > 2` holds, so line 4 runs", 4)
"""

import ast

from foretrace.record.narration.assignments import assignment, augmented, changes, receiver, unchanged
from foretrace.record.narration.conditions import branch, case, condition, handler, on_one_line
from foretrace.record.narration.moment import Moment
from foretrace.trace import Event


def clause(moment: Moment) -> tuple[str, int]:  # noqa: C901 - one branch a kind of statement
    """What happened in this step; no capital letter, no full stop. Empty if there is nothing to say."""
    step, node = moment.step, moment.node
    if step.frame.event is Event.CALL and step.frame.resumed:
        return _resumed(moment), 0
    if step.raised is not None:
        return _raised(moment), 0
    if step.is_yield:
        return _yields(moment), 0
    match node:
        case ast.If():
            return branch(node, moment)
        case ast.ExceptHandler():
            return handler(node, moment)
        case ast.match_case():
            return case(node, moment)
        case ast.Return():
            return _returns(moment, node), 0
        case ast.Assign():
            return assignment(moment, node.targets, node.value), 0
        case ast.AnnAssign():
            return assignment(moment, [node.target], node.value), 0
        case ast.AugAssign():
            return augmented(moment, node), 0
        case ast.Expr():
            return _expression(moment, node.value), 0
        case ast.Assert():
            return f"{condition(node.test, True, moment)}, so the assertion passes", 0
        case None:
            return on_one_line(moment) or (_several(moment), 0)
    return _other(moment), 0


def _other(moment: Moment) -> str:
    """Statements that do little more than their name says."""
    match moment.node:
        case ast.With() | ast.AsyncWith():
            return _with(moment, moment.node)
        case ast.Try() | ast.TryStar():
            return moment.voice.pick("a try block begins", "we enter a try block")
        case ast.Match():
            value = moment.evaluated(moment.node.subject)
            which = f", which is `{value}`," if value else ""
            return f"{moment.source_of(moment.node.subject)}{which} is matched against the cases"
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return f"the function {moment.node.name} is defined"
        case ast.ClassDef():
            return f"the class {moment.node.name} is defined"
        case ast.Break():
            return "`break` leaves the loop"
        case ast.Continue():
            return "`continue` goes back to the top of the loop"
        case ast.Pass():
            return "`pass` does nothing"
        case ast.Delete():
            return _deletes(moment, moment.node)
        case ast.Import() | ast.ImportFrom():
            names = [alias.asname or alias.name for alias in moment.node.names]
            return f"{moment.voice.enumeration(names)} {'is' if len(names) == 1 else 'are'} imported"
    return _several(moment)


def _raised(moment: Moment) -> str:
    step, exception = moment.step, moment.voice.value(moment.step.raised or "")
    leaves = step.end is not None and step.end.event is Event.EXCEPTION
    went_by = leaves and step.handling == step.raised and not isinstance(moment.node, ast.Raise) and not moment.raiser
    if went_by and isinstance(moment.node, ast.ExceptHandler):
        return f"{moment.quoted} does not match {exception}, which leaves {moment.function}"
    if went_by:
        return f"that done, {exception} goes on and leaves {moment.function}"
    if isinstance(moment.node, ast.Raise):
        text = moment.voice.pick(f"{exception} is raised", f"{moment.quoted} raises {exception}")
    elif moment.raiser:
        text = f"{exception} comes out of {moment.raiser}"
    else:
        text = f"{moment.quoted} raises {exception}"
    if not leaves:
        return text
    return text + moment.voice.pick(f", and nothing in {moment.function} catches it", f", which leaves {moment.function}")


def _yields(moment: Moment) -> str:
    value = moment.voice.value((moment.step.end.value or "") if moment.step.end else "")
    node = getattr(moment.node, "value", None)
    if moment.is_coroutine or _only_waits(moment.node):
        return f"{moment.function} waits at {moment.quoted}"
    if isinstance(node, ast.YieldFrom):
        return f"{moment.function} passes {value} on"
    return moment.voice.pick(f"{moment.function} yields {value}", f"{moment.quoted} yields {value}")


def _only_waits(node: ast.AST | None) -> bool:
    """Whether the statement of an asynchronous generator is left for an `await` and not for a `yield`."""
    if isinstance(node, (ast.AsyncFor, ast.AsyncWith)):
        return True
    inner = list(ast.walk(node)) if isinstance(node, (ast.Expr, ast.Assign, ast.Return, ast.AugAssign)) else []
    return any(isinstance(n, ast.Await) for n in inner) and not any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in inner)


def _resumed(moment: Moment) -> str:
    told = changes(moment, assigned=True)
    if moment.step.raised is not None:
        return f"{moment.quoted} raises {moment.voice.value(moment.step.raised)}"
    if moment.step.is_yield:
        return _yields(moment)
    return f"{moment.quoted} is completed: {told}" if told else ""


def _returns(moment: Moment, node: ast.Return) -> str:
    step = moment.step
    if step.following or step.end is None:
        then = f", but line {step.following} runs before {moment.function} is left" if step.following else ""
        return f"{moment.quoted} is reached{then}"
    value = moment.voice.value(step.end.value or "")
    if node.value is None or isinstance(node.value, ast.Constant):
        return f"{moment.function} returns {value}"
    source, values = moment.source_of(node.value), moment.evaluated(node.value)
    if isinstance(node.value, ast.Name):
        return moment.voice.pick(
            f"{moment.function} returns {node.value.id}, which is {value}", f"{node.value.id} is returned: {value}"
        )
    if values is not None and values != value and f"`{values}`" != source:
        return moment.voice.pick(
            f"{source} is `{values}`, so {moment.function} returns {value}",
            f"{moment.function} returns `{values}`, which is {value}",
            f"{moment.function} returns {source}, which is {value}",
        )
    with_source = f"{moment.function} returns {source}, which is {value}"
    return moment.voice.pick(with_source, with_source, f"{moment.function} returns {value}")


def _expression(moment: Moment, value: ast.expr) -> str:
    told = changes(moment, first=receiver(value))
    if told:
        return moment.voice.pick(told, f"{moment.quoted} runs: {told}")
    if isinstance(value, ast.Constant):
        return f"{moment.quoted} does nothing"
    match value:
        case ast.Call(func=ast.Name(id="print"), args=[argument], keywords=[]) if "print" not in moment.syntax.bound:
            text = argument.value if isinstance(argument, ast.Constant) else None
            printed = repr(text) if isinstance(text, str) else moment.evaluated(argument)
            return f"{moment.voice.value(printed)} is printed" if printed else f"{moment.quoted} prints something"
    if moment.callees:
        return f"{moment.quoted} is done"
    return unchanged(moment)


def _with(moment: Moment, node: ast.With | ast.AsyncWith) -> str:
    if moment.syntax.is_inside(moment.step.previous, node.body):
        told = changes(moment)
        return "the with block is left" + (f", and {told}" if told else "")
    told = changes(moment, assigned=True)
    return f"{moment.quoted} is entered" + (f": {told}" if told else "")


def _deletes(moment: Moment, node: ast.Delete) -> str:
    gone = [name for name in moment.step.before if name not in (moment.step.after or moment.step.before)]
    told = changes(moment)
    deleted = f"{moment.voice.enumeration(gone)} {'is' if len(gone) == 1 else 'are'} deleted" if gone else ""
    return moment.voice.series_of_clauses([text for text in (deleted, told) if text]) or unchanged(moment)


def _several(moment: Moment) -> str:
    """A line of which only the text and what it changed is told."""
    step, told = moment.step, changes(moment)
    left = step.end is not None and step.end.event is Event.RETURN and not step.end.suspended
    parts = [f"{moment.quoted} runs"]
    if told:
        parts.append(told)
    if left and step.end is not None and any(isinstance(node, ast.Return) for node in moment.syntax.statements(step.line)):
        parts.append(f"{moment.function} returns {moment.voice.value(step.end.value or '')}")
    if len(parts) == 1:
        return unchanged(moment)
    return f"{parts[0]}: {moment.voice.series_of_clauses(parts[1:])}"
