"""A running batch: whoever joins, leaves or waits, each sequence is what it is alone."""

import random

import numpy as np
import pytest

from foretrace.engine import build_prompt, load
from foretrace.engine.batch import PROMPT, Batch, likeliest
from foretrace.engine.decoding import Decoding
from foretrace.engine.embedded import EmbeddedEngine
from foretrace.engine.sampling import Sampler
from foretrace.trace import Token

LONG = "def f(x):\n    y = x + 1\n    return y\n" + "".join(f"\n\ndef g{i}(a):\n    return a * {i}\n" for i in range(60))


@pytest.fixture(scope="module")
def engine() -> EmbeddedEngine:
    found = load("tiny")
    assert isinstance(found, EmbeddedEngine)
    if not found.forward.exact:
        pytest.skip("NumPy's sums depend on what is computed together")
    return found


@pytest.fixture(scope="module")
def prompts(engine: EmbeddedEngine) -> list[list[int]]:
    sources = [f"def f(x):\n    y = x * {n}\n    return [y, {n}]\n" for n in range(9)] + [LONG]
    return [engine.tokenizer.encode(build_prompt(source, "f", "3").segments) for source in sources]


def decoding(engine: EmbeddedEngine, prompt: list[int], temperature: float = 0.0, **options: object) -> Decoding:
    stop = frozenset([engine.tokenizer.id_of(Token.END_OF_TEXT)])
    settings = {"max_tokens": 40, "context": engine.context_length, "stop": stop} | options
    return Decoding(0, prompt, sampler=Sampler(temperature, 0.9, len(prompt)), **settings)  # type: ignore[arg-type]


def alone(engine: EmbeddedEngine, sequence: Decoding) -> Decoding:
    batch = engine.new_batch()
    batch.join(sequence)
    while len(batch):
        batch.step()
    return sequence


@pytest.mark.parametrize("temperature", [0.0, 1.3])
def test_sequences_that_come_and_go_are_what_they_are_alone(
    engine: EmbeddedEngine, prompts: list[list[int]], temperature: float
) -> None:
    assert len(prompts[-1]) > 3 * PROMPT  # it takes several passes, in which the others go on
    expected = [alone(engine, decoding(engine, prompt, temperature)).generation() for prompt in prompts]
    sequences = [decoding(engine, prompt, temperature) for prompt in prompts]
    rng, batch, waiting = random.Random(1), engine.new_batch(), list(sequences)
    leaver = decoding(engine, prompts[0], max_tokens=500)
    batch.join(leaver)
    while waiting or len(batch):
        if waiting and rng.random() < 0.4:
            batch.join(waiting.pop(rng.randrange(len(waiting))))
        if len(waiting) == 5:
            batch.leave(leaver)
        if len(batch):
            batch.step()
    assert [sequence.generation() for sequence in sequences] == expected
    assert not leaver.finish


def test_a_long_prompt_keeps_nobody_waiting(engine: EmbeddedEngine, prompts: list[list[int]]) -> None:
    batch, first, long = engine.new_batch(), decoding(engine, prompts[0]), decoding(engine, prompts[-1][::-1])
    batch.join(first)
    batch.step()
    batch.join(long)
    assert batch.step() == [first]
    assert batch.step() == [first]


def test_the_prompt_is_scored_as_a_given_text_is(engine: EmbeddedEngine, prompts: list[list[int]]) -> None:
    prompt = prompts[-1]
    batch = engine.new_batch()
    other = decoding(engine, prompts[2])
    scored = decoding(engine, prompt, prompt_top=3, max_tokens=2)
    alone(engine, decoding(engine, prompt))  # so that its keys are known; all logits are wanted nevertheless
    for sequence in (other, scored):
        batch.join(sequence)
    while len(batch):
        batch.step()
    best, logprobs = engine.predict_next(prompt)
    assert [scores[0].token for scores in scored.prompt_scores] == prompt[1:]
    assert [scores[0].logprob for scores in scored.prompt_scores] == pytest.approx(logprobs.tolist(), abs=1e-5)
    assert [min(scores, key=lambda s: s.rank).token for scores in scored.prompt_scores] == best[:-1].tolist()
    assert all(scores[0].rank == 1 or len(scores) == 4 for scores in scored.prompt_scores if scores[0].rank > 3)
    assert scored.ids[len(prompt)] == best[-1]
    assert other.prompt_scores == []


def test_the_likeliest_tokens_are_kept_at_each_step(engine: EmbeddedEngine, prompts: list[list[int]]) -> None:
    sequence = alone(engine, decoding(engine, prompts[1], top=4, max_tokens=5))
    assert len(sequence.tops) == 5
    for at, top in enumerate(sequence.tops):
        expected = engine.top_next(sequence.ids[: len(prompts[1]) + at], 4)
        assert [token for token, _ in top] == [token for token, _ in expected]
        assert [value for _, value in top] == pytest.approx([value for _, value in expected], abs=1e-6)


def test_of_equals_the_first_is_the_likeliest() -> None:
    logits = np.array([[1.0, 3.0, 3.0, 2.0, 3.0]], dtype=np.float32)
    [found] = likeliest(logits, 3)
    assert [token for token, _ in found] == [1, 2, 4]
    assert [token for token, _ in likeliest(logits, 9)[0]] == [1, 2, 4, 3, 0]


def test_a_sequence_may_say_itself_where_it_ends(engine: EmbeddedEngine, prompts: list[list[int]]) -> None:
    whole = alone(engine, decoding(engine, prompts[3])).generation()
    last = whole.tokens[7]
    told: list[int] = []

    def ends(token: int) -> bool:
        told.append(token)
        return len(told) == 8

    cut = alone(engine, decoding(engine, prompts[3], ends=ends)).generation()
    assert (cut.tokens, cut.finish, cut.tokens[-1]) == (whole.tokens[:8], "stop", last)
    assert cut.logprobs == whole.logprobs[:8]
    assert isinstance(engine.new_batch(), Batch)
