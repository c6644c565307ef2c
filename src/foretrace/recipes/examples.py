"""`examples`: a small model that writes short functions from examples, for reinforcement learning to begin with.

    foretrace train examples --work runs/examples

It is fine-tuned from nothing, on functions of one to four lines (`corpus/short_functions.py`), until it finds some of the
functions it has not seen, and not most: then there is something to be learnt by trying.
"""

from pathlib import Path

from foretrace.data.mixture import Mixture, Source
from foretrace.model.config import ModelConfig
from foretrace.recipes.recipe import Data, Recipe, shards
from foretrace.train.config import Optimizer, TrainConfig
from foretrace.train.schedule import Schedule

FUNCTIONS = 400_000
"""Of training: seeds from 0 on."""
HELD_OUT_SEED = 1 << 40
"""Of what it is measured on."""
MODEL = ModelConfig(
    vocab_size=1024,
    hidden_size=192,
    intermediate_size=512,
    num_hidden_layers=6,
    num_attention_heads=6,
    num_key_value_heads=2,
    head_dim=32,
    max_position_embeddings=1024,
    sliding_window=256,
)


def examples(work: Path = Path("runs/examples")) -> Recipe:
    """2.5 million parameters, some 100 million tokens: three minutes of an H200."""
    chats = Source(name="examples", folder=shards(work, "examples"))
    return Recipe(
        work=work,
        model=MODEL,
        data=(("examples", Data(sources=(f"short:{FUNCTIONS}",), kind="examples", max_tokens=512)),),
        sft=TrainConfig(
            stage="sft",
            mixture=Mixture(sources=(chats,), tokens_per_row=32_768, pad_rows=True),
            out=work / "sft",
            steps=3000,
            schedule=Schedule(lr=3e-3, warmup_steps=60, decay_steps=1800),
            optimizer=Optimizer(name="muon"),
            validation=shards(work, "examples-validation"),
            validate_every=1000,
            samples=2,
        ),
    )
