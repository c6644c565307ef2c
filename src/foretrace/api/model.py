"""Models: whatever predicts, by name, and what one asks of it.

    model = load("tiny")
    model.predict("letters.py::f", c="r").result
    model.debug("letters.py::f", c="r").step()
    model.score(record("letters.py::f", c="r")).oddest(3)

A model here is a predictor (`foretrace.engine`) and how sure it may be (`foretrace.debug.confidence`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from foretrace.api.prediction import Prediction
from foretrace.api.surprise import Surprise, prompt_of
from foretrace.debug import Session, Settings, open_session
from foretrace.debug.calibration.stored import Calibration
from foretrace.debug.confidence import Confidence, confidence_of
from foretrace.engine import Predictor, Prompt, TokenPredictor, load_predictor, predict_many
from foretrace.engine.oracle import Real
from foretrace.record import argument_text, read_target, record_source
from foretrace.trace import Limits, Trace


def runner(limits: Limits | None = None, path: str = "<string>") -> Real:
    """What runs the call of a prompt in a limited child process; for `Session.run_for_real` and the oracle."""

    def run(prompt: Prompt) -> Trace:
        call = prompt.call
        return record_source(call.source, call.entry, call.arguments, path=path, limits=limits)

    return run


@dataclass(frozen=True, slots=True)
class Model:
    """A predictor, and how sure its predictions may be."""

    predictor: Predictor
    confidence: Confidence

    @property
    def name(self) -> str:
        """What the user called it."""
        return self.predictor.name

    def debug(
        self,
        target: str,
        /,
        *args: Any,
        arguments: str | None = None,
        settings: Settings | None = None,
        invent: bool = False,
        **kwargs: Any,
    ) -> Session:
        """A session that stands at the call of a function in a file. Nothing is executed.

        Args:
            target: `file.py::function`.
            args, kwargs: literal values to call it with; or
            arguments: the argument list as text; or
            invent: the model makes the arguments up.
            settings: budget, temperature, seed, grammar.

        Raises:
            UsageError: no such file or function, or arguments that do not bind.

        """
        source, entry, path = read_target(target)
        text = arguments if arguments is not None else argument_text(args, kwargs)
        return self.session(source, entry, None if invent else text, path, settings)

    def session(
        self, source: str, entry: str, arguments: str | None, path: str = "<string>", settings: Settings | None = None
    ) -> Session:
        """`debug`, of a source that is no file; without arguments the model makes them up."""
        return open_session(self.predictor, source, entry, arguments, settings=settings, path=path, judge=self.confidence)

    def predict(
        self,
        target: str,
        /,
        *args: Any,
        arguments: str | None = None,
        max_tokens: int = 4096,
        temperature: float = 0.0,
        seed: int = 0,
        grammar: bool = False,
        **kwargs: Any,
    ) -> Prediction:
        """What a call of a function in a file would do. Nothing is executed, but by the oracle, which runs the call.

        Args:
            target: `file.py::function`.
            args, kwargs: literal values to call it with; or
            arguments: the argument list as text.
            max_tokens: budget of generated tokens.
            temperature: 0 is greedy.
            seed: of sampling, at a temperature above 0.
            grammar: predict only lines that exist, in an order that control flow allows.

        Raises:
            UsageError: no such file or function, or arguments that do not bind.

        """
        settings = Settings(budget=max_tokens, temperature=temperature, seed=seed, grammar=grammar)
        return Prediction.of(self.debug(target, *args, arguments=arguments, settings=settings, **kwargs))

    def predict_many(
        self, calls: Sequence[tuple[str, str]], *, max_tokens: int = 4096, temperature: float = 0.0, seed: int = 0
    ) -> list[Trace]:
        """What many calls would do; a model of our own decodes them together, and does not say how sure it is.

        Args:
            calls: pairs of a target and the text of an argument list.
            max_tokens: budget of each.
            temperature, seed: see `predict`.

        Raises:
            UsageError: see `predict`.

        """
        options: dict[str, Any] = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed}
        if not isinstance(self.predictor, TokenPredictor):
            return [self.predict(target, arguments=arguments, **options) for target, arguments in calls]
        read = [(read_target(target), arguments) for target, arguments in calls]
        programs = [(source, entry, arguments) for (source, entry, _), arguments in read]
        traces = predict_many(self.predictor.engine, programs, **options)
        return [
            replace(trace, header=replace(trace.header, path=path))
            for trace, ((_, _, path), _) in zip(traces, read, strict=True)
        ]

    def score(self, trace: Trace) -> Surprise:
        """How surprising each step of a real trace is: one pass, and nothing is generated.

        Raises:
            UsageError: the trace has no steps.

        """
        frames = trace.frames
        if isinstance(self.predictor, TokenPredictor):  # each frame takes more than one token
            frames = frames[: self.predictor.engine.context_length]
        return Surprise(trace, self.predictor, self.predictor.score(prompt_of(trace), frames))


def load(
    model: str = "tiny",
    *,
    calibration: Path | str | None = None,
    limits: Limits | None = None,
    may_run: bool = True,
) -> Model:
    """The model called `model`.

    Args:
        model: a packaged model, a checkpoint folder, `torch:FOLDER`, `org/name`, `http://HOST:PORT/v1`, `replay:TRACE`, or
            `oracle:err=0.05,seed=1`, which runs what it predicts in a limited child process, and errs on purpose.
        calibration: a file of `foretrace calibrate`; by default the one beside the weights, if there is one.
        limits: of what the oracle runs.
        may_run: whether it may run anything.

    Raises:
        UsageError: there is no such model, or no such option.
        RefusedError: it is an oracle, which may not run anything.
        CheckpointError, EndpointError, FormatError: it cannot be read or reached.

    """
    predictor = load_predictor(model, real=runner(limits) if may_run else None)
    if calibration is not None:
        return Model(predictor, Confidence(Calibration.read(Path(calibration))))
    return Model(predictor, confidence_of(model))


def predict(target: str, /, *args: Any, model: str | Model = "tiny", **kwargs: Any) -> Prediction:
    """`Model.predict` of a model, or of the model called so."""
    return (load(model) if isinstance(model, str) else model).predict(target, *args, **kwargs)
