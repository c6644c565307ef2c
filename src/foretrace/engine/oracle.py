"""A predictor that runs the program and errs on purpose: real traces with seeded errors of known kinds, and doubts to match.

    predictor = load_predictor("oracle:err=0.05,seed=1", real=lambda prompt: record_source(...))

For interfaces and tests, which so need neither weights nor a GPU: the same program and seed give the same bytes. Kinds are
those of `trace.diff`; an error of one is found as a divergence of that kind. It executes nothing by itself: `real` does.

Frames are told by their number. What reality leaves unchanged stays as the known frames have it, so that a wrong value, or
one that a user has edited, lives on until the program assigns another. The program is not run again from there: what depends
on the value is as it really was. Other arguments are another prompt, and another run.
"""

import zlib
from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import replace
from math import log
from random import Random

from foretrace.engine.alternatives import Alternative
from foretrace.engine.steps import Finish, Step, Steps, StopReason, finish_of, step_without_tokens
from foretrace.engine.types import Prompt
from foretrace.errors import UsageError
from foretrace.trace import Event, Frame, Trace

Real = Callable[[Prompt], Trace]
"""Runs a program."""
KINDS = {"value": 6, "line": 2, "return": 2, "exception": 1, "ghost": 1, "length": 1, "format": 1}
"""Kinds of errors, and how often each is made where it can be."""
_UNDER_A_GRAMMAR = KINDS.keys() - {"ghost", "format"}
_REMEMBERED = 16
"""Programs whose traces are kept."""


class OraclePredictor:
    """Tells what really happens, now and then wrongly."""

    def __init__(
        self, real: Real, *, err: float = 0.05, seed: int = 0, kinds: Collection[str] = tuple(KINDS), name: str = "oracle"
    ) -> None:
        """Makes an oracle.

        Args:
            real: is called once for each program.
            err: the probability that a frame has an error, 0 to 1.
            seed: of the errors.
            kinds: those that are made.
            name: what the user calls it.

        Raises:
            UsageError: `err` is no probability, or there is no such kind.

        """
        strange = [kind for kind in kinds if kind not in KINDS]
        if strange or not kinds:
            raise UsageError(f"no errors of kind {', '.join(strange) or 'none'}; the kinds are: {', '.join(KINDS)}")
        if not 0 <= err <= 1:
            raise UsageError(f"err is the probability of an error in a frame, 0 to 1, not {err}")
        self._real, self._err, self._seed, self._kinds, self._name = real, err, seed, frozenset(kinds), name
        self._traces: dict[str, Trace] = {}

    @property
    def name(self) -> str:
        """What the user called it."""
        return self._name

    def steps(
        self,
        prompt: Prompt,
        known: Sequence[Frame],
        *,
        budget: int,
        temperature: float = 0.0,
        seed: int = 0,
        grammar: bool = False,
    ) -> Steps:
        """See `Predictor.steps`; at a temperature the errors depend on `seed` too, and a grammar forbids ghosts."""
        kinds = self._kinds & _UNDER_A_GRAMMAR if grammar else self._kinds
        return Steps(self._run(self._teller(prompt, kinds, seed if temperature > 0 else 0), list(known), budget))

    def _run(self, teller: "_Teller", known: list[Frame], budget: int) -> Generator[Step, None, Finish]:
        while True:
            step = teller.next(known, len(known))
            if isinstance(step, Finish):
                return step
            budget -= step.tokens
            if budget < 0:
                return Finish(StopReason.BUDGET)
            known.append(step.frame)
            yield step

    def score(self, prompt: Prompt, frames: Sequence[Frame]) -> list[Step]:
        """See `Predictor.score`: what differs from what it would have told is unlikely."""
        teller = self._teller(prompt, self._kinds, 0)
        return [teller.score(frames, at) for at in range(len(frames))]

    def alternatives(self, prompt: Prompt, known: Sequence[Frame], frame: Frame, name: str, count: int) -> list[Alternative]:
        """See `Predictor.alternatives`: where the value is wrong, the right one comes first."""
        return self._teller(prompt, self._kinds, 0).alternatives(known, frame, name)[:count]

    def events(self, prompt: Prompt, known: Sequence[Frame]) -> dict[Event | None, float]:
        """See `Predictor.events`."""
        found = self._teller(prompt, self._kinds, 0).next(known, len(known))
        shares: dict[Event | None, float] = dict.fromkeys((*Event, None), 0.0)
        if isinstance(found, Step):
            shares[Event.EXCEPTION] = 0.02
            shares[found.frame.event] = 0.97
        elif found.reason is StopReason.END:
            shares[None] = 0.97
        return shares

    def _teller(self, prompt: Prompt, kinds: frozenset[str], seed: int) -> "_Teller":
        call = prompt.call
        program = repr((call.source, call.entry, call.line, call.arguments, call.locals))
        if program not in self._traces:
            if len(self._traces) == _REMEMBERED:
                del self._traces[next(iter(self._traces))]
            self._traces[program] = self._real(prompt)
        return _Teller(self._traces[program], self._err, kinds, f"{self._seed} {seed} {zlib.crc32(program.encode())}")


class _Teller:
    """Tells one trace. What it says of a frame depends on its number and on the known frames, not on what it said before."""

    def __init__(self, trace: Trace, err: float, kinds: frozenset[str], seed: str) -> None:
        self.trace, self._err, self._kinds, self._seed = trace, err, kinds, seed

    def next(self, known: Sequence[Frame], at: int) -> Step | Finish:
        """What it says of frame `at`, of which the first `at` of `known` are before."""
        last = known[at - 1] if at else None
        if last is not None and self._is_invented(last, at - 1):
            if last.depth == 0:
                return Finish(StopReason.END)
            return self._step(known, at, _unwound(known, at, last), None, None)
        if at >= len(self.trace):
            return finish_of(self.trace)
        frame = self._true(known, at)
        kind = self._kind(frame, at) if at else None
        match kind:
            case "length":
                return Finish(StopReason.CONTEXT)
            case "format":
                return Finish(StopReason.FORMAT, f"frame {at}: does not start with an event token")
        return self._step(known, at, frame if kind is None else self._wrong(frame, at, kind), frame, kind)

    def score(self, frames: Sequence[Frame], at: int) -> Step:
        """How likely it holds a frame that was given."""
        said, frame = self.next(frames, at), frames[at]
        expected = said.frame if isinstance(said, Step) else None
        same_place = expected is not None and (expected.event, expected.line) == (frame.event, frame.line)

        def sure(name: str) -> float:
            same = same_place and expected is not None and _text(expected, name) == _text(frame, name)
            share = self._sure(at, name, same)
            return share if same else 0.2 * (1 - share)

        step = step_without_tokens(frames, at, frame, sure)
        return step if same_place else replace(step, line_logprob=log(0.1), logprob=step.logprob + log(0.1))

    def alternatives(self, known: Sequence[Frame], frame: Frame, name: str) -> list[Alternative]:
        """Other values of one name, likeliest first."""
        at, own = len(known), _text(frame, name)
        if own is None:
            raise UsageError(f"the frame at line {frame.line} has no value called {name!r}")
        true = _text(self._true(known, at), name) if at < len(self.trace) else None
        rng = self._rng(at, f"others {name}")
        texts = dict.fromkeys([true or own, *(slip(own, rng) for _ in range(4))])
        rest = 1 - self._sure(at, name, true == own)
        return [Alternative(text, rest * 0.7 * 0.3**rank) for rank, text in enumerate(t for t in texts if t != own)]

    def _step(self, known: Sequence[Frame], at: int, frame: Frame, true: Frame | None, kind: str | None) -> Step:
        """What it says, and how sure it is; `true` is what the frame would be without an error of that kind."""

        def sure(name: str) -> float:
            return self._sure(at, name, true is None or _text(frame, name) == _text(true, name))

        step = step_without_tokens(known, at, frame, sure)
        if kind is None or kind in ("value", "return"):
            return step
        doubt = log(0.35 + 0.3 * self._rng(at, "place").random())
        if true is not None and true.event is not frame.event:
            return replace(step, event_logprob=doubt, logprob=step.logprob + doubt)
        return replace(step, line_logprob=doubt, logprob=step.logprob + doubt) if kind != "exception" else step

    def _true(self, known: Sequence[Frame], at: int) -> Frame:
        """The real frame, but that what reality leaves unchanged is as the known frames have it."""
        real = self.trace.frames[at]
        if real.event is not Event.LINE:
            return real
        before, really = _last_state(known, at, real.depth), _last_state(self.trace.frames, at, real.depth)
        kept = {n: before.get(n, text) if really.get(n) == text else text for n, text in real.state.items()}
        return replace(real, locals=kept)

    def _kind(self, frame: Frame, at: int) -> str | None:
        """The kind of the error in a frame, if there is one."""
        rng = self._rng(at, "kind")
        if rng.random() >= self._err:
            return None
        possible = {"length", "format"}
        if frame.event is Event.RETURN and not frame.suspended:
            possible |= {"return", "exception"}
        elif frame.event is Event.EXCEPTION:
            possible.add("exception")
        elif frame.event is Event.LINE:
            possible |= {"ghost", "line"} if self._other_lines(frame) else {"ghost"}
        if frame.locals:
            possible.add("value")
        kinds = sorted(possible & self._kinds)
        return rng.choices(kinds, [KINDS[kind] for kind in kinds])[0] if kinds else None

    def _wrong(self, frame: Frame, at: int, kind: str) -> Frame:
        rng = self._rng(at, "slip")
        if kind == "line":
            line = rng.choice(self._other_lines(frame))
            return replace(frame, line=line, source=self.trace.header.source.split("\n")[line - 1])
        if kind == "ghost":
            return replace(frame, line=0, source=_misspelt(frame.source, self.trace.header.source.split("\n"), rng))
        if kind == "value":
            name = rng.choice(list(frame.state))
            return replace(frame, locals=frame.state | {name: slip(frame.state[name], rng)})
        if kind == "exception" and frame.event is Event.RETURN:
            raised = rng.choice(["ValueError()", "TypeError()", "KeyError('x')", "IndexError()"])
            return replace(frame, event=Event.EXCEPTION, value=raised, unwind=True)
        return replace(frame, value=slip(frame.value or "", rng))

    def _other_lines(self, frame: Frame) -> list[int]:
        """Other lines that run in the same function; those that read the same are not others."""
        there = {f.line for f in self.trace.frames if f.function == frame.function and f.source != frame.source and f.line}
        return sorted(there)

    def _is_invented(self, frame: Frame, at: int) -> bool:
        """Whether a frame is an exception that leaves its scope where really none does."""
        if frame.event is not Event.EXCEPTION or not frame.unwind:
            return False
        real = self.trace.frames[at] if at < len(self.trace) else None
        return real is None or (real.event, real.depth, real.unwind) != (frame.event, frame.depth, True)

    def _sure(self, at: int, name: str, right: bool) -> float:
        """The probability of a value: high if it is right, but not always; middling if it is wrong."""
        chance = self._rng(at, f"sure {name}").random()
        return 0.999 - 0.2 * chance**3 if right else 0.3 + 0.4 * chance

    def _rng(self, at: int, what: str) -> Random:
        return Random(f"{self._seed} {at} {what}")


def slip(text: str, rng: Random) -> str:
    """A value that is wrong in one place."""
    flipped = {"True": "False", "False": "True", "None": "0"}
    if text in flipped:
        return flipped[text]
    for those in (str.isdigit, str.isalpha):
        places = [at for at, character in enumerate(text) if character.isascii() and those(character)]
        if places:
            at = rng.choice(places)
            others = [c for c in ("123456789" if text[at].isdigit() else "aeiosnrt") if c != text[at]]
            return text[:at] + rng.choice(others) + text[at + 1 :]
    return f"{text[:1]}0{text[1:]}"


def _misspelt(line: str, lines: Collection[str], rng: Random) -> str:
    """A line with one letter twice, or more, until the source lacks it."""
    while line in lines:
        at = rng.randrange(len(line) - len(line.lstrip()), len(line)) if line.strip() else 0
        line = line[:at] + (line[at : at + 1] or "#") + line[at:]
    return line


def _text(frame: Frame, name: str) -> str | None:
    return frame.value if frame.locals is None else frame.locals.get(name)


def _last_state(frames: Sequence[Frame], at: int, depth: int) -> dict[str, str]:
    """The locals that the scope of that depth last showed before frame `at`; empty if it has not."""
    for number in range(at - 1, -1, -1):
        frame = frames[number]
        if frame.depth < depth or (frame.depth == depth and (frame.event is Event.RETURN or frame.unwind)):
            break
        if frame.depth == depth and frame.locals is not None:
            return frame.locals
    return {}


def _unwound(known: Sequence[Frame], at: int, last: Frame) -> Frame:
    """The exception of the last frame where its caller stands."""
    caller = next(f for f in reversed(known[:at]) if f.depth == last.depth - 1)
    return Frame(Event.EXCEPTION, caller.function, caller.depth, caller.line, caller.source, value=last.value, unwind=True)
