"""The debug console: a few words beyond expressions, for what an editor has no button for.

    console = Console(session, launch.run)
    console.run("alts n", session.here)         # 'n: 3 (31%) · 4 (8%)'
    console.run("n + 1", session.here)          # None: no word of the console, but an expression

A local that is called like a word is the local; a colon in front makes it the word again (`:real`).
"""

from collections.abc import Callable

from foretrace.dap.asking import Question, answer
from foretrace.dap.frames import told
from foretrace.dap.variables import how_sure
from foretrace.debug import Moment, Session
from foretrace.engine.oracle import Real
from foretrace.errors import ForetraceError, UsageError
from foretrace.trace import Outcome

HELP = """\
an expression         its value over the predicted locals; nothing is executed
diff                  where the prediction differs from reality
alts NAME             what else the model held possible (no name: what is returned or raised)
why NAME              who set a value, and how sure it is
next                  which kind of step may come next
real [EXPRESSION]     runs the call for real, if launch.json allows it; a value as it really is
pin NAME              goes on with the real value
anchor                goes on from reality at each step
slip [back]           to where the prediction goes wrong
skip line|loop|call   leaves steps out
sample [SEED]         another future
back over|out         backwards, over calls or out of the function
goto STEP             to a step by its number
branches | branch N   the ways in which this was told; shows another one
budget [TOKENS]       tokens that may be predicted in all"""
_MOST = 20
_TEMPERATURE = 0.8
_DIGITS = 18


class Console:
    """Words and what they do."""

    def __init__(self, session: Session, run: Real) -> None:
        """`run` runs a program, or refuses to."""
        self._session, self._run = session, run
        self.words: dict[str, Callable[[str, Moment], str]] = {
            "diff": self._diff,
            "alts": self._alternatives,
            "why": self._why,
            "next": self._next,
            "real": self._real,
            "pin": self._pin,
            "anchor": self._anchor,
            "slip": self._slip,
            "skip": self._skip,
            "sample": self._sample,
            "back": self._back,
            "goto": self._goto,
            "branches": self._branches,
            "branch": self._branch,
            "budget": self._budget,
            "help": lambda _, __: HELP,
        }

    def run(self, text: str, moment: Moment) -> str | None:
        """What a line of the console answers; None if it begins with no word.

        Args:
            text: the line.
            moment: the step that is selected.

        Raises:
            ForetraceError: it cannot be done; the session stands where it stood.

        """
        word, _, rest = text.strip().removeprefix(":").partition(" ")
        if word not in self.words or (word in moment.before and not text.strip().startswith(":")):
            return None
        session = self._session
        before = session.branch, session.position, session.stop
        try:
            return self.words[word](rest.strip(), moment)
        except ForetraceError:
            session.branch, session.position, session.stop = before
            raise

    def _diff(self, _: str, __: Moment) -> str:
        difference = self._session.difference
        if difference is None:
            raise UsageError("what is real is not known yet: write `real`, or give a trace in launch.json")
        if difference.agrees:
            return f"no difference in {difference.predicted_steps} steps"
        shown = [f"≠ step {wrong.step}, line {wrong.line}: {told(wrong)}" for wrong in difference.divergences[:_MOST]]
        left = len(difference.divergences) - len(shown)
        shares = f"{difference.lines_right}/{difference.lines} lines right, "
        shares += f"{difference.values_right}/{difference.values} values right"
        return "\n".join([*shown, *([f"… and {left} more"] if left else []), shares])

    def _alternatives(self, name: str, moment: Moment) -> str:
        moment.text(name)
        return f"{name or 'the result'}: {answer(moment, Question(moment.position, name, '')).summary}"

    def _next(self, _: str, moment: Moment) -> str:
        return answer(moment, Question(moment.position, None, "")).summary

    def _why(self, name: str, moment: Moment) -> str:
        text, setter = moment.text(name), moment.set_by(name)
        by = "the entry function was called with it"
        if setter is not None:
            frame = moment.timeline.frames[setter]
            by = f"set by step {setter}, line {frame.line}: {frame.source.strip()}"
        lines = [f"{name or 'the result'} = {text}", by]
        if name in (sure := how_sure(moment)):
            lines.append(f"sure: {sure[name]}")
        wrong = moment.comparison.wrong_at(moment.position) if moment.comparison else ()
        lines += [f"≠ {told(each)}" for each in wrong if each.variable in (name or None, None)]
        return "\n".join(lines)

    def _real(self, expression: str, moment: Moment) -> str:
        if expression:
            return moment.evaluate(expression, real=True)
        header = (trace := self._session.run_for_real(self._run)).header
        if header.outcome is Outcome.TRUNCATED:
            return f"it was run, and stopped after {len(trace)} steps: {header.detail}"
        ended = f"returned {trace.result}" if header.outcome is Outcome.RETURNED else f"raised {trace.exception}"
        return f"it was run, and {ended} after {len(trace)} steps"

    def _pin(self, name: str, moment: Moment) -> str:
        self._session.seek(moment.position)
        return f"branch {self._session.pin(name).label}"

    def _anchor(self, _: str, __: Moment) -> str:
        self._session.anchor()
        return f"branch {self._session.branch.label}: each step is predicted from the real ones before it"

    def _slip(self, where: str, _: Moment) -> str:
        stop = self._session.to_slip(reverse=where == "back")
        return f"step {stop.position}: {stop.reason} {stop.detail}".strip()

    def _skip(self, what: str, _: Moment) -> str:
        stop = self._session.skip(what or "line")
        return f"step {stop.position}: {stop.detail}"

    def _sample(self, seed: str, _: Moment) -> str:
        branch = self._session.sample(
            _number(seed) if seed else len(self._session.branches), self._session.branch.temperature or _TEMPERATURE
        )
        return f"branch {branch.label}"

    def _back(self, what: str, _: Moment) -> str:
        moves = {"": self._session.back, "over": self._session.back_over, "out": self._session.back_out}
        if what not in moves:
            raise UsageError("back, back over, or back out")
        return f"step {moves[what]().position}"

    def _goto(self, step: str, _: Moment) -> str:
        return f"step {self._session.seek(_number(step)).position}"

    def _branches(self, _: str, __: Moment) -> str:
        shown = self._session.branch
        rows = ((branch.id, branch.label, len(branch.timeline), branch is shown) for branch in self._session.branches)
        return "\n".join(f"{'▸' if here else ' '} {number}  {label}, {steps} steps" for number, label, steps, here in rows)

    def _branch(self, number: str, _: Moment) -> str:
        return f"branch {self._session.select(_number(number)).label}"

    def _budget(self, tokens: str, _: Moment) -> str:
        if tokens:
            self._session.budget = _number(tokens)
        return f"{self._session.spent} of {self._session.budget} tokens are used"


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > _DIGITS:
        raise UsageError(f"{text[:40]!r} is no number of at most {_DIGITS} digits")
    return int(text)
