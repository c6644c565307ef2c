"""A row of the loader on its way into the model: tensors on the device, and the predictions that it asks for.

N tokens in a row, M predictions. Under context parallelism a rank has some pieces of the row, and makes the predictions that
come after a token of its own.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from foretrace.data.batch import Batch
from foretrace.model.documents import Documents, moved
from foretrace.model.loss import Predicted
from foretrace.model.transformer import CausalLM
from foretrace.train.context import divisible, pieces_of
from foretrace.train.ranks import ALONE, Axis


@dataclass(frozen=True, slots=True)
class Row:
    """One row on a device."""

    tokens: Tensor
    """(N,) int64."""
    documents: Documents
    where: Tensor
    """(M,) int64: index of the token after which each prediction is made."""
    targets: Tensor
    """(M,) int64: the tokens to predict."""
    weights: Tensor
    """(M,) float32: of each in the loss."""
    kinds: Tensor
    """(M,) int64: `Kind` of each."""
    owners: Tensor
    """(M,) int64: index of the document of each."""
    sources: Tensor
    """(documents,) int64: index of the source of each document."""

    @classmethod
    def of(cls, batch: Batch, device: torch.device, horizon: int | None = None, axis: Axis = ALONE) -> "Row":
        """Moves a row, or this rank's pieces of it, to a device; on CUDA without waiting for it.

        Args:
            horizon: keys that a token sees on global layers at most; None: its whole document.
            axis: of the ranks that share the row.

        """
        batch = divisible(batch, axis)
        documents = Documents.of(batch.lengths, device)
        documents.horizon = horizon
        own, predicted = np.arange(len(batch.tokens)), batch.weights.nonzero()[0]
        where = predicted - 1
        if axis.size > 1:
            pieces = pieces_of(len(batch.tokens), axis)
            documents = documents.restricted(pieces)
            own = np.concatenate([np.arange(piece.start, piece.stop) for piece in pieces])
            predicted = predicted[np.isin(predicted - 1, own)]
            where = np.searchsorted(own, predicted - 1)
        owners = np.repeat(np.arange(len(batch.lengths)), batch.lengths)
        arrays = (
            batch.tokens[own],
            where,
            batch.tokens[predicted],
            batch.weights[predicted],
            batch.kinds[predicted].astype(np.int64),
            owners[predicted],
            batch.sources,
        )
        tokens, *predictions = (moved(torch.from_numpy(array), device) for array in arrays)
        return cls(tokens, documents, *predictions)


def predict_row(model: CausalLM, row: Row) -> Predicted:
    """Scores every prediction of a row."""
    return model.predict(row.tokens, row.documents, row.where, row.targets, row.weights)[0]
