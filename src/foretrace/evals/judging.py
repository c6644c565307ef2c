"""From an answer to a sample: the thought is left out, the answer read, the verdict reached; and whether to trust that.

    with judge_of(benchmark, "direct", Setting(), workers=2) as judge:       # for so many threads at once
        counts = check_controls(judge, items)                                # gold passes, wrong fails, or it is an error
        sample = judge(request, answer)

A text is hostile: what it makes a reader refuse is no answer, and what makes a scorer raise again and again is wrong.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from foretrace.errors import EvaluationError, RefusedError, SandboxError
from foretrace.evals.folder import Sample
from foretrace.evals.scorers.boxes import require_isolation
from foretrace.evals.statistics import clustered_shares
from foretrace.evals.subjects import Request
from foretrace.evals.subjects.controls import CONTROLS, Control
from foretrace.evals.thoughts import after_thought
from foretrace.evals.types import Answer, Benchmark, Item, Reason, Sampling, Score, Setting, Style, Verdict

MOST_DETAIL = 2000
"""Characters of what is told of a verdict."""
FEW = 5
"""Items on which gold and wrong are tried before a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How the answers of one benchmark in one style are judged. Threads may share one."""

    benchmark: Benchmark
    style: Style
    setting: Setting
    scores: "SimpleQueue[Score]"

    def __call__(self, request: Request, answer: Answer) -> Sample:
        """The sample that an answer makes."""
        began = time.perf_counter()
        extracted, verdict = self._judged(request.item, answer)
        took = time.perf_counter() - began
        return Sample(
            item=request.item.id,
            sample=request.sample,
            raw=answer.text,
            extracted=extracted,
            strict=verdict.strict,
            official=verdict.official,
            reason=verdict.reason,
            detail=verdict.detail[:MOST_DETAIL],
            seconds=round(answer.seconds, 4),
            score_seconds=round(took, 4),
            prompt_tokens=answer.prompt_tokens,
            tokens=answer.tokens,
            truncated=answer.is_truncated,
            cost=answer.cost,
            error=answer.error,
            counts=verdict.counts,
            extra=verdict.extra,
            group=request.item.group,
            tags=request.item.tags,
            isolation=isolation_of(self.benchmark, self.setting),
        )

    def _judged(self, item: Item, answer: Answer) -> tuple[str | None, Verdict]:
        if answer.error:
            return None, _broken(answer.error)
        extracted = None
        try:
            extracted = self._read(answer.text)
            return extracted, self._score(item, extracted)
        except Exception:  # one answer must not end a run of thousands
            return extracted, self._judged_again(item, answer.text)

    def _judged_again(self, item: Item, text: str) -> Verdict:
        """By a fresh scorer. If that raises too, but not of known answers, it is the text that makes it: that is wrong.

        Were it broken, whoever finds a text that a scorer fails on could leave the hardest items out.
        """
        try:
            with self.benchmark.scorer(self.setting) as score:
                try:
                    return score(item, self._read(text))
                except (SandboxError, RefusedError):
                    raise
                except Exception as error:
                    told = f"{type(error).__name__}: {error}"
                    for known in item.controls.values():
                        score(item, known)
                    detail = f"what scores it raised twice, and not of known answers: {told}"
                    return Verdict(strict=False, official=False, reason=Reason.WRONG, detail=detail)
        except Exception as error:
            return _broken(f"{type(error).__name__}: {error}")

    def _read(self, text: str) -> str | None:
        said = after_thought(text)
        try:
            return None if said is None else self.style.read(said)
        except (ValueError, RecursionError, MemoryError):
            return None

    def _score(self, item: Item, extracted: str | None) -> Verdict:
        score = self.scores.get()
        try:
            return score(item, extracted)
        finally:
            self.scores.put(score)


def isolation_of(benchmark: Benchmark, setting: Setting) -> str:
    """What stood between this machine and the code that was run, if any had to be."""
    return setting.isolation if benchmark.is_executing else benchmark.isolation


def _broken(detail: str) -> Verdict:
    return Verdict(strict=False, official=False, reason=Reason.BROKEN, detail=detail)


@contextmanager
def judge_of(benchmark: Benchmark, style: str, setting: Setting, *, workers: int = 1) -> Iterator[Judgement]:
    """What judges, with a scorer for each of `workers` threads.

    Raises:
        RefusedError: code would be run without the isolation that `setting` asks for.

    """
    if benchmark.is_executing:
        require_isolation(setting)
    scores: SimpleQueue[Score] = SimpleQueue()
    with ExitStack() as stack:
        for _ in range(workers):
            scores.put(stack.enter_context(benchmark.scorer(setting)))
        yield Judgement(benchmark=benchmark, style=benchmark.styles[style], setting=setting, scores=scores)


def check_controls(judge: Judgement, items: Sequence[Item], *, few: int = FEW) -> dict[str, Any]:
    """Tries gold and wrong on a few items, and copy and constant, where nothing has to be run for them, on all.

    Returns:
        Of each control that there is `{"strict": passes, "official": passes, "total": items}`, and of those that no
        verdict is known of `"interval"`, the 95 % one of strict passes, by groups of items.

    Raises:
        EvaluationError: a gold answer is not right under both rules, or a wrong one is under either.

    """
    counts: dict[str, Any] = {}
    for control in CONTROLS:
        known = [item for item in items if control in item.controls]
        is_certain = control in ("gold", "wrong")
        if not known or (judge.benchmark.is_executing and not is_certain):
            continue
        chosen = known[:: max(1, len(known) // few)][:few] if is_certain else known
        samples = [control_sample(judge, control, item) for item in chosen]
        if is_certain:
            for sample in samples:
                insist(judge, control, sample)
        total = len(samples) if is_certain else len(items)
        strict, official = sum(s.strict for s in samples), sum(s.official for s in samples)
        counts[control] = {"strict": strict, "official": official, "total": total}
        if not is_certain:
            counts[control]["interval"] = _interval(samples, items)
    return counts


def _interval(samples: Sequence[Sample], items: Sequence[Item]) -> list[float]:
    """Of strict passes of all items, those without such an answer among them."""
    passed = {sample.item for sample in samples if sample.strict}
    counts = [{"strict": (int(item.id in passed), 1)} for item in items]
    return list(clustered_shares(counts, [item.group or item.id for item in items])["strict"].interval)


def control_sample(judge: Judgement, control: str, item: Item) -> Sample:
    """What the judge makes of a control's answer; it is said and read as a model's is."""
    request = Request(item=item, sample=0, question=judge.style.ask(item))
    [(_, answer)] = Control(control).answer([request], judge.style, Sampling())
    return judge(request, answer)


def fault(control: str, sample: Sample) -> str:
    """What is wrong with the verdict on a control; empty if it is as it must be."""
    told = f"{sample.reason}, {sample.detail}" if sample.detail else sample.reason
    if sample.is_broken:
        return f"no verdict on the {control} answer of {sample.item}: {told}"
    if control == "gold" and not (sample.strict and sample.official):
        return f"the gold answer of {sample.item} fails under the {'official' if sample.strict else 'strict'} rule: {told}"
    if control == "wrong" and (sample.strict or sample.official):
        return f"a wrong answer to {sample.item} passes under the {'strict' if sample.strict else 'official'} rule"
    return ""


def insist(judge: Judgement, control: str, sample: Sample) -> None:
    """Raises EvaluationError if the verdict on a control is not what it must be."""
    if found := fault(control, sample):
        raise EvaluationError(
            f"{judge.benchmark.name}: {found[:1000]}\n  nothing was asked of the model, as its answers would be judged no "
            "better. Find out more: foretrace eval selftest"
        )
