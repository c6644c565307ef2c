"""Exploration: what it covers, what it learns, what it survives, and that it repeats itself."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from types import CodeType

import pytest

from foretrace.corpus.arguments import Budget, Exploration, Report, explore
from foretrace.corpus.arguments.attempts import Attempt, kind_of
from foretrace.corpus.arguments.choose import choose
from foretrace.corpus.arguments.terms import Arguments
from foretrace.corpus.arguments.watch import Stop, TraceWatch, Watch, open_watch
from foretrace.corpus.types import Origin, Subject
from foretrace.errors import RecordError, UsageError
from foretrace.examples import EXAMPLES, example_file
from foretrace.record import record_program
from foretrace.trace import Limits, Outcome

SOURCE = """
def f(words, limit=3):
    found = {}
    for word in words:
        if word.startswith("x-"):
            continue
        found[word.lower()] = found.get(word.lower(), 0) + 1
    if len(found) > limit:
        raise ValueError("too many")
    return found
"""


def found(source: str, entry: str = "f", **budget: int) -> Exploration:
    return explore(textwrap.dedent(source), entry, budget=Budget(**budget))


def test_it_covers_branches_and_finds_exceptions() -> None:
    result = found(SOURCE)
    assert result.coverage == 1.0
    assert result.has_success
    assert {call.kind for call in result.calls} >= {"dict", "ValueError"}
    assert result.tries <= 60


def test_chosen_calls_can_be_recorded() -> None:
    result = found(SOURCE)
    for call in result.calls:
        trace = record_program(SOURCE, "f", call.arguments, Limits())
        assert (trace.header.outcome == Outcome.RETURNED) == (call.outcome == "returned")


def test_good_calls_come_first_and_raising_ones_are_few() -> None:
    result = found(SOURCE)
    outcomes = [call.outcome for call in result.calls]
    assert outcomes == sorted(outcomes, reverse=True)
    assert result.calls[0].is_non_trivial
    assert outcomes.count("raised") <= outcomes.count("returned")
    kinds = [call.kind for call in result.calls if call.outcome == "raised"]
    assert len(kinds) == len(set(kinds))


def test_magic_constants_are_found_step_by_step() -> None:
    result = found(
        """
        def f(text, n):
            score = 0
            if text.startswith("begin:"):
                score += 1
                if n == 4242:
                    score += 1
                    if text.endswith(";end"):
                        score += 1
            return score
        """,
        tries=800,
        patience=800,
    )
    assert result.coverage == 1.0


def test_errors_teach_types() -> None:
    source = "def f(thing):\n    total = 0\n    for key, value in helper(thing):\n        total += value\n    return total\n"
    source += "helper = vars(dict)['items']\n"  # nothing says that it must be a dict
    result = found(source, tries=100)
    assert result.has_success
    assert result.calls[0].arguments.startswith("{")


def test_hints_are_tried_first_and_subjects_bring_theirs() -> None:
    source = "def f(token):\n    if token == '0x5f' * 2 + chr(7):\n        return 1\n    return 0\n"
    hint = "'0x5f0x5f\\x07'"
    assert found(source).coverage < 1
    assert explore(source, "f", hints=[hint]).coverage == 1.0
    subject = Subject(source=source, entry="f", origin=Origin(kind="jsonl", name="x"), calls=(hint, "not valid("))
    result = explore(subject)
    assert result.coverage == 1.0
    assert hint in [call.arguments for call in result.calls]


def test_methods() -> None:
    source = """
    class Stack:
        def __init__(self):
            self.items = []
        def push(self, item: int) -> None:
            self.items.append(item)
        def pop(self):
            if not self.items:
                raise IndexError("empty")
            return self.items.pop()
    """
    result = found(source, "Stack.pop")
    assert result.coverage == 1.0
    assert {call.outcome for call in result.calls} == {"returned", "raised"}
    record_program(textwrap.dedent(source), "Stack.pop", result.calls[0].arguments, Limits())


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_packaged_examples(name: str) -> None:
    import ast

    source = example_file(name).read_text(encoding="utf-8")
    entry = next(node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    assert explore(source, entry).has_success


def test_generators_and_coroutines_are_run() -> None:
    result = found("def f(items):\n    for item in items:\n        yield item\n")
    assert result.calls[0].kind == "generator"
    assert result.has_success
    result = found("async def f(n: int):\n    n += 1\n    return n\n")
    assert (result.calls[0].kind, result.coverage) == ("int", 1.0)


def test_decorated_functions_count_their_own_lines() -> None:
    result = found(
        """
        import functools
        def twice(function):
            def wrapper(*args):
                return function(*args)
            return wrapper
        @twice
        def f(n: int):
            n += 1
            return n
        """
    )
    assert result.coverage == 1.0
    assert result.has_success
    result = found("import functools\n@functools.lru_cache\ndef f(n: int):\n    n += 1\n    return n\n")
    assert result.has_success


def test_what_is_trivial() -> None:
    result = found("def f(n: int):\n    if n < 10**9:\n        return None\n    return n\n")
    assert not result.has_success
    assert result.calls[0].outcome == "returned"
    assert found("def f(n: int): return n + 1\n").has_success
    assert found("def f(items: list):\n    items.sort()\n    items.append(1)\n").has_success
    assert not found("def f(n):\n    raise NotImplementedError\n").calls


def test_accidents_are_not_kept() -> None:
    result = found("def f(a, b):\n    c = a.thing\n    return c.other(b)\n", tries=30)
    assert not any(call.kind in ("TypeError", "AttributeError") for call in result.calls)


# what it survives ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "while True: n = n",
        "while True:\n    try:\n        n += 1\n    except:\n        pass",
        "while True:\n    try:\n        while True:\n            n += 1\n    except BaseException:\n        continue",
        "for _ in iter(int, 1): n += 1",
        "return f(n)",
        "yield n\nyield from f(n)",
        "import itertools\nyield from itertools.repeat(n)",
    ],
)
def test_endless_programs_end(body: str) -> None:
    started = time.process_time()
    result = found("def f(n: int):\n" + textwrap.indent(body, "    "))
    assert not any(call.is_non_trivial for call in result.calls)
    assert time.process_time() - started < 3


@pytest.mark.parametrize("body", ["sum(range(3 * 10**7 + n))", "10 ** (n + 4_000_000)", "raise_(MemoryError)"])
def test_long_work_in_c_and_lack_of_memory_end_exploring(body: str) -> None:
    result = found(f"def raise_(e): raise e\ndef f(n: int):\n    n = {body}\n    return 0\n")
    assert result.timeouts == 2
    assert result.tries <= 3


def test_values_that_grow_for_ever_end() -> None:
    result = found("def f(n: int):\n    n = abs(n) + 2\n    while True:\n        n = n * n\n        yield n\n")
    assert not result.has_success
    assert result.timeouts + (result.tries < 60) > 0


def test_some_loops_that_do_not_end_do_no_harm() -> None:
    result = found("def f(n: int):\n    while n != 3:\n        n += 1\n    return n\n", tries=60)
    assert result.has_success


@pytest.mark.parametrize("body", ["import sys; sys.exit(n)", "exit(n)", "raise KeyboardInterrupt", "raise SystemExit"])
def test_exits_are_exceptions(body: str) -> None:
    result = found(f"def f(n: int):\n    if n > 5:\n        {body}\n    return n\n")
    assert result.has_success
    assert any(call.kind in ("SystemExit", "KeyboardInterrupt") for call in result.calls)


def test_values_stay_small_enough_for_memory() -> None:
    result = found("def f(n: int, text: str):\n    made = text * n\n    return len(made * n)\n", tries=200, patience=200)
    assert result.has_success
    assert result.coverage == 1.0


def test_printing_and_reading_reach_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    result = found("def f(text: str):\n    print('secret', text)\n    return input()\n")
    assert capsys.readouterr().out == ""
    assert [call.kind for call in result.calls] == []  # EOFError only: nothing returned to balance it
    assert sys.stdout.writable()


def test_handlers_and_timers_are_given_back() -> None:
    before = signal.getsignal(signal.SIGALRM), signal.getsignal(signal.SIGPROF)
    found("def f(n: int):\n    while True: n = n\n")
    assert (signal.getsignal(signal.SIGALRM), signal.getsignal(signal.SIGPROF)) == before
    assert signal.getitimer(signal.ITIMER_REAL) == signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)
    assert sys.gettrace() is None


def test_a_forking_program_has_no_second_explorer(tmp_path: Path) -> None:
    code = (
        "from foretrace.corpus.arguments import explore\n"
        "found = explore('import os\\ndef f(n: int):\\n    n += 1\\n    os.fork()\\n    return n\\n', 'f')\n"
        "print(found.has_success)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "True\n"


def test_errors_of_the_source() -> None:
    with pytest.raises(UsageError, match="parse"):
        explore("def f(:", "f")
    with pytest.raises(UsageError, match="no definition"):
        explore("x = 1", "f")
    with pytest.raises(RecordError, match="ZeroDivisionError"):
        explore("1 / 0\ndef f(): pass", "f")


def test_the_module_goes_on_after_itself_is_broken() -> None:
    result = found(
        "import sys, random\ndef f(n: int):\n    sys.settrace(None)\n    random.seed(n)\n    return random.random()\n"
    )
    assert result.calls


# repeatability ------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_calls_in_any_process() -> None:
    code = (
        "import sys, json\nfrom foretrace.corpus.arguments import explore\n"
        f"print(json.dumps([c.arguments for seed in (0, 1) for c in explore({SOURCE!r}, 'f', seed).calls]))"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
        ).stdout
        for seed in ("0", "123")
    ]
    assert outputs[0] == outputs[1]
    assert json.loads(outputs[0])[0] == explore(SOURCE, "f", 0).calls[0].arguments
    assert explore(SOURCE, "f", 0).calls != explore(SOURCE, "f", 1).calls


def test_different_functions_get_different_values() -> None:
    texts = {found(f"def f(n: list[int]):\n    k = {i}\n    return n\n").calls[0].arguments for i in range(6)}
    assert len(texts) > 3


def test_importing_is_light() -> None:
    code = "import sys, foretrace.corpus.arguments as a; print(sorted({'pytest', 'hypothesis', 'doctest', 'asyncio'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# parts --------------------------------------------------------------------------------------------------------------


def watched(watch: Watch, function: object, limit: int = 1000) -> list[int]:
    with watch:
        watch.start(limit)
        try:
            function(3)  # type: ignore[operator]
        except Stop:
            pass
        watch.stop()
    return watch.lines


def loaded(source: str, filename: str = "<watched>") -> tuple[object, CodeType]:
    namespace: dict[str, object] = {}
    exec(compile(source, filename, "exec"), namespace)
    function = namespace["f"]
    return function, function.__code__  # type: ignore[attr-defined]


def test_both_watches_see_the_same_lines() -> None:
    function, code = loaded(
        "def f(n):\n    total = 0\n    while n:\n        n -= 1\n        total += len([1])\n    return total\n"
    )
    traced = watched(TraceWatch("<watched>"), function)
    assert traced[:4] == [2, 3, 4, 5]
    assert traced == watched(open_watch("<watched>", [code]), function)
    endless, code = loaded("def f(n):\n    while True:\n        n = n\n")
    for watch in (TraceWatch("<watched>"), open_watch("<watched>", [code])):
        assert 50 <= len(watched(watch, endless, 50)) <= 52


def made(text: str, outcome: str, kind: str, lines: list[int], explicit: bool = False) -> Attempt:
    one = Attempt(Arguments(), text, outcome, kind, lines, is_explicit=explicit)  # type: ignore[arg-type]
    return replace(one, is_non_trivial=outcome == "returned" and len(set(lines)) > 1)


def test_choosing() -> None:
    attempts = [
        made("one line", "returned", "int", [1]),
        made("few", "returned", "int", [1, 2]),
        made("many", "returned", "int", [1, 2, 3, 4]),
        made("too many", "returned", "int", [1, 2, 3, 4] * 500),
        made("accident", "raised", "TypeError", [1]),
        made("own", "raised", "ValueError", [1, 2], explicit=True),
        made("again", "raised", "ValueError", [1], explicit=True),
        made("key", "raised", "KeyError", [1, 2, 3]),
    ]
    chosen = [one.text for one in choose(attempts, [], frozenset(range(1, 5)), 8, 3)]
    assert chosen == ["many", "few", "too many", "one line", "own", "key"]
    assert [one.text for one in choose(attempts, [], frozenset(range(1, 5)), 4, 3)] == ["many", "few", "own", "key"]
    spare = [made("spare", "returned", "int", [1, 2])]
    assert [one.text for one in choose(attempts[1:2], spare, frozenset({1, 2}), 8, 3)] == ["few", "spare"]
    assert choose(attempts[4:], [], frozenset({1}), 8, 3) == []


@pytest.mark.parametrize(
    ("value", "kind"),
    [(True, "True"), ([], "empty list"), ([1], "list"), (None, "NoneType"), (0, "0"), (7, "int"), ("", "empty str")],
)
def test_kinds_of_results(value: object, kind: str) -> None:
    assert kind_of(value) == kind


def test_reports_add_up() -> None:
    report, other = Report(), Report()
    report.add(found(SOURCE))
    report.add(found("def f(n):\n    raise NotImplementedError\n"))
    other.add(None)
    report.merge(other)
    figures = report.figures()
    assert figures["functions"] == 3
    assert figures["with_success"] == round(1 / 3, 4)
    assert figures["mean_coverage"] == round(2 / 3, 4)
