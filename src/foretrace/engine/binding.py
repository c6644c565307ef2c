r"""Binding a call to its function without executing anything.

    call = bind_call("def f(a, b=2):\\n    return a + b\\n", "f", "1")
    call.locals          # {'a': '1', 'b': '2'}

Only literal arguments can be bound so. A call with others, such as `f(x=[0] * 3)`, is wrapped: the trace then starts in an
appended `main` that makes the call, as in CWM's own prompts. So is a call of what is no plain function of the module: a
method, a decorated function, a lambda.
"""

import ast
import difflib
import inspect
import itertools
import symtable
from dataclasses import dataclass
from typing import Any

from foretrace.errors import UsageError
from foretrace.record.values import Renderer
from foretrace.trace.syntax import parse

WRAPPER = "main"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class BoundCall:
    """What the first frame of a call will show."""

    source: str
    """The module, with the wrapper appended where one is needed."""
    entry: str
    line: int
    """1-based line of the function's `def`."""
    locals: dict[str, str]
    """Arguments as bound on entry: name to repr, in the interpreter's order."""
    arguments: str = ""
    """Text of the argument list to call `entry` with; a wrapper takes none."""


def bind_call(source: str, entry: str, arguments: str) -> BoundCall:
    """Binds `entry(arguments)`.

    Raises:
        UsageError: the source or the arguments do not parse, there is no such function, or the arguments do not bind.

    """
    tree, names = parse_source(source), _bound_names(source)
    function = find_function(tree, entry, names)
    call = parse_arguments(arguments)
    if function is None or function.decorator_list or "." in entry:
        return _wrapped(source, entry, call, names)
    try:
        args = [_literal(a) for a in call.args]
        kwargs = {str(k.arg): _literal(k.value) for k in call.keywords if k.arg is not None}
        defaults = _defaults(function)
        literal = all(k.arg is not None for k in call.keywords)
    except ValueError:
        literal = False
    if not literal:
        return _wrapped(source, entry, call, names)
    bound = _bind(function, defaults, args, kwargs, entry)
    render = Renderer().render
    return BoundCall(source, entry, function.lineno, {name: render(value) for name, value in bound.items()}, arguments)


def parse_source(source: str) -> ast.Module:
    """The syntax tree.

    Raises:
        UsageError: it does not parse; the message gives the line.

    """
    try:
        return parse(source)
    except SyntaxError as error:
        raise UsageError(f"the source does not parse at line {error.lineno}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"the source does not parse: {error}") from error


def functions_of(tree: ast.Module) -> dict[str, Function]:
    """Functions by qualified name: those of the module and the methods of its classes."""
    found: dict[str, Function] = {}
    for node in tree.body:
        if isinstance(node, Function):
            found[node.name] = node
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{n.name}": n for n in node.body if isinstance(n, Function)}
    return found


def _bound_names(source: str) -> set[str]:
    """Names that the top level of the module binds in any way.

    Raises:
        UsageError: the source parses, but is no program: a `return` outside a function, say.

    """
    try:
        module = symtable.symtable(source, "<module>", "exec")
    except SyntaxError as error:
        raise UsageError(f"the source does not parse at line {error.lineno}: {error.msg}") from error
    return {symbol.get_name() for symbol in module.get_symbols() if symbol.is_assigned()}


def find_function(tree: ast.Module, entry: str, bound: set[str]) -> Function | None:
    """The function called `entry`; None if it is something else that the module binds.

    Raises:
        UsageError: there is none; the message suggests one.

    """
    functions = functions_of(tree)
    if entry in functions:
        return functions[entry]
    first, *rest = entry.split(".")
    if first in bound and len(rest) != 1:  # a method that a class lacks is an error
        return None
    close = difflib.get_close_matches(entry, functions, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise UsageError(f"no function {entry!r} in the source ({hint}functions: {', '.join(functions) or 'none'})")


def parse_arguments(arguments: str) -> ast.Call:
    """The call expression of an argument list.

    Raises:
        UsageError: the list does not parse.

    """
    try:
        text = f"f({arguments}\n)"
        compile(text, "<arguments>", "eval")  # finds what parsing does not: a keyword given twice
        parsed = parse(text, expression=True).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        raise UsageError(
            f"the arguments {arguments!r} do not parse: {message}; write them as in a call: 'abc', k=[1]"
        ) from error
    if not isinstance(parsed, ast.Call) or not isinstance(parsed.func, ast.Name):
        raise UsageError(f"the arguments {arguments!r} are not an argument list; write them as in a call: 'abc', k=[1]")
    return parsed


def _literal(node: ast.expr) -> Any:
    """The value of a literal; `set()`, `dict()` and the like are literals too.

    Raises:
        ValueError: it is not a literal.

    """
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args and not node.keywords:
        empty = {"set": set, "dict": dict, "list": list, "tuple": tuple, "str": str, "frozenset": frozenset}
        if node.func.id in empty:
            return empty[node.func.id]()
    try:
        return ast.literal_eval(node)
    except (TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(str(error)) from error


def _defaults(function: Function) -> dict[str, Any]:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    with_default = positional[len(positional) - len(arguments.defaults) :]
    found = {a.arg: _literal(d) for a, d in zip(with_default, arguments.defaults, strict=True)}
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            found[argument.arg] = _literal(default)
    return found


def _bind(
    function: Function, defaults: dict[str, Any], args: list[Any], kwargs: dict[str, Any], entry: str
) -> dict[str, Any]:
    """Arguments by name, in the interpreter's order: positional, keyword-only, `*args`, `**kwargs`."""
    arguments, kinds = function.args, inspect.Parameter
    parameters = [kinds(a.arg, kinds.POSITIONAL_ONLY) for a in arguments.posonlyargs]
    parameters += [kinds(a.arg, kinds.POSITIONAL_OR_KEYWORD) for a in arguments.args]
    if arguments.vararg:
        parameters.append(kinds(arguments.vararg.arg, kinds.VAR_POSITIONAL))
    parameters += [kinds(a.arg, kinds.KEYWORD_ONLY) for a in arguments.kwonlyargs]
    if arguments.kwarg:
        parameters.append(kinds(arguments.kwarg.arg, kinds.VAR_KEYWORD))
    plain = [p.replace(default=defaults[p.name]) if p.name in defaults else p for p in parameters]
    try:
        bound = inspect.Signature(plain).bind(*args, **kwargs)
    except (TypeError, ValueError) as error:
        signature = ast.unparse(arguments)
        raise UsageError(f"the arguments do not bind to {entry}({signature}): {error}") from error
    bound.apply_defaults()
    collecting = (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)
    order = [p.name for p in plain if p.kind not in collecting] + [p.name for p in plain if p.kind in collecting]
    return {name: bound.arguments[name] for name in order}


def _wrapped(source: str, entry: str, call: ast.Call, names: set[str]) -> BoundCall:
    candidates = itertools.chain([WRAPPER], (f"{WRAPPER}_{i}" for i in itertools.count(1)))
    name = next(n for n in candidates if n not in names)
    arguments = ast.unparse(call).removeprefix("f(").removesuffix(")")
    body = source if source.endswith("\n") else source + "\n"
    line = body.count("\n") + 1
    return BoundCall(f"{body}def {name}():\n    return {entry}({arguments})\n", name, line, {})
