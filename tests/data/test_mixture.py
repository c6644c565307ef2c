"""What comes, and in which proportion: shares, epochs, documents longer than a row, buckets."""

from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from numbered import SOURCE, documents_of, write_numbered

from foretrace.data.loader import Loader
from foretrace.data.mixture import Mixture, Source
from foretrace.data.shards import Shard, shard_files, shard_name, write_shard
from foretrace.data.streams import cut
from foretrace.errors import FormatError, UsageError


@pytest.fixture
def sources(tmp_path: Path) -> tuple[Source, ...]:
    """Three, of documents of about 10, 40 and 160 tokens."""
    rng = np.random.default_rng(0)
    made = []
    for number, (mean, count, weight) in enumerate([(10, 300, 5.0), (40, 100, 3.0), (160, 40, 2.0)]):
        lengths = rng.integers(mean // 2, mean * 3 // 2 + 1, count).tolist()
        folder = write_numbered(tmp_path / str(number), lengths, source=number, per_shard=900)
        made.append(Source(name="abc"[number], folder=folder, weight=weight))
    return tuple(made)


# -- shares


def test_shares_are_of_tokens_and_never_drift(sources: tuple[Source, ...]) -> None:
    """At any time a source lacks or exceeds its share by no more than what waits to be packed."""
    loader = Loader(Mixture(sources=sources, tokens_per_row=512, rows_per_batch=2, lookahead=16))
    total = 0
    for rows in islice(loader, 100):
        total += sum(len(row.tokens) for row in rows)
        for source in sources:
            given = loader.progress()[source.name].tokens
            assert abs(given - total * source.weight / 10) < 16 * 240
    assert loader.progress()["a"].epochs > 10


def test_a_source_at_its_last_epoch_leaves_its_share_to_the_others(sources: tuple[Source, ...]) -> None:
    a, b, c = sources
    loader = Loader(Mixture(sources=(replace(a, max_epochs=2), b, c), tokens_per_row=512, rows_per_batch=4))
    for _ in islice(loader, 100):
        pass
    progress = loader.progress()
    assert progress["a"].epochs == 2
    assert progress["b"].tokens / progress["c"].tokens == pytest.approx(3 / 2, rel=0.1)
    assert sum(p.tokens for p in progress.values()) > 150_000


def test_a_loader_ends_when_all_sources_do(sources: tuple[Source, ...]) -> None:
    ended = tuple(replace(source, max_epochs=number + 1) for number, source in enumerate(sources))
    loader = Loader(Mixture(sources=ended, tokens_per_row=512))
    seen = Counter(token for rows in loader for _, tokens in documents_of(rows) for token in tokens)
    assert {number: {c for t, c in seen.items() if t // SOURCE == number} for number in range(3)} == {
        0: {1},
        1: {2},
        2: {3},
    }
    assert [p.epochs for p in loader.progress().values()] == [1, 2, 3]
    with pytest.raises(StopIteration):
        next(loader)


def test_each_epoch_has_its_own_order_and_each_seed(sources: tuple[Source, ...]) -> None:
    def order(seed: int) -> list[list[int]]:
        """First tokens of the documents of each of three epochs."""
        (source, *_) = sources
        once = replace(source, max_epochs=3)
        loader = Loader(Mixture(sources=(once,), tokens_per_row=512, seed=seed, lookahead=1))
        firsts = [tokens[0] for rows in loader for _, tokens in documents_of(rows)]
        return [firsts[:300], firsts[300:600], firsts[600:]]

    orders = order(0) + order(1)
    assert len({tuple(o) for o in orders}) == 6
    assert len({tuple(sorted(o)) for o in orders}) == 1
    assert order(0) == orders[:3]


def test_the_order_of_a_source_does_not_depend_on_what_it_is_mixed_with(sources: tuple[Source, ...]) -> None:
    def order(*chosen: Source) -> list[int]:
        loader = Loader(Mixture(sources=chosen, tokens_per_row=512, lookahead=1))
        documents = [d for rows in islice(loader, 40) for d in documents_of(rows)]
        return [tokens[0] for _, tokens in documents if tokens[0] // SOURCE == 1]

    a, b, c = sources
    alone, mixed = order(b), order(c, a, b)
    assert len(mixed) > 50
    assert mixed == alone[: len(mixed)]


# -- documents longer than a row


def test_long_documents_are_dropped_truncated_or_wrapped(tmp_path: Path) -> None:
    folder = write_numbered(tmp_path, [10, 64, 65, 200])
    starts = {10: 1, 64: 11, 65: 75, 200: 140}

    def load(too_long: str) -> list[tuple[int, int]]:
        """(first token, length) of each document."""
        source = Source(name="a", folder=folder, max_epochs=1, too_long=too_long)  # type: ignore[arg-type]
        loader = Loader(Mixture(sources=(source,), tokens_per_row=64))
        return sorted((tokens[0], len(tokens)) for rows in loader for _, tokens in documents_of(rows))

    short = [(starts[10], 10), (starts[64], 64)]
    assert load("drop") == short
    assert load("truncate") == [*short, (starts[65], 64), (starts[200], 64)]
    wrapped = [(starts[65], 64), (starts[65] + 64, 1)] + [(starts[200] + at, min(64, 200 - at)) for at in (0, 64, 128, 192)]
    assert load("wrap") == short + wrapped


def test_wrapped_pieces_are_documents_of_their_own(tmp_path: Path) -> None:
    source = Source(name="a", folder=write_numbered(tmp_path, [200]), max_epochs=1, too_long="wrap")
    rows = [row for rows in Loader(Mixture(sources=(source,), tokens_per_row=64)) for row in rows]
    assert sorted(row.lengths for row in rows) == [(8,), (64,), (64,), (64,)]
    assert all(row.weights[0] == 0 and row.weights[1:].all() for row in rows)


def test_the_pieces_of_a_shard_are_all_its_tokens() -> None:
    lengths = np.array([5, 10, 11, 30, 1])
    pieces = cut(lengths, 10, "wrap")
    assert pieces.documents.tolist() == [0, 1, 2, 2, 3, 3, 3, 4]
    assert pieces.offsets.tolist() == [0, 0, 0, 10, 0, 10, 20, 0]
    assert pieces.lengths.tolist() == [5, 10, 10, 1, 10, 10, 10, 1]


def test_a_source_none_of_whose_documents_fits_is_a_clear_error(tmp_path: Path) -> None:
    source = Source(name="books", folder=write_numbered(tmp_path, [100, 200]))
    with pytest.raises(UsageError, match=r"books have more than tokens_per_row=64 .*at least 100.*truncate or wrap"):
        Loader(Mixture(sources=(source,), tokens_per_row=64))


def test_a_source_without_documents_is_a_clear_error(tmp_path: Path) -> None:
    write_shard(tmp_path / shard_name(0), [], vocab_size=10, tokenizer="numbers")
    with pytest.raises(FormatError, match="hold no documents"):
        Loader(Mixture(sources=(Source(name="a", folder=tmp_path),)))


# -- buckets and rows of one source


def test_buckets_are_never_mixed_and_none_starves(sources: tuple[Source, ...]) -> None:
    mixture = Mixture(sources=sources, tokens_per_row=512, rows_per_batch=4, length_buckets=(12, 50), lookahead=48)
    loader = Loader(mixture)
    given, wanted = (dict.fromkeys(mixture.buckets, 0.0) for _ in range(2))
    for source in sources:
        lengths = np.concatenate([Shard(file).lengths for file in shard_files(source.folder)]).tolist()
        for length in lengths:
            bucket = next(b for b in mixture.buckets if b.low < length <= b.high)
            wanted[bucket] += length * source.weight / 10 / sum(lengths)
    for rows in islice(loader, 300):
        lengths = [length for row in rows for length in row.lengths]
        (bucket,) = [b for b in mixture.buckets if b.low < max(lengths) <= b.high]
        assert min(lengths) > bucket.low
        assert len(rows) == 4
        given[bucket] += sum(lengths)
    total = sum(given.values())
    for bucket in mixture.buckets:
        assert wanted[bucket] > 0.05
        assert given[bucket] / total == pytest.approx(wanted[bucket], abs=0.01)
    for source in sources:
        assert loader.progress()[source.name].tokens / total == pytest.approx(source.weight / 10, abs=0.01)


def test_an_empty_bucket_is_passed_over(sources: tuple[Source, ...]) -> None:
    loader = Loader(Mixture(sources=sources, tokens_per_row=512, length_buckets=(3, 400)))
    for rows in islice(loader, 20):
        assert all(3 < length <= 400 for row in rows for length in row.lengths)


def test_rows_of_one_source(sources: tuple[Source, ...]) -> None:
    loader = Loader(Mixture(sources=sources, tokens_per_row=512, rows_per_batch=3, rows_of_one_source=True, lookahead=48))
    batches = list(islice(loader, 150))
    assert all(len(set(row.sources.tolist())) == 1 for rows in batches for row in rows)
    assert any(len({row.sources[0] for row in rows}) > 1 for rows in batches)
    total = sum(len(row.tokens) for rows in batches for row in rows)
    for source in sources:
        assert loader.progress()[source.name].tokens / total == pytest.approx(source.weight / 10, abs=0.01)


def test_rows_of_one_source_and_bucket(sources: tuple[Source, ...]) -> None:
    mixture = Mixture(
        sources=tuple(replace(source, max_epochs=2) for source in sources),
        tokens_per_row=512,
        rows_per_batch=3,
        rows_of_one_source=True,
        length_buckets=(12, 50),
    )
    seen = Counter[int]()
    for rows in Loader(mixture):
        lengths = [length for row in rows for length in row.lengths]
        assert len({sum(length > bound for bound in (12, 50)) for length in lengths}) == 1
        assert all(len(set(row.sources.tolist())) == 1 for row in rows)
        seen.update(token for _, tokens in documents_of(rows) for token in tokens)
    assert set(seen.values()) == {2}


# -- configuration


@pytest.mark.parametrize(
    "fields",
    [
        {"weight": 0.0},
        {"weight": float("nan")},
        {"max_epochs": 0},
        {"too_long": "crop"},
        {"observation_share": 1.5},
    ],
)
def test_a_source_that_makes_no_sense_is_a_clear_error(fields: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=f"agents: {next(iter(fields))}"):
        Source(name="agents", folder=Path(), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [
        {"sources": ()},
        {"sources": (Source(name="a", folder=Path()), Source(name="a", folder=Path("b")))},
        {"tokens_per_row": 0},
        {"rows_per_batch": 0},
        {"lookahead": 0},
        {"seed": -1},
        {"length_buckets": (5, 5)},
        {"length_buckets": (0, 5)},
    ],
)
def test_a_mixture_that_makes_no_sense_is_a_clear_error(fields: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Mixture(**({"sources": (Source(name="a", folder=Path()),)} | fields))  # type: ignore[arg-type]
