"""How a condition came out, and why: `3 > 2` holds, so line 4 runs."""

import ast

from foretrace.record.narration.activations import Step
from foretrace.record.narration.assignments import changes
from foretrace.record.narration.expressions import is_condition
from foretrace.record.narration.moment import Moment
from foretrace.record.narration.syntax import Syntax
from foretrace.trace import Event

Conditional = ast.If | ast.While | ast.ExceptHandler | ast.match_case
_SILENT = (ast.Global, ast.Nonlocal, ast.AnnAssign)


def outcome(step: Step, node: Conditional, syntax: Syntax) -> bool | None:
    """Whether the body of `node` ran after its header; `None` if the trace does not say."""
    if step.raised is not None or all(isinstance(inner, _SILENT) for inner in node.body):
        return None
    if step.following:
        return syntax.is_inside(step.following, node.body)
    return None if step.end is None or step.end.event is not Event.RETURN or step.end.suspended else False


def condition(test: ast.expr, verdict: bool, moment: Moment) -> str:
    """One clause that says whether `test` is true, with the values that make it so."""
    if isinstance(test, ast.Constant):
        return "the condition is always true" if verdict else "the condition is never true"
    if isinstance(test, ast.Name) and moment.knows(test.id):
        value = moment.step.before[test.id]
        as_truth = "" if value in ("True", "False") else f", which counts as {_word(verdict)}"
        return f"{test.id} is {moment.voice.value(value)}{as_truth}"
    values = moment.evaluated(test)
    source = moment.source_of(test)
    if values is None or f"`{values}`" == source:
        return _without_values(test, source, verdict, moment)
    if not is_condition(test):
        return f"{source} is `{values}`, which counts as {_word(verdict)}"
    return moment.voice.pick(
        f"`{values}` is {_word(verdict)}",
        f"{source} is `{values}`, which is {_word(verdict)}",
        f"`{values}` {'holds' if verdict else 'does not hold'}",
        f"the condition {source} {'holds' if verdict else 'fails'}: `{values}` is {_word(verdict)}",
    )


def _without_values(test: ast.expr, source: str, verdict: bool, moment: Moment) -> str:
    names = [name for name in moment.syntax.names_in(test) if moment.knows(name)]
    known = [f"{name} is {moment.voice.value(moment.step.before[name])}" for name in names[:3]]
    holds = moment.voice.pick("holds", "is true") if verdict else moment.voice.pick("does not hold", "is false")
    if not is_condition(test):
        holds = f"counts as {_word(verdict)}"
    return f"{source} {holds}" + (f" ({', '.join(known)})" if known else "")


def _word(verdict: bool) -> str:
    return "true" if verdict else "false"


def branch(node: ast.If, moment: Moment) -> tuple[str, int]:
    """The clause for an `if`, and the line it announces."""
    verdict = outcome(moment.step, node, moment.syntax)
    if verdict is None:
        return f"{moment.quoted} is tested", 0
    text, following = condition(node.test, verdict, moment), moment.step.following
    if bound := changes(moment, assigned=True):
        text = f"{bound}, and {text}"
    if verdict:
        return f"{text}, so line {following} runs", following
    if not moment.syntax.is_inside(following, node.orelse):
        skipped = node.body[0].lineno if len(node.body) == 1 else 0
        what = (
            moment.voice.pick(f"line {skipped} is skipped", f"line {skipped} does not run")
            if skipped
            else "the body is skipped"
        )
        return f"{text}, so {what}", 0
    if moment.syntax.lines[following - 1].lstrip().startswith("elif"):
        return text + moment.voice.pick(
            f", so the elif on line {following} is tried", f", which leads to the elif on line {following}"
        ), 0
    return text + moment.voice.pick(
        f", so the else branch runs, line {following}", f", so line {following}, in the else branch, runs"
    ), following


def handler(node: ast.ExceptHandler, moment: Moment) -> tuple[str, int]:
    """The clause for an `except` line."""
    caught = outcome(moment.step, node, moment.syntax)
    exception = moment.voice.value(moment.step.handling) if moment.step.handling else "the exception"
    if caught is None:
        return f"{moment.quoted} looks at {exception}", 0
    if not caught:
        return f"{moment.quoted} does not match {exception}", 0
    following = moment.step.following
    by = moment.voice.pick(f"{moment.quoted} catches {exception}", f"{exception} is caught by {moment.quoted}")
    return f"{by}, so line {following} runs", following


def case(node: ast.match_case, moment: Moment) -> tuple[str, int]:
    """The clause for a `case` line."""
    matches = outcome(moment.step, node, moment.syntax)
    if matches is None:
        return f"{moment.quoted} is tried", 0
    if not matches:
        return f"{moment.quoted} does not match", 0
    bound = {name: text for name, text in (moment.step.after or {}).items() if moment.step.before.get(name) != text}
    told = [f"{name} is {moment.voice.value(text)}" for name, text in bound.items()]
    with_names = f" ({', '.join(told)})" if told else ""
    return f"{moment.quoted} matches{with_names}, so line {moment.step.following} runs", moment.step.following


def on_one_line(moment: Moment) -> tuple[str, int] | None:
    """The clause for `if …: return …` and the like on one line; `None` if the trace does not say what happened."""
    if moment.step.line in moment.syntax.guarded:
        return None
    match moment.syntax.statements(moment.step.line):
        case [ast.If(orelse=[]) as node, (ast.Return() | ast.Raise()) as body]:
            step = moment.step
            if step.is_yield or not step.is_orderly:
                return None
            left = step.following == 0 and isinstance(body, ast.Return)
            text = condition(node.test, left, moment)
            if not left:
                return text + (f", so {moment.source_of(body)} does not run"), 0
            return f"{text}, so {moment.function} returns {moment.voice.value(step.end.value or '') if step.end else ''}", 0
        case [ast.If(orelse=[]) as node, (ast.Break() | ast.Continue()) as body] if moment.step.leaves_loop is not None:
            left = isinstance(body, ast.Break) and moment.step.leaves_loop
            if not left and moment.step.ends_turn:
                return None
            text = condition(node.test, left, moment)
            return (
                f"{text}, so `break` leaves the loop" if left else f"{text}, so {moment.source_of(body)} does not run"
            ), 0
    return None
