"""`tiny`: the checkpoint in the package, trained from scratch on a laptop's CPU in hours or a GPU in minutes.

foretrace train tiny train.out=runs/tiny
"""

from dataclasses import dataclass, replace
from pathlib import Path

from foretrace.data.build import BuildConfig
from foretrace.model.config import ModelConfig
from foretrace.train.trainer import TrainConfig

VALIDATION_SHARD = 1_000_000
"""Far from every training shard's number, so that validation programs come from seeds never trained on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A whole run: data, tokenizer, model and training."""

    model: ModelConfig
    data: BuildConfig
    train: TrainConfig
    forbidden: Path | None = None
    """JSON Lines of benchmark programs (field `code`) that no training program may resemble."""

    @property
    def validation(self) -> BuildConfig:
        """The held-out shard."""
        out = self.data.out.with_name(self.data.out.name + "-validation")
        return replace(self.data, out=out, first_shard=VALIDATION_SHARD, shards=1, documents_per_shard=512)


def tiny(work: Path = Path("runs/tiny")) -> Recipe:
    """6.4 million parameters, about 70 million tokens: two and a half hours on two cores with AVX-512 bf16."""
    model = ModelConfig(
        vocab_size=1024,
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=8,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        max_position_embeddings=4096,
        sliding_window=512,
    )
    data = BuildConfig(out=work / "shards", shards=60, max_tokens=1280)
    run = TrainConfig(
        data=data.out,
        validation=work / "shards-validation",
        out=work / "run",
        steps=8800,
        tokens_per_batch=8192,
        warmup_steps=60,
        decay_steps=7400,
        validate_every=500,
        compile=True,
    )
    return Recipe(model=model, data=data, train=run)
