"""What the policy `search` types and says, in many ways: what all episodes share word for word would teach little.

speech = Speech(random.Random(7), "python -m pytest tests")
speech.test(["tests/test_a.py::test_b"])         # a command
speech.say(LOOK)                                 # a sentence, or none
"""

import random
import shlex
from collections.abc import Sequence

from foretrace.forager.repair.code import Function
from foretrace.repos.commands import split_arguments

LOOK = (
    "First a look around.",
    "Let me see what is here.",
    "I begin with the layout of the repository.",
    "What do we have?",
    "",
)
REPRODUCE = (
    "Does it fail here, too?",
    "I run what is said to fail.",
    "Let me reproduce it.",
    "First I want to see the failure itself.",
    "",
)
WHOLE = ("I run all tests to see what fails.", "Which tests fail?", "The whole suite first, to know what is broken.", "")
READ = (
    "Now the code in question.",
    "I read `{name}`.",
    "Let me look at `{name}` itself.",
    "What does `{name}` do at the moment?",
    "",
)
READ_TEST = ("What does the test expect?", "The test tells what is wanted.", "I read the test.", "")
USES = ("Who uses it?", "How is it called?", "Let me see where `{name}` is used.", "")
GUESS = (
    "Perhaps it helps to {what}.",
    "One idea: {what}.",
    "What if I {what}?",
    "I try to {what}; the test will tell.",
    "A guess: {what}.",
)
WRONG = (
    "That was not it. I take it back.",
    "It still fails, so this goes back to what it was.",
    "No. Undone.",
    "The guess was wrong; I restore the file.",
)
RIGHT = (
    "Another idea: {what}.",
    "Now this: {what}.",
    "What could be needed: {what}.",
    "It may be enough to {what}.",
)
AGAIN = ("And now?", "Does the test pass now?", "I run the failing tests again.", "")
ALL = ("Is everything else still well?", "Now all tests.", "The whole suite, to see that nothing else broke.", "")
DIFF = ("The change as a whole:", "Let me look over the change.", "")
SAVE = ("I write the patch to a file.", "This goes into a patch.", "")
NOT_FOUND = (
    "I tried {count} changes in copies of the repository, and the tests pass with none of them. I give up.",
    "None of the {count} changes that I could think of makes the tests pass. I give up.",
    "After {count} attempts in copies of the repository I have not found the mistake, and submit nothing.",
)
NOTHING_FAILS = ("All tests pass here: I find nothing to repair.",)
_TAILS = ("", "", " 2>&1 | tail -n 40", " 2>&1 | tail -n 60")
_STYLES = ("-q", "-q --tb=short", "--tb=short -q", "-x -q --tb=short", "-q --no-header --tb=short", "-rf --tb=short")


class Speech:
    """Draws words and commands."""

    def __init__(self, rng: random.Random, command: str = "python -m pytest") -> None:
        self._rng = rng
        self._command = command
        head, _, tail = command.partition("pytest")
        self._head = f"{head}pytest"
        self._options, _ = split_arguments(shlex.split(tail))

    def say(self, sentences: Sequence[str], **names: object) -> str:
        """One of some sentences."""
        return self._rng.choice(sentences).format_map(names)

    def looks(self) -> list[str]:
        """Commands for a look around, in any order."""
        pool = (
            "ls",
            "ls -la",
            "git log --oneline | head -n 5",
            "git status --short",
            "git ls-files | head -n 40",
            "ls -R | grep -v pyc | head -n 60",
            "head -n 40 README*",
            "cat pyproject.toml 2>/dev/null | head -n 40 || cat setup.cfg",
            "git ls-files '*.py' | xargs wc -l",
            "find . -name '*.py' -not -path './.git/*' | head -n 50",
        )
        return self._rng.sample(pool, self._rng.choice((0, 1, 1, 2)))

    def suite(self, *, last: bool = False) -> str:
        """A command that runs all tests; the last time, its exit code is wanted."""
        style = self._rng.choice(("-q", "-q --tb=no", "-q --tb=line", "--tb=no -q"))
        return f"{self._command} {style}{'' if last else self._rng.choice(_TAILS)}"

    def test(self, tests: Sequence[str], *, last: bool = False) -> str:
        """A command that runs some tests; the last time, its exit code is wanted."""
        style = self._rng.choice(("-q", "-q --tb=short", "--tb=line -q") if last else _STYLES)
        options = "".join(f" {option}" for option in map(shlex.quote, self._options))
        several = tests if len(tests) <= 4 else self._rng.sample(list(tests), 3)
        files = list(dict.fromkeys(test.split("::")[0] for test in tests))
        if len(files) == 1 and len(tests) > 1 and self._rng.random() < 0.4:
            tail = "" if last else self._rng.choice(_TAILS)
            return f"{self._head}{options} {shlex.quote(files[0])} {style}{tail}"
        return f"{self._head}{options} {' '.join(map(shlex.quote, several))} {style}"

    def read(self, function: Function) -> tuple[str, str]:
        """A tool and its argument, which show a function."""
        before, after = self._rng.choice((0, 2, 5, 10)), self._rng.choice((0, 3, 8))
        first, last = max(1, function.lines.start - before), function.lines.stop - 1 + after
        path = function.code.path
        name = function.node.name
        return self._rng.choice(
            (
                ("view", f"{path}\n{first} {last}"),
                ("view", f"{path}\n{first} {last}"),
                ("bash", f"sed -n '{first},{last}p' {shlex.quote(path)}"),
                ("bash", f"grep -n -A {len(function.lines) + 2} 'def {name}\\b' {shlex.quote(path)}"),
                ("bash", f"cat -n {shlex.quote(path)} | sed -n '{first},{last}p'"),
            )
        )

    def read_test(self, test: str) -> str:
        """A command that shows a test."""
        path, _, name = test.partition("::")
        short = name.rsplit("::", 1)[-1].partition("[")[0]
        lines = self._rng.choice((8, 12, 15, 20))
        return f"grep -n -A {lines} {shlex.quote(short)} {shlex.quote(path)} | head -n 60"

    def uses(self, function: Function) -> str:
        """A command that shows where a function is used."""
        name = shlex.quote(rf"\b{function.node.name}\b")
        return self._rng.choice(
            (f"grep -rn --include='*.py' {name} . | head -n 20", f"git grep -n {name} -- '*.py' | head -n 25")
        )

    def undo(self, path: str) -> str:
        """A command that takes back what was done to a file."""
        path = shlex.quote(path)
        ways = (f"git checkout -- {path}", f"git checkout {path}", f"git restore {path}", f"git diff {path} | git apply -R")
        return self._rng.choice(ways)

    def diff(self) -> str:
        """A command that shows the change."""
        return self._rng.choice(
            ("git diff", "git diff --stat && git diff", "git --no-pager diff -U2", "git status --short && git diff")
        )

    def patch(self) -> str:
        """Where the patch is put."""
        return "/tmp/" + self._rng.choice(("fix.patch", "submission.patch", "change.diff", "repair.patch", "solution.diff"))


def summary(speech: Speech, *, what: str, where: str, error: str, check: str) -> str:
    """The last message: three headings, and what is known under each."""
    seen = f" The tests ended with {error}." if error and error != "AssertionError" else ""
    cause = speech.say(
        ("{where} was not what its tests ask for.{seen}", "The mistake is in {where}.{seen}", "{where} had a slip.{seen}"),
        where=where,
        seen=seen,
    )
    changes = ("In {where}: {what}.", "{what} ({where}).", "What I did in {where}: {what}.")
    change = speech.say(changes, where=where, what=what)
    note = speech.say(
        (
            "I found the change by trying out; whether it is what the author would have written, I cannot know.",
            "The tests decide that it is right; there may be other ways.",
            "",
        )
    )
    capital = change[:1].upper() + change[1:]
    return f"## Cause\n{cause}\n\n## Change\n{capital}\n\n## Check\n{' '.join(filter(None, [check, note]))}"


def checked(speech: Speech, *, wanted: int, suite: bool | None, failed_before: int) -> str:
    """What was seen when the tests ran in the end.

    Args:
        speech: draws the words.
        wanted: tests that failed and were to be repaired.
        suite: whether the whole suite ended well; None if it was not run.
        failed_before: other tests that failed from the beginning.

    """
    tests = "The test that failed passes" if wanted == 1 else f"The {wanted} tests that failed pass"
    if suite is None:
        return f"{tests} now; I had no turn left for all others."
    if suite:
        return speech.say(
            ("{tests} again, and so does everything else.", "{tests}, and the whole suite is well."), tests=tests
        )
    known = f": {failed_before} other tests failed from the beginning" if failed_before else ""
    return f"{tests} now. In the whole suite something still fails{known}."
