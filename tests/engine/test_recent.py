"""Prefixes that were computed lately are not computed again, and what follows them is the same to the last bit."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from random_checkpoints import CONFIG, forward_of, random_checkpoint, sequence

from foretrace.engine.embedded import EmbeddedEngine
from foretrace.engine.forward import Array, Cache, NumpyForward
from foretrace.engine.kernel import KernelForward
from foretrace.engine.recent import RecentCaches
from foretrace.model.checkpoint import Checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return random_checkpoint(tmp_path_factory.mktemp("checkpoint"), replace(CONFIG, max_position_embeddings=2000))


@pytest.fixture(params=["numpy", "kernel"])
def forward(request: pytest.FixtureRequest, checkpoint: Checkpoint) -> NumpyForward | KernelForward:
    found = forward_of(request.param, checkpoint)
    return found if found is not None else pytest.skip("this installation has no C kernel")


def filled(forward: NumpyForward | KernelForward, ids: list[int]) -> Cache:
    cache = forward.new_cache()
    forward.advance([ids], [cache])
    return cache


def after(forward: NumpyForward | KernelForward, cache: Cache, ids: list[int]) -> Array:
    return forward.logits(forward.advance([ids], [cache]))


def test_a_cache_that_was_cut_goes_on_as_a_new_one(forward: NumpyForward | KernelForward) -> None:
    ids = sequence(400)
    for kept in (399, 300, 33, 32, 31, 3):  # the window is 6: what it had left comes into sight again
        cache = filled(forward, ids)
        cache.length = kept
        other = sequence(20, seed=9)
        expected = after(forward, filled(forward, ids[:kept]), other)
        np.testing.assert_allclose(after(forward, cache, other), expected, atol=1e-4)
        if forward.exact:
            cache.length = kept
            assert np.array_equal(after(forward, cache, other), expected)


def test_a_copy_is_independent(forward: NumpyForward | KernelForward) -> None:
    ids = sequence(300)
    cache = filled(forward, ids)
    for length in (1, 31, 32, 33, 299, 300):
        copy = cache.copy(length)
        new = after(forward, copy, sequence(5, seed=2))
        np.testing.assert_allclose(new, after(forward, filled(forward, ids[:length]), sequence(5, seed=2)), atol=1e-4)
    cache.length = 299
    np.testing.assert_allclose(
        after(forward, cache, ids[299:]), after(forward, filled(forward, ids[:299]), ids[299:]), atol=1e-4
    )


def counting(engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of tokens that each pass computes, as it goes on."""
    counts: list[int] = []
    advance = engine.forward.advance

    def counted(tokens: list[list[int]], caches: list[Cache]) -> Array:
        counts.append(sum(map(len, tokens)))
        return advance(tokens, caches)

    monkeypatch.setattr(engine.forward, "advance", counted)
    return counts


@pytest.fixture
def engine(checkpoint: Checkpoint) -> EmbeddedEngine:
    found = forward_of("kernel", checkpoint)
    return EmbeddedEngine(checkpoint, "x", found) if found else pytest.skip("this installation has no C kernel")


def test_a_session_computes_each_token_once(engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    ids, counts = sequence(600), counting(engine, monkeypatch)
    begin = len(ids)
    for _ in range(6):  # steps
        [made] = engine.generate([ids], max_tokens=20)
        ids = ids + made.tokens
    assert sum(counts) == len(ids) - 1
    counts.clear()
    [back] = engine.generate([ids[: begin + 40]], max_tokens=20)  # back, and the same again
    assert back.tokens == ids[begin + 40 : begin + 60]
    [fork] = engine.generate([[*ids[: begin + 50], 7, 8, 9]], max_tokens=20)
    [on] = engine.generate([ids], max_tokens=5)  # the first branch is still there
    assert sum(counts) <= 20 + 3 + 20 + 5 + 3
    plain = EmbeddedEngine.__new__(EmbeddedEngine)
    plain.__dict__ = engine.__dict__ | {"_recent": RecentCaches(engine.forward.new_cache)}
    assert plain.generate([[*ids[: begin + 50], 7, 8, 9]], max_tokens=20) == [fork]
    assert plain.generate([ids], max_tokens=5) == [on]


def test_next_tokens_are_asked_for_without_computing_the_prompt_again(
    engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = sequence(500)
    expected = engine.top_next([*ids, 5, 6], 3)
    counts = counting(engine, monkeypatch)
    for other in (1, 2, 3):
        engine.top_next([*ids, other], 3)
    assert engine.top_next([*ids, 5, 6], 3) == expected
    assert sum(counts) <= 5


def test_what_is_kept_is_bounded() -> None:
    def cache(length: int) -> Cache:
        made = Cache(np.zeros((1, 1, 64, 4), np.float32), np.zeros((1, 1, 64, 4), np.float32))  # 2,048 bytes
        made.length = length
        return made

    recent = RecentCaches(lambda: cache(0), most_bytes=3 * 2048)
    for first in range(5):
        recent.give([first] * 10, cache(10))
    lengths = {first: recent.take([first] * 11).length for first in range(5)}
    assert lengths == {0: 0, 1: 0, 2: 10, 3: 10, 4: 10}
    large = RecentCaches(lambda: cache(0), most_bytes=1)
    large.give([1] * 10, cache(10))
    assert large.take([1] * 11).length == 10  # the last one always


def test_the_last_token_is_always_left_to_compute_and_forks_leave_the_whole() -> None:
    def cache() -> Cache:
        return Cache(np.zeros((1, 1, 256, 4), np.float32), np.zeros((1, 1, 256, 4), np.float32))

    whole = cache()
    whole.length = 100
    recent = RecentCaches(cache)
    recent.give(list(range(100)), whole)
    same = recent.take(list(range(100)))
    assert (same is whole, same.length) == (True, 99)
    recent.give(list(range(99)), same)
    fork = recent.take([*range(50), 1, 2, 3])
    assert fork is not whole
    assert fork.length == 50
    assert recent.take(list(range(120))) is whole
    assert recent.take([7]).length == 0


def test_many_threads_can_use_one_engine(engine: EmbeddedEngine) -> None:
    base = sequence(200)
    prompts = [[*base[: 40 + 13 * n], *sequence(1 + n % 3, seed=n)] for n in range(12)]
    expected = [engine.generate([p], max_tokens=15)[0] for p in prompts]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(4):
            made = pool.map(lambda p: engine.generate([p], max_tokens=15)[0], prompts)
            assert list(made) == expected
