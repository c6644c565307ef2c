"""Narrations: what they tell is what happened, in words that can be checked by machine."""

import ast
import builtins
import itertools
import re
from collections.abc import Iterator

import pytest
from constructs import CONSTRUCTS
from narratable import PROGRAMS

from foretrace.corpus import synthesise
from foretrace.errors import ForetraceError, UsageError
from foretrace.record import record_program
from foretrace.record.narrate import MAX_CHARACTERS, agrees, narrate, stated_result
from foretrace.record.narration.activations import Visit, read_activations
from foretrace.record.narration.by_model import narrate_by_model, narration_prompt
from foretrace.record.narration.calls import callees
from foretrace.record.narration.loops import merged
from foretrace.record.narration.syntax import syntax_of
from foretrace.trace import Header, Limits, Trace


def trace_of(source: str, arguments: str = "", entry: str = "f", limits: Limits | None = None) -> Trace:
    return record_program(source, entry, arguments, limits)


def told(source: str, arguments: str = "", seed: int = 0) -> str:
    return narrate(trace_of(source, arguments), "steps", seed)


def synthesised(seeds: range) -> Iterator[Trace]:
    for seed in seeds:
        program = synthesise(seed)
        try:
            yield record_program(program.source, program.entry, program.arguments)
        except ForetraceError:
            continue


def visits_of(trace: Trace) -> Iterator[Visit]:
    waiting = read_activations(trace.frames)
    while waiting:
        visit = waiting.pop()
        yield visit
        waiting += [child for step in visit.steps for child in step.children]


# ---------------------------------------------------------------------------------------------------
# Every claim is checked

BECOMES = re.compile(
    r"(?:Line (\d+): |, and | and |: |^\s*)(\w+) (?:becomes|is set to|is now|goes from .+ to|changes from .+ to) "
)
VALUES = re.compile(r"`([^`]+)`, which is (?!true|false)([^`]+?)\.?$")
SO = re.compile(r"is `([^`]+)`, so \w+ (?:becomes|returns) ([^`]+?)\.?$")
SUMS = re.compile(r"\w+ becomes ([^=`]+) = ([^=`]+?)(?: \(was .*)?\.?$")
TRUTHS = [
    (re.compile(r"`([^`]+)` (?:is true|holds)[,.:]"), True),
    (re.compile(r"`([^`]+)` (?:is false|does not hold)[,.:]"), False),
    (re.compile(r"is `([^`]+)`, which (?:is|counts as) true[,.]"), True),
    (re.compile(r"is `([^`]+)`, which (?:is|counts as) false[,.]"), False),
]


def evaluated(text: str, trace: Trace) -> object:
    """The value of an expression that stands for itself; raises where it has names of the program, or was cut."""
    local = {name for frame in trace.frames for name in frame.state}
    names = {node.id for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name)}
    if "…" in text or names & local or not all(hasattr(builtins, name) for name in names - bound_inside(text)):
        raise NameError(text)
    return eval(text, {})


def bound_inside(text: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(text, mode="eval")))
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)} | {
        n.arg for n in nodes if isinstance(n, ast.arg)
    }


def check_expressions(text: str, trace: Trace) -> int:
    """Conditions and results with values in them are worked out again."""
    checked = 0
    for line in text.splitlines():
        claims = [(m[1], verdict, True) for pattern, verdict in TRUTHS for m in pattern.finditer(line)]
        claims += [(m[1], m[2], False) for pattern in (VALUES, SO, SUMS) for m in pattern.finditer(line) if "…" not in m[2]]
        for expression, expected, is_truth in claims:
            try:
                value, stated = evaluated(expression, trace), None if is_truth else ast.literal_eval(str(expected))
            except (NameError, SyntaxError, ValueError):  # with names of the program, or further clauses behind the value
                continue
            checked += 1
            if is_truth:
                assert bool(value) is expected, line
            elif not isinstance(
                value,
                range | map | filter | zip | enumerate | reversed | type({}.items()) | type({}.keys()) | type({}.values()),
            ):
                assert value == stated, line
    return checked


def check_assignments(text: str, trace: Trace) -> int:
    """`x becomes V` on line n: there is a step on that line after which x is V."""
    after: dict[tuple[int, str], set[str]] = {}
    for visit in visits_of(trace):
        for step in merged(visit.steps, syntax_of(trace.header.source)):
            for name, value in (step.after or {}).items():
                after.setdefault((step.line, name), set()).add(value)
    checked = 0
    for line in text.splitlines():
        match = re.match(r"\s*Line (\d+): (\w+) (becomes|is set to|is now) (.*)\.$", line)
        if not match or match[4].startswith("`") or "…" in line:
            continue
        values = after.get((int(match[1]), match[2]), set())
        said = match[4]
        assert any(said.startswith(value) or f" = {value}" in said for value in values), (line, values)
        checked += 1
    return checked


def check_iterations(text: str, trace: Trace) -> int:
    """`In the second iteration, x is V`: x was V somewhere."""
    seen = {(name, value) for frame in trace.frames for name, value in frame.state.items()}
    checked = 0
    for line in text.splitlines():
        match = re.match(r"\s*(?:In|Now for) the \w+ iteration[,:] (\w+) is ([^,`]+)\.$", line)
        if match and "…" not in line and " and " not in match[2]:
            assert (match[1], match[2]) in seen, line
            checked += 1
    return checked


def check_series(text: str, trace: Trace) -> int:
    """`x goes 1, 2, 3`: these are values of x, in this order."""
    checked = 0
    for name, series in re.findall(r"; (\w+) goes ([-\d, …]+)(?:;|\.$)", text):
        history = [frame.state[name] for frame in trace.frames if name in frame.state]
        at = iter(history)
        assert all(value in at for value in series.split(", ") if value != "…"), (name, series)
        checked += 1
    return checked


def check(trace: Trace, seed: int) -> int:
    text = narrate(trace, "steps", seed)
    assert agrees(text, trace), text
    assert stated_result(text) == trace.frames[-1].value
    return sum(f(text, trace) for f in (check_expressions, check_assignments, check_iterations, check_series))


def test_claims_about_synthesised_programs_are_true() -> None:
    checked = 0
    for seed, trace in enumerate(synthesised(range(400))):
        if trace.header.outcome.value != "truncated":
            checked += check(trace, seed)
    assert checked > 1_200


@pytest.mark.parametrize("name", PROGRAMS)
def test_claims_about_small_programs_are_true(name: str) -> None:
    source, arguments = PROGRAMS[name]
    trace = trace_of(source, arguments)
    for seed in range(6):
        check(trace, seed)


# ---------------------------------------------------------------------------------------------------
# Form

PIECES = re.compile(r"^(?:\s*(?:Line \d+: )?\S.*[.:])$")


@pytest.mark.parametrize("name", PROGRAMS)
def test_sentences_are_whole(name: str) -> None:
    source, arguments = PROGRAMS[name]
    trace = trace_of(source, arguments)
    for seed in range(4):
        steps, prose = narrate(trace, "steps", seed), narrate(trace, "prose", seed)
        assert all(PIECES.match(line) for line in steps.splitlines()), steps
        for text in (steps, prose):
            plain = re.sub(r"`[^`]*`|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", "Q", text)
            assert not re.search(r"[,;:] *[.,;]|\.\.|\w  \w|\b(\w+) \1\b|\bis are\b", plain), text


def test_same_trace_and_seed_same_text_and_seeds_vary() -> None:
    source, arguments = PROGRAMS["loop"]
    texts = [narrate(trace_of(source, arguments), seed=seed) for seed in range(12)]
    assert texts == [narrate(trace_of(source, arguments), seed=seed) for seed in range(12)]
    assert len(set(texts)) == 12
    assert {"Line" in text.split("\n")[1] for text in texts} == {True, False}  # both styles


def test_a_long_loop_is_folded() -> None:
    source = "def f(n):\n    total = 0\n    for i in range(n):\n        total += i\n    return total\n"
    text = told(source, "20")
    assert "The next 17 iterations" in text
    assert "total goes 3, 6, 10, 15, 21, …, 171" in text
    assert "In the last iteration, i is 19" in text or "Now for the last iteration: i is 19" in text
    lengths = [len(told(source, str(n))) for n in (10, 100, 1000)]
    assert max(lengths) < 1.3 * min(lengths)


def test_conditions_of_folded_iterations_are_counted() -> None:
    text = told(
        "def f(n):\n    c = 0\n    for i in range(n):\n        if i % 5 == 0:\n            c += 1\n    return c\n", "14"
    )
    assert "`i % 5 == 0` holds for i = 5, 10" in text


def test_a_loop_over_nothing() -> None:
    assert "there is nothing in it, so its body never runs" in told(
        "def f(xs):\n    for x in xs:\n        pass\n    return 1\n", "[]"
    )
    assert "its body never runs" in told("def f(n):\n    while n > 0:\n        n -= 1\n    return n\n", "0")


def test_values_before_and_after() -> None:
    text = "\n".join(told("def f(x):\n    x = x * 2\n    y = x\n    return y - 1\n", "21", seed) for seed in range(8))
    assert "x becomes 21 * 2 = 42" in text
    assert "(was 21)" in text or "from 21 to 42" in text
    assert "`42 - 1`, which is 41" in text


@pytest.mark.parametrize(
    ("statement", "arguments", "words"),
    [
        ("x.append('b')", "['a']", "x gains 'b' at the end"),
        ("x.pop()", "['a', 'b']", "x loses its last item, 'b'"),
        ("x.pop(0)", "['a', 'b']", "x loses its first item, 'a'"),
        ("x.insert(1, 9)", "[1, 2]", "x gains 9 at index 1"),
        ("x.pop()", "[1, 1]", "x loses 1"),
        ("x[1] = 5", "[1, 2]", "x[1] goes from 2 to 5"),
        ("x['k'] += 1", "{'k': 1}", "x['k'] goes from 1 to 2"),
        ("x['k'].append(2)", "{'k': [1]}", "x['k'] gains 2 at the end"),
        ("del x['k']", "{'k': 1, 'l': 2}", "x loses the key 'k' (it was 1)"),
        ("x.add(3)", "{1}", "x gains 3"),
        ("x.clear()", "[1]", "x is emptied"),
        ("x.reverse()", "[1, 2, 3, 4, 5, 6]", "the order of x is reversed: it is now [6, 5, 4, 3, 2, 1]"),
    ],
)
def test_changes_of_containers(statement: str, arguments: str, words: str) -> None:
    assert words in told(f"def f(x):\n    {statement}\n    return 0\n", arguments)


def test_changes_of_objects() -> None:
    source, arguments = PROGRAMS["class"]
    text = told(source, arguments)
    assert "a.balance goes from 0 to 10" in text
    assert "ValueError('insufficient funds') comes out of Account.withdraw" in text


def test_exceptions_and_their_handlers() -> None:
    text = told("def f(d):\n    try:\n        return d['x']\n    except KeyError as e:\n        return -1\n", "{}")
    assert "`return d['x']` raises KeyError('x')" in text
    assert (
        "`except KeyError as e` catches KeyError('x'), so line 5 runs" in text
        or "KeyError('x') is caught by `except KeyError as e`" in text
    )
    text = told("def f(d):\n    try:\n        y = d['x']\n    except ValueError:\n        y = 0\n    return y\n", "{}")
    assert "`except ValueError` does not match KeyError('x'), which leaves f" in text
    assert text.endswith("So f({}) raises KeyError('x').")


def test_a_return_that_a_finally_delays() -> None:
    text = told("def f(x):\n    try:\n        if x: return 1\n    finally:\n        y = 2\n    return 3\n", "True")
    assert "does not run" not in text
    assert "ends without a return" not in text
    assert "f returns 1" in text


def test_a_call_is_told_once_from_within() -> None:
    source, arguments = PROGRAMS["calls"]
    text = told(source, arguments)
    assert "double(1) is called" in text
    assert "double(2) returns 4" in text


def test_recursion_is_folded() -> None:
    source = "def f(n):\n    if n <= 1:\n        return 1\n    return n * f(n - 1)\n"
    text = told(source, "6")
    assert "f(5) is called, which calls f again, and so on down to f(1), five calls deep" in text
    assert "On the way back, f(2) returns 2, f(3) returns 6, f(4) returns 24, f(5) returns 120" in text
    assert len(told(source, "400")) < 2_500


def test_generators() -> None:
    text = told("def g(n):\n    for i in range(n):\n        x = yield i\ndef f():\n    return list(g(3))\n")
    assert re.search(r"Line 5: g\(3\) starts to run", text)
    assert "yields 0" in text
    assert "x is now None" in text or "x becomes None" in text or "x is set to None" in text
    assert "g resumes and yields 2" in text or "yields 2" in text


def test_an_entry_that_is_a_generator() -> None:
    trace = trace_of("def f(n):\n    for i in range(n):\n        yield i * i\n", "6")
    text = narrate(trace, "steps")
    assert agrees(text, trace)
    assert re.search(r"f is resumed \w+ times, yields 4, 9, 16, 25, and ends", text)


def test_text_of_every_kind_survives() -> None:
    for value in (
        "'a\\nb'",
        "'it\\'s \"q\"'",
        "'`back` ticks'",
        "'ß…\\u2028é'",
        "') returns 3.'",
        "' raises KeyError(1).'",
        "b'\\xff'",
        "'f('",
    ):
        for returned in ("x", "[x, (x,)]", "{x: None}"):
            trace = trace_of(f"def f(x, y=0):\n    z = x\n    return {returned}\n", value)
            for style in ("prose", "steps"):
                text = narrate(trace, style)
                assert stated_result(text) == trace.result
                assert agrees(text, trace)


def test_long_traces_are_bounded() -> None:
    nested = "def f(n):\n    t = 0\n    for i in range(n):\n        for j in range(n):\n            t += g(i, j)\n    return t\ndef g(a, b):\n    c = 0\n    while a:\n        a, c = a // 2, c + b\n    return c\n"
    straight = "def f(x):\n" + "".join(f"    x = x + {i}\n" for i in range(300)) + "    return x\n"
    for source, arguments in ((nested, "20"), (straight, "1")):
        trace = trace_of(source, arguments)
        for style in ("prose", "steps"):
            text = narrate(trace, style)
            assert len(text) < MAX_CHARACTERS + 200
            assert agrees(text, trace)
    assert "further sentences, about the steps in between, are left out here" in text
    assert len(narrate(trace, max_characters=800)) < 1_000


def test_a_result_is_quoted_in_full() -> None:
    trace = trace_of("def f(n):\n    return list(range(n))\n", "60")
    assert agrees(narrate(trace), trace)


def test_a_trace_that_was_cut_states_no_result() -> None:
    trace = trace_of("def f(n):\n    while n:\n        n += 1\n", "1", limits=Limits(max_events=50))
    text = narrate(trace)
    assert "is cut off here (events), so its result is not known." in text
    assert "last iteration" not in text
    assert stated_result(text) is None
    assert not agrees(text, trace)
    with pytest.raises(UsageError, match="no frames"):
        narrate(Trace(Header(source="", entry="f"), ()))


def test_sources_that_do_not_match_are_only_quoted() -> None:
    """A predicted trace may have lines that its source lacks, and a source need not parse."""
    trace = trace_of(*PROGRAMS["loop"])
    broken = Trace(Header(source="def f(:", entry="f"), trace.frames)
    assert agrees(narrate(broken), broken)


def test_callees_of_comprehensions_are_told() -> None:
    source = "def g(x):\n    return x + 1\ndef f(xs):\n    return [g(x) for x in xs]\n"
    trace = trace_of(source, "[1, 2]")
    steps = read_activations(trace.frames)[0].steps  # from 3.12 on each element is a step of its own
    assert [v.name for step in steps for v in callees(step, syntax_of(source))] == ["g", "g"]
    assert "g(2) returns 3" in narrate(trace, "steps")


# ---------------------------------------------------------------------------------------------------
# Stated results


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("So f(1) returns [1, 2].", "[1, 2]"),
        ("…\n\nSo f('returns') raises ValueError('x').", "ValueError('x')"),
        ("So f(3) returns 3..", "3."),
        ("So g() yields 1.5.", "1.5"),
        ("Work.\nFinal value: 3", "3"),
        ("**Final value:** `'a'`", "'a'"),
        ("**Final value: 'a'**", "'a'"),
        ("Final value: `{'a': 1}`.", "{'a': 1}"),
        ("Final output:\n```python\n[1,\n 2]\n```", "[1,\n 2]"),
        ("The final answer is 7.", "7"),
        ("Final value: 1\nno, wait.\nFinal value: 2", "2"),
        ("Final exception: KeyError('x')", "KeyError('x')"),
        ("Final value: raises `KeyError('x')`", "KeyError('x')"),
        ("Thus the function returns `[]`.", "[]"),
        ("I do not know.", None),
        ("", None),
    ],
)
def test_stated_results(text: str, result: str | None) -> None:
    assert stated_result(text) == result


@pytest.mark.parametrize(
    ("returned", "text", "same"),
    [
        ("[1, 2]", "Final value: [1,2]", True),
        ("'a'", 'Final value: "a"', True),
        ("{'a': 1, 'b': 2}", "Final value: {'b': 2, 'a': 1}", True),
        ("{1, 2}", "Final value: {2, 1}", True),
        ("1", "Final value: True", False),
        ("1", "Final value: 1.0", False),
        ("(1,)", "Final value: [1]", False),
        ("[[1], 0]", "Final value: [[True], 0]", False),
        ("None", "Final value: None", True),
        ("'a'", "Final value: a", False),
        ("KeyError('x')", "Final exception: KeyError('x')", False),
        ("object", "Final value: <class 'object'>", True),
    ],
)
def test_agreement(returned: str, text: str, same: bool) -> None:
    assert agrees(text, trace_of(f"def f():\n    return {returned}\n")) is same


def test_agreement_on_exceptions() -> None:
    trace = trace_of("def f():\n    raise KeyError('x')\n")
    assert agrees('Final exception: KeyError("x")', trace)
    assert agrees("Final value: raises KeyError('x')", trace)
    assert not agrees("Final value: KeyError('x')", trace)
    assert not agrees("Final exception: KeyError('y')", trace)
    assert not agrees("Final exception: ValueError('x')", trace)


# ---------------------------------------------------------------------------------------------------
# By a model


def test_a_model_is_believed_only_if_the_result_is_right() -> None:
    trace = trace_of(*PROGRAMS["loop"])
    asked = []

    def model(text: str, prompt: str) -> str:
        asked.append(prompt)
        return text

    right = f"  It adds up.\nFinal value: {trace.result}\n"
    assert narrate_by_model(trace, lambda prompt: model(right, prompt)) == right.strip()
    assert narrate_by_model(trace, lambda prompt: model("Final value: 99999", prompt)) is None
    assert narrate_by_model(trace, lambda prompt: model("I refuse.", prompt)) is None
    assert trace.header.source.rstrip() in asked[0]
    assert "<|line_sep|>" in asked[0]
    assert "Final value: " in asked[0]


def test_a_model_is_told_of_exceptions_and_long_traces_in_short() -> None:
    assert "Final exception: " in narration_prompt(trace_of("def f():\n    raise KeyError('x')\n"))
    prompt = narration_prompt(
        trace_of("def f(n):\n    t = 0\n    for i in range(n):\n        t += i\n    return t\n", "900")
    )
    assert "<|line_sep|>" not in prompt
    assert "The next 897 iterations" in prompt
    assert len(prompt) < 6_000


def test_a_model_is_not_asked_about_what_has_no_result() -> None:
    trace = trace_of("def f(n):\n    while n:\n        n += 1\n", "1", limits=Limits(max_events=50))
    assert narrate_by_model(trace, lambda prompt: pytest.fail("asked")) is None


@pytest.mark.filterwarnings("ignore")
def test_narrations_of_odd_programs_end_well() -> None:
    """Whatever the construct, a narration comes out and states the result."""
    for source, seed in itertools.product(CONSTRUCTS.values(), range(2)):
        trace = trace_of(source)
        if trace.header.outcome.value == "truncated":
            continue
        assert agrees(narrate(trace, seed=seed), trace) or "…" in (trace.frames[-1].value or "")
