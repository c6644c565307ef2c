"""Runs benchmarks on a model, in a folder that can be gone on with: see `folder`.

    run = carry_out([Plan.of("cruxeval-o:direct")], find_subject("tiny"), Path("runs/evals/tiny"), workers=2)
    for part in run.parts.values(): print(summarise(part).text())

Controls come first: where gold does not pass or wrong does, nothing is asked of the model. What it says is on the disk
before it is judged; what is judged is never asked again, unless nothing could be known of it (`broken`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from foretrace.endpoint.threads import in_threads
from foretrace.errors import EndpointError, FormatError, UsageError
from foretrace.evals.folder import ANSWERS, SAMPLES, Part, Run, Sample
from foretrace.evals.judging import Judgement, check_controls, judge_of
from foretrace.evals.lines import Lines, read_lines
from foretrace.evals.plan import Plan, begin, check_same, describe, now
from foretrace.evals.statistics import Share
from foretrace.evals.subjects import Request, Subject
from foretrace.evals.types import MOST_CHARACTERS, Answer, Item

_FAILURES = 16
"""Answers in a row that a server did not give, after which it is given up."""

Said = tuple[Request, Answer]
Key = tuple[str, int]
"""An item, and which of its answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How a part of a run goes."""

    name: str
    """`cruxeval-o:direct`."""
    wanted: int
    """Samples."""
    strict: Share
    """Right ones of those that are done."""
    official: Share


Watch = Callable[[Progress], None]


def carry_out(plans: Sequence[Plan], subject: Subject, folder: Path, *, workers: int = 1, watch: Watch | None = None) -> Run:
    """Measures a model on benchmarks, one after the other.

    Args:
        plans: which, and how.
        subject: the model.
        folder: of the run; if it is there, it is gone on with.
        workers: answers that are judged at a time.
        watch: told after each sample.

    Raises:
        UsageError: data is missing; the folder holds another run; or several samples would be drawn that are all the same.
        RefusedError: there is no isolation to run code in.
        EvaluationError: a control is judged wrongly.
        EndpointError: a server fails again and again. What it said until then is kept.

    """
    for plan in plans:
        _check_sampling(plan, subject)
    loaded = [(plan, plan.items()) for plan in plans]  # what is missing is said before anything is begun
    run = begin(folder, subject)
    for plan, items in loaded:
        with judge_of(plan.benchmark, plan.style, plan.setting, workers=workers) as judge:
            part = _begin_part(run, plan, items, judge)
            _Work(plan, items[: plan.limit], subject, part).carry_out(judge, workers, watch)
        run.put(plan.folder, run.content["parts"][plan.folder] | {"ended": now()})
    return run


def _check_sampling(plan: Plan, subject: Subject) -> None:
    if subject.is_costly and plan.sampling.samples > 1 and plan.sampling.temperature == 0:
        copies = f"{plan.sampling.samples} samples at temperature 0 are copies of one"
        raise UsageError(f"{plan.name}: {copies}; say --temperature 0.8, or --samples 1")


def _begin_part(run: Run, plan: Plan, items: Sequence[Item], judge: Judgement) -> Part:
    """Puts the part into the manifest, once its controls are judged well."""
    described = describe(plan, items)
    before = run.content["parts"].get(plan.folder)
    if before:
        check_same(before, described, run.folder / plan.folder)
        described["began"] = before["began"]
    described["controls"] = check_controls(judge, items[: plan.limit])
    run.put(plan.folder, described)
    return run.parts[plan.folder]


class _Work:
    """One part of a run."""

    def __init__(self, plan: Plan, items: Sequence[Item], subject: Subject, part: Part) -> None:
        self._plan, self._subject, self._part = plan, subject, part
        ask = plan.benchmark.styles[plan.style].ask
        self._wanted = {
            (item.id, sample): Request(item=item, sample=sample, question=ask(item))
            for item in items
            for sample in range(plan.sampling.samples)
        }
        self._failures = 0

    def carry_out(self, judge: Judgement, workers: int, watch: Watch | None) -> None:
        """Asks for what is not there yet, and judges it."""
        folder = self._part.folder
        with (
            closing(Lines(folder / SAMPLES, is_synced=False)) as samples,  # what costs is in the other file until the end
            closing(Lines(folder / ANSWERS, is_synced=True)) as answers,
        ):
            before = {(sample.item, sample.sample): sample for sample in self._part.samples()}
            done = {key for key, sample in before.items() if not sample.is_broken} & self._wanted.keys()
            strict, official = (sum(getattr(before[key], rule) for key in done) for rule in ("strict", "official"))
            count, kept = len(done), self._kept(before)
            said = self._said(done, kept, answers)
            judged = in_threads(lambda each: judge(*each), said, threads=workers, name="scorer", wait=False, in_order=False)
            with closing(judged):  # what is at work when somebody interrupts is judged by the next run
                for sample in judged:
                    samples.append(asdict(sample))
                    strict, official, count = strict + sample.strict, official + sample.official, count + 1
                    if watch:
                        watch(self._progress(Share(strict, count), Share(official, count)))
            samples.sync()
            if kept.keys() <= self._wanted.keys():  # else some are of items that this call has nothing to do with
                answers.remove()

    def _progress(self, strict: Share, official: Share) -> Progress:
        return Progress(name=self._plan.name, wanted=len(self._wanted), strict=strict, official=official)

    def _kept(self, before: dict[Key, Sample]) -> dict[Key, Answer]:
        """What was said already and is not judged, or could not be."""
        kept = {key: _answer_of(sample) for key, sample in before.items() if sample.is_broken and not sample.error}
        return kept | dict(read_lines(self._part.folder / ANSWERS, _read_answer))

    def _said(self, done: set[Key], kept: dict[Key, Answer], answers: Lines) -> Iterator[Said]:
        """What is to be judged: what was kept, then what the model says now, which is kept first."""
        known = kept.keys() & self._wanted.keys() - done
        yield from ((self._wanted[key], kept[key]) for key in self._wanted if key in known)
        asked = [request for key, request in self._wanted.items() if key not in done and key not in known]
        if asked:
            yield from self._ask(asked, answers)

    def _ask(self, asked: Iterable[Request], answers: Lines) -> Iterator[Said]:
        style = self._plan.benchmark.styles[self._plan.style]
        for request, answer in self._subject.answer(asked, style, self._plan.sampling):
            if len(answer.text) > MOST_CHARACTERS:
                answer = replace(answer, text=answer.text[:MOST_CHARACTERS], is_truncated=True)
            self._failures = self._failures + 1 if answer.error and self._subject.is_costly else 0
            if self._failures >= _FAILURES:
                raise EndpointError(
                    f"{self._failures} answers in a row did not come: {answer.error}\n  what came until then is kept: "
                    "the same command goes on there"
                )
            if self._subject.is_costly and not answer.error:
                answers.append({"item": request.item.id, "sample": request.sample, **asdict(answer)})
            yield request, answer


def _read_answer(content: Any) -> tuple[Key, Answer]:
    if not isinstance(content, dict) or not isinstance(content.get("text"), str):
        raise FormatError("no answer of a run")
    return (content.pop("item"), content.pop("sample")), Answer(**content)


def _answer_of(sample: Sample) -> Answer:
    """The answer that a sample was made of."""
    return Answer(
        text=sample.raw,
        is_truncated=sample.truncated,
        seconds=sample.seconds,
        prompt_tokens=sample.prompt_tokens,
        tokens=sample.tokens,
        cost=sample.cost,
    )
