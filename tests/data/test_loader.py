"""The loader: nothing lost, nothing doubled, resumable at any batch, the same on any number of ranks."""

import json
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numbered import SOURCE, damage, documents_of, same, write_numbered

from foretrace.data.batch import PADDING
from foretrace.data.kinds import Kind
from foretrace.data.loader import Batch, Loader, in_order
from foretrace.data.mixture import Mixture, Source
from foretrace.data.shards import shard_files
from foretrace.errors import CheckpointError, FormatError


@st.composite
def mixtures(draw: st.DrawFn) -> tuple[list[list[int]], dict[str, Any], list[dict[str, Any]]]:
    """Lengths of the documents of each source, and fields of the mixture and of its sources."""
    row = draw(st.integers(8, 60))
    counts = st.lists(st.integers(1, 2 * row), min_size=1, max_size=25)
    lengths = [[*draw(counts), 1] for _ in range(draw(st.integers(1, 3)))]  # the 1: something fits in every row
    fields = {
        "tokens_per_row": row,
        "rows_per_batch": draw(st.integers(1, 3)),
        "seed": draw(st.integers(0, 3)),
        "length_buckets": draw(st.sampled_from([(), (row // 3,), (row // 4, row // 2)])),
        "rows_of_one_source": draw(st.booleans()),
        "pad_rows": draw(st.booleans()),
        "lookahead": draw(st.sampled_from([1, 4, 30])),
    }
    each = st.fixed_dictionaries(
        {
            "weight": st.sampled_from([0.1, 1.0, 2.5]),
            "max_epochs": st.integers(1, 3),
            "too_long": st.sampled_from(["drop", "truncate", "wrap"]),
        }
    )
    return lengths, fields, [draw(each) for _ in lengths]


def make(folder: Path, drawn: tuple[list[list[int]], dict[str, Any], list[dict[str, Any]]]) -> Mixture:
    """The mixture that was drawn, its shards in a new folder."""
    folder = folder / str(len(list(folder.iterdir())))
    lengths, fields, each = drawn
    sources = []
    for number, (own, chosen) in enumerate(zip(lengths, each, strict=True)):
        at = write_numbered(folder / str(number), own, source=number)
        sources.append(Source(name=f"source {number}", folder=at, **chosen))
    return Mixture(sources=tuple(sources), **fields)


many = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(drawn=mixtures())
def test_an_epoch_has_every_document_once(tmp_path: Path, drawn: Any) -> None:
    mixture = make(tmp_path, drawn)
    row = mixture.tokens_per_row
    seen: Counter[tuple[int, int]] = Counter()
    short = 0
    for rows in Loader(mixture):
        assert 1 <= len(rows) <= mixture.rows_per_batch
        short += len(rows) < mixture.rows_per_batch
        for source, tokens in documents_of(rows):
            assert tokens == list(range(tokens[0], tokens[0] + len(tokens)))
            assert tokens[0] // SOURCE == source
            seen[tokens[0], len(tokens)] += 1
        assert all(len(r.tokens) == row if mixture.pad_rows else 1 <= len(r.tokens) <= row for r in rows)
        if mixture.rows_of_one_source:
            assert all(len(set(r.sources.tolist()) - {PADDING}) == 1 for r in rows)
        lengths = [len(tokens) for _, tokens in documents_of(rows)]
        assert len({sum(length > bound for bound in mixture.length_buckets) for length in lengths}) == 1
    assert short <= len(mixture.length_buckets) + 1

    expected: Counter[tuple[int, int]] = Counter()
    for number, (lengths, source) in enumerate(zip(drawn[0], mixture.sources, strict=True)):
        for start, length in zip(np.cumsum([0, *lengths]), lengths, strict=False):
            offsets = range(0, length, row) if source.too_long == "wrap" else [0]
            if length <= row or source.too_long != "drop":
                for offset in offsets:
                    expected[number * SOURCE + 1 + int(start) + offset, min(row, length - offset)] += source.max_epochs or 0
    assert seen == expected


@many
@given(drawn=mixtures(), endless=st.booleans())
def test_resuming_at_any_batch_changes_nothing(tmp_path: Path, drawn: Any, endless: bool) -> None:
    mixture = make(tmp_path, drawn)
    if endless:
        mixture = replace(mixture, sources=tuple(replace(source, max_epochs=None) for source in mixture.sources))
    loader = Loader(mixture)
    states, batches = [json.dumps(loader.state())], []
    for rows in islice(loader, 12):
        batches.append(rows)
        states.append(json.dumps(loader.state()))
    ended = len(batches) < 12
    for at, state in enumerate(states):
        resumed = Loader(mixture)
        if at % 2:
            next(resumed)  # what it did before does not matter
        resumed.restore(json.loads(state))
        assert json.dumps(resumed.state()) == state
        rest = list(islice(resumed, len(batches) - at + ended))
        assert len(rest) == len(batches) - at
        assert all(same(a, b) for a, b in zip(rest, batches[at:], strict=True))
        assert resumed.progress() == loader.progress()
        assert json.dumps(resumed.state()) == states[-1]


@pytest.fixture
def mixture(tmp_path: Path) -> Mixture:
    rng = np.random.default_rng(0)
    sources = []
    for number in range(3):
        folder = write_numbered(tmp_path / str(number), rng.integers(3, 30, 40).tolist(), source=number)
        sources.append(Source(name="abc"[number], folder=folder, weight=1.0 + number))
    return Mixture(sources=tuple(sources), tokens_per_row=64, rows_per_batch=4)


# -- state


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"tokens_per_row": 65},
        {"rows_per_batch": 3},
        {"length_buckets": (10,)},
        {"rows_of_one_source": True},
        {"lookahead": 10},
    ],
)
def test_the_state_of_another_mixture_is_refused(mixture: Mixture, change: dict[str, Any]) -> None:
    loader = Loader(replace(mixture, **change))
    (name,) = change
    with pytest.raises(CheckpointError, match=rf"another mixture: {name} was .* and is "):
        loader.restore(Loader(mixture).state())


@pytest.mark.parametrize(
    "change", [{"weight": 9.0}, {"name": "d"}, {"max_epochs": 3}, {"observation_share": 0.5}, {"too_long": "wrap"}]
)
def test_the_state_of_other_sources_is_refused(mixture: Mixture, change: dict[str, Any]) -> None:
    other = replace(mixture, sources=(replace(mixture.sources[0], **change), *mixture.sources[1:]))
    with pytest.raises(CheckpointError, match=r"another mixture: sources\."):
        Loader(other).restore(Loader(mixture).state())
    with pytest.raises(CheckpointError, match=r"sources\.c is gone"):
        Loader(replace(mixture, sources=mixture.sources[:2])).restore(Loader(mixture).state())


def test_the_state_of_other_shards_is_refused(mixture: Mixture) -> None:
    state = Loader(mixture).state()
    shard_files(mixture.sources[1].folder)[-1].unlink()
    with pytest.raises(CheckpointError, match=r"sources\.b\.shards"):
        Loader(mixture).restore(state)


def test_a_state_of_the_first_version_is_refused(mixture: Mixture) -> None:
    with pytest.raises(CheckpointError, match="another version of foretrace"):
        Loader(mixture).restore({"epoch": 0, "served": 3})


def test_folders_may_move(mixture: Mixture, tmp_path: Path) -> None:
    loader = Loader(mixture)
    next(loader)
    state, expected = loader.state(), next(loader)
    moved = mixture.sources[0].folder.rename(tmp_path / "moved")
    again = Loader(replace(mixture, sources=(replace(mixture.sources[0], folder=moved), *mixture.sources[1:])))
    again.restore(state)
    assert same(next(again), expected)


def test_a_state_stays_small(tmp_path: Path) -> None:
    sources = []
    for number in range(20):
        folder = write_numbered(tmp_path / str(number), [*range(1, 90)] * 4, source=number, per_shard=5000)
        sources.append(Source(name=f"a source with a rather long name {number}", folder=folder))
    loader = Loader(Mixture(sources=tuple(sources), tokens_per_row=512, length_buckets=(16, 64), rows_of_one_source=True))
    for _ in range(20):
        next(loader)
        assert len(json.dumps(loader.state())) < 50_000


# -- rows, ranks, padding


def test_ranks_share_the_rows_of_a_batch(mixture: Mixture) -> None:
    loaders = [Loader(mixture) for _ in range(4)]
    for rows in islice(loaders[3], 10):
        parts = [loaders[rank].next_batch(rank, 3) for rank in range(3)]
        assert all(same(part, rows[rank::3]) for rank, part in enumerate(parts))
    assert loaders[0].state() == loaders[3].state()
    assert loaders[0].progress() == loaders[3].progress()


def test_a_rank_reads_only_its_own_rows(mixture: Mixture) -> None:
    """The rows of rank 0 are read from shards whose tokens are damaged everywhere else."""
    expected = Loader(mixture).next_batch(0, 4)
    own = np.concatenate([row.tokens for row in expected])
    for source in mixture.sources:
        for file in shard_files(source.folder):
            damage(file, lambda tokens: ~np.isin(tokens, own))
    loader = Loader(mixture)
    assert same(loader.next_batch(0, 4), expected)
    with pytest.raises(FormatError, match="damaged"):
        loader.next_batch(0, 4)


def test_padding_is_a_document_that_is_not_predicted(mixture: Mixture) -> None:
    plain, padded = Loader(mixture), Loader(replace(mixture, pad_rows=True))
    filled = 0
    for _ in range(20):
        for row, longer in zip(next(plain), next(padded), strict=True):
            size = len(row.tokens)
            assert len(longer.tokens) == 64
            cut = Batch(
                longer.tokens[:size],
                longer.lengths[: len(row.lengths)],
                longer.kinds[:size],
                longer.weights[:size],
                longer.sources[: len(row.lengths)],
            )
            assert same([cut], [row])
            if size < 64:
                filled += 1
                assert longer.lengths == (*row.lengths, 64 - size)
                assert longer.sources[-1] == PADDING
                assert not longer.tokens[size:].any()
                assert not longer.weights[size:].any()
                assert (longer.kinds[size:] == Kind.PROMPT).all()
    assert filled > 5


def test_the_first_token_of_a_document_is_not_predicted(mixture: Mixture) -> None:
    for row in next(Loader(mixture)):
        firsts = np.cumsum([0, *row.lengths[:-1]])
        assert not row.weights[firsts].any()
        assert row.weights.sum() == len(row.tokens) - len(row.lengths)
        assert (row.tokens.dtype, row.kinds.dtype, row.weights.dtype) == (np.int64, np.uint8, np.float32)


# -- tokenizers


def test_shards_of_another_tokenizer_are_refused(mixture: Mixture) -> None:
    Loader(mixture, tokenizer="numbers", vocab_size=1 << 31)
    with pytest.raises(FormatError, match="is of the tokenizer numbers, wanted letters"):
        Loader(mixture, tokenizer="letters")
    with pytest.raises(FormatError, match=r"0000.*vocabulary of 2147483648 tokens, the model of 1024"):
        Loader(mixture, vocab_size=1024)
    with pytest.raises(FormatError, match="vocabulary"):
        next(in_order(mixture.sources[0].folder, 64, vocab_size=1024))


# -- validation


def test_in_order_gives_every_document_once(tmp_path: Path) -> None:
    lengths = [5, 30, 64, 65, 3, 3, 60, 5]
    folder = write_numbered(tmp_path, lengths)
    rows = list(in_order(folder, 64))
    documents = [tokens for _, tokens in documents_of(rows)]
    assert [len(tokens) for tokens in documents] == [5, 30, 64, 64, 1, 3, 3, 60, 5]
    assert [token for tokens in documents for token in tokens] == list(range(1, sum(lengths) + 1))
    assert [row.lengths for row in rows] == [(5, 30), (64,), (64,), (1, 3, 3), (60,), (5,)]
    assert all(len(row.tokens) == 64 for row in in_order(folder, 64, pad_rows=True))
    assert sum(len(row.lengths) for row in in_order(folder, 64, too_long="drop")) == 7


def test_an_empty_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no shards"):
        Loader(Mixture(sources=(Source(name="a", folder=tmp_path),)))
    with pytest.raises(FormatError, match="no shards"):
        next(in_order(tmp_path, 10))
