"""How well the looks of a call tell whether it ends: a benchmark is worth something if they do not.

    accuracy(calls, ends, groups).text()        # '50.4 % [44.1, 56.7] (121/240)'

A classifier is fitted to what can be counted without running anything, on other programs than it is tested on: lengths,
loops, branches, operators, numbers, and what the arguments are. Where programs come in pairs of one source, only the
arguments are left to it.
"""

import ast
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foretrace.evals.statistics import Share
from foretrace.trace.syntax import literal, parse

FOLDS = 10
_RIDGE = 1.0
_NEWTON_STEPS = 25
_COUNTED = (
    ast.While, ast.For, ast.If, ast.Break, ast.Return, ast.Compare, ast.Add, ast.Sub, ast.Mult, ast.Mod, ast.FloorDiv,
    ast.Eq, ast.NotEq, ast.Lt, ast.Gt, ast.LtE, ast.GtE, ast.Call, ast.Name, ast.Constant, ast.AugAssign, ast.Subscript,
)  # fmt: skip


def features(source: str, arguments: str) -> list[float]:
    """Numbers that a call's looks give: of the source, of the arguments, and of both together."""
    nodes = list(ast.walk(parse(source)))
    counts = Counter(type(node) for node in nodes)
    constants = [n.value for n in nodes if isinstance(n, ast.Constant) and type(n.value) is int] or [0]
    values = list(literal(f"[{arguments}]"))
    numbers = [float(v) for value in values for v in (value if isinstance(value, list) else [value]) if type(v) is int]
    of_source = [len(source), source.count("\n"), *(counts[kind] for kind in _COUNTED), max(constants), sum(constants)]
    first, last = (numbers[0], numbers[-1]) if numbers else (0.0, 0.0)
    of_arguments = [
        len(arguments), len(values), sum(numbers), first, last, first - last, abs(first - last), first % 2, last % 2,
        (first - last) % 2, max(numbers, default=0), min(numbers, default=0), len(set(arguments)), len(set(numbers)),
    ]  # fmt: skip
    of_both = [sum(number in constants for number in numbers), first - max(constants), last - max(constants)]
    return [float(x) for x in (*of_source, *of_arguments, *of_both)]


def accuracy(calls: Sequence[tuple[str, str]], ends: Sequence[bool], groups: Sequence[str]) -> Share:
    """How many calls a logistic regression with a ridge gets right that was fitted on other groups.

    Args:
        calls: source and arguments of each.
        ends: whether it does.
        groups: calls of one program; a fold has all of a group or none.

    """
    table = np.array([features(*call) for call in calls])
    labels = np.array(ends, dtype=float)
    number = {group: at % FOLDS for at, group in enumerate(dict.fromkeys(groups))}
    folds = np.array([number[group] for group in groups])
    right = np.zeros(len(labels), dtype=bool)
    for fold in range(FOLDS):
        tested = folds == fold
        if tested.any() and not tested.all():
            right[tested] = (_fitted(table[~tested], labels[~tested], table[tested]) > 0) == (labels[tested] > 0)
    return Share.of(right.tolist())


def _fitted(table: NDArray[np.float64], labels: NDArray[np.float64], asked: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log odds of asked rows (n, F) by a logistic regression of the others, by Newton's method."""
    mean, scale = table.mean(axis=0), np.maximum(table.std(axis=0), 1e-9)
    rows, wanted = ((_with_one((x - mean) / scale)) for x in (table, asked))
    weights = np.zeros(rows.shape[1])
    ridge = _RIDGE * np.eye(rows.shape[1])
    for _ in range(_NEWTON_STEPS):
        chances = 1 / (1 + np.exp(-np.clip(rows @ weights, -30, 30)))
        slope = rows.T @ (labels - chances) - ridge @ weights
        curve = (rows * (chances * (1 - chances))[:, None]).T @ rows + ridge
        weights += np.linalg.solve(curve, slope)
    found: NDArray[np.float64] = wanted @ weights
    return found


def _with_one(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.hstack([rows, np.ones((len(rows), 1))])
