"""The checkpoint folder of a run: the first rank writes what all ranks hold, one whole weight in memory at a time.

    export(folder, model_config, parameters, tokenizer, ranks)

The first rank says which weight it wants next, and the others help to gather it. So none waits for one that has given up.
"""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from foretrace.data.tokenizer import Tokenizer
from foretrace.model.checkpoint import TOKENIZER
from foretrace.model.config import ModelConfig
from foretrace.model.interchange import save_pretrained
from foretrace.model.loading import from_torch
from foretrace.model.tensors import Raw, StoredTensor
from foretrace.train.ranks import Ranks
from foretrace.train.sharding import whole

_DONE = ""


def export(
    folder: Path,
    config: ModelConfig,
    parameters: Mapping[str, Tensor],
    tokenizer: Tokenizer,
    ranks: Ranks,
    dtype: str = "float16",
) -> None:
    """Writes a checkpoint folder; all ranks must call it.

    Args:
        parameters: of the model, by name.
        dtype: of the written weights.

    Raises:
        CheckpointError: it could not be written, or a weight does not fit in `dtype`; what the folder held before stands.

    """

    def fetched(name: str, parameter: Tensor) -> StoredTensor:
        def read() -> Raw:
            ranks.from_first(name)
            return from_torch(whole(parameter.detach())).read()

        return StoredTensor(str(parameter.dtype).removeprefix("torch."), tuple(parameter.shape), read)

    with ranks.together():
        if ranks.first:
            try:
                tensors = {name: fetched(name, parameter) for name, parameter in parameters.items()}
                save_pretrained(folder, config, tensors, dtype=dtype, files={TOKENIZER: tokenizer.serialise()})
            finally:
                ranks.from_first(_DONE)
        else:
            while (name := ranks.from_first(_DONE)) != _DONE:
                whole(parameters[name].detach())
