"""CRUXEval's filters: short functions that a good programmer could execute in the mind within a minute.

    with many_recordings() as box:
        keep([(source, "'abc', 3"), …], box)     # [None, Kept(output="'cba'", trace=…), …]

The rules are the published ones (Gu et al. 2024, arXiv:2401.03065, section 3; facebookresearch/cruxeval, data/README.md):
code of 75 to 300 characters; every parameter is used; no imports, no input, nothing whose order may vary; one operand at
least of an integer operation is at most 3, and one at least of strings or lists at most 3 long; no floats, no division but
by `//`, no powers; no exception anywhere; two seconds. Operands are seen by running the code with each one told to a
checking function.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from foretrace.evals.scorers.literal import parse_literal
from foretrace.evals.synthetic.recording import record_all
from foretrace.sandbox import Sandbox
from foretrace.trace import Event, Limits, Trace
from foretrace.trace.syntax import UNREADABLE, parse

ENTRY = "f"
LENGTH = range(75, 301)
"""Characters of the code."""
LIMITS = Limits(seconds=2, max_events=1000)
MAX_OUTPUT = 150
"""Characters of the returned value, which must be whole."""
_FORBIDDEN_TEXTS = ("import ", "__", "input(", "hash(", "set(", "id(", "float", "open(", "print(")
_FORBIDDEN_NODES = (ast.Div, ast.Pow, ast.Set, ast.SetComp, ast.Global, ast.Nonlocal)
_CHECKS = """\
__left = []
def __l(a):
    __left.append(a)
    return a
def __r(b):
    return __both(__left.pop(), b)
def __both(a, b):
    if type(a) in (int, float) and type(b) in (int, float):
        if float in (type(a), type(b)) or (abs(a) > 3 and abs(b) > 3):
            raise OverflowError("large operands")
    elif type(a) in (list, str) and type(b) in (list, str) and len(a) > 3 and len(b) > 3:
        raise OverflowError("long operands")
    return b
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """What passed."""

    output: str
    """The returned value, a literal."""
    trace: Trace


def keep(calls: Sequence[tuple[str, str]], box: Sandbox) -> list[Kept | None]:
    """Of calls `f(arguments)`, each a source and arguments, those that pass; None of the others."""
    found: list[Kept | None] = [None] * len(calls)
    fit = [at for at, call in enumerate(calls) if fault(*call) is None]
    traces = record_all([(calls[at][0], ENTRY, calls[at][1]) for at in fit], box, LIMITS)
    whole = [(at, trace) for at, trace in zip(fit, traces, strict=True) if trace and _is_whole(trace)]
    checked = record_all([(_checked(calls[at][0]), ENTRY, calls[at][1]) for at, _ in whole], box, LIMITS)
    for (at, trace), other in zip(whole, checked, strict=True):
        if trace.result and other and other.result == trace.result:
            found[at] = Kept(trace.result, trace)
    return found


def fault(source: str, arguments: str) -> str | None:
    """What is wrong with a call before it is run; None: nothing."""
    if len(source.strip()) not in LENGTH:
        return "length"
    text = f"{source}{arguments}"
    if not text.replace("\t", "").replace("\n", "").isprintable():
        return "not printable"
    if any(forbidden in text for forbidden in _FORBIDDEN_TEXTS):
        return "forbidden"
    try:
        tree, call = parse(source), parse(f"{ENTRY}({arguments})", expression=True)
    except UNREADABLE:
        return "syntax"
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.FunctionDef) or tree.body[0].name != ENTRY:
        return "no single function f"
    nodes = [*ast.walk(tree), *ast.walk(call)]
    if any(isinstance(node, _FORBIDDEN_NODES) for node in nodes):
        return "sets, powers or division"
    if any(isinstance(node, ast.Constant) and isinstance(node.value, float | complex | bytes) for node in nodes):
        return "floats"
    parameters = {argument.arg for argument in ast.walk(tree.body[0].args) if isinstance(argument, ast.arg)}
    used = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return "unused parameter" if parameters - used else None


def _is_whole(trace: Trace) -> bool:
    """Whether nothing was raised on the way, and what is returned is a short literal without floats."""
    result = trace.result
    if result is None or len(result) > MAX_OUTPUT or any(frame.event is Event.EXCEPTION for frame in trace.frames):
        return False
    if not parse_literal(result)[0]:
        return False
    return not any(
        isinstance(node, ast.Constant) and (isinstance(node.value, float | complex) or node.value is ...)
        for node in ast.walk(parse(result, expression=True))
    )


class _Telling(ast.NodeTransformer):
    """Has both operands of each operation told to the checks."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        node.left, node.right = _call("__l", node.left), _call("__r", node.right)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        before = parse(ast.unparse(node.target), expression=True).body
        node.value = _call("__both", before, node.value)
        return node


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def _checked(source: str) -> str:
    """The source with its checks; it raises where an operation breaks a rule."""
    return _CHECKS + ast.unparse(ast.fix_missing_locations(_Telling().visit(parse(source))))
