"""The function to be called, loaded: its code, its executable lines, and what counts as running it properly."""

import ast
import itertools
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

from foretrace.corpus.arguments.module import FunctionNode, Module
from foretrace.record.program import find_function, load_module

_numbers = itertools.count(1)


class Target:
    """A module in memory, and one of its functions.

    Raises:
        UsageError: the source does not parse, or has no such function.
        RecordError: the module's top level raised.

    """

    def __init__(self, module: Module, entry: str) -> None:
        self.filename = f"<arguments-{next(_numbers)}>"
        self.node, _ = module.find(entry)
        self.namespace = load_module(module.source, self.filename)
        self.function: Callable[..., Any] = find_function(self.namespace, entry)
        self.codes = list(_codes(self.namespace, self.filename))
        self.lines = self._executable(entry.rpartition(".")[2])
        self.gives_something = _gives_something(self.node)

    def _executable(self, name: str) -> frozenset[int]:
        """Lines of the function that can run; without its `def` and docstring."""
        node = self.node
        first, last = min((node.lineno, *(d.lineno for d in node.decorator_list))), node.end_lineno or node.lineno
        inside = [code for code in self.codes if first <= code.co_firstlineno <= last]
        body = node.body[1:] if ast.get_docstring(node, clean=False) is not None and len(node.body) > 1 else node.body
        start = min([body[0].lineno, *(d.lineno for d in getattr(body[0], "decorator_list", ()))])
        found = {line for code in inside for _, _, line in code.co_lines() if line is not None and start <= line <= last}
        unseen = {code.co_firstlineno for code in inside if code.co_name == name} - {one.lineno for one in body}
        return frozenset(found - unseen) or frozenset(one.lineno for one in body)

    def is_non_trivial(self, lines: set[int], kind: str) -> bool:
        """Whether a call that returned ran more than one line of the function and gave more than None, if that can be."""
        own = lines & self.lines
        enough = len(own) >= 2 or (len(own) >= 1 and len(self.lines) <= 1)
        return enough and not (self.gives_something and kind in ("NoneType", "generator of nothing"))


def _gives_something(node: FunctionNode) -> bool:
    """Whether a function can return anything but None."""
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.Yield | ast.YieldFrom):
            return True
        if isinstance(one, ast.Return) and one.value is not None:
            if not (isinstance(one.value, ast.Constant) and one.value.value is None):
                return True
        elif not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(one))
    return False


def _codes(namespace: dict[str, Any], filename: str) -> Iterator[CodeType]:
    """Code of the module's functions, of methods and of what is nested in them."""
    seen: set[int] = set()
    waiting: list[Any] = list(namespace.values())
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, CodeType):
            if one.co_filename == filename:
                yield one
                waiting.extend(c for c in one.co_consts if isinstance(c, CodeType))
        elif isinstance(one, FunctionType):
            waiting.append(one.__code__)
            waiting.extend(_held(one))
        elif isinstance(one, type):
            if one.__module__ == "__traced__":
                waiting.extend(vars(one).values())
        else:
            inner = (getattr(one, name, None) for name in ("__wrapped__", "__func__", "fget", "func"))
            waiting.extend(x for x in inner if isinstance(x, FunctionType))


def _held(function: FunctionType) -> list[Any]:
    """Functions that a decorator's function keeps."""
    found: list[Any] = [getattr(function, "__wrapped__", None)]
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:
            continue
    return [one for one in found if isinstance(one, FunctionType)]
