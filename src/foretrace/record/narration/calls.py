"""Calls in words: `f('abc', k=2)`, what several of them gave, how deep a recursion went."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from foretrace.record.narration.activations import Step, Visit
from foretrace.record.narration.syntax import Function, Syntax
from foretrace.record.narration.texts import is_balanced, shortened
from foretrace.record.narration.voice import Voice
from foretrace.trace import Event


def short_name(qualified: str) -> str:
    """The name that a reader of the source would use."""
    name = qualified.rpartition("<locals>.")[2]
    kinds = {"<lambda>": "the lambda", "<genexpr>": "the generator expression", "<module>": "the module"}
    kinds |= {
        "<listcomp>": "the list comprehension",
        "<setcomp>": "the set comprehension",
        "<dictcomp>": "the dict comprehension",
    }
    return kinds.get(name.rpartition(".")[2], name)


def call_text(visit: Visit, syntax: Syntax, limit: int) -> str:
    """`f('abc', k=2)`: a call by what its parameters were bound to. Its brackets match, whatever the values are."""
    name = short_name(visit.name)
    if visit.name == "<module>":
        return name
    texts = [argument if is_balanced(argument) else "…" for argument in _arguments(visit, syntax, limit)]
    if visit.name.endswith("<lambda>"):
        return f"lambda({', '.join(texts)})"
    return f"{name.removesuffix('.__init__')}({', '.join(texts)})"


def _arguments(visit: Visit, syntax: Syntax, limit: int) -> Iterator[str]:
    state = visit.call.state
    if visit.name.endswith("<lambda>"):
        own = _lambda_parameters(visit, syntax)
        yield from (_bounded(text, limit) for name, text in state.items() if name in own)
        return
    node = syntax.functions.get(visit.call.line)
    if node is None or visit.is_anonymous or visit.call.resumed:
        yield from (_bounded(text, limit) for text in state.values())
        return
    parameters = positional(visit, node)
    yield from (_bounded(state[a], limit) for a in parameters if a in state)
    if node.args.vararg and state.get(node.args.vararg.arg, "()") != "()":
        yield "*" + _bounded(state[node.args.vararg.arg], limit)
    for keyword in node.args.kwonlyargs:
        if keyword.arg in state:
            yield f"{keyword.arg}={_bounded(state[keyword.arg], limit)}"
    if node.args.kwarg and state.get(node.args.kwarg.arg, "{}") != "{}":
        yield "**" + _bounded(state[node.args.kwarg.arg], limit)


def _lambda_parameters(visit: Visit, syntax: Syntax) -> set[str]:
    """The names that the lambda binds itself, where only one on its line can be meant."""
    state = visit.call.state
    names = [
        {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)} for node in syntax.lambdas.get(visit.call.line, ())
    ]
    possible = [found for found in names if found <= set(state)]
    return possible[0] if len(possible) == 1 else set(state)


def is_coroutine(visit: Visit, syntax: Syntax) -> bool:
    """Whether it waits where a generator would yield."""
    return visit.name.rpartition(".")[2] in syntax.coroutines


def positional(visit: Visit, node: Function) -> list[str]:
    """The names of the positional parameters, without the object that a method is called on."""
    names = [a.arg for a in [*node.args.posonlyargs, *node.args.args]]
    is_method = "." in visit.name.rpartition("<locals>.")[2] and names[:1] in (["self"], ["cls"])
    return names[1:] if is_method else names


def parameters(visit: Visit, syntax: Syntax) -> list[str]:
    """All parameters of a call, by name."""
    node = syntax.functions.get(visit.call.line)
    if node is None or visit.is_anonymous:
        return []
    rest = [*node.args.kwonlyargs, *filter(None, [node.args.vararg, node.args.kwarg])]
    names = [*positional(visit, node), *(a.arg for a in rest)]
    return [name for name in names if name in visit.call.state]


def _bounded(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    cut = shortened(text, limit)
    return cut if is_balanced(cut) else "…"


def outcome_text(visit: Visit, voice: Voice) -> str:
    """`returns 3`, `yields 'a'`, `raises KeyError('x')`, `is cut off`."""
    end = visit.end
    if end is None:
        return "is cut off"
    if end.event is Event.EXCEPTION:
        return f"raises {voice.value(visit.value)}"
    if end.suspended:
        return f"yields {voice.value(visit.value)}"
    if visit.name.endswith(".__init__") and visit.value == "None":
        return "runs"
    return f"returns {voice.value(visit.value)}"


def is_generator(visit: Visit) -> bool:
    """Whether it was resumed, or will be."""
    return visit.call.resumed or (visit.end is not None and visit.end.suspended)


def callees(step: Step, syntax: Syntax) -> list[Visit]:
    """The functions that a step called; those called within its comprehensions and class bodies stand for these."""
    found: list[Visit] = []
    waiting = step.children[::-1]
    while waiting:
        visit = waiting.pop()
        if visit.is_comprehension or (visit.call.line in syntax.classes and visit.call.line not in syntax.functions):
            waiting += [child for inner in reversed(visit.steps) for child in reversed(inner.children)]
        else:
            found.append(visit)
    return found


def in_groups(visits: Iterable[Visit]) -> Iterator[list[Visit]]:
    """Those in a row that are of one function."""
    run: list[Visit] = []
    for visit in visits:
        if run and run[-1].name != visit.name:
            yield run
            run = []
        run.append(visit)
    if run:
        yield run


@dataclass(frozen=True, slots=True)
class Recursion:
    """The calls of a function within calls of itself."""

    calls: int
    depth: int
    """How many stood inside one another at most."""
    base: Visit
    """The first that did not call itself again."""
    finished: list[Visit]
    """All, in the order in which they were left."""

    @property
    def is_chain(self) -> bool:
        """Whether each calls itself at most once."""
        return self.calls == self.depth


def recursion(roots: Sequence[Visit]) -> Recursion:
    """Looks through calls of a function for further calls of it."""
    name = roots[0].name
    finished: list[Visit] = []
    base = None
    deepest = calls = 0
    waiting: list[tuple[Visit, int, bool]] = [(root, 1, False) for root in reversed(roots)]
    while waiting:
        visit, depth, done = waiting.pop()
        same = visit.name == name
        if done:
            finished.append(visit)
            continue
        inner = [child for step in visit.steps for child in step.children]
        if same:
            calls, deepest = calls + 1, max(deepest, depth)
            waiting.append((visit, depth, True))
            if base is None and not _calls(name, visit):
                base = visit
        waiting += [(child, depth + same, False) for child in reversed(inner)]
    return Recursion(calls, deepest, base or finished[0], finished)


def _calls(name: str, visit: Visit) -> bool:
    waiting = [child for step in visit.steps for child in step.children]
    while waiting:
        child = waiting.pop()
        if child.name == name:
            return True
        waiting += [grandchild for step in child.steps for grandchild in step.children]
    return False


def is_definition(node: ast.AST | None) -> bool:
    """Whether it defines a function or a class."""
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
