"""How a session is opened: from what a page sends, from a file, or the example that is always there.

opener = Opener(predictor, judge=confidence_of("tiny"))
session = opener.open(Arguments({"source": "def f(x): …", "entry": "f", "arguments": "3"}))
session = opener.example()                      # with its recording, so that nothing must be run to compare
"""

import json
from dataclasses import dataclass, field, replace
from importlib.resources import files

from foretrace.debug import Judge, Session, Settings, load_session, open_session
from foretrace.debug.invent import prompt_with
from foretrace.engine import Predictor, ReplayPredictor
from foretrace.errors import FormatError, UsageError
from foretrace.trace import Trace, read_jsonl
from foretrace.web.arguments import Arguments
from foretrace.web.verbs import MAX_BUDGET

MAX_SOURCE = 500_000
"""Characters of a program."""
_MAX_SAVED = 4_000_000


def example_trace() -> Trace:
    """What `count_letters('strawberry', 'r')` of the bundled `letters.py` really does, recorded."""
    text = (files("foretrace.web") / "example.jsonl").read_text(encoding="utf-8")
    [trace] = read_jsonl(text.splitlines(keepends=True))
    return trace


@dataclass(frozen=True, kw_only=True, slots=True)
class Opener:
    """Opens sessions of one predictor."""

    predictor: Predictor
    judge: Judge | None = None
    settings: Settings = field(default_factory=Settings)

    def open(self, given: Arguments) -> Session:
        """The session that a page asks for: `saved`, or a call of a function of a `source`.

        Raises:
            UsageError, FormatError: see `open_session` and `load_session`.

        """
        saved = given.text("saved", None, characters=_MAX_SAVED)
        if saved is not None:
            return self.load(saved)
        temperature = given.share("temperature", self.settings.temperature)
        return open_session(
            self.predictor,
            given.text("source", characters=MAX_SOURCE),
            given.text("entry", characters=500),
            given.text("arguments", None, characters=20_000),
            settings=replace(
                self.settings, temperature=temperature, seed=given.number("seed", 0), grammar=given.flag("grammar")
            ),
            path=given.text("path", "program.py", characters=500),
            judge=self.judge,
        )

    def load(self, saved: str) -> Session:
        """A session from what `save_session` wrote."""
        head = saved.partition("\n")[0]
        try:
            budget = int(json.loads(head)["budget"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise FormatError(f"this is no saved session: {error!r}") from error
        if budget > MAX_BUDGET:
            raise UsageError(f"the saved session has a budget of {budget}; at most {MAX_BUDGET:,} are allowed here")
        return load_session(saved.splitlines(), self.predictor, judge=self.judge)

    def beside(self, real: Trace, path: str = "") -> Session:
        """The call of a recorded trace, and the trace beside it."""
        session = self.of_call(real, path)
        session.attach(real)
        return session

    def of_call(self, trace: Trace, path: str = "") -> Session:
        """The call of a trace."""
        header = trace.header
        if not trace.frames:
            raise UsageError("the trace has no steps, so there is no call to predict")
        prompt = prompt_with(header.source, header.entry, trace.frames[0].state)
        return Session(self.predictor, prompt, settings=self.settings, path=path or header.path, judge=self.judge)

    def example(self) -> Session:
        """The bundled example, beside its recording; of a trace that is replayed, its own call."""
        if isinstance(self.predictor, ReplayPredictor):
            trace = self.predictor.trace
            session = self.of_call(trace) if trace.header.kind == "predicted" else self.beside(trace)
            session.budget = MAX_BUDGET  # nothing is predicted
            session.seek(len(trace))
            session.seek(0)
            return session
        return self.beside(example_trace(), "letters.py")
