"""The grammar of a program's traces: it never forbids what really happens, and it does forbid what cannot."""

import numpy as np
import pytest

from foretrace.corpus import synthesise
from foretrace.data.tokenizer import Tokenizer
from foretrace.engine import FrameGrammar, build_prompt
from foretrace.errors import ForetraceError
from foretrace.record import record_program
from foretrace.trace import Limits, Outcome, Segment, Token, Trace, from_segments, to_segments

TOKENIZER = Tokenizer.train([], vocab_size=800)
PROGRAMS = [
    ("def f(n):\n    for i in range(n):\n        try:\n            g(i)\n        except ValueError:\n            pass\n    return n\n\ndef g(i):\n    raise ValueError(i)\n", "2"),
    ("def f():\n    return sum(g(3))\n\ndef g(n):\n    for i in range(n):\n        yield i\n", ""),
    ("def f(x):\n    return (\n        x +\n        1\n    )\n", "1"),
    ("def f(x):\n    h = lambda a: a * 2\n    return [h(y) for y in x if y]\n", "[0, 1]"),
    ("def f(d):\n    try:\n        return d['x']\n    finally:\n        d.clear()\n", "{}"),
    ("class A:\n    def __init__(self, x):\n        self.x = x\n\ndef f(x):\n    while x:\n        x -= 1; A(x)\n    return g()\n\ndef g():\n    pass\n", "2"),
    ("def f(x):\n    if x: return f(x - 1)\n    assert x, 'zero'\n", "2"),
    ("def f(o):\n    class B:\n        y = o\n    with open('/dev/null') as file:\n        pass\n    return B.y\n", "3"),
]  # fmt: skip


def forbidden_at(trace: Trace, source: str, arguments: str) -> int | None:
    """Index of the first token of a true trace that the grammar forbids."""
    prompt = build_prompt(source, "f", arguments)
    grammar = FrameGrammar(TOKENIZER, prompt, trace.header.python)
    ids = TOKENIZER.encode(to_segments(trace))
    for at in range(len(TOKENIZER.encode(prompt.segments)), len(ids)):
        forced = list(grammar.forced())
        if not grammar.allowed()[ids[at]] or ids[at : at + len(forced)] != forced:
            return at
        assert not forced or grammar.allowed().sum() == 1
        grammar.advance(ids[at])
    return None


@pytest.mark.parametrize(("source", "arguments"), PROGRAMS)
def test_what_happens_is_allowed(source: str, arguments: str) -> None:
    assert forbidden_at(record_program(source, "f", arguments), source, arguments) is None


def test_what_happens_in_synthesised_programs_is_allowed() -> None:
    tried = 0
    for seed in range(20_000_000, 20_000_400):
        program = synthesise(seed)
        if program.entry != "f":
            continue
        try:
            trace = record_program(program.source, "f", program.arguments, Limits(seconds=1, max_events=150))
        except ForetraceError:
            continue
        if trace.header.outcome is not Outcome.TRUNCATED:
            tried += 1
            assert forbidden_at(trace, program.source, program.arguments) is None, program
    assert tried > 150


def test_a_line_that_cannot_come_next_is_forbidden() -> None:
    source = "def f(x):\n    if x:\n        return 1\n    return 2\n"
    grammar = FrameGrammar(TOKENIZER, build_prompt(source, "f", "0"))

    def only(*tokens: Token) -> bool:
        return grammar.allowed().nonzero()[0].tolist() == sorted(TOKENIZER.id_of(t) for t in tokens)

    def write(*segments: Token | str) -> None:
        for token in TOKENIZER.encode(segments):
            assert grammar.allowed()[token]
            grammar.advance(token)

    write(Token.LINE_SEP, '{"x": ".."}', Token.ACTION_SEP)
    first = TOKENIZER.encode([Token.ACTION_SEP, "    if x:\n"])[1:]
    for token in first:
        assert grammar.allowed().nonzero()[0].tolist() == [token]
        grammar.advance(token)
    assert only(Token.FRAME_SEP)
    write(Token.FRAME_SEP, Token.LINE_SEP, '{"x": ".."}', Token.ACTION_SEP, "    return 2\n", Token.FRAME_SEP)
    assert not grammar.allowed()[TOKENIZER.id_of(Token.LINE_SEP)]  # nothing runs after a return
    write(Token.RETURN_SEP, Token.ACTION_SEP, "    return 2\n", Token.ARG_SEP, '"2"', Token.FRAME_SEP)
    assert only(Token.END_OF_TEXT)


def random_trace(source: str, rng: np.random.Generator) -> Trace:
    """What a model that knows nothing writes under the grammar; states and values as short as can be."""
    prompt = build_prompt(source, "f", "'ab'")
    grammar = FrameGrammar(TOKENIZER, prompt)
    texts = {Token.LINE_SEP: "{}", Token.CALL_SEP: "{}", Token.ARG_SEP: '"1"'}
    written: list[Segment] = [Token.FRAME_SEP]
    while len(written) < 500 and written[-1] is not Token.END_OF_TEXT:
        choices = grammar.allowed().nonzero()[0].tolist()
        before = next(s for s in reversed(written) if isinstance(s, Token))
        text = texts.get(before, "") if written[-1] is before else ""
        new = (
            TOKENIZER.encode([before, text])[1:]
            if text
            else [choices[0] if len(choices) > 100 else int(rng.choice(choices))]
        )  # 0: what ends the text
        for token in new:
            assert grammar.allowed()[token]
            grammar.advance(token)
        written += TOKENIZER.decode(new)
    end = max(i for i, s in enumerate(written) if s is Token.FRAME_SEP)
    joined = TOKENIZER.decode(TOKENIZER.encode(written[1 : end + 1]))
    return from_segments([*prompt.segments, *joined])


def test_a_model_that_knows_nothing_writes_no_ghosts_under_the_grammar() -> None:
    source = "def f(zwqx):\n    kvjb = zwqx * 3\n    for c in zwqx:\n        kvjb += c\n    return g(kvjb)\n\ndef g(y):\n    return y\n"
    rng = np.random.default_rng(0)
    frames = [frame for _ in range(400) for frame in random_trace(source, rng).frames]
    assert {frame.line for frame in frames} == {1, 2, 3, 4, 5, 7, 8}
    assert not any(frame.ghost for frame in frames)


def test_what_has_no_rival_is_forced() -> None:
    source = "def f(x):\n    if x:\n        return 1\n    return 2\n"
    grammar = FrameGrammar(TOKENIZER, build_prompt(source, "f", "0"))

    def forced() -> list[Segment]:
        return TOKENIZER.decode(grammar.forced())

    def write(*segments: Segment) -> None:
        for token in TOKENIZER.encode(segments):
            grammar.advance(token)

    assert forced() == []  # anything may come first that is an event
    write(Token.LINE_SEP)
    assert forced() == []  # a state is the model's own
    write('{"x": ".."}', Token.ACTION_SEP)
    assert forced() == ["    if x:\n", Token.FRAME_SEP]
    write("    if x:\n", Token.FRAME_SEP, Token.LINE_SEP, '{"x": ".."}', Token.ACTION_SEP)
    assert forced() == []  # two lines, which begin with other spaces
    write("    return 2\n", Token.FRAME_SEP, Token.RETURN_SEP)
    assert forced() == [Token.ACTION_SEP]
    write(Token.ACTION_SEP)
    assert forced() == ["    return 2\n", Token.ARG_SEP]
    write("    return 2\n", Token.ARG_SEP, '"2"', Token.FRAME_SEP)
    assert forced() == [Token.END_OF_TEXT]


def test_text_that_leaves_the_grammar_is_not_constrained() -> None:
    grammar = FrameGrammar(TOKENIZER, build_prompt("def f(x):\n    return x\n", "f", "0"))
    for token in TOKENIZER.encode([Token.LINE_SEP, '{"x": ', Token.ACTION_SEP, "    return x\n", Token.FRAME_SEP]):
        grammar.advance(token)
    assert np.all(grammar.allowed())
    assert not grammar.forced()
