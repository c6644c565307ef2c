"""Steps in a row as loops and their iterations, and what many iterations come to.

items = group(steps, syntax)         # Step | LoopRun, in order
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from foretrace.record.narration.activations import Step
from foretrace.record.narration.syntax import Loop, Syntax, header_end, loop_end, targets_of


@dataclass(slots=True, eq=False)
class Iteration:
    """The header once, and what ran until it came again."""

    header: Step
    body: list[Step] = field(default_factory=list)

    @property
    def last(self) -> Step:
        """The step that it ends with."""
        return self.body[-1] if self.body else self.header

    @property
    def lines(self) -> tuple[int, ...]:
        """The path that it took."""
        return tuple(step.line for step in self.body)


@dataclass(slots=True, eq=False)
class LoopRun:
    """A loop from its first header to the line that ran after it."""

    node: Loop
    iterations: list[Iteration]

    @property
    def turns(self) -> list[Iteration]:
        """The iterations whose body ran."""
        return self.iterations[:-1] if self.is_exhausted else self.iterations

    @property
    def is_exhausted(self) -> bool:
        """Whether it ended at its header: nothing was left, or the condition failed."""
        last = self.iterations[-1]
        return not last.body and last.header.raised is None and last.header.is_orderly

    @property
    def last(self) -> Step:
        """The step that it ends with."""
        return self.iterations[-1].last

    @property
    def targets(self) -> list[str]:
        """The names that a `for` binds."""
        return [] if isinstance(self.node, ast.While) else targets_of(self.node.target)


Item = Step | LoopRun


def group(steps: Sequence[Step], syntax: Syntax) -> list[Item]:
    """Steps of one activation, with those of a loop as one item."""
    items: list[Item] = []
    at = 0
    while at < len(steps):
        node = syntax.statement(steps[at].line)
        if not isinstance(node, Loop):
            items.append(steps[at])
            at += 1
            continue
        first, end = node.lineno, loop_end(node)
        start = at
        while at < len(steps) and first <= steps[at].line <= end:
            at += 1
        loop = LoopRun(node, _iterations(steps[start:at], header_end(node)))
        _mark_jumps(loop)
        items.append(loop)
    return items


def _mark_jumps(loop: LoopRun) -> None:
    """Notes where it was left. Loops within it are grouped later, and then note their own."""
    for iteration in loop.iterations:
        for step in iteration.body:
            step.leaves_loop = step.ends_turn = False
        iteration.last.ends_turn = True
    if not loop.is_exhausted and loop.last.following:
        loop.last.leaves_loop = True


def _iterations(steps: Sequence[Step], last_header_line: int) -> list[Iteration]:
    found: list[Iteration] = []
    first = steps[0].line
    for step in steps:
        if first <= step.line <= last_header_line:
            found.append(Iteration(step))
        else:
            found[-1].body.append(step)
    return found


def merged(steps: Sequence[Step], syntax: Syntax) -> list[Step]:
    """Steps with those in a row that are of one statement as one: it stands on several lines, or contains a loop."""
    found: list[Step] = []
    for step in steps:
        last = found[-1] if found else None
        if last is None or not _same_statement(last, step, syntax):
            found.append(step)
            continue
        last.children += step.children
        last.after, last.following, last.end = step.after, step.following, step.end
        last.raised = step.raised or last.raised
        last.times += 1
    for before, step in pairwise(found):
        step.previous, before.following = before.line, step.line
    return found


def _same_statement(a: Step, b: Step, syntax: Syntax) -> bool:
    if a.raised is not None or a.frame.resumed:
        return False
    at_a, at_b = syntax.statements(a.line), syntax.statements(b.line)
    return a.line == b.line or (len(at_a) == 1 and at_a == at_b)


def series(iterations: Sequence[Iteration], name: str, *, at_start: bool = False) -> list[str]:
    """The values that a variable had at the end of each iteration, or when its body began."""
    states = [i.header.after if at_start else i.last.after for i in iterations]
    return [state[name] for state in states if state is not None and name in state]


def changing(iterations: Sequence[Iteration], but: Sequence[str]) -> list[str]:
    """The variables that have changed at the end of any iteration, in the order of the locals."""
    found: dict[str, None] = {}
    for iteration in iterations:
        before = iteration.header.before
        for name, text in (iteration.last.after or {}).items():
            if name not in found and before.get(name) != text and name not in but:
                found[name] = None
    order = list(iterations[-1].last.after or found) if iterations else []
    return sorted(found, key=lambda name: order.index(name) if name in order else len(order))
