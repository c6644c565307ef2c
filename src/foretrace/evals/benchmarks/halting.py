"""Halting: whether a call ever returns. Half of the calls do; nothing but running them in the mind tells which.

    foretrace eval run halting halting:trace --model tiny

Calls come in pairs of one program whose arguments look alike, one that ends and one that does not. The one was run to its
end; of the other it is proved, by a state that came back or by an invariant. After HaltEval (CWM report, arXiv:2510.02387),
which was not released.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import cycle
from random import Random

from foretrace.engine import build_prompt
from foretrace.errors import UsageError
from foretrace.evals.documents import MAX_CHARACTERS, read_trace
from foretrace.evals.fidelity import CUT
from foretrace.evals.synthetic.asking import Asked, ask, read_answer, write_answer
from foretrace.evals.synthetic.lengths import length_class
from foretrace.evals.synthetic.loops import FAMILIES, LoopProgram, loop_program
from foretrace.evals.synthetic.recording import many_recordings
from foretrace.evals.synthetic.termination import Shown, find_cycle, show_all
from foretrace.evals.types import Benchmark, Item, Options, Question, Reason, Sampling, Style, Verdict
from foretrace.sandbox import Sandbox
from foretrace.trace import Outcome, Token

SEED = 20_251_001
"""The published one."""
CALLS = 240
TRIES = 8
"""Arguments that are tried of one program."""
FEWEST, MOST = 7, 150
"""Frames of a call that ends, or until the state comes back."""
_ORDER = ("residues", "chase", "residues", "rotations", "residues", "pointers", "residues", "queue", "residues", "digits")
"""Families of programs, again and again."""
_AT_ONCE = 10
"""Programs that are tried in one job."""
_FRUITLESS = 100
"""Jobs without a new pair, after which a family is exhausted."""
YES, NO = "yes", "no"


# ---------------------------------------------------------------------------------------------------
# Items


def load(options: Options) -> list[Item]:
    """Pairs of calls, of the published seed if no other is given."""
    seed = SEED if options.seed is None else options.seed
    count = CALLS if options.count is None else options.count
    with many_recordings() as box:
        made = pairs(seed, box)
        return [item for _ in range((count + 1) // 2) for item in next(made)][:count]


def pairs(seed: int, box: Sandbox) -> Iterator[list[Item]]:
    """Endless pairs of calls of one program each, in random order; no program twice."""
    rng = Random(seed)
    made = {family: _of_family(family, rng.getrandbits(64), box) for family in FAMILIES}
    for number, family in enumerate(cycle(_ORDER)):
        program, found = next(made[family])
        turned = rng.random() < 0.5
        yield [_item(program, f"{number}{'ab'[at]}", *found[at ^ turned]) for at in range(2)]


def _of_family(family: str, seed: int, box: Sandbox) -> Iterator[tuple[LoopProgram, list[tuple[str, Shown]]]]:
    """Programs of a family that end for some arguments and not for others, each with two such.

    Raises:
        UsageError: there are no more.

    """
    rng, known, fruitless = Random(seed), set[str](), 0
    while fruitless < _FRUITLESS:
        fruitless += 1
        tried: list[tuple[LoopProgram, list[str]]] = []
        for _ in range(_AT_ONCE):
            program = loop_program(rng, family)
            arguments = list(dict.fromkeys(program.draw(rng) for _ in range(TRIES)))
            if program.source not in known:
                tried.append((program, arguments))
                known.add(program.source)
        shown = iter(show_all([(program.source, text) for program, several in tried for text in several], box))
        for program, several in tried:
            found = _pair(program, [(text, next(shown)) for text in several])
            if found:
                fruitless = 0
                yield program, found
    raise UsageError(f"there are no more programs of the family {family!r}; ask for fewer calls: --count N")


def _pair(program: LoopProgram, calls: Sequence[tuple[str, Shown | None]]) -> list[tuple[str, Shown]] | None:
    """The first call that ends and the first that does not; None if there are not both."""
    found: dict[bool, tuple[str, Shown]] = {}
    for arguments, shown in calls:
        if shown and _is_fit(program, arguments, shown):
            found.setdefault(shown.ends, (arguments, shown))
    return [found[True], found[False]] if len(found) == 2 else None


def _is_fit(program: LoopProgram, arguments: str, shown: Shown) -> bool:
    """Whether something happens, not too much, and a call that does not end is proved not to."""
    if shown.ends:
        return FEWEST <= len(shown.trace) <= MOST
    return FEWEST <= shown.cycle.again <= MOST if shown.cycle else bool(program.never(arguments))


def _item(program: LoopProgram, name: str, arguments: str, shown: Shown) -> Item:
    proof, steps = f"it ended after {len(shown.trace)} frames", len(shown.trace)
    if shown.cycle:
        state = ", ".join(f"{name} = {text}" for name, text in shown.cycle.state.items())
        proof = f"line {shown.cycle.line} has {state} in frames {shown.cycle.first} and {shown.cycle.again}"
        steps = shown.cycle.again
    elif not shown.ends:
        proof = program.never(arguments)
    answer, other = (YES, NO) if shown.ends else (NO, YES)
    return Item(
        id=name,
        row={"source": program.source, "entry": "f", "arguments": arguments, "ends": shown.ends, "proof": proof},
        controls={"gold": answer, "wrong": other, "constant": YES},
        group=hashlib.sha256(program.source.encode()).hexdigest()[:12],
        tags={
            "ends": answer,
            "family": program.family,
            "steps": "no state comes back" if not shown.ends and not shown.cycle else length_class(steps),
        },
    )


# ---------------------------------------------------------------------------------------------------
# Asking

_ASKED = (
    "Does the call f({}) ever return? Integers are unbounded, and there is always memory and time. "
    f"The answer is {YES} or {NO}."
)
_EXAMPLES = (
    Asked(
        "def f(n):\n    while n != 1:\n        n = n // 2\n    return n\n",
        _ASKED.format("9"),
        YES,
        "n is 9, 4, 2, 1; then the loop is left.",
    ),
    Asked(
        "def f(a, b):\n    while a != b:\n        a = (a + 4) % 8\n    return a\n",
        _ASKED.format("1, 3"),
        NO,
        "a is 1, 5, 1: it is 1 again and b is still 3, so it goes on like that for ever.",
    ),
)


def _ask(item: Item, *, thinking: bool) -> Question:
    asked = Asked(item.row["source"], _ASKED.format(item.row["arguments"]))
    return ask(_EXAMPLES, asked, thinking=thinking)


def read_word(text: str) -> str | None:
    """`yes` or `no`."""
    told = (read_answer(text) or "").strip(".'\"` ").lower()
    return told if told in (YES, NO) else None


def _ask_trace(item: Item) -> Question:
    return Question(call=(item.row["source"], "f", item.row["arguments"]), trace="trace")


def read_document(text: str) -> str | None:
    """A document, or one of the two words as a control says them."""
    return (
        text if text in (YES, NO) or (text.startswith(Token.BEGIN_OF_TEXT.value) and len(text) <= MAX_CHARACTERS) else None
    )


# ---------------------------------------------------------------------------------------------------
# Scoring


def score(item: Item, answer: str | None) -> Verdict:
    """Strict: what is told, of a trace what it shows. Official: a trace that a limit cut says that the call does not end."""
    ends, detail, is_cut = _told(item, answer)
    right = ends is item.row["ends"]
    official = right or (is_cut and not item.row["ends"])
    return Verdict(
        strict=right,
        official=official,
        reason=Reason.RIGHT if right else Reason.UNPARSABLE if ends is None else Reason.WRONG,
        detail=detail,
        counts={"ends" if item.row["ends"] else "does not end": (int(right), 1)},
        extra={"proof": item.row["proof"]},
    )


def _told(item: Item, answer: str | None) -> tuple[bool | None, str, bool]:
    """Whether the call ends, as the answer has it; how that is seen; whether it was cut before that was seen."""
    if answer is None or answer in (YES, NO):
        return None if answer is None else answer == YES, "", False
    row = item.row
    trace = read_trace(answer, build_prompt(row["source"], "f", row["arguments"]))
    if trace is None:
        return None, "no trace of this call", False
    if trace.header.outcome is not Outcome.TRUNCATED:
        return True, f"its trace ends after {len(trace)} frames", False
    cycle = find_cycle(trace.frames, row["source"])
    if cycle:
        return False, f"its trace comes to the same state in frames {cycle.first} and {cycle.again}", False
    return None, f"its trace shows neither: {trace.header.detail}", trace.header.detail in CUT


HALTING = Benchmark(
    name="halting",
    title="Halting",
    about="whether a call ever returns; each is proved to, or not to",
    load=load,
    chosen_by=("seed", "count"),
    styles={
        "direct": Style(
            ask=lambda item: _ask(item, thinking=False),
            read=read_word,
            write=write_answer,
            sampling=Sampling(max_tokens=64),
            source="made here: two examples, or a chat",
        ),
        "cot": Style(
            ask=lambda item: _ask(item, thinking=True),
            read=read_word,
            write=write_answer,
            sampling=Sampling(max_tokens=4096),
            source="made here: two examples with a thought, or a chat",
        ),
        "trace": Style(
            ask=_ask_trace,
            read=read_document,
            write=str,
            sampling=Sampling(max_tokens=3072),
            source="the predicted trace ends, or comes to a state again",
        ),
    },
    scorer=lambda setting: nullcontext(score),
    measures=("ends", "does not end"),
    source="made here, Apache-2.0; after HaltEval (CWM report, arXiv:2510.02387)",
    note=(
        "Always saying yes is right half the time. Calls come in pairs of one program with arguments that look alike, "
        "so that looks tell nothing."
    ),
)
