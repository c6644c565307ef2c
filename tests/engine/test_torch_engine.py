"""The engine by torch: the embedded engine's tokens in float32, drafts that change nothing, caches that are used again."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "model")]

from random_checkpoints import CONFIG as SMALL
from random_checkpoints import TOKENIZER, random_checkpoint, sequence

from foretrace.corpus import synthesise
from foretrace.data.tokenizer import FILE, Tokenizer
from foretrace.engine import FrameGrammar, TokenPredictor, build_prompt, load
from foretrace.engine.embedded import EmbeddedEngine
from foretrace.engine.load import packaged_checkpoints
from foretrace.engine.torch_engine import KEPT, TorchEngine
from foretrace.errors import CheckpointError, UsageError
from foretrace.model.checkpoint import load_checkpoint
from foretrace.trace import Token

CONFIG = replace(SMALL, max_position_embeddings=1200)
TINY = packaged_checkpoints()["tiny"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny products on a busy machine: threads that wait for each other make them a hundred times slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def write_random(folder: Path) -> Path:
    return random_checkpoint(folder, CONFIG, dtype="float32").folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def engine(folder: Path) -> TorchEngine:
    return TorchEngine.load(folder, device="cpu")


class KnowsTheFuture:
    """Proposes what was generated before, but for every seventh token."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self.tokens = [(token + 1) % CONFIG.vocab_size if at % 7 == 6 else token for at, token in enumerate(tokens)]
        self.at = self.proposals = 0

    def propose(self, limit: int) -> Sequence[int]:
        self.proposals += 1
        return self.tokens[self.at : self.at + limit]

    def advance(self, token: int) -> None:
        self.at += 1


def test_it_writes_what_the_embedded_engine_writes() -> None:
    calls = []
    for seed in range(30_000_000, 30_000_200):
        program = synthesise(seed)
        if program.entry == "f" and len(program.source) < 400:
            calls.append((program.source, program.entry, program.arguments))
    prompts = [build_prompt(*call) for call in calls[:20]]
    assert len(prompts) == 20
    embedded, by_torch = load("tiny"), TorchEngine.load(TINY, device="cpu")
    ids = [embedded.tokenizer.encode(p.segments) for p in prompts]
    end = [embedded.tokenizer.id_of(Token.END_OF_TEXT)]
    ours = by_torch.generate(ids, max_tokens=150, stop=end)
    theirs = embedded.generate(ids, max_tokens=150, stop=end)
    assert [(g.tokens, g.finish) for g in ours] == [(g.tokens, g.finish) for g in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.logprobs, other.logprobs, atol=2e-3)


def test_a_step_is_a_step_by_any_engine() -> None:
    source = "def f(x):\n    y = x + 1\n    return y\n"
    prompt = build_prompt(source, "f", "1")
    told = []
    for engine in (load("tiny"), load(f"torch:{TINY},device=cpu,dtype=float32")):
        steps = TokenPredictor(engine).steps(prompt, prompt.frames, budget=300, grammar=True)
        told.append([(s.frame, s.tokens, [v.text for v in s.values], round(s.logprob, 2)) for s in steps])
        told.append(steps.finish)
    assert told[:2] == told[2:]


def test_logprobs_and_margins_are_those_of_one_pass(engine: TorchEngine, folder: Path) -> None:
    prompt = sequence(300)  # more than a chunk, far more than the window
    [generation] = engine.generate([prompt], max_tokens=30)
    whole = [*prompt, *generation.tokens]
    best, logprobs = engine.predict_next(whole)
    assert generation.tokens == best[299:-1].tolist()
    np.testing.assert_allclose(generation.logprobs, logprobs[299:], atol=1e-4)
    logits = EmbeddedEngine(load_checkpoint(folder), "x").logits(whole)
    two = np.sort(logits[299:-1], axis=-1)[:, -2:]
    np.testing.assert_allclose(generation.margins, two[:, 1] - two[:, 0], atol=1e-3)
    top = engine.top_next(whole[:310], 3)
    shifted = logits[309] - np.log(np.exp(logits[309] - logits[309].max()).sum()) - logits[309].max()
    assert [token for token, _ in top] == np.argsort(-logits[309])[:3].tolist()
    np.testing.assert_allclose([logprob for _, logprob in top], np.sort(shifted)[::-1][:3], atol=1e-3)
    reference, other = EmbeddedEngine(load_checkpoint(folder), "x").predict_next(whole)
    assert best.tolist() == reference.tolist()
    np.testing.assert_allclose(logprobs, other, atol=1e-3)


def test_the_margin_of_a_token_that_was_not_the_likeliest_is_negative(engine: TorchEngine) -> None:
    prompt = sequence(10)
    for seed in range(20):
        [sampled] = engine.generate([prompt], max_tokens=1, temperature=3.0, seed=seed)
        likeliest = engine.top_next(prompt, 1)[0]
        assert (sampled.margins[0] > 0) == (sampled.tokens[0] == likeliest[0])
        if sampled.margins[0] < 0:
            assert sampled.margins[0] == pytest.approx(sampled.logprobs[0] - likeliest[1], abs=1e-4)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_together_is_the_same_as_one_by_one(folder: Path, temperature: float) -> None:
    prompts = [sequence(n, seed=n) for n in (1, 40, 7, 300, 12) * 8]  # more than fit at once
    options = {"max_tokens": 12, "temperature": temperature, "stop": [3]}
    together = TorchEngine.load(folder, device="cpu").generate(prompts, **options)
    for number in (0, 3, 4, 39):
        padding = [[1]] * number  # what is drawn depends on the number of the prompt
        alone = TorchEngine.load(folder, device="cpu").generate([*padding, prompts[number]], **options)[number]
        assert alone.tokens == together[number].tokens


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_drafts_change_nothing_but_the_number_of_passes(folder: Path, temperature: float) -> None:
    engine = TorchEngine.load(folder, device="cpu")
    prompts = [sequence(n, seed=n) for n in (5, 30, 17)]
    plain = engine.generate(prompts, max_tokens=60, temperature=temperature, seed=4)
    drafters = [KnowsTheFuture(g.tokens) for g in plain]
    drafted = TorchEngine.load(folder, device="cpu").generate(
        prompts, max_tokens=60, temperature=temperature, seed=4, drafters=drafters
    )
    assert [(g.tokens, g.finish) for g in drafted] == [(g.tokens, g.finish) for g in plain]
    for one, other in zip(drafted, plain, strict=True):
        np.testing.assert_allclose(one.logprobs, other.logprobs, atol=1e-4)
        np.testing.assert_allclose(one.margins, other.margins, atol=1e-4)
    for drafter in drafters:
        assert drafter.at == 60
        assert drafter.proposals <= 60 // 7 + 2  # a wrong token each seven ends a draft


def test_a_draft_goes_no_further_than_a_stop_the_limit_or_the_context(engine: TorchEngine) -> None:
    prompt = sequence(20)
    [free] = engine.generate([prompt], max_tokens=30)
    stop = free.tokens[9]
    [stopped] = engine.generate([prompt], max_tokens=30, stop=[stop], drafters=[KnowsTheFuture(free.tokens)])
    assert (stopped.finish, stopped.tokens) == ("stop", free.tokens[: free.tokens.index(stop) + 1])
    [short] = engine.generate([prompt], max_tokens=4, drafters=[KnowsTheFuture(free.tokens)])
    assert (short.finish, short.tokens) == ("length", free.tokens[:4])
    long = sequence(1195)
    [full], [beyond] = engine.generate([long], max_tokens=50), engine.generate([sequence(1200)], max_tokens=50)
    assert (full.finish, len(full.tokens)) == ("context", 5)
    assert (beyond.finish, beyond.tokens) == ("context", [])
    [drafted] = engine.generate([long], max_tokens=50, drafters=[KnowsTheFuture([*full.tokens, 1, 2, 3, 4])])
    assert drafted.tokens == full.tokens


@pytest.mark.parametrize("temperature", [0.0, 2.0])
def test_a_grammar_is_kept_with_and_without_drafts(engine: TorchEngine, temperature: float) -> None:
    prompt = build_prompt("def f(x):\n    if x:\n        return 1\n    return g(2)\n\ndef g(y):\n    return y\n", "f", "0")
    ids = TOKENIZER.encode(prompt.segments)

    def write(drafters: list[KnowsTheFuture] | None = None) -> list[int]:
        [generation] = engine.generate(
            [ids],
            max_tokens=80,
            temperature=temperature,
            grammars=[FrameGrammar(TOKENIZER, prompt)],
            drafters=drafters,
        )
        return generation.tokens

    tokens = write()
    check = FrameGrammar(TOKENIZER, prompt)
    for token in tokens:
        assert check.allowed()[token]
        check.advance(token)
    assert write([KnowsTheFuture(tokens)]) == tokens


def test_a_line_longer_than_a_chunk_is_forced_all_the_same(engine: TorchEngine) -> None:
    prompt = build_prompt(f"def f():\n    return '{'abcdefghij' * 30}'\n", "f", "")
    begun = TOKENIZER.encode([Token.LINE_SEP, "{}", Token.ACTION_SEP])
    ids = [*TOKENIZER.encode(prompt.segments), *begun]
    grammar = FrameGrammar(TOKENIZER, prompt)
    for token in begun:
        grammar.advance(token)
    assert len(grammar.forced()) > 300
    [generation] = engine.generate([ids], max_tokens=320, grammars=[grammar])
    assert TOKENIZER.decode(generation.tokens)[0] == prompt.call.source.split("\n")[1] + "\n"


def test_what_was_computed_is_used_again_and_changes_nothing(folder: Path) -> None:
    engine, fresh = TorchEngine.load(folder, device="cpu"), lambda: TorchEngine.load(folder, device="cpu")
    prompt = sequence(600)
    [first] = engine.generate([prompt], max_tokens=40)
    whole = [*prompt, *first.tokens]
    forks = [whole, whole[:620], [*whole[:610], 5, 6], whole[:450], whole[:100], [9, *whole[1:]], whole]
    for fork in forks:  # on, back, aside, back beyond the window, back beyond what layers keep, anew
        [again], [anew] = engine.generate([fork], max_tokens=8), fresh().generate([fork], max_tokens=8)
        assert again.tokens == anew.tokens
        np.testing.assert_allclose(again.logprobs, anew.logprobs, atol=1e-4)
        assert [t for t, _ in engine.top_next(fork, 4)] == [t for t, _ in fresh().top_next(fork, 4)]


def test_a_beginning_that_is_known_is_not_computed_again(engine: TorchEngine) -> None:
    prompt = sequence(500)
    [first] = engine.generate([prompt], max_tokens=10)
    fed: list[int] = []
    embed = engine.model.model.embed_tokens
    handle = embed.register_forward_hook(lambda module, args, output: fed.append(len(args[0])))
    engine.generate([[*prompt, *first.tokens]], max_tokens=1)
    engine.top_next([*prompt, *first.tokens[:4]], 2)
    handle.remove()
    assert fed == [1, 1]


def test_few_caches_are_kept(engine: TorchEngine) -> None:
    for n in range(3):
        engine.generate([sequence(9, seed=9 * n + i) for i in range(5)], max_tokens=3)
    assert len(engine._kept) == KEPT
    assert sum(cache.nbytes() for _, cache in engine._kept) < 8 << 20


def test_a_model_as_meta_released_it(tmp_path: Path) -> None:
    from release import CONFIG as SHAPE
    from release import PARAMS, in_metas_layout, write

    from foretrace.model.transformer import CausalLM, Documents

    model = CausalLM(replace(SHAPE, vocab_size=TOKENIZER.vocab_size))
    write(tmp_path, in_metas_layout(model), PARAMS | {"vocab_size": TOKENIZER.vocab_size})
    (tmp_path / FILE).write_bytes(TOKENIZER.serialise())
    engine = TorchEngine.load(tmp_path, device="cpu")
    ids = sequence(40)
    with torch.no_grad():
        logits = model(torch.tensor(ids), Documents.of((40,)))
    best, _ = engine.predict_next(ids)
    assert best.tolist() == logits.argmax(-1).tolist()


def test_other_dtypes_predict_nearly_the_same(folder: Path, engine: TorchEngine) -> None:
    ids = sequence(50)
    half = TorchEngine.load(folder, dtype="bfloat16", device="cpu")
    assert half.model.lm_head.weight.dtype is torch.bfloat16
    assert engine.model.lm_head.weight.dtype is torch.float32  # as asked for on a CPU, whatever is stored
    best, other = engine.predict_next(ids)[0], half.predict_next(ids)[0]
    assert np.mean(best == other) > 0.8
    assert len(half.generate([ids], max_tokens=5)[0].tokens) == 5


def test_what_cannot_be_loaded_is_a_clear_error(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no dtype 'int8'; there are: float32"):
        load(f"torch:{folder},dtype=int8")
    with pytest.raises(UsageError, match="no device 'qpu'"):
        load(f"torch:{folder},device=qpu")
    with pytest.raises(UsageError, match="no option 'gpu=1'; the options are: dtype=…, device=…"):
        load(f"torch:{folder},gpu=1")
    with pytest.raises(UsageError, match="no model called 'tinny'"):
        load("torch:tinny")
    with pytest.raises(CheckpointError):
        load(f"torch:{tmp_path}/none")
    mixed = write_random(tmp_path)
    Tokenizer.train(["alpha beta"], vocab_size=750).save(mixed / FILE)
    with pytest.raises(CheckpointError, match="mixes files"):
        TorchEngine.load(mixed, device="cpu")
    with pytest.raises(UsageError, match="empty prompt"):
        TorchEngine.load(folder, device="cpu").generate([[1], []], max_tokens=1)


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "foretrace.engine.torch_engine")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UsageError, match=r'needs torch; install it with: pip install "foretrace\[train\]"'):
        load(f"torch:{TINY}")


def test_a_repository_in_the_local_cache_is_found_by_its_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    place = tmp_path / "models--someone--small" / "snapshots" / ("0" * 40)
    place.parent.mkdir(parents=True)
    place.symlink_to(folder)
    refs = tmp_path / "models--someone--small" / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    assert load("someone/small").name == "someone/small"
    assert load("torch:someone/small,device=cpu").tokenizer.vocab_size == CONFIG.vocab_size
    with pytest.raises(CheckpointError, match="no checkpoint folder"):
        load("someone/else")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
def test_on_a_gpu_it_writes_what_it_writes_on_a_cpu(folder: Path) -> None:
    prompts = [sequence(n, seed=n) for n in (5, 300, 17)]
    on_cpu = TorchEngine.load(folder, device="cpu").generate(prompts, max_tokens=40)
    engine = TorchEngine.load(folder, device="cuda", dtype="float32")
    plain = engine.generate(prompts, max_tokens=40)
    drafted = engine.generate(prompts, max_tokens=40, drafters=[KnowsTheFuture(g.tokens) for g in plain])
    for ours, again, theirs in zip(plain, drafted, on_cpu, strict=True):
        assert ours.tokens == again.tokens == theirs.tokens
        np.testing.assert_allclose(ours.logprobs, theirs.logprobs, atol=1e-3)
    half = TorchEngine.load(folder, dtype="bfloat16")
    assert half.model.lm_head.weight.device.type == "cuda"
    assert len(half.generate(prompts, max_tokens=5)[1].tokens) == 5
