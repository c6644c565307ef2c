"""Jobs in the running batches: each is what it is alone; who is not wanted leaves; who finds no room is told."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("starlette")

from foretrace.engine import TokenPredictor, build_prompt, load
from foretrace.engine.batch import Batch
from foretrace.engine.decoding import Decoding
from foretrace.engine.embedded import EmbeddedEngine
from foretrace.engine.recent import RecentCaches
from foretrace.engine.sampling import Sampler
from foretrace.serve.batched_engine import BatchedEngine
from foretrace.serve.batching import Batcher, Cancelled, Job
from foretrace.serve.problem import Problem
from foretrace.trace import Token

PROMPTS = [build_prompt(f"def f(x):\n    y = x * {n}\n    return [y, x]\n", "f", f"{n + 2}") for n in range(12)]


@pytest.fixture(scope="module")
def engine() -> EmbeddedEngine:
    found = load("tiny")
    assert isinstance(found, EmbeddedEngine)
    return found


@pytest.fixture
def batcher(engine: EmbeddedEngine) -> Iterator[Batcher]:
    made = Batcher(engine.new_batch, places=3, queue=40, threads=2)
    yield made
    made.close()


def decoding(engine: EmbeddedEngine, number: int, max_tokens: int = 30, temperature: float = 0.0) -> Decoding:
    prompt, end = PROMPTS[number], engine.tokenizer.id_of(Token.END_OF_TEXT)
    return Decoding(
        0,
        engine.tokenizer.encode(prompt.segments),
        max_tokens=max_tokens,
        context=engine.context_length,
        sampler=Sampler(temperature, 0.95, number),
        stop=frozenset([end]),
    )


def endless(engine: EmbeddedEngine) -> Decoding:
    """A sequence that takes seconds."""
    prompt = engine.tokenizer.encode(PROMPTS[0].segments)
    return Decoding(0, prompt, max_tokens=3000, context=4096, sampler=Sampler(0.0, 1.0, 0), stop=frozenset())


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_many_at_once_are_what_each_is_alone(engine: EmbeddedEngine, batcher: Batcher, temperature: float) -> None:
    if not engine.forward.exact:
        pytest.skip("NumPy's sums depend on what is computed together")
    alone = []
    for number in range(len(PROMPTS)):
        job = Job(decoding(engine, number, temperature=temperature))
        batcher.submit([job])
        alone.append(job.done.result(20).generation())
    jobs = [Job(decoding(engine, number, temperature=temperature)) for number in range(len(PROMPTS))]
    threads = [threading.Thread(target=batcher.submit, args=([job],)) for job in jobs]
    for thread in threads:
        thread.start()
    assert [job.done.result(20).generation() for job in jobs] == alone
    assert len({tuple(generation.tokens) for generation in alone}) == len(PROMPTS)
    for thread in threads:
        thread.join()


def test_a_full_line_takes_no_more_and_half_a_request_never(engine: EmbeddedEngine, batcher: Batcher) -> None:
    busy = [Job(endless(engine)) for _ in range(6)]
    batcher.submit(busy)
    while batcher.running < 6:
        pass
    waiting = [Job(decoding(engine, n)) for n in range(10)]
    batcher.submit(waiting)
    with pytest.raises(Problem, match="10 sequences are waiting, and there is room for 40") as raised:
        batcher.submit([Job(decoding(engine, 0)) for _ in range(31)])
    assert (raised.value.status, raised.value.headers) == (429, {"retry-after": "1"})
    assert batcher.waiting == 10
    batcher.submit([Job(decoding(engine, 0)) for _ in range(30)])
    begun = Job(decoding(engine, 1))
    batcher.submit([begun], begun=True)  # an answer that has begun is finished, however long the line
    batcher.cancel([busy[0]])
    assert begun.done.result(20).finish
    batcher.cancel(busy)


def test_what_is_cancelled_makes_room(engine: EmbeddedEngine, batcher: Batcher) -> None:
    busy, waiting = [Job(endless(engine)) for _ in range(6)], Job(endless(engine))
    batcher.submit(busy)
    batcher.submit([waiting])
    batcher.cancel([waiting])
    with pytest.raises(Cancelled):
        waiting.done.result(5)
    batcher.cancel(busy)
    for job in busy:
        with pytest.raises(Cancelled):
            job.done.result(5)
    assert not any(job.sequence.finish for job in busy)
    after = Job(decoding(engine, 1))
    batcher.submit([after])
    assert after.done.result(20).finish
    batcher.cancel([after])  # too late to matter
    assert after.done.result() is after.sequence


def test_a_request_of_many_does_not_keep_others_waiting_for_all_of_them(engine: EmbeddedEngine) -> None:
    batcher = Batcher(engine.new_batch, places=1, queue=100, threads=1)
    order: list[str] = []
    many = [Job(decoding(engine, n, 4)) for n in range(8)]
    one = Job(decoding(engine, 9, 4))
    for job in many:
        job.done.add_done_callback(lambda _: order.append("many"))
    one.done.add_done_callback(lambda _: order.append("one"))
    batcher.submit(many)
    batcher.submit([one])
    for job in [*many, one]:
        job.done.result(20)
    batcher.close()
    assert order.index("one") <= 3


def test_threads_share_the_work(engine: EmbeddedEngine) -> None:
    sizes: list[int] = []

    class Watching:
        def passed(self, sequences: int) -> None:
            sizes.append(sequences)

    batcher = Batcher(engine.new_batch, places=8, queue=100, threads=2, watch=Watching())
    jobs = [Job(endless(engine)) for _ in range(6)]
    batcher.submit(jobs)
    while batcher.waiting:
        time.sleep(0.001)
    so_far = len(sizes)
    while len(sizes) < so_far + 40:
        time.sleep(0.001)
    batcher.cancel(jobs)
    batcher.close()
    assert max(sizes) == 3


def test_a_batch_that_fails_ends_its_jobs_only(engine: EmbeddedEngine, caplog: pytest.LogCaptureFixture) -> None:
    batches: list[Batch] = []

    def new_batch() -> Batch:
        batches.append(engine.new_batch())
        return batches[-1]

    batcher = Batcher(new_batch, places=2, queue=10, threads=1)
    bad = Job(decoding(engine, 0))
    bad.sequence.ids[-1] = 10**6  # no token of the model
    batcher.submit([bad])
    with pytest.raises(IndexError):
        bad.done.result(20)
    good = Job(decoding(engine, 1))
    batcher.submit([good])
    assert good.done.result(20).finish
    batcher.close()
    assert len(batches) == 2
    assert "failed" in caplog.text


def test_all_jobs_are_told_when_one_cannot_join(engine: EmbeddedEngine) -> None:
    class Full(Batch):
        def join(self, sequence: Decoding) -> None:
            raise MemoryError

    forward = engine.forward
    batcher = Batcher(lambda: Full(forward, RecentCaches(forward.new_cache)), places=2, queue=10, threads=1)
    jobs = [Job(decoding(engine, number)) for number in range(2)]
    batcher.submit(jobs)
    for job in jobs:
        with pytest.raises(MemoryError):
            job.done.result(20)
    batcher.close()


def test_closing_cancels_what_runs_and_what_waits(engine: EmbeddedEngine) -> None:
    batcher = Batcher(engine.new_batch, places=1, queue=10, threads=1)
    jobs = [Job(endless(engine)) for _ in range(3)]
    batcher.submit(jobs)
    batcher.close()
    for job in jobs:
        with pytest.raises(Cancelled):
            job.done.result(0)
    with pytest.raises(Problem, match="stopped"):
        batcher.submit([Job(decoding(engine, 0))])


# -- the engine of a request ------------------------------------------------------------------------------


def test_a_predictor_predicts_the_same_through_it(engine: EmbeddedEngine, batcher: Batcher) -> None:
    for prompt, settings in (
        (PROMPTS[3], {}),
        (PROMPTS[4], {"temperature": 0.9, "seed": 5}),
        (PROMPTS[5], {"grammar": True}),
    ):
        ours = TokenPredictor(BatchedEngine(engine, batcher)).steps(prompt, prompt.frames, budget=80, **settings)  # type: ignore[arg-type]
        theirs = TokenPredictor(engine).steps(prompt, prompt.frames, budget=80, **settings)  # type: ignore[arg-type]
        assert list(ours) == list(theirs)
        assert ours.finish == theirs.finish


def test_it_scores_as_the_engine_does(engine: EmbeddedEngine, batcher: Batcher) -> None:
    batched = BatchedEngine(engine, batcher)
    ids = engine.tokenizer.encode(PROMPTS[6].segments)
    for ours, theirs in zip(batched.predict_next(ids), engine.predict_next(ids), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert dict(batched.top_next(ids, 5)) == pytest.approx(dict(engine.top_next(ids, 5)))
    full = (ids * 200)[: engine.context_length]
    for ours, theirs in zip(batched.predict_next(full), engine.predict_next(full), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert batched.predict_next(ids[:1])[1].shape == (0,)


def test_once_cancelled_it_answers_nothing(engine: EmbeddedEngine, batcher: Batcher) -> None:
    batched = BatchedEngine(engine, batcher)
    ids = engine.tokenizer.encode(PROMPTS[0].segments)
    threading.Timer(0.05, batched.cancel).start()
    with pytest.raises(Cancelled):
        batched.generate([ids], max_tokens=3000)
    with pytest.raises(Cancelled):
        batched.top_next(ids, 1)
    assert batcher.waiting == 0
