"""Drafts, grammars and prefixes that are known change no bit of what is decoded."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from random_checkpoints import CONFIG, TOKENIZER, forward_of, random_checkpoint, sequence

from foretrace.corpus import synthesise
from foretrace.engine import FrameGrammar, Prompt, build_prompt, predict_many
from foretrace.engine.drafts import TraceDrafter
from foretrace.engine.embedded import EmbeddedEngine
from foretrace.engine.kernel import library
from foretrace.engine.load import packaged_checkpoints
from foretrace.engine.types import Generation
from foretrace.errors import ForetraceError
from foretrace.model.checkpoint import load_checkpoint
from foretrace.trace import Token

pytestmark = pytest.mark.skipif(library() is None, reason="this installation has no C kernel: nothing is drafted")


def programs(count: int) -> list[Prompt]:
    found: list[Prompt] = []
    seed = 22_000_000
    while len(found) < count:
        program, seed = synthesise(seed), seed + 1
        try:
            found.append(build_prompt(program.source, program.entry, program.arguments))
        except ForetraceError:
            continue
    return found


@pytest.fixture(scope="module")
def engines() -> tuple[EmbeddedEngine, EmbeddedEngine]:
    """The packaged model, and the same decoding token by token."""
    checkpoint = load_checkpoint(packaged_checkpoints()["tiny"])
    return EmbeddedEngine(checkpoint, "tiny"), EmbeddedEngine(checkpoint, "tiny", forward_of("plain", checkpoint))


def decoded(
    engine: EmbeddedEngine, prompts: Sequence[Prompt], grammar: bool = False, drafts: bool = True, **options: float
) -> list[Generation]:
    tokenizer = engine.tokenizer
    return engine.generate(
        [tokenizer.encode(prompt.segments) for prompt in prompts],
        stop=[tokenizer.id_of(Token.END_OF_TEXT)],
        grammars=[FrameGrammar(tokenizer, prompt) for prompt in prompts] if grammar else None,
        drafters=[TraceDrafter(tokenizer, prompt) for prompt in prompts] if drafts else None,
        **options,
    )


SETTINGS = [
    {},
    {"grammar": True},
    {"temperature": 0.8, "seed": 3},
    {"temperature": 1.2, "top_p": 0.9, "seed": 5, "grammar": True},
]


@pytest.mark.parametrize("setting", SETTINGS)
def test_drafts_change_no_bit(engines: tuple[EmbeddedEngine, EmbeddedEngine], setting: dict[str, float]) -> None:
    prompts = programs(60)
    for batch in (prompts[:8], prompts[8:]):
        expected = decoded(engines[1], batch, drafts=False, max_tokens=120, **setting)
        assert decoded(engines[0], batch, max_tokens=120, **setting) == expected


def test_drafts_change_no_bit_one_by_one(engines: tuple[EmbeddedEngine, EmbeddedEngine]) -> None:
    prompts = programs(20)
    expected = decoded(engines[1], prompts, drafts=False, max_tokens=150)
    assert [g for prompt in prompts for g in decoded(engines[0], [prompt], max_tokens=150)] == expected


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS[:3])
def test_drafts_change_no_bit_of_a_thousand_programs(
    engines: tuple[EmbeddedEngine, EmbeddedEngine], setting: dict[str, float]
) -> None:
    prompts = programs(1000)
    expected = decoded(engines[1], prompts, drafts=False, max_tokens=1000, **setting)
    assert decoded(engines[0], prompts, max_tokens=1000, **setting) == expected
    for number in range(0, 1000, 7):  # alone, with as long drafts as there are
        if "seed" not in setting:  # what is drawn depends on the place among the prompts
            assert decoded(engines[0], [prompts[number]], max_tokens=1000, **setting) == expected[number : number + 1]


def test_a_trace_is_predicted_with_drafts_unless_told_otherwise(engines: tuple[EmbeddedEngine, EmbeddedEngine]) -> None:
    calls = [
        ("def f(x):\n    y = x\n    return y\n", "f", "3"),
        ("def f(x):\n    return g(x)\ndef g(a):\n    return a\n", "f", "'a'"),
    ]
    engine = engines[0]
    passes = []
    advance = engine.forward.advance

    def counted(tokens: list[list[int]], caches: list[object]) -> object:
        passes.append(len(tokens))
        return advance(tokens, caches)

    engine.forward.advance = counted  # type: ignore[method-assign]
    try:
        fast = predict_many(engine, calls, max_tokens=100)
        drafted, _ = len(passes), passes.clear()
        assert predict_many(engine, calls, max_tokens=100, drafts=False) == fast
        assert drafted < len(passes) / 2
    finally:
        del engine.forward.advance  # type: ignore[method-assign]


class Oracle:
    """Proposes the true continuation, with mistakes at random."""

    def __init__(self, truth: Sequence[int], error: float, seed: int) -> None:
        self.truth, self.error, self.at = list(truth), error, 0
        self.rng = np.random.default_rng(seed)

    def propose(self, limit: int) -> list[int]:
        limit = int(self.rng.integers(0, limit + 1))
        draft = self.truth[self.at : self.at + limit]
        return [int(self.rng.integers(0, CONFIG.vocab_size)) if self.rng.random() < self.error else t for t in draft]

    def advance(self, token: int) -> None:
        assert token == self.truth[self.at]
        self.at += 1


SHAPES = st.fixed_dictionaries(
    {
        "hidden_size": st.sampled_from([8, 31, 32, 40]),
        "intermediate_size": st.sampled_from([5, 48, 70]),
        "num_hidden_layers": st.integers(1, 5),
        "num_key_value_heads": st.sampled_from([1, 2]),
        "num_attention_heads": st.sampled_from([2, 4, 8, 14]),
        "head_dim": st.sampled_from([32, 64]),
        "sliding_window": st.sampled_from([1, 7, 40]),
        "tie_word_embeddings": st.booleans(),
    }
)


@settings(max_examples=25, deadline=None)
@given(SHAPES, st.sampled_from(["float16", "float32"]), st.integers(0, 10**6), st.sampled_from([0.0, 0.7]))
def test_any_drafts_of_any_model_change_no_bit(
    tmp_path_factory: pytest.TempPathFactory, shape: dict[str, int], dtype: str, seed: int, temperature: float
) -> None:
    config = replace(CONFIG, **shape, layer_types=())
    checkpoint = random_checkpoint(tmp_path_factory.mktemp("checkpoint"), config, seed, dtype)
    prompts = [sequence(1 + (7 * n + seed) % 90, seed + n) for n in range(1 + seed % 9)]
    options = {"max_tokens": 45, "temperature": temperature, "seed": seed, "stop": [3, 5]}
    plain = EmbeddedEngine(checkpoint, "x", forward_of("plain", checkpoint)).generate(prompts, **options)
    engine = EmbeddedEngine(checkpoint, "x")
    for error in (0.0, 0.2):
        drafters = [Oracle(g.tokens, error, seed) for g in plain]
        assert engine.generate(prompts, drafters=drafters, **options) == plain
        assert [d.at for d in drafters] == [len(g.tokens) for g in plain]
    assert engine.generate(prompts, **options) == plain  # now with prefixes that are known


class Alternating:
    """Allows even and odd tokens in turn, and after some of them only one."""

    def __init__(self) -> None:
        self.before = 0

    def allowed(self) -> np.ndarray:
        mask = np.zeros(CONFIG.vocab_size, dtype=bool)
        mask[self.forced() or range(1 - self.before % 2, CONFIG.vocab_size, 2)] = True
        return mask

    def forced(self) -> list[int]:
        return [100 + self.before % 7] if self.before % 3 == 0 else []

    def advance(self, token: int) -> None:
        self.before = token


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_what_is_forced_is_fed_without_a_decision_and_judged_by_the_model(temperature: float, tmp_path: Path) -> None:
    checkpoint = random_checkpoint(tmp_path)
    prompts = [sequence(n, n) for n in (3, 30, 60)]
    made = []
    for name in ("plain", "kernel"):
        engine = EmbeddedEngine(checkpoint, "x", forward_of(name, checkpoint))
        grammars = [Alternating() for _ in prompts]
        made.append(engine.generate(prompts, max_tokens=40, temperature=temperature, seed=1, grammars=grammars))
    assert made[0] == made[1]
    forced = [t for g in made[0] for t, margin in zip(g.tokens, g.margins, strict=True) if margin < 0]
    assert forced  # the model itself would have taken others


def test_the_context_can_be_filled_to_its_end(tmp_path: Path) -> None:
    checkpoint = random_checkpoint(tmp_path)
    prompt, engine = sequence(100), EmbeddedEngine(checkpoint, "x")
    [full] = engine.generate([prompt], max_tokens=500)
    assert (full.finish, len(full.tokens)) == ("context", 28)
    for most in (1, 2, 27, 28, 29):
        [g] = engine.generate([prompt], max_tokens=most, drafters=[Oracle(full.tokens + [1] * 50, 0.0, most)])
        assert g.tokens == full.tokens[:most]
        assert g.finish == ("length" if most <= 28 else "context")


def test_a_stop_token_within_a_draft_ends_there(tmp_path: Path) -> None:
    checkpoint = random_checkpoint(tmp_path)
    prompt, engine = sequence(10), EmbeddedEngine(checkpoint, "x")
    [free] = engine.generate([prompt], max_tokens=30)
    stop = free.tokens[9]
    end = free.tokens.index(stop) + 1
    drafter = Oracle(free.tokens, 0.0, 7)
    [stopped] = engine.generate([prompt], max_tokens=30, stop=[stop], drafters=[drafter])
    assert (stopped.tokens, stopped.finish, drafter.at) == (free.tokens[:end], "stop", end)
    assert TOKENIZER.vocab_size == CONFIG.vocab_size
