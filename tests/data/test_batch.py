"""A row: its kinds, its weights in the loss, and observations masked at random, but the same for a document wherever it is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foretrace.data.kinds import Kind
from foretrace.data.loader import Loader
from foretrace.data.mixture import Mixture, Source
from foretrace.data.shards import Document, shard_name, write_shard


@pytest.fixture
def agents(tmp_path: Path) -> Source:
    """200 documents: a prompt of 4 tokens, then 10 times an action of 3 and an observation of 5."""
    documents = []
    kinds = np.array([Kind.PROMPT] * 4 + 10 * ([Kind.ACTION] * 3 + [Kind.OBSERVATION] * 5), np.uint8)
    for number in range(200):
        documents.append(Document(np.full(84, number, np.uint16), kinds))
    write_shard(tmp_path / shard_name(0), documents, vocab_size=200, tokenizer="numbers")
    return Source(name="agents", folder=tmp_path, observation_share=0.5)


def weights_by_document(source: Source, epochs: int = 1, tokens_per_row: int = 400) -> list[dict[int, np.ndarray]]:
    """Of each epoch, the weights of each document, by its number."""
    loader = Loader(Mixture(sources=(replace(source, max_epochs=epochs),), tokens_per_row=tokens_per_row, lookahead=1))
    found: list[tuple[int, np.ndarray]] = []
    for rows in loader:
        for row in rows:
            ends = np.cumsum(row.lengths)[:-1]
            pairs = zip(np.split(row.tokens, ends), np.split(row.weights, ends), strict=True)
            found += [(int(tokens[0]), weights) for tokens, weights in pairs]
    return [dict(found[200 * epoch : 200 * (epoch + 1)]) for epoch in range(epochs)]


def test_observations_are_masked_whole_at_the_wanted_rate(agents: Source) -> None:
    (weights,) = weights_by_document(agents)
    turns = np.array([w[4:].reshape(10, 8) for w in weights.values()])
    assert not any(w[:4].any() for w in weights.values())
    assert turns[:, :, :3].all()
    observations = turns[:, :, 3:]
    assert (observations == observations[:, :, :1]).all()
    assert 0.46 < observations.mean() < 0.54  # 2000 draws: four standard deviations
    assert len({tuple(w) for w in weights.values()}) > 150


def test_the_mask_of_a_document_does_not_depend_on_the_batch(agents: Source) -> None:
    (first,), (second,) = weights_by_document(agents), weights_by_document(agents, tokens_per_row=90)
    assert all(np.array_equal(first[number], second[number]) for number in range(200))


def test_the_mask_is_drawn_anew_each_epoch(agents: Source) -> None:
    first, second = weights_by_document(agents, epochs=2)
    assert sum(np.array_equal(first[number], second[number]) for number in range(200)) < 10


def test_observations_are_in_the_loss_unless_a_source_masks_them(agents: Source) -> None:
    (all_of_them,) = weights_by_document(replace(agents, observation_share=1.0))
    (none,) = weights_by_document(replace(agents, observation_share=0.0))
    assert all(w.sum() == 80 for w in all_of_them.values())
    assert all(w.sum() == 30 for w in none.values())


def test_a_source_says_what_is_predicted(agents: Source) -> None:
    source = replace(agents, observation_share=1.0, predicted=frozenset({Kind.PROMPT, Kind.ACTION}))
    (weights,) = weights_by_document(source)
    assert all(w.sum() == 3 + 30 and w[0] == 0 for w in weights.values())  # a first token has nothing before it


def test_the_kinds_of_a_row_are_those_of_its_documents(agents: Source) -> None:
    (row,) = next(Loader(Mixture(sources=(agents,), tokens_per_row=84)))
    assert row.kinds.tolist() == [0] * 4 + 10 * ([6] * 3 + [7] * 5)
