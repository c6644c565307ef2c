"""Constants of a function's source: what its branches ask for is often written there."""

import ast
from dataclasses import dataclass, field

from foretrace.corpus.arguments.module import FunctionNode

_LONGEST = 40
_LARGEST = 100_000
_MOST = 60


@dataclass(slots=True)
class Constants:
    """Numbers and texts to try, in the order in which they appear."""

    ints: list[int] = field(default_factory=list)
    floats: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def constants(node: FunctionNode, assigned: dict[str, ast.expr]) -> Constants:
    """The constants of a function, and of what the module binds to names that it uses.

    Docstrings, default arguments and annotations are left out.
    """
    found = Constants()
    waiting: list[ast.AST] = list(reversed(node.body))
    seen: set[str] = set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.JoinedStr | ast.Raise) or (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)):
            continue
        if isinstance(one, ast.Constant):
            _add(found, one.value)
        elif isinstance(one, ast.Name):
            if one.id in assigned and one.id not in seen:
                seen.add(one.id)
                waiting.append(assigned[one.id])
        else:
            waiting.extend(ast.iter_child_nodes(one))
    return found


def _add(found: Constants, value: object) -> None:
    kept: list[int] | list[float] | list[str]
    if type(value) is int and abs(value) <= _LARGEST:
        kept = found.ints
    elif type(value) is float:
        kept = found.floats
    elif type(value) is str and len(value) <= _LONGEST and value.count(" ") < 3:
        kept = found.texts
    else:
        return
    if value not in kept and len(kept) < _MOST:
        kept.append(value)  # type: ignore[arg-type]
