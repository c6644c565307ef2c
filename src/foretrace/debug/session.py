"""A debugging session: an execution that is predicted step by step, walked through both ways, changed, and checked.

    session = open_session(load_predictor("tiny"), source, "f", "'r'")
    session.step(); session.over(); session.back()          # each move returns a Stop
    session.breakpoints.add(Breakpoint(line=4, condition="n > 1"))
    session.run()                                           # Stop(reason='breakpoint', position=20, …)
    session.set("n", "3")                                   # on a branch of its own; the future is predicted anew
    session.run_for_real(record)                            # what really happens, beside it
    session.difference.first                                # Divergence(step=23, kind='value', variable='n', …)

Every face drives this, and adds no logic. Nothing is predicted before it is asked for, nothing is ever lost, and the
same moves lead to the same state. Whoever shares a session between threads takes turns.
"""

from collections.abc import Collection, Mapping

from foretrace.debug.branch import Branch, Change, Kind
from foretrace.debug.expressions import Expression
from foretrace.debug.growth import engine_of
from foretrace.debug.invent import function_of, invent, parameters, prompt_with
from foretrace.debug.reading import is_value, show
from foretrace.debug.reality import texts_of
from foretrace.debug.tree import Meeting, Tree
from foretrace.debug.types import Judge, Reason, Settings, Stop
from foretrace.debug.walk import Walk
from foretrace.engine import Finish, Predictor, Prompt, Step, build_prompt
from foretrace.engine.oracle import Real
from foretrace.errors import UsageError
from foretrace.trace import Diff, Trace


class Session(Walk):
    """One call of one function, and every way in which it was told. Its moves are those of `Walk`."""

    def __init__(
        self,
        predictor: Predictor,
        prompt: Prompt,
        *,
        settings: Settings | None = None,
        path: str = "<string>",
        judge: Judge | None = None,
        invented: bool = False,
    ) -> None:
        """Begins at the call of the entry function; see `open_session`.

        Args:
            predictor: is asked what comes next.
            prompt: the call.
            settings: how it predicts.
            path: of the source, for people.
            judge: tells how sure a value is.
            invented: whether the model made up the arguments.

        """
        self.settings, self.path, self.invented = settings or Settings(), path, invented
        super().__init__(Tree(predictor, prompt, self.settings), predictor, judge)
        self.watches: list[str] = []
        """Expressions that a face shows at each stop."""

    @property
    def branches(self) -> list[Branch]:
        """All branches, by number."""
        return self.tree.branches

    @property
    def budget(self) -> int:
        """Tokens that may be predicted in all; set a larger one to go on."""
        return self.tree.growth.budget

    @budget.setter
    def budget(self, tokens: int) -> None:
        self.tree.growth.budget = tokens

    @property
    def spent(self) -> int:
        """Tokens that were predicted; what was begun and not shown is not counted."""
        return self.tree.growth.spent

    def __getitem__(self, name: str) -> str:
        """The predicted text of a value at this step."""
        return self.here.text(name)

    def __setitem__(self, name: str, value: object) -> None:
        """`set` with a Python value."""
        self.set(name, show(value))

    def set(self, name: str, text: str) -> Branch:
        """Changes a value at this step, on a branch of its own, which is shown from now on.

        Args:
            name: of a local; empty: of what is returned or raised.
            text: a repr, or an expression over the locals, such as `n + 1`.

        Raises:
            UsageError: there is no such value, or the text is neither.

        """
        self.here.text(name)
        return self._fork(Change(Kind.EDIT, {name: _value_text(text, self.here.step.frame.state)}))

    def pin(self, name: str) -> Branch:
        """Changes a value at this step to what it really is.

        Raises:
            UsageError: what is real is not known, or has no such value.

        """
        real = self.here.real
        values = texts_of(real) if real else {}
        self.here.text(name)
        if name not in values:
            raise UsageError(
                f"what {name or 'the value'} really is at step {self.position} is not known; run for real first"
            )
        return self._fork(Change(Kind.PIN, {name: values[name]}))

    def skip(self, what: str = "line") -> Stop:
        """To what follows when the calls of the `line` are left out, or the rest of its `loop`, or of its `call`.

        The model is made to write that at once. One that was not trained on skipping guesses.

        Raises:
            UsageError: there is nothing to skip, or the predictor is no model.

        """
        found = self.tree.skip(self.branch, self.position, what)
        if isinstance(found, Finish):
            finished = self._finished(found)
            return self._halt(Stop(finished.reason, self.position, finished.detail))
        self.branch = found
        return self._halt(Stop(Reason.STEP, self.position + 1, f"skipped the {what}"))

    def sample(self, seed: int, temperature: float | None = None) -> Branch:
        """Draws what follows this step anew, on a branch of its own.

        Raises:
            UsageError: the temperature is 0, and there is one future only.

        """
        warmth = self.branch.temperature if temperature is None else temperature
        return self._fork(Change(Kind.SAMPLE, seed=seed, temperature=warmth))

    def reroll(self, seed: int, keep: Collection[str] = ()) -> Branch:
        """Has the model invent the arguments anew, but for those that are kept, on a branch of its own.

        Raises:
            UsageError: there is no such argument, the predictor is no model, or it invents none.

        """
        call = self.branch.prompt.call
        if strange := [name for name in keep if name not in call.locals]:
            there = ", ".join(call.locals) or "none"
            raise UsageError(f"there is no argument {strange[0]!r}; those there are: {there}")
        if not call.locals:
            raise UsageError(f"{call.entry} is called without arguments: there is nothing to invent")
        kept = {name: call.locals[name] for name in keep}
        drawn = _invented(self.predictor, call.source, call.entry, seed, keep=kept, avoid=call.locals)
        self.position = 0
        return self._fork(Change(Kind.DRAW, {name: text for name, text in drawn.items() if name not in kept}, seed))

    def anchor(self) -> Stop:
        """From this step on, predicts each step from the real ones before it, on a branch of its own.

        Raises:
            UsageError: what is real is not known.

        """
        reality = self.tree.reality(self.branch)
        there = (b for b in self.branches if reality is not None and b.real is reality.trace)
        fitting = (b for b in there if b.start <= self.position < len(b.timeline) or self.branch is b)
        self.branch = next(fitting, None) or self.tree.fork(self.branch, self.position, Change(Kind.ANCHOR))
        return self.seek(self.position)

    def select(self, number: int) -> Branch:
        """Shows another branch, at this step or at its last one.

        Raises:
            UsageError: there is no such branch.

        """
        self.branch = self._numbered(number)
        self._halt(Stop(Reason.GOTO, min(self.position, len(self.branch.timeline) - 1)))
        return self.branch

    def compare(self, number: int) -> Meeting:
        """This branch beside another: where they part, and where they meet again.

        Raises:
            UsageError: there is no such branch.

        """
        return self.tree.compare(self.branch, self._numbered(number))

    def _numbered(self, number: int) -> Branch:
        if not 0 <= number < len(self.branches):
            raise UsageError(f"there is no branch {number}; there are 0 to {len(self.branches) - 1}")
        return self.branches[number]

    def _fork(self, change: Change) -> Branch:
        self.branch = self.tree.fork(self.branch, self.position, change)
        self._halt(Stop(Reason.GOTO, self.position))
        return self.branch

    def attach(self, real: Trace) -> None:
        """Makes known what really happens; it is shown beside every branch of the same call.

        Raises:
            UsageError: the trace is of another call.

        """
        self.tree.attach(self.branch, real)

    def run_for_real(self, run: Real) -> Trace:
        """Has `run` run the call of this branch, and attaches what happens. Errors are those of `run`."""
        real = run(self.branch.prompt)
        self.attach(real)
        return real

    @property
    def difference(self) -> Diff | None:
        """Prediction against reality, of the steps that are known; None if reality is not."""
        comparison = self.tree.comparison(self.branch)
        return comparison.diff(self.predictor.name) if comparison else None

    def surprise(self) -> list[Step]:
        """How likely the model held each step of reality, given the real ones before: one pass, nothing is generated.

        The first steps only, if the context is too short for all.

        Raises:
            UsageError: what is real is not known.

        """
        reality = self.tree.reality(self.branch)
        if reality is None:
            raise UsageError("there is no real trace to score; run for real first")
        if not reality.scored:
            reality.scored = self.predictor.score(self.branch.prompt, reality.trace.frames)
        return reality.scored


def open_session(
    predictor: Predictor,
    source: str,
    entry: str,
    arguments: str | None = None,
    *,
    settings: Settings | None = None,
    path: str = "<string>",
    judge: Judge | None = None,
) -> Session:
    """A session of `entry(arguments)`; without arguments the model invents them.

    Raises:
        UsageError: the source or the arguments do not parse, there is no such function, the arguments do not bind, or
            they cannot be invented.

    """
    settings, invented = settings or Settings(), arguments is None
    if arguments is None:
        prompt = prompt_with(source, entry, _invented(predictor, source, entry, settings.seed))
    else:
        prompt = build_prompt(source, entry, arguments)
    return Session(predictor, prompt, settings=settings, path=path, judge=judge, invented=invented)


def _invented(predictor: Predictor, source: str, entry: str, seed: int, **known: Mapping[str, str]) -> dict[str, str]:
    function = function_of(source, entry)
    if not parameters(function):
        return {}
    engine = engine_of(predictor, "invent arguments: give them, as in a call, or")
    return invent(engine, source, function, seed=seed, **known)


def _value_text(text: str, state: dict[str, str]) -> str:
    """The repr that a user means: that of an expression's value, or the text of an object itself."""
    try:
        return Expression(text).text(state)
    except UsageError:
        if is_value(text.strip()):
            return text.strip()
        raise
