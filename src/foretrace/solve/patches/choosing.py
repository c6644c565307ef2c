"""Which of many patches to submit, by tests that nobody gave away.

    patches = ballot(texts_and_tokens)                  # those that do the same are one, with several votes
    choice = choose(patches, facts, tests, before)      # facts: what ran, of each of them
    choice.patch, choice.reason

As CWM's evaluation does it: of all patches those that break fewest of the tests that passed before (Agentless,
arXiv:2407.01489); of those the ones that pass most of the five generated tests that were written most often; among equals
the one that was written most often, then the shortest. What the task's hidden tests are, nothing here knows.
"""

import ast
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from foretrace.forager.story import marked_lines
from foretrace.trace.syntax import UNREADABLE, parse

MOST_TESTS = 5
"""Generated tests that decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Patches that change the same lines to the same."""

    text: str
    """Of the shortest of them."""
    votes: int = 1
    tokens: int = 0
    """Of the shortest, as the model counted them, else its characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What ran with a patch."""

    applies: bool = True
    broken: frozenset[str] = frozenset()
    """Tests that passed before, and do not now."""
    passed: frozenset[int] = frozenset()
    """Generated tests that pass, by number."""
    why: str = ""
    """Why it does not apply, or could not be tested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """Generated tests that are the same."""

    __test__ = False

    source: str
    votes: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The patch that is submitted, and how it came to that."""

    patch: str
    reason: str
    """What decided."""
    steps: Mapping[str, int] = field(default_factory=dict)
    """How many patches were left after each step."""
    tests: tuple[int, ...] = ()
    """Numbers of the generated tests that decided."""

    def to_json(self) -> dict[str, Any]:
        """For a line of predictions, without the patch."""
        return {"reason": self.reason, "left": dict(self.steps), "tests": list(self.tests)}


def ballot(patches: Sequence[tuple[str, int]]) -> list[Patch]:
    """Patches with their tokens (0: not known); those that do the same become one. Empty ones are no patches."""
    groups: dict[tuple[str, ...], list[tuple[str, int]]] = {}
    for text, tokens in patches:
        if text.strip():
            groups.setdefault(_changes(text), []).append((text, tokens or len(text)))
    found = []
    for alike in groups.values():
        text, tokens = min(alike, key=lambda each: each[1])
        found.append(Patch(text=text, votes=len(alike), tokens=tokens))
    return found


def distinct_tests(sources: Sequence[str]) -> list[Test]:
    """Generated test files that can be parsed and have tests, those that say the same as one; most votes first."""
    counted: Counter[str] = Counter()
    for source in sources:
        try:
            tree = parse(source)
        except UNREADABLE:
            continue
        if _has_tests(tree):
            counted[ast.unparse(tree) + "\n"] += 1
    return [Test(source=source, votes=votes) for source, votes in counted.most_common()]


def _has_tests(tree: ast.Module) -> bool:
    """Whether pytest would find a test in it."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name.startswith("Test")]
    functions = [*tree.body, *(node for each in classes for node in each.body)]
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return any(isinstance(node, kinds) and node.name.startswith("test") for node in functions)


def choose(patches: Sequence[Patch], facts: Sequence[Facts], tests: Sequence[Test], before: frozenset[int]) -> Choice:
    """The patch to submit.

    Args:
        patches: different ones.
        facts: of each.
        tests: generated ones.
        before: those that pass without any patch, by number: they show nothing, and are left out.

    """
    left = [n for n, fact in enumerate(facts) if fact.applies]
    steps = {"written": len(patches), "applying": len(left)}
    if not left:
        return Choice(patch="", reason="no patch applies", steps=steps)
    fewest = min(len(facts[n].broken) for n in left)
    left = [n for n in left if len(facts[n].broken) == fewest]
    steps["breaking fewest tests"] = len(left)
    telling = [t for t in range(len(tests)) if t not in before and any(t in facts[n].passed for n in left)]
    deciding = sorted(telling, key=lambda t: (-tests[t].votes, t))[:MOST_TESTS]
    most = max(len(facts[n].passed.intersection(deciding)) for n in left)
    left = [n for n in left if len(facts[n].passed.intersection(deciding)) == most]
    steps["passing most generated tests"] = len(left)
    votes = max(patches[n].votes for n in left)
    left = [n for n in left if patches[n].votes == votes]
    steps["written most often"] = len(left)
    chosen = min(left, key=lambda n: (patches[n].tokens, n))
    return Choice(patch=patches[chosen].text, reason=_reason(steps), steps=steps, tests=tuple(deciding))


def _reason(steps: Mapping[str, int]) -> str:
    """The step that left one; the shortest was taken if none did."""
    names = list(steps)
    if steps["applying"] == 1:
        return "the only one that applies"
    return next((name for name in names[2:] if steps[name] == 1), "the shortest")


def _changes(patch: str) -> tuple[str, ...]:
    """The lines that a patch takes away and adds, by file, without regard to where, to context and to space at ends."""
    found, name = list[str](), ""
    for mark, line in marked_lines(patch):
        if line.startswith("diff "):
            name = line
        elif mark in ("+", "-") and line[1:].strip():
            found.append(f"{name} {line.rstrip()}")
        elif not mark and line.startswith(("rename ", "new file", "deleted file", "old mode", "new mode")):
            found.append(f"{name} {line}")
    return tuple(found)
