"""What a step changed, in words."""

import ast

from foretrace.record.narration.changes import becomes, describe
from foretrace.record.narration.expressions import is_arithmetic
from foretrace.record.narration.moment import Moment
from foretrace.record.narration.syntax import targets_of

_MAX_CLAUSES = 3
_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Div: "/",
}


def changes(moment: Moment, first: tuple[str, ...] = (), but: tuple[str, ...] = (), *, assigned: bool = False) -> str:
    """All that became different, as one clause; empty if nothing did. `assigned`: names were bound, not objects changed."""
    before, after = moment.step.before, moment.step.after
    if after is None:
        return ""
    changed = [name for name in after if before.get(name) != after[name] and name not in but]
    changed.sort(key=lambda name: name not in first)
    groups: dict[tuple[str | None, str], list[str]] = {}
    for name in changed:
        groups.setdefault((before.get(name), after[name]), []).append(name)
    told = list(groups.items())[:_MAX_CLAUSES]
    clauses = [_clause(names, old, new, moment, assigned, len(groups) == 1) for (old, new), names in told]
    rest = len(groups) - _MAX_CLAUSES
    if rest > 0:
        clauses.append("another variable changes" if rest == 1 else f"{rest} other variables change")
    return moment.voice.series_of_clauses(clauses)


def _clause(names: list[str], old: str | None, new: str, moment: Moment, assigned: bool, alone: bool) -> str:
    name, *others = names
    if others and (old is None or assigned):
        return f"{moment.voice.enumeration(names)} {'all' if len(names) > 2 else 'both'} become {moment.voice.value(new)}"
    if old is None or assigned:
        return becomes(name, old, new, moment.voice)
    text = describe(name, old, new, moment.voice, in_full=alone and not others)
    return f"{text} (the same goes for {moment.voice.enumeration(others)})" if others else text


def assignment(moment: Moment, targets: list[ast.expr], value: ast.expr | None) -> str:
    """One clause for `target = value`."""
    names = [name for target in targets for name in targets_of(target)]
    if len(names) == 1 == len(targets) and value is not None and names[0] in (moment.step.after or {}):
        return _one(moment, names[0], value)
    roots = tuple(filter(None, map(_root, targets)))
    told = changes(moment, first=(*names, *roots), assigned=bool(names))
    return told or unchanged(moment)


def _one(moment: Moment, name: str, value: ast.expr) -> str:
    voice, before, after = moment.voice, moment.step.before.get(name), (moment.step.after or {})[name]
    others = changes(moment, but=(name,))
    tail = f", and {others}" if others else ""
    now = voice.value(after)
    if before == after:
        return voice.pick(f"{name} stays {now}", f"{name} is set to {now} again") + tail
    plain = becomes(name, before, after, voice)
    if isinstance(value, ast.Constant):
        return plain + tail
    if isinstance(value, ast.Lambda):
        return f"{name} is bound to {moment.source_of(value)}" + tail
    source, values = moment.source_of(value), moment.evaluated(value)
    if isinstance(value, ast.Name) and moment.knows(value.id):
        return (
            voice.pick(
                f"{name} becomes {now}, the value of {value.id}",
                f"{name} takes the value of {value.id}: {name} is now {now}",
                plain,
            )
            + tail
        )
    if values is None:
        return (
            voice.pick(f"{source} gives {now}, so {name} becomes {now}", plain, plain) + tail
            if moment.syntax.names_in(value)
            else plain + tail
        )
    if is_arithmetic(value):
        return voice.pick(f"{name} becomes {values} = {now}", f"{source} is {values}, so {name} becomes {now}", plain) + tail
    return (
        voice.pick(f"{source} is `{values}`, so {name} becomes {now}", f"{name} becomes `{values}`, which is {now}", plain)
        + tail
    )


def augmented(moment: Moment, node: ast.AugAssign) -> str:
    """One clause for `target += value`."""
    name = node.target.id if isinstance(node.target, ast.Name) else ""
    before, after = moment.step.before.get(name), (moment.step.after or {}).get(name)
    if not name or before is None or after is None:
        root = _root(node.target)
        return changes(moment, first=(root,) if root else ()) or unchanged(moment)
    others = changes(moment, but=(name,))
    tail = f", and {others}" if others else ""
    if before == after:
        return f"{name} stays {moment.voice.value(after)}" + tail
    operator, value = _OPERATORS.get(type(node.op)), _operand(moment, node)
    if (
        operator is None
        or value is None
        or before[0] not in "-0123456789'\""
        or len(before) > moment.voice.detail.value // 2
    ):
        return describe(name, before, after, moment.voice) + tail
    sum_text = f"{name} becomes {before} {operator} {value} = {moment.voice.value(after)}"
    return moment.voice.pick(sum_text, becomes(name, before, after, moment.voice)) + tail


def _operand(moment: Moment, node: ast.AugAssign) -> str | None:
    if isinstance(node.value, ast.Constant):
        text = moment.syntax.source_of(node.value)
    else:
        text = moment.evaluated(node.value) or ""
    if not text or len(text) > moment.voice.detail.value // 2:
        return None
    return text if isinstance(node.value, (ast.Constant, ast.Name)) and text[0] != "-" else f"({text})"


def unchanged(moment: Moment) -> str:
    """The clause for a step that left every local as it was, or of which nothing is known."""
    match moment.node:
        case ast.Assign(targets=[target], value=value) if not isinstance(target, (ast.Tuple, ast.List)):
            values = moment.evaluated(value) if not isinstance(value, ast.Constant) else None
            what = moment.source_of(value) if values is None else f"`{values}`"
            return f"{moment.source_of(target)} is set to {what}"
    if moment.step.after is None:
        return moment.voice.pick(f"{moment.quoted} runs", f"{moment.quoted} is carried out")
    return moment.voice.pick(
        f"{moment.quoted} runs, and no variable changes", f"{moment.quoted} leaves every variable as it is"
    )


def _root(node: ast.AST) -> str:
    """The name that an attribute, an item or a call starts from."""
    while not isinstance(node, ast.Name):
        inner = getattr(node, "value", None) or getattr(node, "func", None)
        if not isinstance(inner, ast.AST):
            return ""
        node = inner
    return node.id


def receiver(node: ast.expr) -> tuple[str, ...]:
    """The name of the object that a method is called on, if it is one."""
    root = _root(node)
    return (root,) if root else ()
