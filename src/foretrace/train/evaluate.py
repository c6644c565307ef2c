"""What a model does on held-out documents, given the true tokens before each.

record = validate(model, Path("shards-validation"), mixture, tokenizer.fingerprint, torch.bfloat16)
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foretrace.data.batch import Batch, read_row
from foretrace.data.loader import in_order
from foretrace.data.mixture import Mixture
from foretrace.model.transformer import CausalLM
from foretrace.train.device import precision
from foretrace.train.metrics import LossTable
from foretrace.train.ranks import Ranks
from foretrace.train.rows import Row, predict_row


def validate(
    model: CausalLM,
    folder: Path,
    mixture: Mixture,
    tokenizer: str,
    dtype: torch.dtype,
    ranks: Ranks | None = None,
) -> dict[str, Any]:
    """Measures a folder of shards in rows like those of training: see `measure`.

    Raises:
        FormatError: there are no shards, or damaged ones, or they are of another tokenizer.

    """
    rows = in_order(
        folder,
        mixture.tokens_per_row,
        pad_rows=mixture.pad_rows,
        vocab_size=model.config.vocab_size,
        tokenizer=tokenizer,
    )
    return measure(model, rows, dtype, ranks)


@torch.no_grad()
def measure(model: CausalLM, rows: Iterable[Batch], dtype: torch.dtype, ranks: Ranks | None = None) -> dict[str, Any]:
    """Loss in nats, in all and by kind of token; token accuracy; the share of documents with every token right.

    The last is exactly the share that greedy decoding gets wholly right.
    """
    device = next(model.parameters()).device
    losses = LossTable(("validation",), device)
    documents = exact = 0
    model.eval()
    ranks = ranks or Ranks()
    for batch in _own(rows, ranks):
        row = Row.of(batch, device, axis=ranks.context)
        with precision(device, dtype):
            predicted = predict_row(model, row)
        losses.add(predicted.nll, row.weights, row.kinds, torch.zeros_like(row.kinds), predicted.hits)
        taught, whole = _whole(row, predicted.hits, ranks)
        documents, exact = documents + taught, exact + whole
    model.train()
    record = losses.read("val_")
    del record["val_loss_by_source"]
    documents, exact = ranks.gather(documents, exact)[:, 0, 0].sum(0).tolist()
    return record | {"val_exact_trace": exact / max(1, documents)}


def _own(rows: Iterable[Batch], ranks: Ranks) -> Iterator[Batch]:
    """This rank's share of the rows; padding where others have one row more, since all must compute as often."""
    rest = iter(rows)
    while turn := list(islice(rest, ranks.data.size)):
        yield turn[ranks.data.rank] if ranks.data.rank < len(turn) else read_row([], [], pad_to=1)


def _whole(row: Row, hits: Tensor, ranks: Ranks) -> tuple[int, int]:
    """Documents in which something is predicted, and those of them in which all of it is right."""
    counts = torch.zeros(2, len(row.sources), device=hits.device)  # predictions, and wrong ones
    counts.index_add_(1, row.owners, torch.stack([torch.ones_like(hits), ~hits]).float())
    predictions, misses = ranks.sum_context(counts)
    return int((predictions > 0).sum()), int(((predictions > 0) & (misses == 0)).sum())
